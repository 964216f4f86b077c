"""What every training writes down of itself: the record's name, the versions, the model that it started from."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb.scorers.loading import content_hash
from recode_models.recipe import ModelRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

RECORD = "recode.json"
"""What made the model; also the sign that a directory was built by us."""


def versions(*, lora: bool) -> dict[str, str]:
    """Returns the versions of the libraries that a training's result depends on."""
    libraries = ("torch", "transformers", "trl", "accelerate", *(["peft"] if lora else []))
    return {name: version(name) for name in libraries}


def base_revision(recipe: ModelRecipe, model: "PreTrainedModel") -> str | None:
    """Returns the commit on the Hub or the content hash of the model that is trained on; None for random weights."""
    if recipe.id is None:
        return None
    directory = Path(recipe.id)
    return content_hash(directory) if directory.is_dir() else getattr(model.config, "_commit_hash", None)
