"""Pairwise accuracy with ties counted half, and its bootstrap interval clustered by problem."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lcb_rb.schema import Accuracy, Interval

DEFAULT_RESAMPLES = 10_000
LEVEL = 0.95
_DRAWS_AT_ONCE = 2**23
"""Counts held in memory by the bootstrap: 64 MiB."""


def pairwise_accuracy(
    chosen: Sequence[float | None],
    rejected: Sequence[float | None],
    problems: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> Accuracy:
    """Returns the share of pairs in which the better reasoning scores higher; a tie counts half.

    Swapping both sides of every pair turns the accuracy a into 1 - a exactly. A pair with a missing, NaN or infinite
    score is unscored: counted, and left out of the accuracies.

    Args:
        chosen: Scores of the better reasonings, any scale.
        rejected: Scores of the worse ones, in the same order.
        problems: Problem of each pair: the clusters of the interval.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.

    Raises:
        ValueError: the sequences differ in length or are empty.
    """
    if not len(chosen) == len(rejected) == len(problems):
        raise ValueError(f"{len(chosen)} chosen and {len(rejected)} rejected scores for {len(problems)} pairs")
    if not chosen:
        raise ValueError("no pairs")
    wins: list[float] = []
    clusters: list[str] = []
    for better, worse, problem in zip(chosen, rejected, problems, strict=True):
        if better is None or worse is None or not math.isfinite(better) or not math.isfinite(worse):
            continue
        wins.append(0.5 if better == worse else float(better > worse))
        clusters.append(problem)
    points = np.array(wins)
    return Accuracy(
        n=len(chosen),
        n_unscored=len(chosen) - len(wins),
        n_ties=int((points == 0.5).sum()),
        n_problems=len(set(clusters)),
        accuracy=float(points.mean()) if wins else None,
        strict_accuracy=float((points == 1.0).mean()) if wins else None,
        interval=clustered_interval(points, clusters, seed=seed, resamples=resamples),
    )


def clustered_interval(
    values: NDArray[np.float64], clusters: Sequence[str], *, seed: int = 0, resamples: int = DEFAULT_RESAMPLES
) -> Interval | None:
    """Returns the 95 % percentile bootstrap interval of the mean, drawing whole clusters; None below two clusters.

    Source: Field and Welsh, "Bootstrapping clustered data" (2007), the randomized cluster bootstrap.
    """
    names, index = np.unique(np.array(clusters, dtype=str), return_inverse=True)
    if len(names) < 2:
        return None
    sums = np.bincount(index, weights=values)
    sizes = np.bincount(index).astype(np.float64)
    generator = np.random.default_rng(seed)
    chances = np.full(len(names), 1 / len(names))
    step = max(1, _DRAWS_AT_ONCE // len(names))
    means = np.empty(resamples)
    for start in range(0, resamples, step):
        draws = generator.multinomial(len(names), chances, size=min(step, resamples - start))
        means[start : start + step] = (draws @ sums) / (draws @ sizes)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    method = f"percentile bootstrap over problems, {resamples} resamples"
    return Interval(low=float(low), high=float(high), level=LEVEL, method=method)
