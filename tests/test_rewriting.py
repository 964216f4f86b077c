from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.filters import Selection
from builders.rewriting import VALIDATION_SHARE, Rewritten, build_degraded
from builders.rules import apply_edit
from factories import LONG, make_problem, make_sample, run_recode
from lcb_rb.schema import Dimension, Isolation, PairKind, Result, Sample, Verdict
from lcb_rb.sources import STARTER, read_problems, read_samples

P = {f"p{i}": make_problem(f"p{i}", difficulty="easy", platform="site", date="2025-01-31") for i in range(6)}


def build(*samples: Sample, seed: int = 0, **results: Verdict) -> Rewritten:
    own = {name: Result(verdict=verdict, isolation=Isolation.FULL) for name, verdict in results.items()}
    return build_degraded(samples, P, own, Selection(), seed)


@cache
def starter() -> Rewritten:
    """The starter set with every sample taken for accepted."""
    samples = [sample.model_copy(update={"passed": True}) for sample in read_samples([Path(STARTER)]).samples]
    return build_degraded(samples, read_problems([Path(STARTER)]), {}, Selection())


def sample_lists() -> st.SearchStrategy[list[Sample]]:
    drawn = st.tuples(st.sampled_from([*P, "unknown"]), st.sampled_from([True, True, False, None]), st.integers(0, 9))
    return st.lists(drawn, max_size=10).map(
        lambda rows: [
            make_sample(f"s{i}", problem_id=problem, passed=passed, reasoning=f"{LONG * 3} Case {number}.")
            for i, (problem, passed, number) in enumerate(rows)
        ]
    )


def test_a_failed_sample_is_not_rewritten() -> None:
    built = build(make_sample(problem_id="p1", passed=False))
    assert (built.pairs, built.drops) == ([], {"not_accepted": 1})


def test_an_ungraded_sample_is_not_rewritten() -> None:
    built = build(make_sample("s1", problem_id="p1", passed=True), s1=Verdict.UNGRADED)
    assert (built.pairs, built.drops) == ([], {"ungraded": 1})


def test_our_own_verdict_outweighs_the_stored_one() -> None:
    samples = [make_sample("a", problem_id="p1", passed=False), make_sample("b", problem_id="p1", passed=True)]
    built = build(*samples, a=Verdict.ACCEPTED, b=Verdict.WRONG_ANSWER)
    assert {pair.chosen_reasoning for pair in built.pairs} == {samples[0].reasoning}


def test_a_reasoning_that_comes_twice_is_rewritten_once() -> None:
    twins = [make_sample(name, problem_id="p1", passed=True, reasoning=LONG * 3) for name in "ab"]
    built = build(*twins)
    assert (built.n_used, built.drops) == (1, {"same_reasoning": 1})


def test_a_reasoning_without_a_place_for_a_rule_is_counted() -> None:
    assert build(make_sample(problem_id="p1", passed=True, reasoning="Hm " * 100)).drops == {"no_variant": 1}


@given(sample_lists())
@settings(deadline=None, max_examples=60)
def test_every_sample_is_used_or_dropped(samples: list[Sample]) -> None:
    built = build(*samples)
    assert built.n_samples == len(samples) == built.n_used + sum(built.drops.values())


@given(sample_lists())
@settings(deadline=None, max_examples=60)
def test_the_better_side_is_an_accepted_sample(samples: list[Sample]) -> None:
    accepted = {(sample.problem_id, sample.reasoning) for sample in samples if sample.passed}
    assert {(pair.problem_id, pair.chosen_reasoning) for pair in build(*samples).pairs} <= accepted


@given(sample_lists())
@settings(deadline=None, max_examples=60)
def test_the_splits_share_no_problem(samples: list[Sample]) -> None:
    problems = [{pair.problem_id for pair in pairs} for pairs in build(*samples).splits.values()]
    assert sum(map(len, problems)) == len(set().union(*problems))


@given(sample_lists().flatmap(lambda samples: st.tuples(st.just(samples), st.permutations(samples))))
@settings(deadline=None, max_examples=60)
def test_the_order_of_the_samples_does_not_matter(lists: tuple[list[Sample], list[Sample]]) -> None:
    assert build(*lists[0]) == build(*lists[1])


def test_another_seed_degrades_at_other_places() -> None:
    sample = make_sample(problem_id="p1", passed=True, reasoning=LONG * 10)
    first, second = (build(sample, seed=seed).pairs for seed in (0, 1))
    assert [pair.rejected_reasoning for pair in first] != [pair.rejected_reasoning for pair in second]


def test_one_problem_is_all_training() -> None:
    assert build(make_sample(problem_id="p1", passed=True)).splits.keys() == {"train"}


def test_of_two_problems_one_is_held_out() -> None:
    built = build(*(make_sample(name, problem_id=name, passed=True) for name in ("p1", "p2")))
    assert {split: {p.problem_id for p in pairs} for split, pairs in built.splits.items()} in (
        {"train": {"p1"}, "validation": {"p2"}},
        {"train": {"p2"}, "validation": {"p1"}},
    )


def test_no_samples_give_no_splits() -> None:
    assert build().splits == {}


def test_about_a_seventh_of_the_starter_problems_is_held_out() -> None:
    problems = {name: {pair.problem_id for pair in pairs} for name, pairs in starter().splits.items()}
    share = len(problems["validation"]) / sum(map(len, problems.values()))
    assert share == pytest.approx(VALIDATION_SHARE, abs=0.01)


def test_the_splits_of_the_starter_set_share_no_problem() -> None:
    train, validation = ({pair.problem_id for pair in starter().splits[name]} for name in ("train", "validation"))
    assert not train & validation


def test_every_starter_reasoning_can_be_degraded() -> None:
    assert starter().drops == {}


def test_pair_ids_are_distinct_and_sorted_within_a_split() -> None:
    for pairs in starter().splits.values():
        ids = [pair.id for pair in pairs]
        assert ids == sorted(set(ids))


def test_the_recorded_edits_make_the_worse_side_from_the_better() -> None:
    assert all(apply_edit(p.chosen_reasoning, p.edits[0]) == p.rejected_reasoning for p in starter().pairs)


def test_all_dimensions_occur_in_both_splits() -> None:
    assert all({pair.dimension for pair in pairs} == set(Dimension) for pairs in starter().splits.values())


def test_a_pair_names_its_kind_and_carries_the_code_of_its_sample_twice() -> None:
    sample = make_sample(problem_id="p1", passed=True, model="m1")
    pair = build(sample).pairs[0]
    assert (pair.kind, pair.chosen_code, pair.rejected_code) == (PairKind.DEGRADED, sample.code, sample.code)
    assert (pair.chosen_model, pair.rejected_model) == ("m1", "m1")
    assert (pair.difficulty, pair.platform, str(pair.date), pair.source) == ("easy", "site", "2025-01-31", "handmade")


def test_the_command_builds_the_same_bytes_from_another_order(tmp_path: Path) -> None:
    problems = [problem.model_dump_json() for problem in P.values()]
    fields = {"id", "problem_id", "model", "reasoning", "code", "passed"}
    samples = [make_sample(f"{name}/1", problem_id=name, passed=True).model_dump_json(include=fields) for name in P]
    built = []
    for name, step in (("one", 1), ("two", -1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.jsonl").write_text("\n".join(problems[::step]))
        (tmp_path / name / "s.jsonl").write_text("\n".join(samples[::step]))
        build = ["build", "crpl", "--samples", "s.jsonl", "--problems", "p.jsonl", "--out", "out"]
        assert run_recode(*build, cwd=tmp_path / name).returncode == 0
        out = tmp_path / name / "out"
        built.append({path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert built[0] == built[1]
    assert len(built[0]) == 3


def test_an_unknown_rewriter_is_refused_by_name(tmp_path: Path) -> None:
    done = run_recode("build", "crpl", "--samples", "starter", "--rewriter", "luck", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (2, "recode: --rewriter 'luck' is not known; choose one of rules\n")
