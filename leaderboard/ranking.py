"""Ranks that do not overclaim: models that a paired test cannot tell apart share a tier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
RESAMPLES = 2000
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one model stands."""

    name: str
    """Model."""
    tier: int
    """From 1; models of one tier cannot be told from its first."""
    accuracy: float
    """Over all pairs, ties counted half."""
    behind: float
    """Accuracy of the tier's first model less this one's."""
    low: float
    """Lower end of the 95 % interval of `behind`, clustered by problem."""
    high: float
    """Upper end of it."""


def tiers(points: Mapping[str, Sequence[float]], problems: Sequence[str], *, seed: int = 0) -> list[Place]:
    """Returns the models, best first, equal ones by name.

    A tier starts with the best model that is left. Those behind it share the tier until the first whose paired
    interval lies above 0; that one starts the next tier. Every model meets the same draws of whole problems, so the
    intervals are paired. They are not corrected for the number of models: a border is a hint, no proof.

    Args:
        points: 1, 0.5 (tie) or 0 of each pair, by model; every model has scored every pair.
        problems: Problem of each pair: the clusters.
        seed: Of the bootstrap.

    Raises:
        ValueError: no pairs, a model with another number of points, or points that are no numbers.
    """
    names = sorted(points)
    table_M_N = _table([points[name] for name in names], len(problems))
    accuracy_M = table_M_N.mean(axis=1)
    drawn_M_R = _drawn(table_M_N, problems, seed)
    order = sorted(range(len(names)), key=lambda index: (-accuracy_M[index], names[index]))
    places: list[Place] = []
    first, tier = -1, 0
    for index in order:
        low, high = _interval(drawn_M_R[first] - drawn_M_R[index])
        if first < 0 or low > 0:
            first, tier, low, high = index, tier + 1, 0.0, 0.0
        behind = float(accuracy_M[first] - accuracy_M[index])
        places.append(Place(names[index], tier, float(accuracy_M[index]), behind, low, high))
    return places


def _table(rows: Sequence[Sequence[float]], n: int) -> Matrix:
    if n == 0:
        raise ValueError("no pairs")
    if any(len(row) != n for row in rows):
        raise ValueError(f"a model has another number of points than {n} pairs")
    table = np.array(rows, dtype=np.float64).reshape(len(rows), n)
    if not np.isfinite(table).all():
        raise ValueError("a point is no number")
    return table


def _drawn(table_M_N: Matrix, problems: Sequence[str], seed: int) -> Matrix:
    """Returns the accuracy of each model in each draw of problems, all in two products of matrices."""
    codes_N = np.unique(np.asarray(problems, dtype=object).astype(str), return_inverse=True)[1]
    n_problems = int(codes_N.max()) + 1
    member_N_C = np.zeros((len(problems), n_problems))
    member_N_C[np.arange(len(problems)), codes_N] = 1.0
    draws = np.random.default_rng(seed).multinomial(n_problems, np.full(n_problems, 1 / n_problems), size=RESAMPLES)
    weights_C_R = draws.T.astype(np.float64)
    drawn: Matrix = (table_M_N @ member_N_C) @ weights_C_R / (member_N_C.sum(axis=0) @ weights_C_R)
    return drawn


def _interval(differences_R: Matrix) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(differences_R, [tail, 1 - tail])
    return float(low), float(high)
