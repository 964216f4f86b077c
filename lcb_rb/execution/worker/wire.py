"""The closed set of values that may cross between processes, as JSON; plain data only, never objects.

The one exception are instances of classes that a problem's own prompt defines (linked lists, trees): they cross as the
class's name and their attributes, and are rebuilt from the receiver's own class.
"""

import base64
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

MAX_DEPTH = 150
MAX_ITEMS = 2_000_000
MAX_INT_BITS = 2**22
MAX_EXPONENT = 10_000
MAX_COLLISIONS = 1_000_000
SMALL = 10**300

TYPES = {kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)}
"""Types that may cross as themselves, by name."""

_VERBATIM = frozenset((type(None), bool, str))
_SIMPLE = _VERBATIM | {int, float}


class Unsendable(TypeError):
    """The value is outside the closed set."""


def encode(value: object) -> Any:
    """Returns the JSON form of a value; subclasses are reduced to the builtin type they extend.

    Raises:
        Unsendable: the value is of another type, or too large.
    """
    return Encoder().encode(value)


def decode(value: Any) -> Any:
    """Returns the value of a JSON form, built from builtin types only, in time that grows with its length.

    Raises:
        ValueError: the form is not one that `encode` makes.
    """
    return Decoder().decode(value)


def is_iterator(value: object) -> bool:
    """Returns whether a value is read step by step."""
    return hasattr(type(value), "__next__")


class Classes:
    """The classes of a prompt, by name, of which instances may cross."""

    def __init__(self, namespace: Mapping[str, object] | None = None, names: Iterable[str] = ()) -> None:
        """Takes those of the names that are classes in the namespace."""
        found = {name: (namespace or {}).get(name) for name in names}
        self.by_name = {name: kind for name, kind in found.items() if isinstance(kind, type)}
        self.names = {kind: name for name, kind in self.by_name.items()}


class Encoder:
    """Encodes one value; instances of known classes are collected beside it, so that they may form long chains."""

    def __init__(self, classes: Classes | None = None) -> None:
        """Starts with nothing met."""
        self._names = classes.names if classes else {}
        self._met: dict[int, int] = {}
        self._waiting: list[object] = []
        self._count = 0

    def encode(self, value: object) -> Any:
        """Returns the JSON form; raises as the function `encode`."""
        root = self._encode(value, 0)
        if not self._waiting:
            return root
        heap = []
        for instance in self._waiting:  # grows while it is gone through
            heap.append([self._names[type(instance)], self._encode(vars(instance), 0)])
        return {"heap": [heap, root]}

    def _encode(self, value: object, depth: int) -> Any:
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
            if type(value) is list and _is_plain(value):
                return value
            return self._items(list.__iter__(value), list.__len__(value), depth)
        return self._tagged(value, depth)

    def _tagged(self, value: object, depth: int) -> Any:
        if isinstance(value, tuple):
            return {"tuple": self._items(tuple.__iter__(value), tuple.__len__(value), depth)}
        if isinstance(value, dict):
            items = list(dict.items(value))
            return {"dict": [[self._encode(key, depth + 1), self._encode(item, depth + 1)] for key, item in items]}
        if isinstance(value, (set, frozenset)):
            name = "set" if isinstance(value, set) else "frozenset"
            return {name: self._items(iter(value), len(value), depth)}
        if isinstance(value, (bytes, bytearray)):
            name = "bytes" if isinstance(value, bytes) else "bytearray"
            return {name: base64.b64encode(bytes(value)).decode("ascii")}
        if isinstance(value, complex):
            return {"complex": [value.real.hex(), value.imag.hex()]}
        if isinstance(value, Decimal):
            return {"decimal": str(_checked(Decimal(value)))}
        if isinstance(value, Fraction):
            return {"fraction": self._items((value.numerator, value.denominator), 2, depth)}
        if isinstance(value, (range, deque)):
            return {"iterator" if isinstance(value, range) else "list": self._items(iter(value), len(value), depth)}
        return self._other(value, depth)

    def _other(self, value: object, depth: int) -> Any:
        if type(value) in self._names:
            return {"ref": self._reference(value)}
        if isinstance(value, type) and TYPES.get(value.__name__) is value:
            return {"type": value.__name__}  # type: ignore[union-attr]
        if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
            return self._encode(value.tolist(), depth + 1)
        if is_iterator(value) or type(value).__name__ in ("dict_keys", "dict_values", "dict_items"):
            return {"iterator": self._items(iter(value), 0, depth)}  # type: ignore[call-overload]
        raise Unsendable(f"a value of type {type(value).__name__} cannot be compared")

    def _reference(self, value: object) -> int:
        if id(value) not in self._met:
            if len(self._waiting) >= MAX_ITEMS:
                raise Unsendable("too many items")
            self._met[id(value)] = len(self._waiting)
            self._waiting.append(value)
        return self._met[id(value)]

    def _items(self, values: Iterator[object] | Iterable[object], size: int, depth: int) -> list[Any]:
        if size > MAX_ITEMS:
            raise Unsendable("too many items")
        encoded = []
        for value in values:
            self._count += 1
            if self._count > MAX_ITEMS:
                raise Unsendable("too many items")
            encoded.append(self._encode(value, depth + 1))
        return encoded


def _is_plain(values: list[object]) -> bool:
    """Returns whether a list is its own JSON form, found out without a look at every item in Python."""
    if len(values) > MAX_ITEMS:
        return False
    kinds = set(map(type, values))
    if kinds == {int}:
        return min(values) > -SMALL and max(values) < SMALL  # type: ignore[type-var, operator]
    if kinds <= {int, float}:
        return all(-SMALL < value < SMALL for value in values)  # type: ignore[operator]
    return kinds <= _VERBATIM


def _encode_int(number: int) -> Any:
    if -SMALL < number < SMALL:
        return number
    if number.bit_length() > MAX_INT_BITS:
        raise Unsendable("too large an integer")
    return {"int": hex(number)}


class Decoder:
    """Decodes one value."""

    def __init__(self, classes: Classes | None = None) -> None:
        """Starts with no instance made."""
        self._classes = classes.by_name if classes else {}
        self._made: list[Any] = []
        self._collisions = 0
        self._count = 0

    def decode(self, value: Any) -> Any:
        """Returns the value of a JSON form; raises as the function `decode`."""
        if type(value) is dict and "heap" in value:
            return self._with_heap(value)
        return self._decode(value, 0)

    def _with_heap(self, value: dict[str, Any]) -> Any:
        """Makes all instances first, so that their attributes may refer to each other."""
        self._made = []
        match value:
            case {"heap": [[*heap], root]} if len(value) == 1:
                pass
            case _:
                raise ValueError("malformed heap")
        for entry in heap:
            if type(entry) is not list or len(entry) != 2 or type(entry[0]) is not str or entry[0] not in self._classes:
                raise ValueError("malformed instance")
            kind = self._classes[entry[0]]
            self._made.append(_instance(kind))
        for instance, (_, form) in zip(self._made, heap, strict=True):
            attributes = self._decode(form, 0)
            if type(attributes) is not dict or not all(type(name) is str for name in attributes):
                raise ValueError("malformed attributes")
            if any(_is_behaviour(type(instance), name, value) for name, value in attributes.items()):
                raise ValueError("an attribute would replace what the class does")
            vars(instance).update(attributes)
        return self._decode(root, 0)

    def _decode(self, value: Any, depth: int) -> Any:
        if value is None or type(value) in (bool, int, float, str):
            return value
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        if type(value) is list:
            return self._list(value, depth)
        if type(value) is not dict or len(value) != 1:
            raise ValueError("unknown form")
        ((tag, body),) = value.items()
        if tag not in _DECODERS:
            raise ValueError(f"unknown tag {tag!r}")
        try:
            return _DECODERS[tag](self, body, depth)
        except (TypeError, ArithmeticError) as error:  # unhashable, out of range, not two parts
            raise ValueError(f"malformed {tag}") from error

    def _list(self, body: Any, depth: int) -> list[Any]:
        if type(body) is not list:
            raise ValueError("expected a list")
        self._count += len(body)
        if self._count > MAX_ITEMS:
            raise ValueError("too many items")
        if _SIMPLE.issuperset(map(type, body)):
            return list(body)
        return [self._decode(item, depth + 1) for item in body]

    def _dict(self, body: Any, depth: int) -> dict[Any, Any]:
        if type(body) is not list or not all(type(pair) is list and len(pair) == 2 for pair in body):
            raise ValueError("expected a list of pairs")
        keys = self._list([key for key, _ in body], depth)
        return dict(zip(self._hashable(keys), self._list([item for _, item in body], depth), strict=True))

    def _hashable(self, items: list[Any]) -> list[Any]:
        """Returns the items of a set or dict unless so many share a hash that building it would take for ever."""
        self._collisions += sum(count * count for count in Counter(map(hash, items)).values() if count > 1)
        if self._collisions > MAX_COLLISIONS:
            raise ValueError("too many items with one hash")
        return items

    def _complex(self, body: Any, depth: int) -> complex:
        real, imaginary = self._list(body, depth)
        return complex(float.fromhex(_text(real)), float.fromhex(_text(imaginary)))

    def _fraction(self, body: Any, depth: int) -> Fraction:
        numerator, denominator = self._list(body, depth)
        if type(numerator) is not int or type(denominator) is not int:
            raise ValueError("expected two integers")
        return Fraction(numerator, denominator)

    def _reference(self, body: Any, _: int) -> Any:
        if type(body) is not int or not 0 <= body < len(self._made):
            raise ValueError("unknown instance")
        return self._made[body]


def _is_behaviour(kind: type, name: str, value: object) -> bool:
    """Returns whether an attribute would hide a method or property of the class, or be callable itself."""
    known = getattr(kind, name, None)
    return callable(known) or hasattr(type(known), "__get__") or hasattr(type(known), "__set__") or callable(value)


def _instance(kind: type) -> Any:
    """Returns an instance without attributes; a class that cannot have one is refused."""
    try:
        return object.__new__(kind)
    except TypeError as error:
        raise ValueError("malformed instance") from error


def _text(body: Any) -> str:
    if type(body) is not str:
        raise ValueError("expected a string")
    return body


def _type(body: Any) -> type:
    if _text(body) not in TYPES:
        raise ValueError("unknown type")
    return TYPES[body]


def _int(body: Any) -> int:
    if len(_text(body)) > MAX_INT_BITS // 4 + 3:
        raise ValueError("too large an integer")
    return int(body, 16)


def _checked(value: Decimal) -> Decimal:
    """Returns a decimal with which arithmetic neither raises nor takes for ever."""
    if value.is_snan() or (value.is_finite() and abs(value.adjusted()) > MAX_EXPONENT):
        raise Unsendable("a decimal out of range")
    return value


_DECODERS: dict[str, Callable[[Decoder, Any, int], Any]] = {
    "int": lambda self, body, _: _int(body),
    "float": lambda self, body, _: float.fromhex(_text(body)),
    "complex": Decoder._complex,
    "decimal": lambda self, body, _: _checked(Decimal(_text(body))),
    "fraction": Decoder._fraction,
    "bytes": lambda self, body, _: base64.b64decode(_text(body), validate=True),
    "bytearray": lambda self, body, _: bytearray(base64.b64decode(_text(body), validate=True)),
    "list": Decoder._list,
    "tuple": lambda self, body, depth: tuple(self._list(body, depth)),
    "set": lambda self, body, depth: set(self._hashable(self._list(body, depth))),
    "frozenset": lambda self, body, depth: frozenset(self._hashable(self._list(body, depth))),
    "dict": Decoder._dict,
    "iterator": lambda self, body, depth: iter(self._list(body, depth)),
    "ref": Decoder._reference,
    "type": lambda self, body, _: _type(body),
}
