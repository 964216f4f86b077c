"""What decides which samples are asked for, beside model and problems: the recipe of `recode build samples`."""

from pathlib import Path
from typing import Any

from pydantic import Field

from lcb_rb.inference import Prices
from lcb_rb.recipes import changed_recipe, read_recipe
from lcb_rb.schema import Record

FOLDER = Path(__file__).parent / "recipes"


class SamplesRecipe(Record):
    """Of `recode build samples`."""

    n: int = Field(default=50, ge=1)
    """Samples of each problem."""
    temperature: float = Field(default=0.8, ge=0)
    """0 for the likeliest tokens: then all samples of a problem may be equal."""
    max_tokens: int = Field(default=8192, ge=1)
    """Most tokens of an answer, its thinking included."""
    seed: int = Field(default=0, ge=0)
    """From which the seed of every request is derived."""
    concurrency: int = Field(default=16, ge=1)
    """Requests at a time."""
    timeout_s: float = Field(default=600.0, gt=0)
    """Longest wait for one answer."""
    prompt_price: float | None = Field(default=None, ge=0)
    """Of a million tokens, in any currency; None when unknown."""
    completion_price: float | None = Field(default=None, ge=0)
    """The same of answers."""

    @property
    def prices(self) -> Prices:
        """Both."""
        return Prices(self.prompt_price, self.completion_price)


def samples_recipe(name: str = "samples", **changes: Any) -> SamplesRecipe:
    """Returns a recipe by its name or file, changed by options of the command that are not None.

    Raises:
        InputError: no such recipe, or what results is none.
    """
    recipe = read_recipe(name, FOLDER, SamplesRecipe)
    given = {field: value for field, value in changes.items() if value is not None}
    return changed_recipe(SamplesRecipe, {**recipe.model_dump(), **given}, "options") if given else recipe
