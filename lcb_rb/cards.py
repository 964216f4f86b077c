"""The card of a dataset, model or Space: README.md with a block of YAML at its top, and what of it we rely on."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcb_rb.errors import InputError, input_error

CARD = "README.md"

_BLOCK = re.compile(r"\ufeff?\s*---[ \t]*\r?\n(?P<yaml>.*?)\r?\n---[ \t]*(?:\r?\n|$)(?P<body>.*)", re.DOTALL)
_COLOURS = Literal["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"]


class _Fields(BaseModel):
    """Some fields of a card; the others are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DataFiles(_Fields):
    """The files of one split."""

    split: str
    path: str | list[str]


class Config(_Fields):
    """One part of a dataset that is loaded by its name."""

    config_name: str
    default: bool = False
    data_dir: str | None = None
    data_files: str | list[str | DataFiles] | dict[str, str | list[str]] | None = None

    def patterns(self) -> dict[str, list[str]]:
        """Returns patterns of file names by split; under "" where the split is told by the name."""
        given = self.data_files if self.data_files is not None else [f"{self.data_dir}/**"] if self.data_dir else []
        prefix = f"{self.data_dir}/" if self.data_dir and self.data_files is not None else ""
        found: dict[str, list[str]] = {}
        entries = given.items() if isinstance(given, dict) else map(_split_and_path, _listed(given))
        for split, path in entries:
            found.setdefault(split, []).extend(prefix + pattern for pattern in _listed(path))
        return found


class Info(_Fields):
    """What a part of a dataset is declared to hold."""

    config_name: str = "default"
    features: list[dict[str, Any]] | None = None


class Configs(_Fields):
    """Where a dataset's card says that its parts are."""

    configs: list[Config] = Field(default_factory=list)


class DatasetCard(Configs):
    """What we rely on in a dataset's card."""

    license: str | list[str]
    dataset_info: Info | list[Info] = Field(default_factory=list)

    @property
    def infos(self) -> list[Info]:
        """What is declared, as a list."""
        return self.dataset_info if isinstance(self.dataset_info, list) else [self.dataset_info]


class ModelCard(_Fields):
    """What we rely on in a model's card."""

    license: str | list[str]


class SpaceCard(_Fields):
    """What we rely on in a Space's card."""

    title: str = Field(min_length=1)
    sdk: Literal["static", "gradio", "docker", "streamlit"]
    app_file: str | None = None
    tags: list[str] = Field(default_factory=list)
    colorFrom: _COLOURS | None = None
    colorTo: _COLOURS | None = None
    short_description: str = Field(default="", max_length=60)


_Known = TypeVar("_Known", bound=BaseModel)


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
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _broken(path, error) from error
    if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
        raise input_error(path, "holds YAML that is no mapping of names to values", "write `name: value`", line=1)
    return fields, found["body"]


def understood(kind: type[_Known], fields: Any, path: Path, fix: str = "mend it") -> _Known:
    """Returns fields as a record.

    Raises:
        InputError: one is missing or of the wrong kind; the file and the field are named.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        what = "is missing" if first["type"] == "missing" else first["msg"][:1].lower() + first["msg"][1:]
        raise input_error(path, what, fix, field=".".join(map(str, first["loc"]))) from error


def matching(names: list[str], pattern: str) -> list[str]:
    """Returns the names that a pattern of a card means; `**/` stands for any folders, or none."""
    plain = pattern.removeprefix("./")
    return [name for name in names if fnmatchcase(name, plain) or fnmatchcase(name, plain.replace("**/", ""))]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _split_and_path(entry: str | DataFiles) -> tuple[str, str | list[str]]:
    return (entry.split, entry.path) if isinstance(entry, DataFiles) else ("", entry)


def _broken(path: Path, error: Exception) -> InputError:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or (str(error).splitlines() or ["nested too deeply"])[0]
    return input_error(path, f"is broken YAML ({what})", "mend it", line=mark.line + 2 if mark else None)
