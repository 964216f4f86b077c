"""Pairwise accuracy: the laws, and the interval."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lcb_rb.metrics import clustered_interval, length_correlation, mean_margin, pairwise_accuracy, pairwise_summary

SCORES = st.one_of(st.none(), st.floats(), st.integers(-3, 3).map(float))
ROWS = st.lists(st.tuples(SCORES, SCORES, st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40)
LENGTHS = st.one_of(st.none(), st.integers(0, 9))
FULL_ROWS = st.lists(
    st.tuples(SCORES, SCORES, LENGTHS, LENGTHS, st.sampled_from(["a", "b", 3])), min_size=1, max_size=40
)


@settings(deadline=None, max_examples=200)
@given(ROWS)
def test_swapping_every_pair_turns_a_into_one_minus_a(rows):
    chosen, rejected, problems = zip(*rows, strict=True)
    found = pairwise_accuracy(chosen, rejected, problems, resamples=10)
    swapped = pairwise_accuracy(rejected, chosen, problems, resamples=10)
    if found.accuracy is None:
        assert swapped.accuracy is None
    else:
        assert swapped.accuracy == pytest.approx(1 - found.accuracy, abs=1e-12)
    assert (found.n, found.n_ties, found.n_unscored) == (swapped.n, swapped.n_ties, swapped.n_unscored)


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_interval_contains_only_possible_accuracies(rows):
    chosen, rejected, problems = zip(*rows, strict=True)
    interval = pairwise_accuracy(chosen, rejected, problems, resamples=50).interval
    if interval:
        assert 0 <= interval.low <= interval.high <= 1


def test_ties_count_half_and_are_reported():
    found = pairwise_accuracy([1, 1, 2], [1, 0, 3], ["a", "b", "c"])
    assert (found.accuracy, found.strict_accuracy, found.n_ties) == (0.5, 1 / 3, 1)


@pytest.mark.parametrize("broken", [None, float("nan"), float("inf"), float("-inf")])
def test_an_unscored_pair_is_neither_wrong_nor_tie(broken):
    found = pairwise_accuracy([1.0, broken], [0.0, 0.0], ["a", "b"])
    assert (found.n, found.n_unscored, found.accuracy, found.n_problems) == (2, 1, 1.0, 1)


def test_nothing_scored_gives_no_accuracy():
    found = pairwise_accuracy([None], [1.0], ["a"])
    assert (found.accuracy, found.strict_accuracy, found.interval) == (None, None, None)


def test_no_pairs_is_an_error():
    with pytest.raises(ValueError, match="no pairs"):
        pairwise_accuracy([], [], [])


def test_unequal_lengths_are_an_error():
    with pytest.raises(ValueError, match="2 chosen and 1 rejected"):
        pairwise_accuracy([1, 2], [1], ["a"])


def test_one_problem_gives_no_interval():
    assert pairwise_accuracy([1, 0], [0, 1], ["a", "a"]).interval is None


def test_equal_values_in_a_cluster_widen_the_interval():
    """Ten copies of five problems know no more than the five problems."""
    wins = [1.0, 1.0, 1.0, 0.0, 0.0]
    apart = clustered_interval(np.array(wins * 10), [f"p{i}" for i in range(50)])
    together = clustered_interval(np.array(wins * 10), [f"p{i % 5}" for i in range(50)])
    assert apart and together
    assert together.high - together.low > 2 * (apart.high - apart.low)


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_a_growing_change_of_scale_keeps_the_accuracy(rows):
    chosen, rejected, problems = zip(*rows, strict=True)
    finite = sorted({score for score in (*chosen, *rejected) if score is not None and np.isfinite(score)})
    rank = {score: float(place) for place, score in enumerate(finite)}
    ranked = [[score if score is None else rank.get(score, score) for score in side] for side in (chosen, rejected)]
    assert pairwise_accuracy(*ranked, problems, resamples=10) == pairwise_accuracy(
        chosen, rejected, problems, resamples=10
    )


@settings(deadline=None, max_examples=200)
@given(FULL_ROWS)
def test_swapping_every_pair_changes_the_sign_of_the_margin_and_keeps_the_length_correlation(rows):
    chosen, rejected, longer, shorter, _ = zip(*rows, strict=True)
    margin, correlation = mean_margin(chosen, rejected), length_correlation(chosen, rejected, longer, shorter)
    swapped = mean_margin(rejected, chosen)
    assert swapped == (None if margin is None else -margin)
    assert correlation is None or -1 <= correlation <= 1
    assert length_correlation(rejected, chosen, shorter, longer) == (
        None if correlation is None else pytest.approx(correlation, abs=1e-9)
    )
    opposite = length_correlation(chosen, rejected, shorter, longer)
    assert opposite == (None if correlation is None else pytest.approx(-correlation, abs=1e-9))


@settings(deadline=None, max_examples=100)
@given(FULL_ROWS)
def test_subsets_share_out_all_pairs(rows):
    chosen, rejected, _, _, names = zip(*rows, strict=True)
    found = pairwise_summary(chosen, rejected, subsets=names, resamples=5)
    for count in ("n", "n_unscored", "n_ties"):
        assert sum(part[count] for part in found["subsets"].values()) == found[count]
    for name, part in found["subsets"].items():
        index = [i for i, own in enumerate(names) if str(own) == name]
        alone = pairwise_summary([chosen[i] for i in index], [rejected[i] for i in index], resamples=5)
        assert {**part, "subsets": {}, "interval": None} == {**alone, "interval": None}


@settings(deadline=None, max_examples=100)
@given(FULL_ROWS, st.sampled_from([None, float("nan"), float("inf")]))
def test_an_unscored_pair_changes_nothing_but_its_count(rows, broken):
    chosen, rejected, longer, shorter, names = (list(column) for column in zip(*rows, strict=True))
    before = pairwise_summary(
        chosen, rejected, groups=names, chosen_lengths=longer, rejected_lengths=shorter, resamples=5
    )
    after = pairwise_summary(
        [*chosen, broken],
        [*rejected, 1.0],
        groups=[*names, "new"],
        chosen_lengths=[*longer, 5],
        rejected_lengths=[*shorter, 3],
        resamples=5,
    )
    assert after == {**before, "n": before["n"] + 1, "n_unscored": before["n_unscored"] + 1}


def test_the_length_correlation_is_pearsons_over_differences():
    generator = np.random.default_rng(0)
    chosen, rejected, longer, shorter = generator.normal(size=(4, 50))
    wanted = scipy.stats.pearsonr(chosen - rejected, longer - shorter).statistic
    assert length_correlation(chosen, rejected, longer, shorter) == pytest.approx(wanted, abs=1e-14)
    assert length_correlation([*chosen, None, 1], [*rejected, 9, 1], [*longer, 1, None], [*shorter, 9, 1]) == (
        pytest.approx(wanted, abs=1e-14)
    )


def test_a_length_correlation_is_not_made_of_rounding():
    rejected = np.random.default_rng(0).normal(size=50)
    assert length_correlation(rejected + 0.1, rejected, np.arange(50.0), np.zeros(50)) is None
    assert length_correlation([1, 2, 3], [0, 0, 0], [7, 8, 9], [4, 5, 6]) is None
    assert length_correlation([1, 2], [0, 0], [7, 9], [4, 5]) is None
    assert length_correlation([0, 0, 0], [0, 0, 0], [7, 8, 9], [4, 5, 7]) is None


def test_the_mean_margin_is_chosen_minus_rejected_over_scored_pairs():
    assert mean_margin([2.5, None, 0.0], [0.5, 1.0, 1.0]) == 0.5
    assert mean_margin([None], [1.0]) is None


def test_margins_beyond_floats_are_no_number():
    assert mean_margin([1.7e308], [-1.7e308]) is None
    assert length_correlation([1.7e308, -1.7e308, 0], [-1.7e308, 1.7e308, 0], [3, 1, 2], [0, 0, 0]) == pytest.approx(1)


@pytest.mark.parametrize("groups", [[1, 1, 2], ["1", "1", "2"], np.array([1, 1, 2])])
def test_integers_and_texts_name_the_same_groups(groups):
    assert pairwise_summary([1, 2, 3], [0, 3, 1], groups=groups) == pairwise_summary(
        [1, 2, 3], [0, 3, 1], groups=["1", "1", "2"]
    )


@pytest.mark.parametrize("lacking", [None, float("nan"), ""])
def test_a_pair_without_a_group_is_named(lacking):
    with pytest.raises(ValueError, match="groups: pair 1 has none"):
        pairwise_summary([1, 2], [0, 3], groups=["a", lacking])


def coverage(n_problems, pairs_each, trials=300):
    """Share of simulated sets, each problem with its own rate of mean 0.6, whose interval holds 0.6."""
    generator = np.random.default_rng(1)
    covered = 0
    for trial in range(trials):
        rates = generator.beta(6, 4, size=n_problems)
        wins = (generator.random((n_problems, pairs_each)) < rates[:, None]).astype(float)
        names = [f"p{i}" for i in range(n_problems) for _ in range(pairs_each)]
        interval = clustered_interval(wins.ravel(), names, seed=trial, resamples=500)
        covered += bool(interval and interval.low <= 0.6 <= interval.high)
    return covered / trials


def test_interval_covers_the_truth_as_often_as_it_says():
    assert 0.90 <= coverage(40, 5) <= 0.98


def test_with_five_problems_the_interval_is_too_narrow_as_the_docs_say():
    assert 0.72 <= coverage(5, 20) <= 0.88


def test_same_seed_gives_the_same_interval():
    values, clusters = np.array([1.0, 0.0, 1.0, 0.5]), ["a", "b", "c", "c"]
    assert clustered_interval(values, clusters, seed=3) == clustered_interval(values, clusters, seed=3)
