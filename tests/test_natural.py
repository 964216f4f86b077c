from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.audit.surface import surface
from builders.candidates import Made
from builders.filters import Selection
from builders.matching import matched
from builders.natural import Evidence, build_pairs
from factories import make_problem, make_sample
from lcb_rb.schema import Isolation, PairKind, PreferencePair, Problem, Result, Sample, Verdict

PROBLEMS = {name: make_problem(name) for name in ("p1", "p2", "p3")}
ANY = Selection(min_reasoning_chars=1)

Group = tuple[str, str]


@st.composite
def sample_lists(draw: st.DrawFn, max_size: int = 14) -> list[Sample]:
    """Samples with distinct ids; equal lengths of reasoning are twins, because all letters are one."""
    drawn = st.tuples(
        st.sampled_from(["p1", "p1", "p2", "p3", "unknown"]),
        st.sampled_from([True, True, False, False, None]),
        st.integers(0, 9),
        st.sampled_from("ab"),
        st.sampled_from(["before", "before", "after"]),
    )
    return [
        make_sample(f"s{i}", problem_id=problem, passed=passed, reasoning=letter * length, place=place, code=f"s{i}")
        for i, (problem, passed, length, letter, place) in enumerate(draw(st.lists(drawn, max_size=max_size)))
    ]


def build(samples: list[Sample], problems: dict[str, Problem] = PROBLEMS) -> Made:
    return build_pairs(samples, problems, {}, ANY)


def sides(built: Made, samples: list[Sample]) -> list[tuple[Sample, Sample]]:
    """The samples of each pair; the code of a sample is its id."""
    known = {sample.id: sample for sample in samples}
    return [(known[pair.chosen_code], known[pair.rejected_code]) for pair in built.pairs]


def distinct(samples: list[Sample]) -> dict[tuple[Group, bool], list[int]]:
    """Lengths that may be paired, by problem, place and outcome: written anew, to check the code against."""
    outcomes: dict[tuple[Group, str], set[bool]] = {}
    for sample in samples:
        if sample.passed is not None and sample.reasoning and sample.problem_id in PROBLEMS:
            key = (sample.problem_id, sample.place), sample.reasoning
            outcomes.setdefault(key, set()).add(sample.passed)
    lengths: dict[tuple[Group, bool], list[int]] = {}
    for (group, reasoning), passed in outcomes.items():
        if len(passed) == 1:
            lengths.setdefault((group, passed.pop()), []).append(len(reasoning))
    return lengths


def form_cost(first: int, second: int) -> float:
    """How far the forms of two words of these lengths are apart: all that is counted, on the scale of logarithms."""
    forms = [np.log1p(surface("x" * length)) for length in (first, second)]
    return float(np.abs(forms[0] - forms[1]).sum())


def least_cost(few: list[int], many: list[int]) -> float:
    """Brute force over all ways to give each of the few one of the many."""
    return min(sum(form_cost(a, b) for a, b in zip(few, order, strict=True)) for order in permutations(many, len(few)))


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_both_sides_of_a_pair_answer_its_problem(samples: list[Sample]) -> None:
    built = build(samples)
    for pair, (chosen, rejected) in zip(built.pairs, sides(built, samples), strict=True):
        assert pair.problem_id == chosen.problem_id == rejected.problem_id


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_no_sample_is_used_twice(samples: list[Sample]) -> None:
    used = [sample.id for pair in sides(build(samples), samples) for sample in pair]
    assert len(used) == len(set(used))


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_every_sample_is_in_a_pair_or_in_the_drops(samples: list[Sample]) -> None:
    built = build(samples)
    assert built.tally["samples"] == len(samples) == 2 * len(built.pairs) + sum(built.drops.values())


@given(sample_lists().flatmap(lambda samples: st.tuples(st.just(samples), st.permutations(samples))))
@settings(deadline=None, max_examples=150)
def test_the_order_of_the_samples_does_not_matter(lists: tuple[list[Sample], list[Sample]]) -> None:
    assert build(lists[0]) == build(lists[1])


@given(sample_lists())
@settings(deadline=None, max_examples=50)
def test_the_order_of_the_problems_does_not_matter(samples: list[Sample]) -> None:
    assert build(samples, dict(reversed(PROBLEMS.items()))) == build(samples)


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_the_better_side_is_accepted_and_the_worse_one_failed(samples: list[Sample]) -> None:
    for chosen, rejected in sides(build(samples), samples):
        assert (chosen.passed, rejected.passed) == (True, False)


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_before_and_after_are_never_mixed(samples: list[Sample]) -> None:
    for chosen, rejected in sides(build(samples), samples):
        assert chosen.place == rejected.place


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_a_pair_says_where_its_reasonings_stand(samples: list[Sample]) -> None:
    built = build(samples)
    for pair, (chosen, _) in zip(built.pairs, sides(built, samples), strict=True):
        assert pair.place == chosen.place


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_as_many_pairs_are_made_as_the_smaller_side_has_samples(samples: list[Sample]) -> None:
    lengths = distinct(samples)
    groups = {group for group, _ in lengths}
    expected = Counter({g: min(len(lengths.get((g, True), [])), len(lengths.get((g, False), []))) for g in groups})
    assert Counter((c.problem_id, c.place) for c, _ in sides(build(samples), samples)) == +expected


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.lists(st.integers(0, 30), min_size=1, max_size=5))
@settings(deadline=None, max_examples=100)
def test_the_matching_costs_as_little_as_the_best_of_all(accepted: list[int], failed: list[int]) -> None:
    """Texts of one word: what grows with their length is all that tells their forms apart."""
    sides = [[make_sample(str(i), reasoning="x" * n) for i, n in enumerate(side)] for side in (accepted, failed)]
    cost = sum(form_cost(len(chosen.reasoning), len(rejected.reasoning)) for chosen, rejected in matched(*sides))
    assert cost == pytest.approx(least_cost(*sorted((accepted, failed), key=len)))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.integers(1, 40)), max_size=12))
@settings(deadline=None, max_examples=100)
def test_samples_are_paired_within_a_model_before_across_models(rows: list[tuple[bool, str, int]]) -> None:
    samples = [
        make_sample(f"s{i}", passed=passed, model=model, reasoning="x" * n, code=f"s{i}")
        for i, (passed, model, n) in enumerate(rows)
    ]
    sides = [[sample for sample in samples if sample.passed is passed] for passed in (True, False)]
    pairs = matched(*sides)
    counts = [Counter(sample.model for sample in side) for side in sides]
    assert len(pairs) == min(map(len, sides))
    assert sum(c.model == r.model for c, r in pairs) == sum((counts[0] & counts[1]).values())


def test_a_problem_with_very_many_samples_is_matched_in_blocks() -> None:
    sides = [[make_sample(f"{side}{i}", reasoning="x" * i) for i in range(600)] for side in "af"]
    pairs = matched(*sides)
    assert len({id(sample) for pair in pairs for sample in pair}) == 2 * len(pairs) >= 1198


def test_nearly_the_same_reasoning_with_both_outcomes_is_in_no_pair() -> None:
    text = " ".join(f"Step {i} adds item {i} to the sum." for i in range(30))
    samples = [make_sample("a", passed=True, reasoning=text), make_sample("b", passed=False, reasoning=f"{text} Done.")]
    built = build_pairs(samples, PROBLEMS, {}, Selection())
    assert (built.pairs, built.drops) == ([], {"contradicting_twin": 2})


def refuted_pair(*codes: str, **evidence: Evidence) -> Made:
    """Two accepted samples with these codes."""
    texts = ("We count the items and add them up. " * 8, "All numbers are sorted, then the first is taken. " * 6)
    samples = [
        make_sample(name, passed=True, code=code, reasoning=text)
        for name, code, text in zip("ab", codes, texts, strict=True)
    ]
    return build_pairs(samples, PROBLEMS, {}, Selection(), evidence)


SOUND, REFUTED = Evidence(claims=(2, 0)), Evidence(claims=(2, 1))


def test_a_refuted_reasoning_is_worse_than_a_sound_one_with_the_same_code() -> None:
    (pair,) = refuted_pair("x = 1", "x  =  1  # one", a=SOUND, b=REFUTED).pairs
    assert (pair.kind, pair.chosen_code) == (PairKind.SAME_CODE, "x = 1")
    assert (pair.chosen_claims_checked, pair.rejected_claims_refuted) == (2, 1)


def test_a_refuted_reasoning_with_other_code_was_lucky() -> None:
    (pair,) = refuted_pair("x = 1", "x = 2", a=REFUTED, b=Evidence(correct=True)).pairs
    assert (pair.kind, pair.chosen_code) == (PairKind.LUCKY, "x = 2")


def test_a_refuted_reasoning_is_never_the_better_side() -> None:
    built = refuted_pair("x = 1", "x = 2", a=REFUTED)
    assert (built.pairs, built.drops) == ([], {"refuted_reasoning": 1, "no_failed": 1})


def test_a_sample_that_judges_rule_out_is_dropped_with_their_reason() -> None:
    built = refuted_pair("x = 1", "x = 2", a=Evidence(unusable="judged_inconsistent"))
    assert built.drops == {"judged_inconsistent": 1, "no_failed": 1}


@given(sample_lists())
@settings(deadline=None, max_examples=50)
def test_pair_ids_are_distinct_and_sorted(samples: list[Sample]) -> None:
    ids = [pair.id for pair in build(samples).pairs]
    assert ids == sorted(set(ids))


def _pair(**results: Verdict) -> PreferencePair | None:
    samples = [make_sample("a", passed=True, code="a"), make_sample("b", passed=False, code="b")]
    own = {name: Result(verdict=verdict, isolation=Isolation.FULL) for name, verdict in results.items()}
    pairs = build_pairs(samples, PROBLEMS, own, Selection()).pairs
    return pairs[0] if pairs else None


def test_a_pair_carries_what_is_known_of_its_sides_and_problem() -> None:
    problem = make_problem(difficulty="easy", platform="site", starter_code="def f(x):\n", date="2025-01-31")
    samples = [make_sample("a", passed=True, model="m1"), make_sample("b", passed=False, model="m2")]
    pair = build_pairs(samples, {"p1": problem}, {}, Selection()).pairs[0]
    known = pair.model_dump(mode="json", exclude={"id", "edits"})
    assert known == {
        "problem_id": "p1",
        "problem": f"{problem.statement}\n\nStarter code:\ndef f(x):",
        "chosen_reasoning": samples[0].reasoning,
        "rejected_reasoning": samples[1].reasoning,
        "chosen_code": samples[0].code,
        "rejected_code": samples[1].code,
        "chosen_model": "m1",
        "rejected_model": "m2",
        "kind": "natural",
        "dimension": None,
        "difficulty": "easy",
        "platform": "site",
        "date": "2025-01-31",
        "source": "handmade",
        "place": "before",
        "rewriter": None,
        "chosen_claims_checked": None,
        "chosen_claims_refuted": None,
        "rejected_claims_checked": None,
        "rejected_claims_refuted": None,
    }


def test_the_id_of_a_pair_depends_on_its_two_samples_alone() -> None:
    more = [make_sample("c", problem_id="p2", passed=True), make_sample("d", problem_id="p2", passed=False)]
    samples = [make_sample("a", passed=True), make_sample("b", passed=False)]
    alone = build_pairs(samples, PROBLEMS, {}, Selection()).pairs[0]
    assert alone.id in {pair.id for pair in build_pairs([*more, *samples], PROBLEMS, {}, Selection()).pairs}


def test_our_own_grade_outweighs_the_stored_one() -> None:
    pair = _pair(a=Verdict.WRONG_ANSWER, b=Verdict.ACCEPTED)
    assert pair is not None
    assert (pair.chosen_code, pair.rejected_code) == ("b", "a")


def test_an_ungraded_sample_is_no_worse_side() -> None:
    assert _pair(b=Verdict.UNGRADED) is None


def test_samples_are_told_apart_by_problem_when_they_say_the_same() -> None:
    words = {True: "The same words for two problems. " * 10, False: "Other words that are said of both of them. " * 8}
    samples = [
        make_sample(f"{problem}{passed}", problem_id=problem, passed=passed, reasoning=words[passed])
        for problem in ("p1", "p2")
        for passed in (True, False)
    ]
    assert len(build_pairs(samples, PROBLEMS, {}, Selection()).pairs) == 2


def test_each_problem_has_its_pairs() -> None:
    samples = [
        make_sample(f"{problem}{i}{passed}", problem_id=problem, passed=passed)
        for problem, count in (("p1", 2), ("p2", 1))
        for i in range(count)
        for passed in (True, False)
    ]
    built = build_pairs(samples, PROBLEMS, {}, Selection())
    assert Counter(pair.problem_id for pair in built.pairs) == {"p1": 2, "p2": 1}
