"""pass@k: the chance that at least one of k samples passes, estimated without bias from n >= k samples."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_interval
from lcb_rb.schema import PassAtK


def pass_at_k(n_samples: Sequence[int], n_passed: Sequence[int], k: int) -> NDArray[np.float64]:
    """Returns 1 - C(n - c, k) / C(n, k) for every problem, correctly rounded for any n and k.

    Source: Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), equation 1.

    Raises:
        ValueError: a count is negative, more samples passed than there are, or k lies outside 1..n.
    """
    pairs = list(zip(n_samples, n_passed, strict=True))
    for n, c in pairs:
        if not (0 <= c <= n and 1 <= k <= n):
            raise ValueError(f"pass@{k} cannot be estimated from {n} samples of which {c} passed")
    known = {(n, c): (math.comb(n, k) - math.comb(n - c, k)) / math.comb(n, k) for n, c in set(pairs)}
    return np.array([known[pair] for pair in pairs], dtype=np.float64)


def summarise_passes(
    outcomes: Mapping[str, Sequence[bool | None]], k: int, *, seed: int = 0, resamples: int = DEFAULT_RESAMPLES
) -> PassAtK:
    """Returns the mean pass@k over problems with its bootstrap interval over problems.

    Args:
        outcomes: Passed, failed or None (ungraded) of every sample, by problem; ungraded ones are left out and counted.
        k: Samples drawn.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.

    Raises:
        ValueError: no problems, or one has fewer than k graded samples.
    """
    if not outcomes:
        raise ValueError("no problems")
    graded = {name: [passed for passed in found if passed is not None] for name, found in outcomes.items()}
    short = next((name for name, found in graded.items() if len(found) < k), None)
    if short is not None:
        raise ValueError(f"problem {short}: pass@{k} needs {k} graded samples, there are {len(graded[short])}")
    values = pass_at_k([len(found) for found in graded.values()], [sum(found) for found in graded.values()], k)
    return PassAtK(
        k=k,
        n_problems=len(graded),
        n_samples=sum(map(len, graded.values())),
        n_ungraded=sum(map(len, outcomes.values())) - sum(map(len, graded.values())),
        value=float(values.mean()),
        interval=clustered_interval(values, list(graded), seed=seed, resamples=resamples),
    )
