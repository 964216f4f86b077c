"""When an output counts as the expected one."""

from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lcb_rb.execution.worker.compare import stdout_matches, value_matches

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
        ("Infinity", "inf"),
        ("sNaN", "1"),
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
