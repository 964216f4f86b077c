"""pass@k: equal to brute force, exact for large counts, ungraded samples left out."""

from fractions import Fraction
from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcb_rb.metrics import pass_at_k, summarise_passes

COUNTS = st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


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


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5000), st.data())
def test_it_is_correctly_rounded_for_large_counts(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert pass_at_k([n], [c], k)[0] == float(1 - Fraction(comb(n - c, k), comb(n, k)))


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_impossible_counts_are_errors(n, c, k):
    with pytest.raises(ValueError, match="cannot be estimated"):
        pass_at_k([n], [c], k)


def test_a_problem_with_too_few_samples_is_named():
    with pytest.raises(ValueError, match=r"problem b: pass@2 needs 2 graded samples, there are 1"):
        summarise_passes({"a": [True, False], "b": [True, None]}, 2)


def test_ungraded_samples_are_left_out_and_counted():
    found = summarise_passes({"a": [True, None, False], "b": [True]}, 1)
    assert (found.value, found.n_samples, found.n_ungraded) == (0.75, 3, 1)


def test_no_problems_is_an_error():
    with pytest.raises(ValueError, match="no problems"):
        summarise_passes({}, 1)
