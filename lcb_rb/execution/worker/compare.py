"""When an output equals the expected one: pure functions, lengths compared before contents."""

from decimal import Decimal, InvalidOperation
from itertools import zip_longest


def stdout_matches(got: str, expected: str) -> bool:
    """Returns whether two outputs agree by LiveCodeBench's rule.

    Both are stripped and compared line by line without surrounding blanks; lines that differ as text agree when they
    have the same number of tokens and all are equal decimals (`1.0` and `1`).
    Source: `grade_stdio` in https://github.com/LiveCodeBench/LiveCodeBench/blob/main/lcb_runner/evaluation/testing_util.py
    """
    pairs = zip_longest(got.strip().split("\n"), expected.strip().split("\n"))
    return all(
        left is not None and right is not None and _line_matches(left.strip(), right.strip()) for left, right in pairs
    )


def value_matches(got: object, expected: object) -> bool:
    """Returns whether a result equals the expected one; a tuple counts as a list at the top, as in LiveCodeBench."""
    left = list(got) if isinstance(got, tuple) else got
    right = list(expected) if isinstance(expected, tuple) else expected
    return left == right


def _line_matches(got: str, expected: str) -> bool:
    if got == expected:
        return True
    left, right = _decimals(got), _decimals(expected)
    return left is not None and left == right


def _decimals(line: str) -> list[Decimal] | None:
    try:
        values = [Decimal(token) for token in line.split()]
    except (InvalidOperation, ValueError):
        return None
    return values if all(value.is_finite() for value in values) else None
