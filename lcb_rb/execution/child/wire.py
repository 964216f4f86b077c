"""The closed set of values that may cross between processes, as JSON; plain data only, never objects.

Loaded both by this package and, without it, by the scripts that run beside untrusted code.
"""

import base64
from collections import deque
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 200
MAX_ITEMS = 2_000_000
SMALL = 10**300


class Unsendable(TypeError):
    """The value is outside the closed set."""


def encode(value: object) -> Any:
    """Returns the JSON form of a value; subclasses are reduced to the builtin type they extend."""
    return _encode(value, 0)


def decode(value: Any) -> Any:
    """Returns the value of a JSON form, built from builtin types only.

    Raises:
        ValueError: the form is not one that `encode` makes.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [decode(item) for item in value]
    if type(value) is not dict or len(value) != 1:
        raise ValueError("unknown form")
    ((tag, body),) = value.items()
    if tag not in _DECODERS:
        raise ValueError(f"unknown tag {tag!r}")
    return _DECODERS[tag](body)


def _encode(value: object, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Unsendable("nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = int.__index__(value)
        return number if -SMALL < number < SMALL else {"int": hex(number)}
    if isinstance(value, float):
        return {"float": float.hex(value)} if value != value or abs(value) == float("inf") else float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return _items(list.__iter__(value), list.__len__(value), depth)
    return _tagged(value, depth)


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


def _list(body: Any) -> list[Any]:
    if type(body) is not list:
        raise ValueError("expected a list")
    return [decode(item) for item in body]


def _dict(body: Any) -> dict[Any, Any]:
    return dict(_list(body))


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda body: int(str(body), 16),
    "float": lambda body: float.fromhex(str(body)),
    "complex": lambda body: complex(*(float.fromhex(str(part)) for part in _list(body))),
    "bytes": lambda body: base64.b64decode(str(body), validate=True),
    "list": _list,
    "tuple": lambda body: tuple(_list(body)),
    "set": lambda body: set(_list(body)),
    "frozenset": lambda body: frozenset(_list(body)),
    "dict": _dict,
    "iterator": lambda body: iter(_list(body)),
}
