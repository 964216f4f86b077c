"""What recipes of reward models and of policies share: the model, its adapters, and how a YAML file is read."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from lcb_rb.errors import InputError
from lcb_rb.schema import Record

_Recipe = TypeVar("_Recipe", bound=Record)

_OURS = {"seed": "give seed at the top of the recipe", "output_dir": "give --out"}
_SWITCHES: dict[str, dict[bool, str]] = {
    **{f"{what}_strategy": {False: "no"} for what in ("eval", "save", "logging")},
    "scale_rewards": {True: "group", False: "none"},
}
"""Trainer options that are words, where YAML makes false of the word `no`, and TRL takes true and false for them."""


def _in_words(training: dict[str, Any]) -> dict[str, Any]:
    for name, fix in _OURS.items():
        if name in training:
            raise ValueError(f"{name} is not for the trainer's options: {fix}")
    switches = {name: value for name, value in training.items() if isinstance(value, bool)}
    return training | {name: _SWITCHES.get(name, {}).get(value, value) for name, value in switches.items()}


TrainingOptions = Annotated[dict[str, Any], AfterValidator(_in_words)]
"""Fields of a TRL config; `arguments.read_options` reads their values."""


class _Loader(yaml.SafeLoader):
    """Numbers as YAML 1.2 has them: 1e-3 is one, too."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), [*"-+.0123456789"]
)


class ModelRecipe(Record):
    """What is trained: an existing model, or a new small one."""

    id: str | None = None
    """Directory or Hub id of the model to start from."""
    revision: str | None = None
    """Commit or tag on the Hub."""
    config: dict[str, Any] | None = None
    """Fields of a transformers config with `model_type`, for a model with random weights."""
    vocab_size: int = Field(default=4096, ge=300)
    """Tokens of the tokenizer that is trained on the data, with `config` only."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights, with `id` only; `training.bf16` computes in bfloat16 beside float32 weights."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "ModelRecipe":
        if (self.id is None) == (self.config is None):
            raise ValueError("give either id or config")
        if self.config is not None and "model_type" not in self.config:
            raise ValueError("config needs a model_type")
        return self


class LoraRecipe(Record):
    """Low-rank adapters on the model's layers; the head is always trained whole. Merged when the training ends."""

    r: int = Field(default=32, ge=1)
    """Rank."""
    alpha: int = Field(default=64, ge=1)
    """Scale: an adapter counts alpha / r."""
    target_modules: str | list[str] = "all-linear"
    """Layers that get one, as peft names them."""


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
            raise InputError(f"{path}: {what}; a recipe begins with fields such as `model:` and `training:`")
        return kind.model_validate(fields)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}; mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}, field {place!r}: {message}; mend the recipe") from error
