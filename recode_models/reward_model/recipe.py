"""The recipe of a reward model: a YAML file, checked before anything is loaded."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lcb_rb.pairs import DEFAULT
from lcb_rb.recipes import changed_recipe, read_recipe
from lcb_rb.schema import PairKind, Record
from recode_models.recipe import LoraRecipe, ModelRecipe, TrainingOptions

RECIPES = Path(__file__).parents[1] / "recipes" / "reward"

VALIDATION = "validation"
"""Split of the training data that is held out, and the name of its results."""

Objective = Literal["pairwise", "score"]
"""What is learned: to put the better reasoning of a pair first (Bradley-Terry), or each reasoning's own score."""


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
    training: TrainingOptions = Field(default_factory=dict)
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
    return changed_recipe(RewardRecipe, {**recipe.model_dump(), "evaluation": entries}, "--evaluate")


def load_recipe(name: str) -> RewardRecipe:
    """Returns the recipe in a file, or the one of that name that comes with the package.

    Raises:
        InputError: no such recipe, not YAML, or an unknown or wrong field.
    """
    return read_recipe(name, RECIPES, RewardRecipe)
