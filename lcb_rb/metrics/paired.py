"""Two scorers on the same pairs: difference of accuracies with its interval, and McNemar's exact test."""

from collections.abc import Sequence

import numpy as np

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_interval
from lcb_rb.schema import Interval, Record


class PairedAccuracy(Record):
    """Two scorers, A and B, on the same pairs; ties count half unless said otherwise."""

    n: int
    """Pairs, including unscored ones."""
    n_unscored: int
    """Pairs that A or B left without two finite scores; left out of everything else."""
    n_ties_a: int
    """Pairs with equal scores of A."""
    n_ties_b: int
    """The same of B."""
    n_problems: int
    """Problems of the pairs that both scored: the clusters of the interval."""
    accuracy_a: float | None
    """Over the pairs that both scored; None when there are none."""
    accuracy_b: float | None
    """The same of B."""
    difference: float | None
    """`accuracy_a` - `accuracy_b`."""
    interval: Interval | None
    """Of `difference`; None with fewer than two problems."""
    only_a: int
    """Pairs that A wins and B does not; a tie is no win."""
    only_b: int
    """Pairs that B wins and A does not."""
    p_value: float | None
    """McNemar's exact test of `only_a` against `only_b`, two-sided; it takes pairs of one problem as independent."""


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Returns the two-sided p-value that discordant pairs fall to A and B with equal chances; 1 without any.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages"
    (1947), with the binomial distribution in place of its normal approximation.
    """
    n, ways, total = only_a + only_b, 1, 0
    for wins in range(min(only_a, only_b) + 1):  # whole numbers: exact, and quicker than importing scipy
        total += ways
        ways = ways * (n - wins) // (wins + 1)
    return min(1.0, 2 * total / (1 << n))


def paired_accuracy(
    points_a: Sequence[float | None],
    points_b: Sequence[float | None],
    problems: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> PairedAccuracy:
    """Returns how far A and B are apart over the pairs that both scored.

    The interval draws whole problems, with both scorers' points of their pairs. McNemar's test asks which of the two
    wins; for it a tie is no win, as in the strict accuracy.

    Args:
        points_a: 1, 0.5 (tie), 0, or None (unscored) of each pair, by scorer A.
        points_b: The same by scorer B.
        problems: Problem of each pair.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.
    """
    rows = [
        (a, b, problem)
        for a, b, problem in zip(points_a, points_b, problems, strict=True)
        if a is not None and b is not None
    ]
    a, b = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    clusters = [row[2] for row in rows]
    only_a, only_b = int(((a == 1) & (b < 1)).sum()), int(((b == 1) & (a < 1)).sum())
    return PairedAccuracy(
        n=len(problems),
        n_unscored=len(problems) - len(rows),
        n_ties_a=int((a == 0.5).sum()),
        n_ties_b=int((b == 0.5).sum()),
        n_problems=len(set(clusters)),
        accuracy_a=float(a.mean()) if rows else None,
        accuracy_b=float(b.mean()) if rows else None,
        difference=float((a - b).mean()) if rows else None,
        interval=clustered_interval(a - b, clusters, seed=seed, resamples=resamples),
        only_a=only_a,
        only_b=only_b,
        p_value=mcnemar_exact(only_a, only_b) if rows else None,
    )
