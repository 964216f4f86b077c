"""The closed set of values that may cross between processes, as JSON; plain data only, never objects.

Loaded both by this package and, without it, by the scripts that run beside untrusted code.
"""

import base64
from collections import Counter, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

MAX_DEPTH = 150
MAX_ITEMS = 2_000_000
MAX_INT_BITS = 2**20
MAX_EXPONENT = 10_000
MAX_EQUAL_HASHES = 1000
SMALL = 10**300


class Unsendable(TypeError):
    """The value is outside the closed set."""


def encode(value: object) -> Any:
    """Returns the JSON form of a value; subclasses are reduced to the builtin type they extend.

    Raises:
        Unsendable: the value is of another type, or too large.
    """
    return _encode(value, 0)


def decode(value: Any) -> Any:
    """Returns the value of a JSON form, built from builtin types only, in time that grows with its length.

    Raises:
        ValueError: the form is not one that `encode` makes.
    """
    return _decode(value, 0)


def _encode(value: object, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Unsendable("nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _encode_int(int.__index__(value))
    if isinstance(value, float):
        number = float.__float__(value)
        return number if isfinite(number) else {"float": number.hex()}
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return _items(list.__iter__(value), list.__len__(value), depth)
    return _tagged(value, depth)


def _encode_int(number: int) -> Any:
    if number.bit_length() > MAX_INT_BITS:
        raise Unsendable("too large an integer")
    return number if -SMALL < number < SMALL else {"int": hex(number)}


def _tagged(value: object, depth: int) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {"tuple": _items(tuple.__iter__(value), tuple.__len__(value), depth)}
    if isinstance(value, dict):
        items = list(dict.items(value))
        return {"dict": [[_encode(key, depth + 1), _encode(item, depth + 1)] for key, item in items]}
    if isinstance(value, (set, frozenset)):
        name = "set" if isinstance(value, set) else "frozenset"
        return {name: _items(iter(value), len(value), depth)}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, complex):
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if isinstance(value, Decimal):
        return {"decimal": str(_checked(Decimal(value)))}
    if isinstance(value, Fraction):
        return {"fraction": _items((value.numerator, value.denominator), 2, depth)}
    if isinstance(value, (range, deque)):
        return {"iterator" if isinstance(value, range) else "list": _items(iter(value), len(value), depth)}
    if hasattr(type(value), "__next__") or type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
        return {"iterator": _items(iter(value), 0, depth)}  # type: ignore[call-overload]
    raise Unsendable(f"a value of type {type(value).__name__} cannot be compared")


def _items(values: Any, size: int, depth: int) -> list[Any]:
    if size > MAX_ITEMS:
        raise Unsendable("too many items")
    encoded = []
    for value in values:
        encoded.append(_encode(value, depth + 1))
        if len(encoded) > MAX_ITEMS:
            raise Unsendable("too many items")
    return encoded


def _decode(value: Any, depth: int) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if type(value) is list:
        return _list(value, depth)
    if type(value) is not dict or len(value) != 1:
        raise ValueError("unknown form")
    ((tag, body),) = value.items()
    if tag not in _DECODERS:
        raise ValueError(f"unknown tag {tag!r}")
    try:
        return _DECODERS[tag](body, depth)
    except (TypeError, ArithmeticError) as error:  # unhashable, out of range, not two parts
        raise ValueError(f"malformed {tag}") from error


def _list(body: Any, depth: int) -> list[Any]:
    if type(body) is not list:
        raise ValueError("expected a list")
    return [_decode(item, depth + 1) for item in body]


def _hashable(items: list[Any]) -> list[Any]:
    """Returns the items of a set or dict unless so many share a hash that building it would take for ever."""
    if items and max(Counter(map(hash, items)).values()) > MAX_EQUAL_HASHES:
        raise ValueError("too many items with one hash")
    return items


def _dict(body: Any, depth: int) -> dict[Any, Any]:
    if type(body) is not list or not all(type(pair) is list and len(pair) == 2 for pair in body):
        raise ValueError("expected a list of pairs")
    keys = _list([key for key, _ in body], depth)
    return dict(zip(_hashable(keys), _list([item for _, item in body], depth), strict=True))


def _text(body: Any) -> str:
    if type(body) is not str:
        raise ValueError("expected a string")
    return body


def _int(body: Any) -> int:
    if len(_text(body)) > MAX_INT_BITS // 4 + 3:
        raise ValueError("too large an integer")
    return int(body, 16)


def _complex(body: Any, depth: int) -> complex:
    real, imaginary = _list(body, depth)
    return complex(float.fromhex(_text(real)), float.fromhex(_text(imaginary)))


def _fraction(body: Any, depth: int) -> Fraction:
    numerator, denominator = _list(body, depth)
    if type(numerator) is not int or type(denominator) is not int:
        raise ValueError("expected two integers")
    return Fraction(numerator, denominator)


def _checked(value: Decimal) -> Decimal:
    """Returns a decimal with which arithmetic neither raises nor takes for ever."""
    if value.is_snan() or (value.is_finite() and abs(value.adjusted()) > MAX_EXPONENT):
        raise Unsendable("a decimal out of range")
    return value


_DECODERS: dict[str, Callable[[Any, int], Any]] = {
    "int": lambda body, _: _int(body),
    "float": lambda body, _: float.fromhex(_text(body)),
    "complex": _complex,
    "decimal": lambda body, _: _checked(Decimal(_text(body))),
    "fraction": _fraction,
    "bytes": lambda body, _: base64.b64decode(_text(body), validate=True),
    "list": _list,
    "tuple": lambda body, depth: tuple(_list(body, depth)),
    "set": lambda body, depth: set(_hashable(_list(body, depth))),
    "frozenset": lambda body, depth: frozenset(_hashable(_list(body, depth))),
    "dict": _dict,
    "iterator": lambda body, depth: iter(_list(body, depth)),
}
