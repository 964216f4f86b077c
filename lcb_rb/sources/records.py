"""One raw record of a file, with typed access to its fields and errors that name the place."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lcb_rb.errors import InputError, input_error
from lcb_rb.schema import Problem, Sample

Model = TypeVar("Model", bound=BaseModel)

_NAMES: dict[type, str] = {
    str: "a string",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    int: "a whole number",
}


@dataclass(frozen=True, slots=True)
class Generations:
    """What sample files hold."""

    problems: dict[str, Problem]
    """Problems described in the same files, by id; empty for files that only name them."""
    samples: list[Sample]
    """Samples sorted by id."""
    files: dict[str, int]
    """Samples in each file, by its name without the directory."""


@dataclass(frozen=True, slots=True)
class Row:
    """A JSON object and where it stands."""

    path: Path
    line: int
    fields: dict[str, Any]

    def error(self, field: str, what: str, fix: str) -> InputError:
        """Returns the error that names file, line and field."""
        return input_error(self.path, what, fix, line=self.line, field=field)

    def text(self, field: str, default: str | None = None) -> str:
        """Returns a string field; the default stands for a missing or null one."""
        if self.fields.get(field) is None and default is not None:
            return default
        return str(self.typed(field, str))

    def strings(self, field: str) -> list[str]:
        """Returns a list of strings."""
        values: list[str] = self.typed(field, list)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise self.error(field, f"item {index} is {_kind(value)}, not a string", "mend the record")
        return values

    def typed(self, field: str, kind: type) -> Any:
        """Returns a required field of the given JSON type."""
        if field not in self.fields:
            raise self.error(field, "is missing", f"add it: {_NAMES[kind]}")
        value = self.fields[field]
        if not isinstance(value, kind):
            raise self.error(field, f"is {_kind(value)}, not {_NAMES[kind]}", "mend the record")
        return value

    def optional(self, field: str, kind: type) -> Any:
        """Returns a field of the given JSON type, None when it is missing or null."""
        return None if self.fields.get(field) is None else self.typed(field, kind)

    def day(self, field: str) -> date | None:
        """Returns the day of an ISO date or date with time, None when it is missing, null or empty."""
        value = self.text(field, default="")
        try:
            return datetime.fromisoformat(value).date() if value else None
        except ValueError as error:
            raise self.error(field, f"{value!r} is not a date", "write it as 2025-01-31") from error

    def build(self, record: type[Model], /, **fields: Any) -> Model:
        """Returns the record; a value that it refuses becomes an error with file, line and field."""
        try:
            return record(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or record.__name__
            what = first["msg"].removeprefix("Value error, ")
            raise self.error(place, what, "mend the record") from error


def content_id(problem_id: object, *parts: object) -> str:
    """Returns an id for a sample without one: the same text gives the same id, wherever it stands."""
    text = "\0".join(map(str, (problem_id, *parts)))
    return f"{problem_id}/{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
