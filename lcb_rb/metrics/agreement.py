"""How far raters agree beyond chance: Cohen's kappa for two, Fleiss' for more, with intervals clustered by problem."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_replicates, percentile_interval
from lcb_rb.schema import Interval, Record

_NOBODY = "no item has labels of two raters"
_ONE_LABEL = "every label is the same, so chance alone agrees as well"


class Agreement(Record):
    """Agreement of raters over items; a rater who did not answer takes no part in an item."""

    raters: int
    """Who labelled."""
    n: int
    """Items, including those left out."""
    n_left_out: int
    """Items with fewer than two labels."""
    n_unanswered: int
    """Labels that lack, over all items and raters."""
    n_problems: int
    """Problems of the items that count: the clusters of the interval."""
    labels: dict[str, int]
    """How often each label was given in the items that count."""
    observed: float | None
    """Share of pairs of raters that agree; None when no item counts."""
    expected: float | None
    """Share that would agree by chance, from how often the raters give each label."""
    kappa: float | None
    """(observed - expected) / (1 - expected); None when undefined."""
    undefined: str | None
    """Why there is no kappa."""
    interval: Interval | None
    """Of `kappa`; None with fewer than two problems, or where a resample leaves it undefined."""


def cohen_kappa(
    first: Sequence[str | None],
    second: Sequence[str | None],
    problems: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> Agreement:
    """Returns Cohen's kappa of two raters: what each gives by chance is their own habit.

    Source: Cohen, "A coefficient of agreement for nominal scales" (1960).

    Args:
        first: Labels of one rater; None where there is no answer.
        second: Labels of the other, in the same order.
        problems: Problem of each item: the clusters of the interval.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.

    Raises:
        ValueError: the sequences differ in length or are empty.
    """
    return _agreement(list(zip(first, second, strict=True)), problems, _cohen_columns, _cohen, seed, resamples)


def fleiss_kappa(
    ratings: Sequence[Sequence[str | None]],
    problems: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> Agreement:
    """Returns Fleiss' kappa of any number of raters: all share one habit, and need not be the same for every item.

    An item counts with as many labels as it has, if two at least; each such item weighs the same. With all answers
    given it is the kappa of Fleiss, "Measuring nominal scale agreement among many raters" (1971); with answers that
    lack, its extension in Gwet, "Handbook of Inter-Rater Reliability" (2014), over the items with two labels or more.

    Args:
        ratings: Labels of each item, one a rater; None where there is no answer.
        problems: Problem of each item: the clusters of the interval.
        seed: Of the bootstrap.
        resamples: Bootstrap replicates.

    Raises:
        ValueError: there are no items, fewer than two raters, or not as many labels for each item.
    """
    return _agreement(ratings, problems, _fleiss_columns, _fleiss, seed, resamples)


def _agreement(
    ratings: Sequence[Sequence[str | None]],
    problems: Sequence[str],
    columns_of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    shares_of: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]],
    seed: int,
    resamples: int,
) -> Agreement:
    """Returns the agreement by way of sums over items, from which a resample is computed like the whole."""
    raters = _checked(ratings, problems)
    places = [place for place, item in enumerate(ratings) if sum(label is not None for label in item) >= 2]
    given = [label for place in places for label in ratings[place] if label is not None]
    labels, clusters = sorted(set(given)), [problems[place] for place in places]
    observed = expected = kappa = interval = None
    if places:
        columns = columns_of(_marks([ratings[place] for place in places], labels))
        whole = shares_of(columns.sum(axis=1)[:, None])
        observed, expected = (float(share[0]) for share in whole)
    if len(labels) > 1:
        kappa = float(_kappa(*whole)[0])
        replicates = clustered_replicates(
            list(columns), clusters, lambda sums: _kappa(*shares_of(sums)), seed=seed, resamples=resamples
        )
        interval = percentile_interval(replicates)
    return Agreement(
        raters=raters,
        n=len(ratings),
        n_left_out=len(ratings) - len(places),
        n_unanswered=sum(label is None for item in ratings for label in item),
        n_problems=len(set(clusters)),
        labels={label: given.count(label) for label in labels},
        observed=observed,
        expected=expected,
        kappa=kappa,
        undefined=_NOBODY if not places else _ONE_LABEL if len(labels) < 2 else None,
        interval=interval,
    )


def _checked(ratings: Sequence[Sequence[str | None]], problems: Sequence[str]) -> int:
    """Returns how many raters there are."""
    if len(ratings) != len(problems):
        raise ValueError(f"labels of {len(ratings)} items for {len(problems)} problems")
    if not ratings:
        raise ValueError("no items")
    raters = len(ratings[0])
    if raters < 2 or any(len(labels) != raters for labels in ratings):
        raise ValueError("each item needs one label, or None, of each of at least two raters")
    return raters


def _marks(ratings: Sequence[Sequence[str | None]], labels: Sequence[str]) -> NDArray[np.float64]:
    """Returns 1 where a rater gave an item a label, else 0: raters x labels x items."""
    raters = range(len(ratings[0]))
    return np.array([[[float(item[rater] == label) for item in ratings] for label in labels] for rater in raters])


def _cohen_columns(marks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns rows of 1, whether both agree, and either one's labels."""
    agree = (marks[0] * marks[1]).sum(axis=0)
    return np.stack([np.ones(len(agree)), agree, *marks[0], *marks[1]])


def _cohen(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shares = sums[1:] / sums[0]
    labels = (len(shares) - 1) // 2
    return shares[0], (shares[1 : 1 + labels] * shares[1 + labels :]).sum(axis=0)


def _fleiss_columns(marks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns rows of 1, the share of pairs of raters that agree, and the share of each label."""
    counts = marks.sum(axis=0)
    raters = counts.sum(axis=0)
    agree = (counts * (counts - 1)).sum(axis=0) / (raters * (raters - 1))
    return np.stack([np.ones(len(agree)), agree, *(counts / raters)])


def _fleiss(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shares = sums[1:] / sums[0]
    return shares[0], (shares[1:] ** 2).sum(axis=0)


def _kappa(observed: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns NaN where chance agrees always: only one label was given."""
    defined = expected < 1 - 1e-12
    found: NDArray[np.float64] = np.where(defined, 1 - (1 - observed) / np.where(defined, 1 - expected, 1.0), np.nan)
    return found
