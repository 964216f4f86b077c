"""From a reward model's logit to a process reward in [0, 1]: sigmoid((z - mu) / sigma), as its config.json has it."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from lcb_rb.errors import input_error
from lcb_rb.schema import Record
from lcb_rb.scorers.base import Item, Scorer

KEY = "recode_calibration"
"""Field of config.json."""


class RewardScale(Record):
    """The map from logits to process rewards; logits of a pairwise model have no zero and no unit of their own."""

    mu: float
    """Logit that becomes 1/2: the mean over reasonings of accepted samples."""
    sigma: float = Field(gt=0)
    """Standard deviation of the same logits."""
    n: int | None = Field(default=None, ge=2)
    """How many there were; None for a scale that was chosen, not measured."""
    source: str
    """Where they were taken from."""

    def reward(self, score: float | None) -> float | None:
        """Returns the process reward of a logit, from 0 to 1; None for an unscored reasoning."""
        if score is None:
            return None
        return sigmoid((score - self.mu) / self.sigma)


def sigmoid(value: float) -> float:
    """Returns 1 / (1 + exp(-value)), for values of any size."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def measured_scale(scores: Sequence[float | None], source: str) -> RewardScale | None:
    """Returns the scale of logits on reasonings of accepted samples; None where they do not differ."""
    found = [score for score in scores if score is not None]
    if len(found) < 2:
        return None
    mu = math.fsum(found) / len(found)
    sigma = math.sqrt(math.fsum((score - mu) ** 2 for score in found) / (len(found) - 1))
    return RewardScale(mu=mu, sigma=sigma, n=len(found), source=source) if sigma > 1e-6 * max(1.0, abs(mu)) else None


def read_scale(model: Path) -> RewardScale:
    """Returns the scale in a model's config.json.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = model / "config.json"
    fix = "train it with `recode train reward`, or measure mu and sigma on accepted samples and add the field"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        found = fields[KEY]
    except (OSError, ValueError, RecursionError) as error:
        raise input_error(path, "cannot be read as JSON", "give a directory with a model") from error
    except (KeyError, TypeError) as error:
        raise input_error(path, "no map from scores to rewards", fix, field=KEY) from error
    try:
        return RewardScale.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([KEY, *(str(part) for part in first["loc"])])
        raise input_error(path, first["msg"], fix, field=place) from error


def write_scale(model: Path, scale: RewardScale | None) -> None:
    """Writes the scale into a model's config.json, or takes away one that the model had before its training."""
    path = model / "config.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields.pop(KEY, None)
    if scale:
        fields[KEY] = scale.model_dump(mode="json")
    path.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n", encoding="utf-8")


class CalibratedScorer:
    """A Scorer whose scores are process rewards."""

    def __init__(self, scorer: Scorer, scale: RewardScale) -> None:
        """Keeps the reward model and its map.

        Args:
            scorer: Gives logits.
            scale: Of the same model.
        """
        self._scorer, self._scale = scorer, scale
        self.name, self.revision = scorer.name, scorer.revision
        told = f"scores: sigmoid((z - {scale.mu:.4g}) / {scale.sigma:.4g}), "
        told += f"measured on {scale.n} {scale.source}" if scale.n else f"chosen in {scale.source}"
        self.notes = [*scorer.notes, told]

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns one reward an item, None where scoring failed; calls `advance` once an item."""
        return [self._scale.reward(score) for score in self._scorer.score(items, advance)]
