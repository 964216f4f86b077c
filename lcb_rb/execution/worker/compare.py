"""When an output equals the expected one: pure functions on plain data that never raise, in linear time.

The standard library only: also loaded by processes without this package. "Plain data" is what `wire.decode` makes.
Sources: https://github.com/LiveCodeBench/LiveCodeBench/blob/main/lcb_runner/evaluation/testing_util.py and
https://github.com/evalplus/evalplus/blob/master/evalplus/eval/__init__.py (`unsafe_execute`; its oracles in
`_special_oracle.py`).
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

FLOAT_ATOL = 1e-6
"""EvalPlus's tolerance where floats are expected and the problem states none."""
RTOL = 1e-7
"""EvalPlus's relative tolerance."""
LEAST_INT, MOST_INT = -(2**63), 2**64 - 1
"""Range of integers in numpy's arrays; others are close to nothing but themselves."""
MAX_DECIMAL_BITS = 40_000
"""Longer integers are greater than every decimal that `wire` lets pass; converting them takes quadratic time."""

_FLAT = frozenset((type(None), bool, int, float, str))
"""Types whose equality is quick and raises nothing."""

Arguments = Sequence[Any]


def call_matches(
    got: object, expected: object, arguments: Arguments, *, compare: str, atol: float, oracle: str
) -> bool:
    """Returns whether the result of a call with these arguments counts as the expected one.

    Args:
        got: the result, plain data.
        expected: the expected result.
        arguments: what the function was called with, before it could change them.
        compare: name of the rule, a key of `RULES`.
        atol: absolute tolerance, for "evalplus".
        oracle: name of the rule in place of equality, a key of `ORACLES` or empty, for "evalplus".
    """
    return RULES[compare](got, expected, arguments, atol, oracle)


def stdout_matches(got: str, expected: str) -> bool:
    """Returns whether two outputs agree by LiveCodeBench's rule (`grade_stdio`).

    Both are stripped and compared line by line without surrounding blanks; lines that differ as text agree when they
    have the same number of tokens and all are equal decimals (`1.0` and `1`, `inf` and `Infinity`, never NaN).
    """
    left, right = got.strip().split("\n"), expected.strip().split("\n")
    return len(left) == len(right) and all(map(_line_matches, left, right))


def value_matches(got: object, expected: object) -> bool:
    """Returns whether a result equals the expected one by LiveCodeBench's rule (`grade_call_based`).

    A tuple counts as a list at the top, not inside; all else is Python's equality (`1 == 1.0 == True`).
    """
    left = list(got) if isinstance(got, tuple) else got
    right = list(expected) if isinstance(expected, tuple) else expected
    return _equal(left, right)


def exactly_matches(got: object, expected: object) -> bool:
    """Returns whether two values are the same, with the same types all through: 1, 1.0 and True differ; NaN is NaN."""
    return _typed(got) == _typed(expected)


def evalplus_matches(got: object, expected: object, arguments: Arguments, atol: float, oracle: str) -> bool:
    """Returns whether a result counts by EvalPlus's rule: equal (or right by the oracle), or close.

    Close needs one type and length, and arrays of one shape. Stricter than the source in two accidents of it: numpy
    would stretch arrays of unequal shape, and the tolerance for floats would stay on for the tests that follow.
    """
    if oracle == "find-zero":  # the only one that also replaces closeness
        return is_zero(got, arguments, atol)
    if ORACLES[oracle](got, expected, arguments, atol) if oracle else _equal(got, expected):
        return True
    tolerance = FLOAT_ATOL if atol == 0 and _is_floats(expected) else atol
    return tolerance != 0 and type(got) is type(expected) and all_close(got, expected, tolerance)


def all_close(got: object, expected: object, atol: float) -> bool:
    """Returns what `numpy.allclose(got, expected, rtol=1e-07, atol=atol)` does for arrays of one shape, else False.

    False also where numpy has no numbers to compare: text, None, dicts, ragged lists, integers beyond 64 bits.
    Source: https://github.com/numpy/numpy/blob/main/numpy/_core/numeric.py (`isclose`)
    """
    return _shape(expected) is not None and _all_close(got, expected, atol)


def always(got: object, expected: object, arguments: Arguments, atol: float) -> bool:
    """Returns True: Mbpp/164 (`are_equivalent`) accepts every result."""
    return True


def or_zero(got: object, expected: object, arguments: Arguments, atol: float) -> bool:
    """Returns whether the result is the expected one or 0: Mbpp/295 (`sum_div`)."""
    return _equal(got, expected) or _equal(got, 0)


def same_set(got: object, expected: object, arguments: Arguments, atol: float) -> bool:
    """Returns whether both hold the same items, in any order and number (MBPP_OUTPUT_SET_EQ_TASKS)."""
    try:
        items, wanted = list(got), set(expected)  # type: ignore[call-overload]
        # a set is made only of items known to be wanted: one of hostile items could take quadratic time
        return all(item in wanted for item in items) and len(set(items)) == len(wanted)
    except TypeError:  # no collection, or an item that no set can hold
        return False


def not_none(got: object, expected: object, arguments: Arguments, atol: float) -> bool:
    """Returns whether the result is, or says as a bool, that something was found (MBPP_OUTPUT_NOT_NONE_TASKS)."""
    return _found(got) is _found(expected)


def is_surface_area(got: Any, expected: object, arguments: Arguments, atol: float) -> bool:
    """Returns whether the result is expected, or right for the height of a square pyramid's apex: Mbpp/581."""
    return _equal(got, expected) or _guarded(lambda: abs(got - _surface_area(*arguments)) <= atol)


def is_digit_distance(got: object, expected: object, arguments: Arguments, atol: float) -> bool:
    """Returns whether the result is expected, or the sum of the digits' distances, aligned right: Mbpp/558."""
    return _equal(got, expected) or _guarded(lambda: _equal(got, _digit_distance(*arguments)))


def is_zero(got: object, arguments: Arguments, atol: float) -> bool:
    """Returns whether the polynomial with the coefficients `arguments[0]` is near 0 at the result: HumanEval/32."""
    return _guarded(lambda: abs(_polynomial(arguments[0], got)) <= atol)


ORACLES: dict[str, Callable[[object, object, Arguments, float], bool]] = {
    "any": always,
    "or-zero": or_zero,
    "same-set": same_set,
    "not-none": not_none,
    "surface-area": is_surface_area,
    "digit-distance": is_digit_distance,
    "find-zero": lambda got, expected, arguments, atol: is_zero(got, arguments, atol),
}

RULES: dict[str, Callable[[object, object, Arguments, float, str], bool]] = {
    "livecodebench": lambda got, expected, *_: value_matches(got, expected),
    "evalplus": evalplus_matches,
    "exact": lambda got, expected, *_: exactly_matches(got, expected),
}


def _line_matches(got: str, expected: str) -> bool:
    left, right = got.strip(), expected.strip()
    if left == right:
        return True
    if len(left.split()) != len(right.split()):
        return False
    numbers = _decimals(left)
    return numbers is not None and numbers == _decimals(right)


def _decimals(line: str) -> list[Decimal] | None:
    try:
        values = [Decimal(token) for token in line.split()]
    except InvalidOperation:
        return None
    return None if any(value.is_snan() for value in values) else values


def _equal(left: object, right: object) -> bool:
    """Returns what `left == right` does for values decoded apart, but never raises and takes linear time."""
    if (isinstance(left, list) and isinstance(right, list)) or (isinstance(left, tuple) and isinstance(right, tuple)):
        if _FLAT.issuperset(map(type, left)) and _FLAT.issuperset(map(type, right)):
            return left == right and all(value == value for value in left)  # NaN equals nothing
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(key in right and _equal(left[key], right[key]) for key in left)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Decimal) and (one.is_snan() or _is_long(other)):
            return False
    return bool(left == right)


def _is_long(value: object) -> bool:
    if isinstance(value, (int, Fraction)):
        return max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_DECIMAL_BITS
    return False


def _typed(value: object) -> tuple[object, ...]:
    """Returns a hashable that equals another only if type and value do, all through."""
    if isinstance(value, (list, tuple)):
        return (type(value), *map(_typed, value))
    if isinstance(value, (set, frozenset)):
        return (type(value), len(value), frozenset(map(_typed, value)))
    if isinstance(value, dict):
        return (dict, len(value), frozenset((_typed(key), _typed(item)) for key, item in value.items()))
    if isinstance(value, complex):
        return (complex, _typed(value.real), _typed(value.imag))
    is_nan = value.is_nan() if isinstance(value, Decimal) else isinstance(value, float) and math.isnan(value)
    return (type(value), "nan" if is_nan else value)


def _is_floats(value: object) -> bool:
    """Returns whether the value is a float or a list or tuple of floats, not empty (`is_floats`)."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _shape(value: object) -> tuple[int, ...] | None:
    """Returns the lengths of the nested lists, outermost first; None when they are ragged."""
    if not isinstance(value, (list, tuple)):
        return ()
    shapes = set(map(_shape, value))
    if None in shapes or len(shapes) > 1:
        return None
    return (len(value), *(shapes.pop() or () if shapes else ()))


def _all_close(got: object, expected: object, atol: float) -> bool:
    if isinstance(got, (list, tuple)) and isinstance(expected, (list, tuple)):
        return len(got) == len(expected) and all(_all_close(a, b, atol) for a, b in zip(got, expected, strict=True))
    left, right = _number(got), _number(expected)
    if left is None or right is None:
        return False
    distance, size = left - right, math.hypot(right.real, right.imag)
    near = math.isfinite(size) and math.hypot(distance.real, distance.imag) <= atol + RTOL * size
    return near or left == right


def _number(value: object) -> complex | None:
    """Returns the value as numpy would compare it, None when that is no number."""
    if isinstance(value, int):
        return complex(value) if LEAST_INT <= value <= MOST_INT else None
    return complex(value) if isinstance(value, (float, complex)) else None


def _found(value: object) -> bool:
    return value if isinstance(value, bool) else value is not None


def _guarded(matches: Callable[[], bool]) -> bool:
    """Returns False where the arithmetic of an oracle fails: a result of the wrong type or out of range."""
    try:
        return matches()
    except (TypeError, ValueError, LookupError, ArithmeticError):
        return False


def _surface_area(base: Any, height: Any) -> Any:
    slant = math.sqrt((base / 2) ** 2 + height**2)
    return round(base**2 + 4 * (base * slant) / 2)


def _digit_distance(first: Any, second: Any) -> int:
    width = max(len(str(first)), len(str(second)))
    digits = zip(str(first).zfill(width), str(second).zfill(width), strict=True)
    return sum(abs(int(a) - int(b)) for a, b in digits)


def _polynomial(coefficients: Any, x: Any) -> Any:
    return sum(coefficient * math.pow(x, power) for power, coefficient in enumerate(coefficients))
