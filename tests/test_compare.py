"""When an output counts as the expected one."""

import copy
import math
import time
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lcb_rb.execution.worker.compare import ORACLES, RULES, all_close, call_matches, stdout_matches, value_matches
from lcb_rb.schema import Compare, Oracle

TOKENS = st.text(alphabet="abcXYZ0123456789.-", min_size=1, max_size=8)
LINES = st.lists(st.lists(TOKENS, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=8)
NUMBERS = st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3), min_size=1, max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner), max_leaves=10
)


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_every_output_equals_itself(text):
    assert stdout_matches(text, text)


@settings(deadline=None, max_examples=200)
@given(LINES, st.data())
def test_an_output_with_a_line_missing_is_refused(lines, data):
    assume(len(lines) > 1)
    drop = data.draw(st.integers(0, len(lines) - 1))
    shorter = lines[:drop] + lines[drop + 1 :]
    assert not stdout_matches("\n".join(shorter), "\n".join(lines))
    assert not stdout_matches("\n".join(lines), "\n".join(shorter))


@settings(deadline=None, max_examples=100)
@given(NUMBERS)
def test_a_line_with_a_number_missing_is_refused(numbers):
    line = " ".join(map(str, numbers))
    assert not stdout_matches(" ".join(map(str, numbers[1:])), line)
    assert not stdout_matches(f"{line} 1", line)


@settings(deadline=None, max_examples=200)
@given(LINES, st.sampled_from(["\n", "\r\n", " \n", "\t\n"]), st.sampled_from(["", "\n", "\n\n", " \r\n"]))
def test_blanks_around_lines_and_ends_do_not_count(lines, newline, end):
    assert stdout_matches(newline.join(lines) + end, "\n".join(lines))


@settings(deadline=None, max_examples=200)
@given(NUMBERS, st.integers(0, 4))
def test_a_number_may_be_written_with_more_zeros(numbers, zeros):
    got = " ".join(f"{number:f}" + "0" * zeros for number in numbers)
    assert stdout_matches(got, " ".join(map(str, numbers)))


@settings(deadline=None, max_examples=200)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=6), st.integers(1, 12))
def test_numbers_are_compared_exactly(number, digit):
    other = number + Decimal(10) ** -digit
    assume(other != number)
    assert not stdout_matches(str(other), str(number))


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("", "1"),
        ("1", ""),
        ("1\n2", "1 2"),
        ("1 2", "1\n2"),
        ("1\n\n2", "1\n2"),
        ("yes", "YES"),
        ("a b", "a  b"),
        ("1 2 3", "1 2"),
        ("2 1", "1 2"),
        ("1.0000001", "1"),
        ("1e-400", "0"),
        ("nan", "NaN"),
        ("Infinity", "-inf"),
        ("Infinity", "1e999999"),
        ("sNaN", "1"),
        ("sNaN", "SNAN"),
        ("1", "sNaN"),
        ("0x10", "16"),
        ("1,5", "1.5"),
        ("1 x", "1.0 x"),
    ],
)
def test_outputs_that_differ(got, expected):
    assert not stdout_matches(got, expected)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("1", "1.0"),
        ("1e3", "1000"),
        ("-0", "0"),
        ("1  2", "1 2"),
        ("\n\n 5 \n", "5"),
        ("nan", "nan"),
        ("Infinity", "inf"),
        ("12345678901234567890123456789012345678901.0", "12345678901234567890123456789012345678901"),
    ],
)
def test_outputs_that_agree(got, expected):
    assert stdout_matches(got, expected)


def test_numbers_with_monstrous_exponents_are_told_apart_at_once():
    assert not stdout_matches("1e999999999", "1e-999999999")
    assert not stdout_matches("1e99999999999999999999999", "1")


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_every_value_without_nan_equals_itself(value):
    assert value_matches(value, value)


@settings(deadline=None, max_examples=200)
@given(st.lists(SCALARS, min_size=1, max_size=6))
def test_a_shorter_list_is_refused(values):
    assert not value_matches(values[:-1], values)
    assert not value_matches(values, values[:-1])


@settings(deadline=None, max_examples=100)
@given(st.lists(SCALARS, max_size=6))
def test_a_tuple_counts_as_a_list_at_the_top(values):
    assert value_matches(tuple(values), values)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ([(1, 2)], [[1, 2]]),
        ("1", 1),
        (None, False),
        (None, []),
        ([1, 2], [2, 1]),
        ({1, 2}, [1, 2]),
        ("ab", ["a", "b"]),
        (b"a", "a"),
        (0.1 + 0.2, 0.3),
        (2**53 + 1, float(2**53)),
        (float("nan"), float("nan")),
    ],
)
def test_values_that_differ(got, expected):
    assert not value_matches(got, expected)


# All rules for calls

HASHABLE = st.recursive(
    SCALARS
    | st.complex_numbers(allow_nan=False)
    | st.binary(max_size=3)
    | st.fractions()
    | st.decimals(allow_nan=False, places=2),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
PLAIN = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=8,
)
HOSTILE = st.sampled_from(
    [
        math.nan,
        math.inf,
        -math.inf,
        2**14_000,
        -(2**14_000),
        10**400,
        1e308,
        complex(1e308, 1e308),
        complex(math.nan, math.inf),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1e9999"),
        Fraction(1, 2**14_000),
        {(1, 2), frozenset({3})},
        {math.nan: [math.nan]},
        b"a",
        iter([1]),
        True,
        None,
        "",
    ]
)
ANYTHING = st.recursive(
    HOSTILE | SCALARS, lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
)


def matches(got: object, expected: object, *arguments: object, **options: Any) -> bool:
    return call_matches(got, expected, arguments, **{"compare": "evalplus", "atol": 0.0, "oracle": "", **options})


def test_the_records_know_every_rule_and_every_oracle():
    assert set(get_args(Compare)) == set(RULES)
    assert set(get_args(Oracle)) == {"", *ORACLES}


@settings(deadline=None, max_examples=200)
@given(PLAIN, st.sampled_from(sorted(RULES)))
def test_every_result_equals_its_copy_by_every_rule(value, compare):
    assert matches(value, copy.deepcopy(value), compare=compare)


@settings(deadline=None, max_examples=200)
@given(st.lists(PLAIN, min_size=1, max_size=5), st.sampled_from([list, tuple]), st.sampled_from(sorted(RULES)))
def test_a_cut_result_is_refused_by_every_rule(values, kind, compare):
    assert not matches(kind(values[:-1]), kind(values), compare=compare)
    assert not matches(kind(values), kind(values[:-1]), compare=compare)


@settings(deadline=None, max_examples=500)
@given(ANYTHING, ANYTHING, ANYTHING, st.sampled_from([0.0, 1e-6]), st.sampled_from(["", *ORACLES]))
def test_no_value_makes_a_rule_raise(got, expected, argument, atol, oracle):
    for compare in RULES:
        for arguments in [(), (argument,), (argument, got)]:
            assert matches(got, expected, *arguments, compare=compare, atol=atol, oracle=oracle) in (True, False)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


LONG = 2 ** (2**20) - 1


LARGE: dict[str, tuple[object, object]] = {
    "int and float": (LONG, 1.5),
    "float and int": ([1.5], [LONG]),
    "int and decimal": (LONG, Decimal("1.5")),
    "ints and decimals": ([LONG] * 100, [Decimal("1.5")] * 100),
    "fraction and decimal": (Fraction(1, LONG), Decimal("1.5")),
    "one item missing": ([[0.5] * 200_000], [[0.5] * 200_000 + [1.0]]),
    "one hash": ([i * (2**61 - 1) for i in range(1, 50_000)], [0, 7]),
    "depth": (nested(150), nested(149)),
    "text": ("a" * 2_000_000, ["b"]),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("oracle", ["", "same-set", "find-zero"])
def test_hostile_results_are_refused_at_once(name, oracle):
    got, expected = LARGE[name]
    start = time.process_time()
    for compare in RULES:
        assert not matches(got, expected, [1, 2], compare=compare, oracle=oracle)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("compare", RULES)
def test_large_results_that_are_equal(compare):
    for value in [LONG, [2**70, 1.0], nested(150), {LONG: [Fraction(1, LONG)]}]:
        assert matches(value, copy.deepcopy(value), compare=compare)


# LiveCodeBench's rule


@pytest.mark.parametrize(
    ("got", "expected"),
    [(1, True), (1.0, 1), ((1, 2), [1, 2]), ([1, [2]], [1.0, [2]]), (float("inf"), float("inf")), (2**80, 2**80)],
)
def test_values_that_agree_in_livecodebench(got, expected):
    assert matches(got, expected, compare="livecodebench")


def test_nan_equals_nothing_even_itself():
    assert not value_matches([math.nan], [math.nan])


# The exact rule


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (1, True),
        (1, 1.0),
        (1.0, 1 + 0j),
        ((1,), [1]),
        ([(1,)], [[1]]),
        ({1}, {True}),
        ({1}, frozenset({1})),
        ({1: 2}, {1.0: 2}),
        ({1: 2}, {1: True}),
        ({1: 2}, {1: 2, 2: 1}),
        (Decimal(1), 1),
        (Fraction(1), 1),
        ({float("nan"), float("nan")}, {float("nan")}),
        ("a", b"a"),
        (None, False),
    ],
)
def test_values_that_are_not_exactly_the_same(got, expected):
    assert not matches(got, expected, compare="exact")
    assert not matches(expected, got, compare="exact")


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (float("nan"), float("nan")),
        ([complex(0, math.nan)], [complex(0, math.nan)]),
        ({1: [2], 3: {4}}, {3: {4}, 1: [2]}),
        ({(1, frozenset({2}))}, {(1, frozenset({2}))}),
    ],
)
def test_values_that_are_exactly_the_same(got, expected):
    assert matches(got, expected, compare="exact")


# EvalPlus's rule


@pytest.mark.parametrize(
    ("got", "expected", "atol"),
    [
        (1, 1.0, 0),
        (True, 1, 0),
        ([1], [True], 0),
        (0.1 + 0.2, 0.3, 0),
        (1.0000009, 1.0, 0),
        ([0.1 + 0.2, 1.0], [0.3, 1.0], 0),
        ((0.1 + 0.2,), (0.3,), 0),
        (1.00009, 1.0, 1e-4),
        ([1, 1.00009], [1, 1.0], 1e-4),
        ([[1.00009, 2]], [(1.0, 2)], 1e-4),
        (10**9 + 1, 10**9, 1e-4),
        (1.00009 + 1j, 1 + 1j, 1e-4),
        ([math.inf, 0.1 + 0.2], [math.inf, 0.3], 0),
    ],
)
def test_results_that_count_in_evalplus(got, expected, atol):
    assert matches(got, expected, atol=atol)


@pytest.mark.parametrize(
    ("got", "expected", "atol"),
    [
        (1.000002, 1.0, 0),
        (1, 1.0000001, 0),
        ((1, 2), [1, 2], 0),
        ([0.3], (0.3,), 0),
        ([1, 0.1 + 0.2], [1, 0.3], 0),
        ([[0.1 + 0.2]], [[0.3]], 0),
        ({1: 0.1 + 0.2}, {1: 0.3}, 1e-4),
        ({0.1 + 0.2}, {0.3}, 1e-4),
        ("1.0", 1.0, 1e-4),
        ("a", "b", 1e-4),
        (None, 1.0, 1e-4),
        (math.nan, math.nan, 0),
        ([math.nan], [math.nan], 1e-4),
        (math.inf, 1e308, 1e-4),
        (1e308, math.inf, 1e-4),
        (math.inf, -math.inf, 1e-4),
        (2**70 + 1, 2**70, 1e-4),
        ([[1.00001]], [1.0], 1e-4),
        ([[1.0], [1.00001]], [[1.0, 1.0], [1.0, 1.0]], 1e-4),
        ([[1.0], [1.00001, 2.0]], [[1.0], [1.0, 2.0]], 1e-4),
        ([1.0, 1.0], [1.00001], 1e-4),
        ([], [0.0], 1e-4),
    ],
)
def test_results_that_do_not_count_in_evalplus(got, expected, atol):
    assert not matches(got, expected, atol=atol)


REALS = (
    st.floats() | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(0.9999, 1.0001) | st.complex_numbers()
)


@settings(deadline=None, max_examples=500)
@given(st.lists(st.tuples(REALS, REALS), min_size=1, max_size=4), st.sampled_from([1e-8, 1e-6, 1e-4, 0.5]))
@example([(1.0 + 1.1e-7, 1.0)], 1e-8)
@example([(complex(1e308, 1e308), complex(1e308, 1e308))], 1e-8)
def test_closeness_is_that_of_numpy(pairs, atol):
    got, expected = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    with np.errstate(all="ignore"):
        assert all_close(got, expected, atol) is bool(np.allclose(got, expected, rtol=1e-07, atol=atol))
        assert all_close([got, got], [expected, expected], atol) is all_close(got, expected, atol)


# EvalPlus's oracles


@pytest.mark.parametrize(
    ("oracle", "got", "expected", "arguments"),
    [
        ("any", None, True, (1, 2)),
        ("or-zero", 0, 7, (8,)),
        ("or-zero", 7, 7, (8,)),
        ("same-set", [2, 1, 1], (1, 2), ()),
        ("same-set", {1, 2}, [1, 2], ()),
        ("same-set", [], [], ()),
        ("not-none", "found", True, ()),
        ("not-none", "found", "another", ()),
        ("not-none", None, None, ()),
        ("not-none", False, None, ()),
        ("not-none", None, False, ()),
        ("surface-area", 33, 33, (3, 4)),
        ("surface-area", 35, 33, (3, 4)),
        ("digit-distance", 1, 1, (1, 2)),
        ("digit-distance", 7, 9, (23, 156)),
        ("digit-distance", 3, 8, (1, 22)),
    ],
)
def test_results_that_an_oracle_accepts(oracle, got, expected, arguments):
    assert matches(got, expected, *arguments, oracle=oracle)


@pytest.mark.parametrize(
    ("oracle", "got", "expected", "arguments"),
    [
        ("or-zero", 1, 7, (8,)),
        ("or-zero", None, 7, (8,)),
        ("same-set", [1], [1, 2], ()),
        ("same-set", [1, 2, 3], [1, 2], ()),
        ("same-set", [[1]], [1], ()),
        ("same-set", None, [], ()),
        ("same-set", 5, [5], ()),
        ("not-none", None, True, ()),
        ("not-none", True, None, ()),
        ("not-none", False, True, ()),
        ("surface-area", 34, 33, (3, 4)),
        ("surface-area", "35", 33, (3, 4)),
        ("surface-area", math.nan, 33, (3, 4)),
        ("surface-area", 10**400, 33, (3, 4)),
        ("digit-distance", 2, 1, (1, 2)),
        ("digit-distance", 2, 1, (-1, 2)),
    ],
)
def test_results_that_an_oracle_refuses(oracle, got, expected, arguments):
    assert not matches(got, expected, *arguments, oracle=oracle)


@pytest.mark.parametrize(("got", "right"), [(-0.5, True), (-0.50001, True), (-0.6, False), ("x", False), (None, False)])
@pytest.mark.parametrize("expected", [-0.5, 17.0])
def test_a_zero_counts_by_the_polynomial_not_by_the_reference(got, right, expected):
    assert matches(got, expected, [1, 2], oracle="find-zero", atol=1e-4) is right


@pytest.mark.parametrize("got", [10**400, math.nan, math.inf, 1e300, complex(0, 1), Fraction(1, 2), [0.5]])
def test_no_hostile_zero_counts(got):
    assert not matches(got, -0.5, [1, 2, 3, 4], oracle="find-zero", atol=1e-4)
