"""What the `evaluate` module pairwise_accuracy returns: accuracies, margin and length correlation, also per subset."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, pairwise_accuracy

Numbers = Sequence[float | None]
"""One number a pair; None, NaN or infinite where it is unknown."""
Labels = Sequence[str | int | None]
"""One name or number a pair; 1 and "1" are the same; None, NaN or "" where there is none."""

NUMBERS = ("chosen_scores", "rejected_scores", "chosen_lengths", "rejected_lengths")
LABELS = ("groups", "subsets")


def pairwise_summary(
    chosen_scores: Numbers,
    rejected_scores: Numbers,
    *,
    groups: Labels | None = None,
    subsets: Labels | None = None,
    chosen_lengths: Numbers | None = None,
    rejected_lengths: Numbers | None = None,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> dict[str, Any]:
    """Returns the fields of `Accuracy`, "mean_margin", "length_correlation" and, by subset, all of these again.

    Args:
        chosen_scores: Scores of the better reasonings, any scale.
        rejected_scores: Scores of the worse ones, in the same order.
        groups: Problem of each pair: the clusters of the interval. Without it every pair is a problem of its own.
        subsets: Part that each pair is also reported in; a pair without a label is in none.
        chosen_lengths: Lengths of the better reasonings, any unit.
        rejected_lengths: Lengths of the worse ones.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.

    Raises:
        ValueError: no pairs; columns differ in length; a pair has no group where others have one; the lengths of only
            one side are given.
    """
    numbers = dict(zip(NUMBERS, (chosen_scores, rejected_scores, chosen_lengths, rejected_lengths), strict=True))
    columns = pair_columns({**numbers, "groups": groups, "subsets": subsets})
    if (chosen_lengths is None) != (rejected_lengths is None):
        raise ValueError("lengths of one side only; give both chosen_lengths and rejected_lengths, or neither")
    columns["groups"] = _clusters(columns["groups"])
    members: dict[str, list[int]] = {}
    for index, name in enumerate(columns["subsets"]):
        if name:
            members.setdefault(name, []).append(index)
    return {
        **_summary(columns, range(len(chosen_scores)), seed, resamples),
        "subsets": {name: _summary(columns, members[name], seed, resamples) for name in sorted(members)},
    }


def mean_margin(chosen: Numbers, rejected: Numbers) -> float | None:
    """Returns the mean of chosen minus rejected score over the scored pairs; None without any, or beyond floats.

    The sum is exact before it is rounded, so the order of pairs does not matter and swapping all of them only changes
    the sign.
    """
    scored = _known(chosen, rejected)
    try:
        total = math.fsum(chain(scored[0], -scored[1]))
    except OverflowError:
        return None
    return total / scored.shape[1] if scored.shape[1] else None


def length_correlation(
    chosen: Numbers, rejected: Numbers, chosen_lengths: Numbers, rejected_lengths: Numbers
) -> float | None:
    """Returns Pearson's correlation, over pairs, of the score difference with the length difference.

    Both differences are chosen minus rejected. Pairs that lack a score or a length are left out. Near 1, the scorer
    prefers the longer reasoning by more, the longer it is; that says nothing about a difference in length that all
    pairs share, which the correlation does not see.

    Returns:
        From -1 to 1; None below three such pairs, or where all differences of scores, or of lengths, are equal up to
        rounding.
    """
    known = _known(chosen, rejected, chosen_lengths, rejected_lengths)
    if known.shape[1] < 3:  # two points lie on a line
        return None
    margins, gaps = _standardised(known[:2]), _standardised(known[2:])
    if margins is None or gaps is None:
        return None
    return float(np.clip(margins @ gaps, -1, 1))


def pair_columns(columns: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Returns all columns that the metric knows as lists of equal length: numbers or None, and labels as text.

    Args:
        columns: Sequences by name; an optional one may be missing or None: None for every pair, or "" as the label.

    Raises:
        ValueError: a column of scores is missing, a name is unknown, or lengths differ.
    """
    if unknown := sorted(set(columns) - {*NUMBERS, *LABELS}):
        raise ValueError(f"unknown columns {', '.join(unknown)}; known are {', '.join((*NUMBERS, *LABELS))}")
    given = {name: list(values) for name, values in columns.items() if values is not None}
    for name in NUMBERS[:2]:
        if name not in given:
            raise ValueError(f"{name} is missing; give one score for every pair")
    if len(set(map(len, given.values()))) > 1:
        raise ValueError(f"columns differ in length: {', '.join(f'{len(v)} {name}' for name, v in given.items())}")
    n = len(given["chosen_scores"])
    numbers: dict[str, list[Any]] = {name: given.get(name, [None] * n) for name in NUMBERS}
    return numbers | {name: ["" if is_missing(v) else str(v) for v in given.get(name, [""] * n)] for name in LABELS}


def is_missing(value: object) -> bool:
    """Returns whether a value is None or NaN, as tables write what is not there."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _clusters(groups: list[str]) -> list[str]:
    if not any(groups):
        return [str(index) for index in range(len(groups))]
    if not all(groups):
        raise ValueError(f"groups: pair {groups.index('')} has none; give every pair its problem, or leave groups out")
    return groups


def _summary(columns: Mapping[str, list[Any]], index: Sequence[int], seed: int, resamples: int) -> dict[str, Any]:
    chosen, rejected, chosen_lengths, rejected_lengths, groups = (
        [columns[name][i] for i in index] for name in (*NUMBERS, "groups")
    )
    return {
        **pairwise_accuracy(chosen, rejected, groups, seed=seed, resamples=resamples).model_dump(),
        "mean_margin": mean_margin(chosen, rejected),
        "length_correlation": length_correlation(chosen, rejected, chosen_lengths, rejected_lengths),
    }


def _known(*columns: Numbers) -> NDArray[np.float64]:
    """Returns the columns as rows, without the pairs that lack a number."""
    rows = np.array(columns, dtype=np.float64)
    found: NDArray[np.float64] = rows[:, np.isfinite(rows).all(axis=0)]
    return found


def _standardised(sides: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Returns first minus second side with mean 0 and length 1; None where only rounding tells them apart."""
    largest = np.abs(sides).max()
    if largest == 0:
        return None
    first, second = sides / largest  # so that nothing overflows, and rounding is of the size of epsilon
    differences = first - second
    if np.ptp(differences) <= 8 * np.finfo(np.float64).eps:
        return None
    centred = differences - differences.mean()
    standardised: NDArray[np.float64] = centred / np.linalg.norm(centred)
    return standardised
