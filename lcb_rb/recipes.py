"""Recipes: YAML files that say how something is built or trained, and how they are read."""

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from lcb_rb.errors import InputError
from lcb_rb.schema import Record

_Recipe = TypeVar("_Recipe", bound=Record)


class _Loader(yaml.SafeLoader):
    """Numbers as YAML 1.2 has them: 1e-3 is one, too."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), [*"-+.0123456789"]
)


def changed_recipe(kind: type[_Recipe], fields: dict[str, Any], what: str) -> _Recipe:
    """Returns a recipe that options of the command line have changed.

    Args:
        kind: What it must be.
        fields: Of the recipe, changed.
        what: Begins the error: which options.

    Raises:
        InputError: what results is no recipe.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise InputError(f"{what}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def read_recipe(name: str, folder: Path, kind: type[_Recipe]) -> _Recipe:
    """Returns the recipe in a file, or the one of that name that comes with the package.

    Args:
        name: Path of a YAML file, or its name in the folder, with or without `.yaml`.
        folder: Of the package's own recipes.
        kind: What the recipe must be.

    Raises:
        InputError: no such recipe, not YAML, or an unknown or wrong field.
    """
    path = Path(name) if Path(name).is_file() else folder / f"{name.removesuffix('.yaml')}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml")))
        raise InputError(f"{name}: no such recipe; give a YAML file or one of {known}")
    try:
        fields = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        if not isinstance(fields, dict):
            what = "is empty" if fields is None else "is no recipe: it has no fields"
            raise InputError(f"{path}: {what}; a recipe has fields such as `seed: 0`")
        return kind.model_validate(fields)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}; mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}, field {place!r}: {message}; mend the recipe") from error
