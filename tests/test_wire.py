"""The codec between processes: every plain value comes back, everything else is refused."""

import collections
import enum
import json
import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcb_rb.execution.worker import wire

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers().map(lambda number: number * 10**400),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.fractions(),
    st.decimals().filter(lambda value: not value.is_snan() and abs(value.adjusted()) < wire.MAX_EXPONENT),
)
KEYS = st.recursive(ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)
VALUES = st.recursive(
    KEYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(KEYS, max_size=4),
    ),
    max_leaves=20,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["int", "float", "set", "dict", "tuple", "bytes", "x"]), inner, max_size=2),
    ),
    max_leaves=12,
)


def sent(value):
    """The value after its way through a pipe."""
    return wire.decode(json.loads(json.dumps(wire.encode(value))))


def shape(value):
    """The value in a form that tells types, NaN and -0.0 apart and does not depend on the order of sets."""
    kind = type(value).__name__
    if isinstance(value, list | tuple):
        return (kind, *map(shape, value))
    if isinstance(value, set | frozenset):
        return (kind, *sorted(map(shape, value), key=repr))
    if isinstance(value, dict):
        return (kind, *((shape(key), shape(item)) for key, item in value.items()))
    return (kind, hex(value) if isinstance(value, int) else repr(value))


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_every_plain_value_comes_back_with_its_types(value):
    assert shape(sent(value)) == shape(value)


@settings(deadline=None, max_examples=200)
@given(JSON)
def test_any_json_is_decoded_to_plain_data_or_refused_with_value_error(form):
    try:
        value = wire.decode(form)
    except ValueError:
        return
    assert type(value).__module__ == "builtins"


class Liar(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class LyingFloat(float):
    def __float__(self):
        return 42.0

    def __ne__(self, other):
        return False


class LyingList(list):
    def __iter__(self):
        return iter([42])

    def __len__(self):
        return 0


class LyingStr(str):
    def __str__(self):
        return "42"


class LyingDict(dict):
    def items(self):
        return [(42, 42)]


Point = collections.namedtuple("Point", "x y")
Colour = enum.IntEnum("Colour", ["RED"])


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Liar(7), 7),
        (True, True),
        (LyingFloat(1.5), 1.5),
        (LyingList([1, 2]), [1, 2]),
        (LyingStr("a"), "a"),
        (LyingDict({1: 2}), {1: 2}),
        (Point(1, 2), (1, 2)),
        (Colour.RED, 1),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.defaultdict(list, {1: [2]}), {1: [2]}),
        (collections.deque([1, 2]), [1, 2]),
        (type("B", (bytearray,), {})(b"ab"), bytearray(b"ab")),
    ],
)
def test_a_subclass_arrives_as_what_it_extends(value, plain):
    assert shape(sent(value)) == shape(plain)


@pytest.mark.parametrize("make", [lambda: iter([1, 2]), lambda: (n for n in (1, 2)), lambda: {1: 0, 2: 0}.keys()])
def test_iterators_and_views_arrive_as_iterators(make):
    found = sent(make())
    assert (next(found), next(found), next(found, "end")) == (1, 2, "end")


class Spoof:
    @property
    def __class__(self):
        return int


@pytest.mark.parametrize(
    "value",
    [object(), len, Spoof, lambda: 0, Spoof(), [object()], {1: open}, NotImplemented],
    ids=["object", "builtin", "class", "lambda", "spoof", "list", "dict", "singleton"],
)
def test_objects_are_not_sent(value):
    with pytest.raises(TypeError):
        wire.encode(value)


def test_an_endless_iterator_is_given_up():
    with pytest.raises(wire.Unsendable, match="too many items"):
        wire.encode(iter(int, 1))


@pytest.mark.parametrize("value", [[2 ** (wire.MAX_INT_BITS + 1)], Decimal("1e20000"), Decimal("-1e-20000")])
def test_a_number_too_large_to_work_with_is_not_sent(value):
    with pytest.raises(wire.Unsendable):
        wire.encode(value)


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: (v,), lambda v: {"k": v}, lambda v: {0: [v]}])
def test_the_deepest_value_comes_back_and_a_deeper_one_is_not_sent(wrap):
    levels = wire.MAX_DEPTH // (2 if wrap(0) == {0: [0]} else 1)
    value = 0
    for _ in range(levels):
        value = wrap(value)
    assert sent(value) == value
    with pytest.raises(wire.Unsendable, match="deep"):
        wire.encode(wrap(wrap(value)))


HOSTILE = [
    {},
    {"int": "1", "float": "1"},
    {"object": 1},
    {"__class__": "int"},
    {"int": 5},
    {"int": "zz"},
    {"int": "0x" + "f" * (wire.MAX_INT_BITS // 4 + 4)},
    {"float": "0x1p99999"},
    {"float": 1.5},
    {"float": None},
    {"complex": ["0x1p0"]},
    {"complex": ["0x1p0"] * 3},
    {"complex": "ab"},
    {"bytes": "@"},
    {"bytes": [1]},
    {"bytes": "é"},
    {"decimal": "x"},
    {"decimal": "sNaN"},
    {"decimal": "1e20000"},
    {"decimal": 1},
    {"fraction": [1, 0]},
    {"fraction": [1, 2, 3]},
    {"fraction": ["1e99999999", 1]},
    {"fraction": [1.5, 2]},
    {"list": "abc"},
    {"tuple": {"list": []}},
    {"set": [[1]]},
    {"frozenset": [{"set": []}]},
    {"set": 5},
    {"dict": [1]},
    {"dict": ["ab"]},
    {"dict": [[1]]},
    {"dict": [[1, 2, 3]]},
    {"dict": [[[], 1]]},
    {"dict": {"a": 1}},
    {"iterator": None},
    [{"unknown": 1}],
    object(),
    (1, 2),
    b"1",
]


@pytest.mark.parametrize("form", HOSTILE, ids=[str(index) for index in range(len(HOSTILE))])
def test_a_form_that_encode_never_makes_is_refused(form):
    with pytest.raises(ValueError):
        wire.decode(form)


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"tuple": [v]}, lambda v: {"dict": [[0, v]]}])
def test_a_form_nested_without_end_is_refused(wrap):
    form = 0
    for _ in range(100_000):
        form = wrap(form)
    with pytest.raises(ValueError, match="deep"):
        wire.decode(form)


@pytest.mark.parametrize("tag", ["set", "frozenset", "dict"])
def test_items_made_to_share_one_hash_do_not_stop_the_grader(tag):
    items = [number * (2**61 - 1) for number in range(100_000)]
    body = [[item, 0] for item in items] if tag == "dict" else items
    start = time.process_time()
    with pytest.raises(ValueError, match="hash"):
        wire.decode({tag: body})
    assert time.process_time() - start < 5


def test_a_large_honest_set_is_not_refused():
    grid = {(row, column) for row in range(-3, 200) for column in range(-3, 200)}
    assert sent(grid) == grid


def test_fractions_and_decimals_keep_their_values():
    assert sent([Fraction(1, 3), Decimal("0.10")]) == [Fraction(1, 3), Decimal("0.10")]
