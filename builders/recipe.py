"""What decides how pairs are built, beside the files: the recipes of `recode build lcb-rb` and `recode build crpl`."""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from builders.gates.limits import GateLimits
from lcb_rb.recipes import changed_recipe, read_recipe
from lcb_rb.schema import Dimension, PairKind, Record

FOLDER = Path(__file__).parent / "recipes"

_Recipe = TypeVar("_Recipe", bound="BuildRecipe")


class AuditRecipe(Record):
    """When pairs count as told apart without reading."""

    limit: float = Field(default=0.55, gt=0.5, le=1)
    """Accuracy that a content-blind predictor may reach, whose interval lies above 0.5."""
    allow: tuple[str, ...] = ()
    """Predictors that may exceed it; the card says so."""


class ModelAt(Record):
    """A language model behind an OpenAI-compatible endpoint."""

    model: str
    """Its name there."""
    base_url: str | None = None
    """Address; without one, Hugging Face's inference providers, or with `vllm:NAME` a model in this process."""
    temperature: float = Field(default=0.7, ge=0)
    """Of a model that rewrites, 0 for the likeliest tokens; judges are always asked for those."""
    max_tokens: int = Field(default=4096, ge=1)
    """Most tokens of an answer."""
    concurrency: int = Field(default=16, ge=1)
    """Requests at a time, of a model that rewrites."""
    prompt_price: float | None = Field(default=None, ge=0)
    """Of a million tokens, in any currency; None when unknown."""
    completion_price: float | None = Field(default=None, ge=0)
    """The same of answers."""


class BuildRecipe(Record):
    """What both builds have."""

    seed: int = Field(default=0, ge=0)
    """Of every draw."""
    claims: bool = False
    """Whether numeric claims are compared with what the accepted code returns."""
    balance: bool = True
    """Whether pairs are left out until form and model give nothing away."""
    judges: tuple[ModelAt, ...] = Field(default=(), max_length=2)
    """Who says which reasonings are better; one judge is asked in both orders."""
    keep_unjudged: bool = False
    """Whether what a judge gave no answer to stays."""
    audit: AuditRecipe = AuditRecipe()
    """When the build fails."""


class NaturalRecipe(BuildRecipe):
    """Of `recode build lcb-rb`."""

    near_copies: float = Field(default=0.9, gt=0, le=1)
    """Share of common runs of five words from which two reasonings of a problem are one."""


class CrplRecipe(BuildRecipe):
    """Of `recode build crpl`."""

    rewriter: Literal["rules", "llm"] = "rules"
    """Who rewrites."""
    llm: ModelAt | None = None
    """The model that rewrites."""
    kinds: tuple[PairKind, ...] = (PairKind.DEGRADED, PairKind.STRONG, PairKind.OPTIMIZED)
    """Pairs that are made where there are variants for them."""
    dimensions: tuple[Dimension, ...] = tuple(Dimension)
    """Sides of quality that are rewritten."""
    gates: GateLimits = GateLimits()
    """What a variant must be like."""
    places: int = Field(default=2, ge=1)
    """Places of a text at which a rule is applied, each for a variant of its own; the balance chooses among them."""

    @model_validator(mode="after")
    def _model_given(self) -> "CrplRecipe":
        if self.rewriter == "llm" and self.llm is None:
            raise ValueError("rewriter llm needs a model: give --model and --base-url, or a section llm")
        return self


def natural_recipe(name: str = "lcb-rb", **changes: Any) -> NaturalRecipe:
    """Returns a recipe by its name or file, changed by options of the command that are not None.

    Raises:
        InputError: no such recipe, or what results is none.
    """
    return _changed(read_recipe(name, FOLDER, NaturalRecipe), changes)


def crpl_recipe(
    name: str = "crpl", *, model: str | None = None, base_url: str | None = None, **changes: Any
) -> CrplRecipe:
    """Returns a recipe by its name or file, changed by options of the command that are not None.

    Args:
        name: As `recode build crpl --recipe`.
        model: That rewrites.
        base_url: Where it is.
        changes: Fields of the recipe.

    Raises:
        InputError: no such recipe, or what results is none.
    """
    recipe = read_recipe(name, FOLDER, CrplRecipe)
    given = {key: value for key, value in (("model", model), ("base_url", base_url)) if value is not None}
    llm = {**(recipe.llm.model_dump() if recipe.llm else {}), **given} if given else None
    return _changed(recipe, {**changes, "llm": llm})


def _changed(recipe: _Recipe, changes: dict[str, Any]) -> _Recipe:
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return recipe
    return changed_recipe(type(recipe), {**recipe.model_dump(mode="json"), **given}, "options")
