"""pass@k: equal to brute force, exact for large counts, ungraded samples left out."""

import json
import time
from fractions import Fraction
from itertools import combinations
from math import comb, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import SHARED_DATA
from lcb_rb.metrics import pass_at_k, problem_passes, summarise_passes

COUNTS = st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))
MATRICES = ["lcb_8models_n5.pass_matrix.json", "lcb_v6_6models_n10.pass_matrix.json"]


def exact(n, c, k):
    """The same by rational arithmetic; quick where c or k is small."""
    if min(c, k) > 200:
        return 1 - Fraction(comb(n - c, k), comb(n, k))
    few, many = min(c, k), max(c, k)
    return 1 - Fraction(prod(max(n - many - i, 0) for i in range(few)), prod(n - i for i in range(few)))


def assert_precise(n, c, k):
    """At most a few units in the last place away."""
    found, wanted = Fraction(float(pass_at_k([n], [c], k)[0])), exact(n, c, k)
    assert abs(found - wanted) <= wanted * Fraction(1, 10**15)


@settings(deadline=None, max_examples=200)
@given(COUNTS)
def test_it_equals_the_share_of_all_draws_that_hold_a_pass(counts):
    n, c, k = counts
    samples = [True] * c + [False] * (n - c)
    draws = [any(draw) for draw in combinations(samples, k)]
    assert pass_at_k([n], [c], k)[0] == pytest.approx(sum(draws) / len(draws), abs=1e-15)


@settings(deadline=None, max_examples=100)
@given(COUNTS)
def test_it_grows_with_k_and_with_passes(counts):
    n, c, k = counts
    here = pass_at_k([n], [c], k)[0]
    assert k == n or pass_at_k([n], [c], k + 1)[0] >= here
    assert c == n or pass_at_k([n], [c + 1], k)[0] >= here


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 10**6), st.data())
def test_one_draw_gives_the_share_and_all_draws_give_certainty(n, data):
    c = data.draw(st.integers(0, n))
    assert pass_at_k([n], [c], 1)[0] == c / n
    assert pass_at_k([n], [c], n)[0] == float(c > 0)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 3000), st.data())
def test_it_is_precise_for_any_counts(n, data):
    assert_precise(n, data.draw(st.integers(0, n)), data.draw(st.integers(1, n)))


@pytest.mark.parametrize(
    ("n", "c", "k"),
    [
        (10**6, 1, 1),
        (10**6, 3, 100),
        (10**6, 100, 37_000),
        (10**6, 200, 1),
        (10**6, 150, 20_000),
        (2 * 10**9, 1, 1),
        (2**31 - 1, 2, 3),
        (20_000, 900, 300),
        (20_000, 19_000, 5),
    ],
)
def test_it_is_precise_for_large_counts(n, c, k):
    assert_precise(n, c, k)


def test_a_million_samples_need_no_million_steps():
    start = time.process_time()
    found = pass_at_k([10**6] * 3, [5 * 10**5, 6000, 10**6], 6000)
    assert found[0] == found[2] == 1.0
    assert found[1] == pytest.approx(-np.expm1(np.log1p(-6000 / (10**6 - np.arange(6000.0))).sum()), rel=1e-12)
    assert time.process_time() - start < 5


def test_many_problems_are_one_calculation():
    n = np.random.default_rng(0).integers(100, 201, 100_000)
    c = n // 3
    start = time.process_time()
    found = [pass_at_k(n, c, k) for k in (1, 5, 10, 100)]
    assert time.process_time() - start < 2  # about 0.1 s on a quiet machine
    assert np.array_equal(found[0], c / n)


@pytest.mark.parametrize("name", MATRICES)
def test_real_grades_give_the_exact_mean(name):
    if SHARED_DATA is None:
        pytest.skip("shared/data is not here")
    models = json.loads((SHARED_DATA / "generations" / name).read_text(encoding="utf-8"))
    for outcomes in models.values():
        for k in (1, 2, 5):
            wanted = sum(exact(len(found), sum(found), k) for found in outcomes.values()) / len(outcomes)
            summary = summarise_passes(outcomes, k, resamples=200)
            assert summary.value == pytest.approx(float(wanted), rel=1e-14)
            assert summary.interval.low <= summary.value <= summary.interval.high


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_impossible_counts_are_errors(n, c, k):
    with pytest.raises(ValueError, match="cannot be estimated"):
        pass_at_k([n], [c], k)


@pytest.mark.parametrize(("n", "c"), [([3, 4], [1]), ([3.0], [1]), ([2**31], [1]), (3, 1)])
def test_counts_of_other_forms_are_errors(n, c):
    with pytest.raises(ValueError, match="count"):
        pass_at_k(n, c, 1)


def test_a_problem_with_too_few_samples_is_named():
    with pytest.raises(ValueError, match=r"problem b: pass@2 needs 2 graded samples, there are 1"):
        summarise_passes({"a": [True, False], "b": [True, None]}, 2)


def test_ungraded_samples_are_left_out_and_counted():
    found = summarise_passes({"a": [True, None, False], "b": [True]}, 1)
    assert (found.value, found.n_samples, found.n_ungraded) == (0.75, 3, 1)


def test_every_problem_has_its_own_estimates():
    found = problem_passes({"b": [True, None, False], "a": [None]}, [1, 2, 3])
    assert [item.problem_id for item in found] == ["b", "a"]
    assert (found[0].n, found[0].c, found[0].n_ungraded, found[0].pass_at_k) == (2, 1, 1, {1: 0.5, 2: 1.0})
    assert (found[1].n, found[1].n_ungraded, found[1].pass_at_k) == (0, 1, {})


def test_no_problems_is_an_error():
    with pytest.raises(ValueError, match="no problems"):
        summarise_passes({}, 1)
