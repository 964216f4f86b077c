"""Metrics while a training runs: exact over all pairs of a set; TRL's own is a mean of means of batches."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recode_models.failures import TrainingError
from recode_models.reward_model.data import PairSet
from recode_models.reward_model.recipe import Objective

Floats = NDArray[np.float64]


def two_columns(logits: Any, labels: Any) -> Any:
    """Returns the logits of a batch as (pairs, 2): TRL has all chosen texts first, then all rejected ones."""
    return logits.squeeze(-1).reshape(2, -1).T


def exact_metrics(sets: Sequence[PairSet], objective: Objective) -> Callable[[Any], dict[str, float]]:
    """Returns the function from predictions (pairs, 2) on all sets, in order, to metrics named after the sets."""

    def metrics(found: Any) -> dict[str, float]:
        scores = np.asarray(found.predictions, dtype=float)
        if not np.isfinite(scores).all():
            raise TrainingError("a score of a held-out pair is not a number; lower training.learning_rate")
        values, start = {}, 0
        for part in sets:
            values.update(_of_set(part, scores[start : start + len(part.pairs)], objective))
            start += len(part.pairs)
        return values

    return metrics


def wins(scores: Floats) -> Floats:
    """Returns 1 for a pair whose chosen side has the higher score, 1/2 for a tie, else 0."""
    chosen, rejected = scores.T
    return np.asarray((chosen > rejected) + 0.5 * (chosen == rejected), dtype=float)


def _of_set(part: PairSet, scores: Floats, objective: Objective) -> dict[str, float]:
    won = wins(scores)
    values = {
        f"{part.name}_accuracy": float(won.mean()),
        f"{part.name}_loss": _loss(scores, part, objective),
        f"{part.name}_margin": float((scores[:, 0] - scores[:, 1]).mean()),
    }
    groups: dict[str, list[int]] = defaultdict(list)
    for index, pair in enumerate(part.pairs):
        groups[pair.kind].append(index)
        if pair.dimension:
            groups[pair.dimension].append(index)
    found = {f"{part.name}_{name}_accuracy": float(won[index].mean()) for name, index in sorted(groups.items())}
    return {**values, **found}


def _loss(scores: Floats, part: PairSet, objective: Objective) -> float:
    if objective == "score":
        return float(np.mean((scores - np.asarray(part.targets)) ** 2))
    return float(np.logaddexp(0.0, scores[:, 1] - scores[:, 0]).mean())
