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
CLOSE = {"cpu": 1e-3, "cuda": 0.05}
"""How far two scores of one text by one model may lie apart, of 1 or of the largest; bfloat16 on a GPU."""


class RewardScale(Record):
    """The map from logits to process rewards; logits of a pairwise model have no zero and no unit of their own."""

    mu: float
    """Logit that becomes 1/2: the mean over reasonings of accepted samples."""
    sigma: float = Field(gt=0)
    """Standard deviation of the same logits, but at least half of that over the rejected ones, too."""
    n: int | None = Field(default=None, ge=2)
    """How many there were; None for a scale that was chosen, not measured."""
    source: str
    """Where they were taken from."""
    accepted_deviation: float | None = None
    """Standard deviation of the logits of accepted samples alone; None in scales of before."""

    def reward(self, score: float | None) -> float | None:
        """Returns the process reward of a logit, from 0 to 1; None for an unscored reasoning."""
        if score is None:
            return None
        return sigmoid((score - self.mu) / self.sigma)


def sigmoid(value: float) -> float:
    """Returns 1 / (1 + exp(-value)), for values of any size."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def measured_scale(
    accepted: Sequence[float | None], others: Sequence[float | None], source: str, close: float = CLOSE["cpu"]
) -> RewardScale | None:
    """Returns the scale of logits; None where they differ less than twice as much as two scores of one text may.

    A model that parts good from bad wholly gives all good ones nearly the same logit, and their standard deviation is
    noise. What tells good from bad is then the unit: half of the standard deviation over both, a quarter of the gap
    between two clusters.

    Args:
        accepted: Logits of reasonings of accepted samples.
        others: Of the other sides of their pairs.
        source: Where they were taken from.
        close: How far two scores of one text may lie apart, of 1 or of the largest.
    """
    known = [score for score in accepted if score is not None]
    if len(known) < 2:
        return None
    mu, deviation = _moments(known)
    sigma = max(deviation, _moments([*known, *(score for score in others if score is not None)])[1] / 2)
    if not _is_told(mu, sigma, close):
        return None
    return RewardScale(mu=mu, sigma=sigma, n=len(known), source=source, accepted_deviation=deviation)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _is_told(mu: float, sigma: float, close: float) -> bool:
    """Returns whether one sigma is more than what two scores of one text may differ by."""
    return sigma > 2 * close * max(1.0, abs(mu))


def read_scale(model: Path) -> RewardScale:
    """Returns the scale in a model's config.json.

    Raises:
        InputError: there is none, it cannot be read, or its unit is smaller than the noise of scores.
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
        scale = RewardScale.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([KEY, *(str(part) for part in first["loc"])])
        raise input_error(path, first["msg"], fix, field=place) from error
    if not _is_told(scale.mu, scale.sigma, CLOSE["cpu"]):
        raise input_error(path, f"sigma {scale.sigma:.2g} is less than scores reproduce", fix, field=KEY)
    return scale


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
