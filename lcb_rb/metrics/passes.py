"""pass@k: the chance that at least one of k samples passes, estimated without bias from n >= k samples."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_interval
from lcb_rb.schema import PassAtK, ProblemPasses

Outcomes = Mapping[str, Sequence[bool | None]]
"""Passed, failed or None (ungraded) of every sample, by problem."""

MAX_SAMPLES = 2**31
"""Samples of one problem."""


def pass_at_k(n_samples: ArrayLike, n_passed: ArrayLike, k: int) -> NDArray[np.float64]:
    """Returns 1 - C(n - c, k) / C(n, k) for every problem, with a relative error below 1e-15 for any n and k.

    Source: Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), equation 1.

    Args:
        n_samples: n of every problem, below 2**31.
        n_passed: c of every problem.
        k: Samples drawn.

    Raises:
        ValueError: the counts differ in length, are no integers or too large, a count is negative, more samples passed
            than there are, or k lies outside 1..n.
    """
    n, c = _counts(n_samples), _counts(n_passed)
    if n.shape != c.shape:
        raise ValueError(f"{len(n)} counts of samples and {len(c)} of passes")
    bad = np.flatnonzero((c < 0) | (c > n) | (k < 1) | (k > n))
    if len(bad):
        raise ValueError(f"pass@{k} cannot be estimated from {n[bad[0]]} samples of which {c[bad[0]]} passed")
    _, first, index = np.unique(n * MAX_SAMPLES + c, return_index=True, return_inverse=True)
    return _chance(n[first], np.minimum(c[first], k), np.maximum(c[first], k))[index]


def problem_passes(outcomes: Outcomes, ks: Sequence[int]) -> list[ProblemPasses]:
    """Returns counts and estimates of every problem in the given order; a k above its graded samples is left out."""
    graded = _graded(outcomes)
    n = np.array([len(found) for found in graded.values()], dtype=np.int64)
    c = np.array([sum(found) for found in graded.values()], dtype=np.int64)
    estimates: list[dict[int, float]] = [{} for _ in graded]
    for k in ks:
        enough = np.flatnonzero(n >= k)
        for place, value in zip(enough, pass_at_k(n[enough], c[enough], k).tolist(), strict=True):
            estimates[place][k] = value
    return [
        ProblemPasses(
            problem_id=name, n=len(found), c=sum(found), n_ungraded=len(outcomes[name]) - len(found), pass_at_k=e
        )
        for (name, found), e in zip(graded.items(), estimates, strict=True)
    ]


def summarise_passes(outcomes: Outcomes, k: int, *, seed: int = 0, resamples: int = DEFAULT_RESAMPLES) -> PassAtK:
    """Returns the mean pass@k over problems with its bootstrap interval over problems.

    Args:
        outcomes: Ungraded samples are left out and counted.
        k: Samples drawn.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.

    Raises:
        ValueError: no problems, or one has fewer than k graded samples.
    """
    if not outcomes:
        raise ValueError("no problems")
    graded = _graded(outcomes)
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


def _graded(outcomes: Outcomes) -> dict[str, list[bool]]:
    return {name: [passed for passed in found if passed is not None] for name, found in outcomes.items()}


def _counts(values: ArrayLike) -> NDArray[np.int64]:
    counts = np.asarray(values)
    if counts.ndim != 1 or (counts.size and not np.issubdtype(counts.dtype, np.integer)):
        raise ValueError("counts must be a sequence of integers")
    if counts.size and counts.max() >= MAX_SAMPLES:
        raise ValueError(f"a count of {counts.max()} is over the limit of {MAX_SAMPLES - 1}")
    return counts.astype(np.int64)


def _chance(n: NDArray[np.int64], few: NDArray[np.int64], many: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns the chance that `few` draws without replacement from n hit one of `many` marked ones.

    Draw i hits first with chance (1 - chance so far) * many / (n - i). These terms are positive and never grow, so
    nothing cancels, and a compensated sum (Dekker's) keeps the error of one term. Drawing k and marking c or the other
    way round is the same chance: the smaller number is drawn. After 40 n / many draws what is missing is below e**-40.
    """
    draws = np.minimum(few, np.ceil(40 * n / np.maximum(many, 1)).astype(np.int64))
    order = np.argsort(-draws, kind="stable")
    n_, many_ = n[order].astype(np.float64), many[order].astype(np.float64)
    alive = len(n) - np.searchsorted(draws[order][::-1], np.arange(draws.max(initial=0)), side="right")
    total, lost = np.zeros(len(n)), np.zeros(len(n))
    for i, end in enumerate(alive):
        before = total[:end]
        term = (1 - before - lost[:end]) * (many_[:end] / (n_[:end] - i)) + lost[:end]
        after = before + term
        lost[:end] = term - (after - before)
        total[:end] = after
    chances = np.empty(len(n))
    chances[order] = np.minimum(total + lost, 1.0)
    return chances
