import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcb_rb.metrics import Agreement, cohen_kappa, fleiss_kappa

FLEISS = [
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
]
"""The example with 14 raters and 10 items in the encyclopedias' articles on Fleiss' kappa, by label."""

LABELS = st.sampled_from(["a", "b", "c"])
ANSWERS = st.one_of(st.none(), LABELS)


def own(n: int) -> list[str]:
    """A problem of its own for each item."""
    return [f"p{place}" for place in range(n)]


def cohen(first, second, problems=None, resamples=50) -> Agreement:
    return cohen_kappa(first, second, problems or own(len(first)), resamples=resamples)


def fleiss(ratings, problems=None, resamples=50) -> Agreement:
    return fleiss_kappa(ratings, problems or own(len(ratings)), resamples=resamples)


def pairs_of(table: dict[str, int]) -> tuple[list[str], list[str]]:
    """Labels of two raters from counts such as {"yn": 5}."""
    both = [pair for pair, count in table.items() for _ in range(count)]
    return [pair[0] for pair in both], [pair[1] for pair in both]


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ({"yy": 20, "yn": 5, "ny": 10, "nn": 15}, 0.4),
        ({"yy": 45, "yn": 15, "ny": 25, "nn": 15}, 0.1304),
        ({"yy": 25, "yn": 35, "ny": 5, "nn": 35}, 0.2593),
        ({"yn": 5, "ny": 5}, -1.0),
    ],
)
def test_cohens_kappa_is_that_of_the_textbooks(table: dict[str, int], kappa: float) -> None:
    found = cohen(*pairs_of(table))
    assert found.kappa == pytest.approx(kappa, abs=5e-5)
    assert found.observed == pytest.approx((table.get("yy", 0) + table.get("nn", 0)) / sum(table.values()))
    assert found.undefined is None


def test_fleiss_kappa_is_that_of_the_textbook() -> None:
    ratings = [[str(label) for label, count in enumerate(row) for _ in range(count)] for row in FLEISS]
    found = fleiss(ratings)
    assert found.kappa == pytest.approx(0.210, abs=5e-4)
    assert (found.observed, found.expected) == (pytest.approx(0.378, abs=5e-4), pytest.approx(0.213, abs=5e-4))
    assert (found.raters, found.n, found.n_left_out) == (14, 10, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(ANSWERS, ANSWERS), min_size=1, max_size=30))
def test_the_raters_can_be_exchanged(items: list[tuple[str | None, str | None]]) -> None:
    first, second = zip(*items, strict=True)
    assert close(cohen(first, second), cohen(second, first))
    assert close(fleiss(items), fleiss([item[::-1] for item in items]))


@settings(deadline=None)
@given(st.lists(st.lists(ANSWERS, min_size=3, max_size=3), min_size=1, max_size=30), st.permutations("abc"))
def test_other_names_for_the_labels_change_nothing(items: list[list[str | None]], names: list[str]) -> None:
    renamed = dict(zip("abc", names, strict=True))
    other = [[renamed.get(label) if label else None for label in item] for item in items]
    assert close(fleiss(items), fleiss(other))
    first, second = zip(*((item[0], item[1]) for item in items), strict=True)
    other_first, other_second = zip(*((item[0], item[1]) for item in other), strict=True)
    assert close(cohen(first, second), cohen(other_first, other_second))


@settings(deadline=None)
@given(st.lists(LABELS, min_size=1, max_size=30))
def test_equal_raters_have_kappa_one_or_none_where_there_is_but_one_label(labels: list[str]) -> None:
    expected = 1.0 if len(set(labels)) > 1 else None
    for found in (cohen(labels, labels), fleiss([[label] * 4 for label in labels])):
        assert found.kappa == (pytest.approx(expected) if expected else None)
        assert (found.undefined is None) is (expected is not None)
        assert found.observed == 1.0


@settings(deadline=None)
@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30))
def test_fleiss_kappa_of_two_raters_is_at_most_cohens(items: list[tuple[str, str]]) -> None:
    """It is Scott's pi, whose chance agreement is at least as high."""
    one, other = fleiss(items), cohen(*zip(*items, strict=True))
    assert one.observed == pytest.approx(other.observed)
    if one.kappa is not None:
        assert one.kappa <= other.kappa + 1e-12


@settings(deadline=None)
@given(st.lists(st.tuples(LABELS, LABELS), min_size=2, max_size=40))
def test_cohens_kappa_equals_its_definition(items: list[tuple[str, str]]) -> None:
    n, first, second = len(items), Counter(a for a, _ in items), Counter(b for _, b in items)
    observed = sum(a == b for a, b in items) / n
    expected = sum(first[label] * second[label] for label in "abc") / n**2
    found = cohen(*zip(*items, strict=True))
    if expected == 1:
        assert found.kappa is None
    else:
        assert found.kappa == pytest.approx((observed - expected) / (1 - expected))


def test_what_was_not_answered_is_left_out_and_counted() -> None:
    first, second = ["a", "b", None, "a", None], ["a", "b", "a", None, None]
    found = cohen(first, second)
    assert (found.n, found.n_left_out, found.n_unanswered, found.n_problems) == (5, 3, 4, 2)
    assert found.labels == {"a": 2, "b": 2}
    assert found.kappa == cohen(["a", "b"], ["a", "b"]).kappa == 1.0


def test_an_item_that_lacks_an_answer_counts_with_those_it_has() -> None:
    full = [["a", "a", "a"], ["b", "b", "b"], ["a", "b", "b"]]
    found = fleiss([*full, ["a", "a", None], ["b", None, None]])
    assert (found.n_left_out, found.n_unanswered, found.labels) == (1, 3, {"a": 6, "b": 5})
    assert found.observed == pytest.approx((1 + 1 + 1 / 3 + 1) / 4)
    assert found.expected == pytest.approx(((1 + 0 + 1 / 3 + 1) / 4) ** 2 + ((0 + 1 + 2 / 3 + 0) / 4) ** 2)


@pytest.mark.parametrize(("label", "why"), [("a", "every label is the same"), (None, "no item has labels of two")])
def test_kappa_that_means_nothing_is_none_with_the_reason(label: str | None, why: str) -> None:
    for found in (cohen([label] * 4, [label] * 4), fleiss([[label] * 3] * 4)):
        assert (found.kappa, found.interval) == (None, None)
        assert why in found.undefined
        assert found.observed == (1.0 if label else None)


def test_the_interval_draws_whole_problems() -> None:
    first = list("ab" * 60)
    second = [label if place % 5 else "a" for place, label in enumerate(first)]
    alone = cohen(first, second, resamples=2000)
    together = cohen(first, second, [f"p{place % 20}" for place in range(120)], resamples=2000)
    repeated = cohen(first * 4, second * 4, own(120) * 4, resamples=2000)
    assert alone.interval.low < alone.kappa < alone.interval.high
    assert "bootstrap over problems" in alone.interval.method
    assert together.n_problems == 20
    assert repeated.kappa == pytest.approx(alone.kappa)
    assert (repeated.interval.low, repeated.interval.high) == pytest.approx((alone.interval.low, alone.interval.high))


def test_the_interval_holds_the_true_kappa_as_often_as_it_says() -> None:
    generator, hits = np.random.default_rng(1), 0
    for seed in range(100):
        truth = generator.integers(0, 2, 150)
        first, second = (np.where(generator.random(150) < 0.8, truth, generator.integers(0, 2, 150)) for _ in range(2))
        names = [["a", "b"][label] for label in first], [["a", "b"][label] for label in second]
        interval = cohen_kappa(*names, own(150), seed=seed, resamples=400).interval
        hits += interval.low <= 0.64 <= interval.high
    assert 88 <= hits <= 100


def test_there_is_no_interval_with_one_problem_or_too_few_of_a_label() -> None:
    assert cohen(["a", "b"], ["a", "b"], ["p", "p"]).interval is None
    assert cohen(["a", "b", "a"], ["a", "b", "a"], resamples=500).interval is None


def test_the_same_seed_gives_the_same_interval() -> None:
    labels = list("aabab" * 8), list("ababb" * 8)
    assert cohen(*labels) == cohen(*labels)


@pytest.mark.parametrize(
    ("ratings", "problems", "fault"),
    [
        ([], [], "no items"),
        ([["a"]], ["p"], "at least two raters"),
        ([["a", "b"], ["a"]], ["p", "p"], "at least two raters"),
        ([["a", "b"]], [], "labels of 1 items for 0 problems"),
    ],
)
def test_what_cannot_be_compared_is_an_error(ratings: list[list[str]], problems: list[str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        fleiss_kappa(ratings, problems)


def close(one: Agreement, other: Agreement) -> bool:
    """Whether two results say the same, names of labels aside."""
    numbers = ((one.observed, other.observed), (one.kappa, other.kappa), (one.expected, other.expected))
    same = all((a is None and b is None) or math.isclose(a, b, abs_tol=1e-9) for a, b in numbers)
    return same and one.undefined == other.undefined and sorted(one.labels.values()) == sorted(other.labels.values())
