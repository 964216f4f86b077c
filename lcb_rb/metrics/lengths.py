"""Whether length explains a preference: pairs in groups by their difference in length, and its correlation."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_replicates, pair_points, percentile_interval
from lcb_rb.metrics.pairwise import length_correlation
from lcb_rb.schema import Correlation

N_GROUPS = 4


def length_gap(first: int, second: int) -> float:
    """Returns the relative difference of two lengths: |first - second| over the greater one; 0 for two empty texts.

    Relative, because lengths of reasonings spread over orders of magnitude: by characters, the first group would hold
    the short reasonings, those to easy problems, and not the pairs whose sides are alike in length.
    """
    return abs(first - second) / max(first, second, 1)


def length_groups(gaps: Sequence[float], ids: Sequence[str]) -> list[list[int]]:
    """Returns the places of the pairs in four groups by gap, smallest first, whose sizes differ by one at most.

    In the first group length can help least. Pairs of one gap may fall into two groups: they are ordered by id, so that
    neither the order of the pairs nor their scores decide.

    Args:
        gaps: Of each pair, as `length_gap` says.
        ids: Of each pair.

    Returns:
        Nothing below four pairs.
    """
    if len(gaps) < N_GROUPS:
        return []
    order = sorted(range(len(gaps)), key=lambda index: (gaps[index], ids[index]))
    edges = [len(order) * step // N_GROUPS for step in range(N_GROUPS + 1)]
    return [sorted(order[start:end]) for start, end in pairwise(edges)]


def margin_length_correlation(
    chosen: Sequence[float | None],
    rejected: Sequence[float | None],
    chosen_lengths: Sequence[int],
    rejected_lengths: Sequence[int],
    problems: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> Correlation:
    """Returns `length_correlation` of the scored pairs with its interval, a percentile bootstrap over problems.

    Args:
        chosen: Scores of the better reasonings.
        rejected: Scores of the worse ones, in the same order.
        chosen_lengths: Characters of the better reasonings.
        rejected_lengths: Characters of the worse ones.
        problems: Problem of each pair: the clusters of the interval.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.
    """
    places = [i for i in range(len(chosen)) if pair_points(chosen[i], rejected[i]) is not None]
    value = length_correlation(chosen, rejected, list(chosen_lengths), list(rejected_lengths))
    interval = None
    if value is not None:
        sides = np.array([[side[i] for i in places] for side in (chosen, rejected)], dtype=np.float64)
        better, worse = sides / np.abs(sides).max()  # so that no difference overflows
        gaps = np.array([float(chosen_lengths[i] - rejected_lengths[i]) for i in places])
        replicates = clustered_replicates(
            _moments(better - worse, gaps), [problems[i] for i in places], _pearson, seed=seed, resamples=resamples
        )
        interval = percentile_interval(replicates)
    return Correlation(n=len(places), n_problems=len({problems[i] for i in places}), value=value, interval=interval)


def _moments(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    x, y = ((column - column.mean()) / np.abs(column - column.mean()).max() for column in (first, second))
    return [np.ones(len(x)), x, y, x * x, y * y, x * y]


def _pearson(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the correlation from sums of 1, x, y, xx, yy and xy; NaN where x or y does not vary."""
    n, x, y, xx, yy, xy = sums
    x_spread, y_spread = n * xx - x * x, n * yy - y * y
    smallest = 1e-9 * n * n  # of numbers up to 1: below lies rounding
    defined = (x_spread > smallest) & (y_spread > smallest)
    spread = np.sqrt(np.where(defined, x_spread * y_spread, 1.0))
    found: NDArray[np.float64] = np.where(defined, np.clip((n * xy - x * y) / spread, -1, 1), np.nan)
    return found
