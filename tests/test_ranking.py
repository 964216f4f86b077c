"""Tiers: models that cannot be told apart share one."""

import itertools
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.ranking import tiers

PROBLEMS = [f"p{i // 2}" for i in range(200)]
POINTS = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6)


def drawn(name: str, chance: float) -> list[float]:
    random_numbers = random.Random(name)
    return [float(random_numbers.random() < chance) for _ in PROBLEMS]


def test_models_far_apart_have_tiers_of_their_own():
    found = tiers({"good": drawn("good", 0.9), "bad": drawn("bad", 0.3)}, PROBLEMS)
    assert [(place.name, place.tier) for place in found] == [("good", 1), ("bad", 2)]


def test_models_close_together_share_a_tier():
    close = drawn("a", 0.6)
    found = tiers({"a": close, "b": [1 - close[0], *close[1:]]}, PROBLEMS)
    assert [place.tier for place in found] == [1, 1]
    assert found[1].low <= 0 <= found[1].high


def test_a_small_but_constant_lead_is_told_apart_by_pairing():
    weak = drawn("w", 0.5)
    lost = [index for index, point in enumerate(weak) if point == 0][:20]
    strong = [1.0 if index in lost else point for index, point in enumerate(weak)]
    assert [place.tier for place in tiers({"weak": weak, "strong": strong}, PROBLEMS)] == [1, 2]


@given(st.dictionaries(st.text(max_size=3), POINTS, min_size=1, max_size=5))
def test_places_are_sorted_and_tiers_have_no_gaps(points):
    found = tiers(points, ["a", "a", "b", "b", "c", "d"])
    assert [place.accuracy for place in found] == sorted((place.accuracy for place in found), reverse=True)
    steps = [after.tier - before.tier for before, after in itertools.pairwise(found)]
    assert found[0].tier == 1 and set(steps) <= {0, 1}
    assert sorted(place.name for place in found) == sorted(points)


@given(POINTS)
def test_equal_models_share_a_tier_and_their_order_is_that_of_names(points):
    found = tiers({"b": points, "a": points}, ["a", "a", "b", "b", "c", "d"])
    assert [(place.name, place.tier, place.behind) for place in found] == [("a", 1, 0.0), ("b", 1, 0.0)]


def test_the_order_in_which_models_come_does_not_matter():
    points = {name: drawn(name, 0.5) for name in "abcd"}
    assert tiers(points, PROBLEMS) == tiers(dict(reversed(points.items())), PROBLEMS)


def test_five_thousand_models_are_ranked_in_seconds():
    points = {f"m{i}": drawn(f"m{i}", 0.5) for i in range(5000)}
    started = time.process_time()
    assert len(tiers(points, PROBLEMS)) == 5000
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("points", "problems"), [({"a": []}, []), ({"a": [1.0]}, ["p", "q"]), ({"a": [float("nan")]}, ["p"])]
)
def test_points_that_cannot_be_ranked_are_refused(points, problems):
    with pytest.raises(ValueError, match=r"pairs|number"):
        tiers(points, problems)
