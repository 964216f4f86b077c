"""Pairwise accuracy: the laws, and the interval."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lcb_rb.metrics import (
    calibration,
    clustered_interval,
    length_correlation,
    length_gap,
    length_groups,
    margin_length_correlation,
    mcnemar_exact,
    mean_margin,
    paired_accuracy,
    pairwise_accuracy,
    pairwise_summary,
)

SCORES = st.one_of(st.none(), st.floats(), st.integers(-3, 3).map(float))
ROWS = st.lists(st.tuples(SCORES, SCORES, st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40)
LENGTHS = st.one_of(st.none(), st.integers(0, 9))
QUARTERS = st.integers(-30, 30).map(lambda n: n / 4)  # sums and differences are exact
LOGITS = st.one_of(st.none(), st.floats(), QUARTERS)
QUARTER_ROWS = st.lists(st.tuples(QUARTERS, QUARTERS, st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40)
LOGIT_ROWS = st.lists(st.tuples(LOGITS, LOGITS, st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40)
POINTS = st.sampled_from([0.0, 0.5, 1.0, None])
POINT_ROWS = st.lists(st.tuples(POINTS, POINTS, st.sampled_from(["a", "b", "c"])), min_size=1, max_size=40)
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


@settings(deadline=None, max_examples=200)
@given(LOGIT_ROWS)
def test_a_calibration_error_is_a_share_and_its_bins_hold_every_scored_pair(rows):
    chosen, rejected, problems = zip(*rows, strict=True)
    found = calibration(chosen, rejected, problems, resamples=20)
    accuracy = pairwise_accuracy(chosen, rejected, problems, resamples=20)
    if found is None:
        assert accuracy.n_unscored == accuracy.n
        return
    assert 0 <= found.ece <= 1
    assert (found.interval is None) == (accuracy.interval is None)
    assert found.interval is None or 0 <= found.interval.low <= found.interval.high <= 1
    assert (found.n, found.n_ties) == (accuracy.n - accuracy.n_unscored, accuracy.n_ties)
    filled = [part for part in found.bins if part.n]
    assert sum(part.n for part in filled) == found.n
    assert all(part.low - 1e-12 <= part.confidence <= part.high + 1e-12 for part in filled)
    assert sum(part.n * part.accuracy for part in filled) / found.n == pytest.approx(accuracy.accuracy)
    error = sum(part.n * abs(part.accuracy - part.confidence) for part in filled) / found.n
    assert found.ece == pytest.approx(error, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(QUARTER_ROWS, st.integers(-5, 5), st.randoms(use_true_random=False))
def test_a_shift_of_both_scores_the_order_and_copies_of_the_pairs_keep_the_calibration_error(rows, shift, random):
    ece = calibration(*zip(*rows, strict=True), resamples=5).ece
    shifted = [(better + shift, worse + shift, problem) for better, worse, problem in rows]
    shuffled = random.sample(rows, len(rows))
    for changed in (shifted, shuffled, rows * 3):
        assert calibration(*zip(*changed, strict=True), resamples=5).ece == pytest.approx(ece, abs=1e-12)


@pytest.mark.parametrize(
    ("margins", "ece"), [([50, 90], 0), ([-50, -90], 1), ([0, 0], 0), ([50, -50], 0.5), ([float("1e308")] * 2, 0)]
)
def test_the_calibration_error_of_the_sure_and_of_the_undecided(margins, ece):
    assert calibration(margins, [-margin for margin in margins], ["a", "b"]).ece == pytest.approx(ece, abs=1e-12)


def test_a_bradley_terry_scorer_is_calibrated_on_its_own_logits_alone():
    generator = np.random.default_rng(0)
    margins = generator.normal(size=20_000) * 2
    chosen = np.where(generator.random(20_000) < 1 / (1 + np.exp(-margins)), margins, -margins)
    problems = [str(index // 4) for index in range(20_000)]
    assert calibration(chosen, np.zeros(20_000), problems, resamples=10).ece < 0.02
    assert calibration(chosen * 5, np.zeros(20_000), problems, resamples=10).ece > 0.1


def calibration_coverage(sharpness, truth, trials=200):
    """Share of simulated sets of 57 problems with two pairs each whose interval of the error holds the true one."""
    generator = np.random.default_rng(0)
    problems = [f"p{i // 2}" for i in range(114)]
    covered = 0
    for trial in range(trials):
        margins = np.abs(np.repeat(0.7 * generator.normal(size=57), 2) + generator.normal(size=114))
        chosen = np.where(generator.random(114) < 1 / (1 + np.exp(-sharpness * margins)), margins, -margins)
        interval = calibration(chosen.tolist(), [0.0] * 114, problems, seed=trial, resamples=200).interval
        covered += interval.low <= truth <= interval.high
    return covered / trials


def test_the_interval_of_a_calibration_error_is_as_rough_as_the_docs_say():
    assert 0.80 <= calibration_coverage(0.5, 0.088) <= 0.95
    assert 0.45 <= calibration_coverage(1.0, 0.0) <= 0.75


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_four_groups_by_length_share_out_all_pairs_in_order(lengths):
    gaps = [length_gap(*pair) for pair in lengths]
    ids = [f"p{index}" for index in range(len(gaps))]
    groups = length_groups(gaps, ids)
    if len(gaps) < 4:
        assert groups == []
        return
    assert sorted(index for group in groups for index in group) == list(range(len(gaps)))
    assert len(groups) == 4 and max(map(len, groups)) - min(map(len, groups)) <= 1
    for nearer, wider in pairwise(groups):
        assert max(gaps[index] for index in nearer) <= min(gaps[index] for index in wider)
    turned = length_groups(gaps[::-1], ids[::-1])
    assert [{ids[::-1][i] for i in group} for group in turned] == [{ids[i] for i in group} for group in groups]


def test_a_gap_is_relative_to_the_longer_side():
    assert [length_gap(50, 100), length_gap(100, 50), length_gap(7, 7), length_gap(0, 0), length_gap(0, 3)] == [
        *(0.5, 0.5, 0, 0, 1)
    ]


@settings(deadline=None, max_examples=200)
@given(FULL_ROWS)
def test_the_correlation_of_margins_with_length_is_that_of_the_summary(rows):
    chosen, rejected, longer, shorter, names = zip(*rows, strict=True)
    longer, shorter = ([length or 0 for length in side] for side in (longer, shorter))
    found = margin_length_correlation(chosen, rejected, longer, shorter, list(map(str, names)), resamples=20)
    assert found.value == length_correlation(chosen, rejected, longer, shorter)
    if found.interval:
        assert -1 <= found.interval.low <= found.interval.high <= 1


def test_the_interval_of_a_correlation_holds_it_and_is_wider_over_fewer_problems():
    generator = np.random.default_rng(0)
    longer, shorter = generator.integers(100, 900, size=(2, 200)).tolist()
    chosen = [length / 200 + noise for length, noise in zip(longer, generator.normal(size=200), strict=True)]
    wide, narrow = (
        margin_length_correlation(chosen, [0.0] * 200, longer, shorter, [f"p{i % n}" for i in range(200)])
        for n in (5, 200)
    )
    assert wide.value == narrow.value == pytest.approx(length_correlation(chosen, [0.0] * 200, longer, shorter))
    assert narrow.interval.low < narrow.value < narrow.interval.high
    fisher = np.tanh(np.arctanh(narrow.value) + np.array([-1.96, 1.96]) / np.sqrt(197))
    assert [narrow.interval.low, narrow.interval.high] == pytest.approx(fisher, abs=0.05)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_two_sided_binomial_test(only_a, only_b):
    found = mcnemar_exact(only_a, only_b)
    assert found == mcnemar_exact(only_b, only_a)
    if only_a + only_b:
        assert found == pytest.approx(scipy.stats.binomtest(only_a, only_a + only_b, 0.5).pvalue, rel=1e-9)
    else:
        assert found == 1


def test_mcnemar_of_many_pairs_is_neither_slow_nor_beyond_floats():
    assert mcnemar_exact(10_000, 10_300) == pytest.approx(scipy.stats.binomtest(10_000, 20_300).pvalue, rel=1e-6)
    assert mcnemar_exact(0, 5_000) == 0.0


@settings(deadline=None, max_examples=200)
@given(POINT_ROWS)
def test_the_difference_of_a_and_b_turns_around_when_they_change_places_and_when_all_pairs_are_swapped(rows):
    a, b, problems = zip(*rows, strict=True)
    found, exchanged = paired_accuracy(a, b, problems, resamples=20), paired_accuracy(b, a, problems, resamples=20)
    swapped = paired_accuracy(*([p if p is None else 1 - p for p in side] for side in (a, b)), problems, resamples=20)
    if found.difference is None:
        assert found.n_unscored == found.n == exchanged.n_unscored == swapped.n_unscored
        return
    assert found.difference == pytest.approx(found.accuracy_a - found.accuracy_b)
    for other in (exchanged, swapped):
        assert other.difference == -found.difference
        if found.interval:
            assert [-other.interval.high, -other.interval.low] == pytest.approx(
                [found.interval.low, found.interval.high]
            )
    assert (exchanged.only_a, exchanged.only_b, exchanged.p_value) == (found.only_b, found.only_a, found.p_value)
    if not found.n_ties_a and not found.n_ties_b:
        assert swapped.p_value == found.p_value


@settings(deadline=None, max_examples=100)
@given(POINT_ROWS)
def test_a_scorer_does_not_differ_from_itself(rows):
    points, _, problems = zip(*rows, strict=True)
    found = paired_accuracy(points, points, problems, resamples=20)
    if found.n_unscored < found.n:
        assert (found.difference, found.only_a, found.only_b, found.p_value) == (0, 0, 0, 1)
        assert found.interval is None or (found.interval.low, found.interval.high) == (0, 0)


def test_a_tie_is_half_of_the_difference_and_no_win_for_mcnemar():
    found = paired_accuracy([1, 0.5, 0.5, None, 0], [0.5, 0.5, 0, 1, 1], ["a", "b", "c", "d", "e"])
    assert (found.n, found.n_unscored, found.n_ties_a, found.n_ties_b, found.n_problems) == (5, 1, 2, 2, 4)
    assert (found.accuracy_a, found.accuracy_b, found.difference) == (0.5, 0.5, 0.0)
    assert (found.only_a, found.only_b) == (1, 1)


def test_pairing_makes_the_interval_narrower_than_two_separate_ones():
    generator = np.random.default_rng(0)
    a = (generator.random(200) < 0.6).astype(float)
    b = np.where(generator.random(200) < 0.1, 1 - a, a)
    problems = [f"p{i // 2}" for i in range(200)]
    paired = paired_accuracy(a.tolist(), b.tolist(), problems).interval
    alone = clustered_interval(a, problems)
    assert paired.high - paired.low < alone.high - alone.low
