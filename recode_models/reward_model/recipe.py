"""The recipe of a reward model: a YAML file, checked before anything is loaded."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from lcb_rb.errors import InputError
from lcb_rb.schema import PairKind, Record

RECIPES = Path(__file__).parents[1] / "recipes"


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

    @model_validator(mode="after")
    def _one_of_two(self) -> "ModelRecipe":
        if (self.id is None) == (self.config is None):
            raise ValueError("give either id or config")
        if self.config is not None and "model_type" not in self.config:
            raise ValueError("config needs a model_type")
        return self


class RewardRecipe(Record):
    """Everything that decides a run, except where the data lies and where the model goes."""

    kinds: list[PairKind] = Field(default_factory=lambda: list(PairKind), min_length=1)
    """Kinds of pairs that are used."""
    seed: int = 0
    """Of the initial weights and of the order of the data."""
    cpu_threads: int | None = Field(default=None, ge=1)
    """Threads of torch on a CPU; its own choice when None."""
    max_dropped_share: float = Field(default=0.01, ge=0, le=1)
    """Share of pairs over `training.max_length` tokens above which the run is refused; TRL would drop them silently."""
    model: ModelRecipe
    """What is trained."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Fields of TRL's RewardConfig."""


def load_recipe(name: str) -> RewardRecipe:
    """Returns the recipe in a file, or the one of that name that comes with the package.

    Raises:
        InputError: no such recipe, not YAML, or an unknown or wrong field.
    """
    path = Path(name) if Path(name).is_file() else RECIPES / f"{name.removesuffix('.yaml')}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in RECIPES.glob("*.yaml")))
        raise InputError(f"{name}: no such recipe; give a YAML file or one of {known}")
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        return RewardRecipe.model_validate(fields)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}; mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}, field {place!r}: {message}; mend the recipe") from error
