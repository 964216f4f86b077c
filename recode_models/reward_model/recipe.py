"""The recipe of a reward model: a YAML file, checked before anything is loaded."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from lcb_rb.errors import InputError
from lcb_rb.pairs import DEFAULT
from lcb_rb.schema import PairKind, Record

RECIPES = Path(__file__).parents[1] / "recipes"

VALIDATION = "validation"
"""Split of the training data that is held out, and the name of its results."""

Objective = Literal["pairwise", "score"]
"""What is learned: to put the better reasoning of a pair first (Bradley-Terry), or each reasoning's own score."""


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


class Evaluated(Record):
    """Pairs that are held out; no problem of theirs may be trained on."""

    pairs: str
    """Directory, or `owner/name[@revision]` on the Hub."""
    config: str = DEFAULT
    """Part of the dataset."""
    split: str | None = None
    """One split of it; all when None."""

    @property
    def name(self) -> str:
        """What its results are called, in metrics and tables."""
        last = self.pairs.partition("@")[0].rstrip("/").rpartition("/")[2]
        parts = [last, "" if self.config == DEFAULT else self.config]
        return re.sub(r"\W+", "_", "_".join(part for part in parts if part)).lower()


class RewardRecipe(Record):
    """Everything that decides a run, except where the data lies and where the model goes."""

    objective: Objective = "pairwise"
    """What is learned."""

    kinds: list[PairKind] = Field(default_factory=lambda: list(PairKind), min_length=1)
    """Kinds of pairs that are used."""
    seed: int = 0
    """Of the initial weights and of the order of the data."""
    cpu_threads: int | None = Field(default=None, ge=1)
    """Threads of torch on a CPU; its own choice when None."""
    max_dropped_share: float = Field(default=0.01, ge=0, le=1)
    """Share of pairs over `training.max_length` tokens above which the run is refused; TRL would drop them silently."""
    overlap: Literal["refuse", "drop"] = "refuse"
    """What becomes of training pairs whose problem is also in `evaluation`, by id or by a near-duplicate statement."""
    evaluation: list[Evaluated] = Field(default_factory=list)
    """Held-out pairs besides the validation split, such as LCB-RB."""
    group_by_length: bool = False
    """Batches of pairs of like length, so that little is padding; the order is drawn once, for all epochs."""
    early_stopping_patience: int | None = Field(default=None, ge=1)
    """Evaluations without a better validation accuracy after which the training ends; never when None."""
    model: ModelRecipe
    """What is trained."""
    lora: LoraRecipe | None = None
    """Train adapters only; all weights when None."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Fields of TRL's RewardConfig."""

    @model_validator(mode="after")
    def _consistent(self) -> "RewardRecipe":
        if self.objective == "score" and self.training.get("center_rewards_coefficient"):
            raise ValueError("center_rewards_coefficient has no meaning with objective score; remove it")
        names = [VALIDATION, *(entry.name for entry in self.evaluation)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"evaluation: two results would be called {twice!r}; remove one or rename its directory")
        if self.early_stopping_patience and self.training.get("eval_strategy", "epoch") == "no":
            raise ValueError("early_stopping_patience needs training.eval_strategy epoch or steps")
        return self


def evaluated_on(recipe: RewardRecipe, more: Sequence[str]) -> RewardRecipe:
    """Returns the recipe with more pairs to evaluate on, by directory or id.

    Raises:
        InputError: two results would have one name.
    """
    entries = [*recipe.evaluation, *(Evaluated(pairs=pairs) for pairs in more)]
    try:
        return RewardRecipe.model_validate({**recipe.model_dump(), "evaluation": entries})
    except ValidationError as error:
        raise InputError(f"--evaluate: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


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
