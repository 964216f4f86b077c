"""What decides a policy, part by part; everything else in a recipe may change between a kill and the rerun."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcb_rb import __version__
from lcb_rb.schema import Problem
from lcb_rb.scorers.base import Scorer
from lcb_rb.scorers.loading import content_hash
from recode_models.launch import processes
from recode_models.policy.data import PolicyData
from recode_models.policy.recipe import PolicyRecipe
from recode_models.resuming import Parts, deciding, hashed, recipe_parts

if TYPE_CHECKING:
    from recode_models.policy.warm_start import Demonstration

_ASIDE: dict[str, Any] = {
    "data": True,  # the problems themselves are told, in their order
    "alarm": True,
    "cpu_threads": True,
    "grading": {"workers", "deadline_s", "max_ungraded_share", "allow_weak_isolation"},
    "process": {"device", "endpoint", "watched", "waves"},
    "warm_start": {"least_pass_rate"},
}
"""Where something runs, what is told of it, and when it is given up."""


def base_parts(recipe: PolicyRecipe, data: PolicyData, given: "Sequence[Demonstration]") -> Parts:
    """Returns what decides the policy before the first reward, where it is new or taught.

    Args:
        recipe: With `model.config` or `warm_start`.
        data: The problems, before the model's tokenizer is known.
        given: What it is taught.
    """
    return _told(recipe, data, {"model", "seed", "warm_start"}) | hashed(
        {"training problems": _ids(data.train), "samples of the warm start": given, "base model": _content(recipe)}
    )


def run_parts(recipe: PolicyRecipe, data: PolicyData, epochs: int, base: str, scorer: Scorer | None) -> Parts:
    """Returns what decides the trained policy.

    Args:
        recipe: As given.
        data: The problems that are used.
        epochs: How often they are gone through.
        base: What identifies the policy before the first reward.
        scorer: The reward model.
    """
    return _told(recipe, data, set(PolicyRecipe.model_fields)) | hashed(
        {
            "training problems or their order": _ids(data.ordered(epochs)),
            "held-out problems": _ids(data.held_out),
            "base model": base,
            "reward model": scorer.revision if scorer else None,
            "number of processes": processes(),
        }
    )


def _told(recipe: PolicyRecipe, data: PolicyData, fields: set[str]) -> Parts:
    """Returns what those fields of the recipe decide, with what every part of a run depends on."""
    told = recipe.model_dump(mode="json", include=fields, exclude=_ASIDE)
    if "training" in told:
        told["training"] = deciding(told["training"])
    revisions = sorted(source.revision for source in data.sources)
    shared = {"version of lcb-rb": __version__, "problem files": revisions, "prompt": data.prompt.sha256}
    return recipe_parts(told) | hashed(shared)


def _ids(problems: Sequence[Problem]) -> list[str]:
    return [problem.id for problem in problems]


def _content(recipe: PolicyRecipe) -> str | None:
    directory = Path(recipe.model.id) if recipe.model.id and recipe.warm_start else None
    return content_hash(directory) if directory and directory.is_dir() else None
