"""Pairwise accuracy with ties counted half, and its bootstrap interval clustered by problem."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lcb_rb.schema import Accuracy, Interval

DEFAULT_RESAMPLES = 10_000
LEVEL = 0.95
_DRAWS_AT_ONCE = 2**23
"""Counts held in memory by the bootstrap: 64 MiB, and once more as floats."""


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
    results = [pair_points(better, worse) for better, worse in zip(chosen, rejected, strict=True)]
    points = np.array([result for result in results if result is not None])
    clusters = [problem for problem, result in zip(problems, results, strict=True) if result is not None]
    return Accuracy(
        n=len(chosen),
        n_unscored=len(chosen) - len(points),
        n_ties=int((points == 0.5).sum()),
        n_problems=len(set(clusters)),
        accuracy=float(points.mean()) if len(points) else None,
        strict_accuracy=float((points == 1.0).mean()) if len(points) else None,
        interval=clustered_interval(points, clusters, seed=seed, resamples=resamples),
    )


def pair_points(chosen: float | None, rejected: float | None) -> float | None:
    """Returns 1 for a win of the better reasoning, 0.5 for a tie, 0 for a loss; None without two finite scores."""
    if chosen is None or rejected is None or not math.isfinite(chosen) or not math.isfinite(rejected):
        return None
    return 0.5 if chosen == rejected else float(chosen > rejected)


def clustered_interval(
    values: NDArray[np.float64], clusters: Sequence[str], *, seed: int = 0, resamples: int = DEFAULT_RESAMPLES
) -> Interval | None:
    """Returns the 95 % percentile bootstrap interval of the mean, drawing whole clusters; None below two clusters.

    Source: Field and Welsh, "Bootstrapping clustered data" (2007), the randomized cluster bootstrap.
    """
    columns = [values, np.ones(len(values))]
    return percentile_interval(clustered_replicates(columns, clusters, _ratio, seed=seed, resamples=resamples))


def percentile_interval(replicates: NDArray[np.float64] | None) -> Interval | None:
    """Returns the 95 % percentile interval of bootstrap replicates; None where there are none, or one is undefined."""
    if replicates is None or np.isnan(replicates).any():
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    method = f"percentile bootstrap over problems, {len(replicates)} resamples"
    return Interval(low=float(low), high=float(high), level=LEVEL, method=method)


def clustered_replicates(
    columns: Sequence[NDArray[np.float64]],
    clusters: Sequence[str],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> NDArray[np.float64] | None:
    """Returns bootstrap replicates of a statistic of sums, drawing whole clusters; None below two clusters.

    Args:
        columns: Values to be summed, one a pair in each.
        clusters: Cluster of each pair.
        statistic: From the sums of every column in every resample (one row a column) to one value a resample.
        seed: Of the draws: the same for all statistics over as many clusters.
        resamples: Replicates.
    """
    names, index = np.unique(np.array(clusters, dtype=str), return_inverse=True)
    if len(names) < 2:
        return None
    sums = [np.bincount(index, weights=column) for column in columns]
    generator = np.random.default_rng(seed)
    chances = np.full(len(names), 1 / len(names))
    step = max(1, _DRAWS_AT_ONCE // len(names))
    found = np.empty(resamples)
    for start in range(0, resamples, step):
        draws = generator.multinomial(len(names), chances, size=min(step, resamples - start)).astype(np.float64)
        found[start : start + step] = statistic(np.stack([draws @ column for column in sums]))
    return found


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = sums[0] / sums[1]
    return ratio
