from collections import Counter
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from builders.filters import Selection
from builders.natural import Built, build_pairs, match_by_length
from factories import make_problem, make_sample
from lcb_rb.schema import Isolation, PreferencePair, Problem, Result, Sample, Verdict

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


def build(samples: list[Sample], problems: dict[str, Problem] = PROBLEMS) -> Built:
    return build_pairs(samples, problems, {}, ANY)


def sides(built: Built, samples: list[Sample]) -> list[tuple[Sample, Sample]]:
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


def least_cost(few: list[int], many: list[int]) -> int:
    """Brute force over all ways to give each of the few one of the many."""
    return min(sum(abs(a - b) for a, b in zip(few, order, strict=True)) for order in permutations(many, len(few)))


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
    assert built.n_samples == len(samples) == 2 * len(built.pairs) + sum(built.drops.values())


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
def test_pairs_with_reasonings_after_the_code_are_counted(samples: list[Sample]) -> None:
    built = build(samples)
    assert built.n_after == sum(chosen.place == "after" for chosen, _ in sides(built, samples))


@given(sample_lists())
@settings(deadline=None, max_examples=150)
def test_as_many_pairs_are_made_as_the_smaller_side_has_samples(samples: list[Sample]) -> None:
    lengths = distinct(samples)
    groups = {group for group, _ in lengths}
    expected = Counter({g: min(len(lengths.get((g, True), [])), len(lengths.get((g, False), []))) for g in groups})
    assert Counter((c.problem_id, c.place) for c, _ in sides(build(samples), samples)) == +expected


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.lists(st.integers(0, 30), min_size=1, max_size=6))
@settings(deadline=None, max_examples=150)
def test_the_matching_costs_as_little_as_the_best_of_all(accepted: list[int], failed: list[int]) -> None:
    matched = match_by_length(
        *([make_sample(str(i), reasoning="x" * n) for i, n in enumerate(side)] for side in (accepted, failed))
    )
    cost = sum(abs(len(chosen.reasoning) - len(rejected.reasoning)) for chosen, rejected in matched)
    assert cost == least_cost(*sorted((accepted, failed), key=len))


@given(sample_lists(max_size=9))
@settings(deadline=None, max_examples=100)
def test_the_pairs_of_a_build_cost_as_little_as_the_best_of_all(samples: list[Sample]) -> None:
    lengths = distinct(samples)
    best = 0
    for group in {group for group, _ in lengths}:
        best += least_cost(*sorted((lengths.get((group, passed), []) for passed in (True, False)), key=len))
    assert sum(abs(len(c.reasoning) - len(r.reasoning)) for c, r in sides(build(samples), samples)) == best


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
    words = "The same words for two problems. " * 10
    samples = [
        make_sample(f"{problem}{passed}", problem_id=problem, passed=passed, reasoning=words + ("!" if passed else "?"))
        for problem in ("p1", "p2")
        for passed in (True, False)
    ]
    assert len(build_pairs(samples, PROBLEMS, {}, Selection()).pairs) == 2


def test_a_build_counts_its_problems() -> None:
    samples = [
        make_sample(f"{problem}{i}{passed}", problem_id=problem, passed=passed)
        for problem, count in (("p1", 2), ("p2", 1))
        for i in range(count)
        for passed in (True, False)
    ]
    built = build_pairs(samples, PROBLEMS, {}, Selection())
    assert (len(built.pairs), built.n_problems) == (3, 2)
