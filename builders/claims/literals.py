"""Values as they are written in prose: numbers, quoted strings, truth values, and lists of these."""

import ast
import json
import re
from dataclasses import dataclass

MAX_CHARS = 400
"""Longer literals are not read."""

START = r"(?=[-\d\"'\[]|[Tt]rue\b|[Ff]alse\b)"
"""Pattern of the place before a literal."""

Value = bool | int | float | str | list["Value"]

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\d\w]|[.,:/]\d)")
_BOOL = re.compile(r"[Tt]rue\b|[Ff]alse\b")
_STRING = re.compile(r"\"[^\"\n\\]*\"(?!\w)|(?<!\w)'[^'\n\\]*'(?!\w)")
_BRACKET_OR_STRING = re.compile(r"\"[^\"\n\\]*\"|'[^'\n\\]*'|[\[\]]")
_NAMES = re.compile(r"\"[^\"]*\"|'[^']*'|\b(?:true|false)\b")
_PART_OF_MORE = re.compile(r"[ \t]*(?:[-+*/%^<>=!&|\u2212\u00d7\u2264\u2265\u2192\\{}\[]|\.\.\.|\u2026)|\(")


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in a text."""

    value: Value
    """Itself."""
    end: int
    """Offset behind it."""


def read(text: str, start: int) -> Literal | None:
    """Returns the literal that starts there; None where there is none, or where it is part of a formula."""
    for pattern in (_NUMBER, _BOOL, _STRING):
        if match := pattern.match(text, start):
            end = match.end()
            break
    else:
        end = _end_of_list(text, start)
    if not start < end <= start + MAX_CHARS or _PART_OF_MORE.match(text, end):
        return None
    value = _value(text[start:end])
    return None if value is None else Literal(value, end)


def as_json(value: Value) -> str:
    """Returns the value as one line of JSON."""
    return json.dumps(value)


def decimals(text: str) -> int | None:
    """Returns the number of digits behind the point of a literal; None where it is no decimal number."""
    match = re.fullmatch(r"-?\d+\.(\d+)", text.strip())
    return len(match[1]) if match else None


def _end_of_list(text: str, start: int) -> int:
    """Returns the offset behind the bracket that closes the list; -1 where none starts or ends."""
    depth = 0
    if text[start : start + 1] != "[":
        return -1
    for match in _BRACKET_OR_STRING.finditer(text, start, start + MAX_CHARS):
        depth += {"[": 1, "]": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return -1


def _value(text: str) -> Value | None:
    python = _NAMES.sub(lambda match: match[0].capitalize() if match[0] in ("true", "false") else match[0], text)
    try:
        value = ast.literal_eval(python)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if _is_plain(value) else None


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, (bool, int, float, str))
