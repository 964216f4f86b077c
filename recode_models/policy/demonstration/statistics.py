"""Means over seeds with their intervals."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from lcb_rb.schema import Record


class Mean(Record):
    """Mean over seeds; the interval is Student's t, for which seeds are the sample."""

    n: int
    """Seeds."""
    value: float
    low: float | None
    """Lower end at 95 %; None for one seed."""
    high: float | None
    """Upper end."""

    def __str__(self) -> str:
        """Returns `0.941 [0.930-0.952]`."""
        return f"{self.value:.3f}" if self.low is None else f"{self.value:.3f} [{self.low:.3f} to {self.high:.3f}]"


def mean_of(values: Sequence[float]) -> Mean:
    """Returns the mean of one value a seed, with its 95 % interval.

    Raises:
        ValueError: there is none.
    """
    from scipy.stats import t

    value = fmean(values)
    if len(values) < 2:
        return Mean(n=len(values), value=value, low=None, high=None)
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return Mean(n=len(values), value=value, low=value - half, high=value + half)
