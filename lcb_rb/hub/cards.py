"""The card of a repository: README.md with a block of YAML at its top."""

import re
from pathlib import Path
from typing import Any

import yaml

from lcb_rb.errors import InputError, input_error

CARD = "README.md"

_BLOCK = re.compile(r"\s*---[ \t]*\r?\n(?P<yaml>.*?)\r?\n---[ \t]*(?:\r?\n|$)(?P<body>.*)", re.DOTALL)


def read_card(path: Path) -> tuple[dict[str, Any], str]:
    """Returns the metadata and the text of a card.

    Raises:
        InputError: there is no card, or its YAML is broken; the line is named.
    """
    if not path.is_file():
        raise input_error(path, "is missing", "write a card with a block of YAML at its top")
    try:
        return split_card(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise input_error(path, "is not UTF-8", "save it as UTF-8") from error


def split_card(text: str, path: Path) -> tuple[dict[str, Any], str]:
    """Returns the metadata and the text of a card.

    Raises:
        InputError: there is no block of YAML, or it is broken.
    """
    found = _BLOCK.match(text)
    if not found:
        raise input_error(path, "has no block of YAML between two lines of ---", "add it at the top", line=1)
    try:
        fields = yaml.safe_load(found["yaml"])
    except yaml.YAMLError as error:
        raise _broken(path, error) from error
    if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
        raise input_error(path, "holds YAML that is no mapping of names to values", "write `name: value`", line=1)
    return fields, found["body"]


def _broken(path: Path, error: yaml.YAMLError) -> InputError:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return input_error(path, f"is broken YAML ({what})", "mend it", line=mark.line + 2 if mark else None)


def require(fields: dict[str, Any], names: tuple[str, ...], path: Path) -> None:
    """Refuses a card without some fields.

    Raises:
        InputError: one is missing or empty.
    """
    for name in names:
        if not fields.get(name):
            raise input_error(path, "is missing", "add it to the card's YAML", field=name)
