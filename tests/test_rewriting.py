import hashlib
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.candidates import Made
from builders.filters import Selection
from builders.llm_edits import apply_edits
from builders.natural import Evidence
from builders.recipe import CrplRecipe
from builders.rewriting import Work, rewrite_unit
from builders.shards import Material
from builders.sides import inverted
from factories import LONG, make_problem, make_sample, run_recode
from lcb_rb.schema import Dimension, Edit, Isolation, PairKind, Result, Sample, Variant, Verdict
from lcb_rb.sources import STARTER, read_problems, read_samples

DIGITS = str.maketrans("0123456789", "ghijklmnop")


def words(name: str) -> list[str]:
    """Words like no other's, without digits."""
    return [hashlib.sha256(f"{name}/{i}".encode()).hexdigest()[:6].translate(DIGITS) for i in range(20)]


P = {
    name: make_problem(name, statement=" ".join(words(name)), difficulty="easy", platform="site", date="2025-01-31")
    for name in ("p0", "p1", "p2", "p3", "p4", "p5")
}
RECIPE = CrplRecipe()


def work(*samples: Sample, recipe: CrplRecipe = RECIPE, **results: Verdict) -> Work:
    own = {name: Result(verdict=verdict, isolation=Isolation.FULL) for name, verdict in results.items()}
    return Work(Material(list(samples), P, own), Selection(), recipe)


def build(*samples: Sample, recipe: CrplRecipe = RECIPE, **results: Verdict) -> Made:
    return rewrite_unit(work(*samples, recipe=recipe, **results))


@cache
def starter() -> Made:
    """The starter set with every sample taken for accepted."""
    samples = [sample.model_copy(update={"passed": True}) for sample in read_samples([Path(STARTER)]).samples]
    return rewrite_unit(Work(Material(samples, read_problems([Path(STARTER)]), {}), Selection(), RECIPE))


def text(name: str) -> str:
    """A reasoning like no other, with places for rules."""
    first, *others = words(name)
    return f"{LONG}At most {first} of {' '.join(others)} are kept, because the first sum is the smallest one."


def sample_lists() -> st.SearchStrategy[list[Sample]]:
    drawn = st.tuples(st.sampled_from([*P, "unknown"]), st.sampled_from([True, True, False, None]), st.integers(0, 9))
    return st.lists(drawn, max_size=8).map(
        lambda rows: [
            make_sample(f"s{i}", problem_id=problem, passed=passed, reasoning=text(str(number)))
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
    samples = [make_sample(n, problem_id="p1", passed=n == "b", reasoning=text(n)) for n in "ab"]
    built = build(*samples, a=Verdict.ACCEPTED, b=Verdict.WRONG_ANSWER)
    degraded = [pair for pair in built.pairs if pair.kind is PairKind.DEGRADED]
    assert {pair.chosen_reasoning for pair in degraded} == {samples[0].reasoning}


def test_nearly_the_same_reasoning_is_rewritten_once() -> None:
    twins = [make_sample(name, problem_id="p1", passed=True, reasoning=f"{text('x')} {name}") for name in "ab"]
    built = build(*twins)
    assert (built.tally["used"], built.drops["same_reasoning"]) == (1, 1)


def test_a_reasoning_without_a_place_for_a_rule_is_counted() -> None:
    assert build(make_sample(problem_id="p1", passed=True, reasoning="Hm " * 100)).drops == {"no_variant": 1}


@given(sample_lists())
@settings(deadline=None, max_examples=40)
def test_every_sample_is_used_or_dropped(samples: list[Sample]) -> None:
    built = build(*samples)
    refused = sum(built.drops[name] for name in ("no_problem", "ungraded", "not_accepted", "same_reasoning"))
    assert built.tally["samples"] == len(samples) == built.tally["used"] + refused + built.drops["no_variant"]


@given(sample_lists().flatmap(lambda samples: st.tuples(st.just(samples), st.permutations(samples))))
@settings(deadline=None, max_examples=40)
def test_the_order_of_the_samples_does_not_matter(lists: tuple[list[Sample], list[Sample]]) -> None:
    assert build(*lists[0]) == build(*lists[1])


def test_another_seed_degrades_at_other_places() -> None:
    sample = make_sample(problem_id="p1", passed=True, reasoning=LONG * 10)
    first, second = (build(sample, recipe=CrplRecipe(seed=seed)).pairs for seed in (0, 1))
    assert [pair.rejected_reasoning for pair in first] != [pair.rejected_reasoning for pair in second]


def test_only_the_kinds_and_dimensions_of_the_recipe_are_made() -> None:
    recipe = CrplRecipe(kinds=(PairKind.STRONG,), dimensions=(Dimension.FACTUAL_ACCURACY,))
    samples = [make_sample(name, problem_id="p1", passed=True, reasoning=text(name)) for name in "abc"]
    pairs = build(*samples, recipe=recipe).pairs
    assert pairs and {(pair.kind, pair.dimension) for pair in pairs} == {(PairKind.STRONG, Dimension.FACTUAL_ACCURACY)}


def test_every_starter_reasoning_can_be_degraded() -> None:
    assert not starter().drops["no_variant"]


def test_pair_ids_are_distinct_and_sorted() -> None:
    ids = [pair.id for pair in starter().pairs]
    assert ids == sorted(set(ids))


def test_the_recorded_edits_make_the_worse_side_from_the_better() -> None:
    assert {pair.kind for pair in starter().pairs} >= {PairKind.DEGRADED, PairKind.STRONG}
    assert all(apply_edits(p.chosen_reasoning, p.edits) == p.rejected_reasoning for p in starter().pairs)


def test_all_dimensions_occur() -> None:
    assert {pair.dimension for pair in starter().pairs} == set(Dimension)


def test_a_pair_names_its_kind_and_carries_the_code_of_its_sample_twice() -> None:
    sample = make_sample(problem_id="p1", passed=True, model="m1")
    pair = next(pair for pair in build(sample).pairs if pair.kind is PairKind.DEGRADED)
    assert (pair.rewriter, pair.chosen_code, pair.rejected_code) == ("rules", sample.code, sample.code)
    assert (pair.chosen_model, pair.rejected_model) == ("m1", "m1")
    assert (pair.difficulty, pair.platform, str(pair.date), pair.source) == ("easy", "site", "2025-01-31", "handmade")


def by_model(sample: Sample, better: str, worse: str) -> list[Variant]:
    """One variant of each direction."""
    return [
        Variant(
            sample_id=sample.id,
            reasoning=after,
            direction=direction,
            dimension=Dimension.LOGICAL_RIGOR,
            edits=(Edit(rule="llm", dimension=Dimension.LOGICAL_RIGOR, start=0, before=sample.reasoning, after=after),),
            rewriter="m prompt 0",
        )
        for direction, after in (("optimized", better), ("degraded", worse))
    ]


SAMPLE = make_sample(problem_id="p1", passed=True, reasoning=text("s"))
VARIANTS = by_model(
    SAMPLE, SAMPLE.reasoning.replace("the smallest", "surely the smallest"), SAMPLE.reasoning.replace("most", "least")
)


def test_variants_of_a_model_make_pairs_of_all_three_kinds() -> None:
    given_work = work(SAMPLE)
    built = rewrite_unit(Work(given_work.material, Selection(), RECIPE, {SAMPLE.id: VARIANTS}))
    better, worse = (variant.reasoning for variant in VARIANTS)
    assert {pair.kind: (pair.chosen_reasoning, pair.rejected_reasoning) for pair in built.pairs} == {
        PairKind.STRONG: (better, worse),
        PairKind.OPTIMIZED: (better, SAMPLE.reasoning),
        PairKind.DEGRADED: (SAMPLE.reasoning, worse),
    }
    assert all(apply_edits(p.chosen_reasoning, p.edits) == p.rejected_reasoning for p in built.pairs)


def test_what_is_refuted_is_not_the_better_side() -> None:
    refuted = {(SAMPLE.id, SAMPLE.reasoning): Evidence(claims=(1, 1))}
    built = rewrite_unit(Work(work(SAMPLE).material, Selection(), RECIPE, {SAMPLE.id: VARIANTS}, refuted))
    assert {pair.kind for pair in built.pairs} == {PairKind.STRONG, PairKind.OPTIMIZED}
    assert built.drops == {"refuted_reasoning": 1}
    assert {pair.rejected_claims_refuted for pair in built.pairs} == {None, 1}


def test_a_better_variant_with_a_refuted_claim_is_dropped() -> None:
    refuted = {(SAMPLE.id, VARIANTS[0].reasoning): Evidence(claims=(1, 1))}
    built = rewrite_unit(Work(work(SAMPLE).material, Selection(), RECIPE, {SAMPLE.id: VARIANTS}, refuted))
    assert ({pair.kind for pair in built.pairs}, built.drops) == ({PairKind.DEGRADED}, {"refuted_variant": 1})


@given(st.text("ab", min_size=4, max_size=30), st.lists(st.tuples(st.integers(0, 9), st.text("xyz", max_size=3))))
def test_inverted_edits_undo_edits(before: str, changes: list[tuple[int, str]]) -> None:
    edits, end = [], 0
    for gap, after in changes:
        start = end + gap
        if start < len(before):
            removed = before[start : start + 2]
            edits.append(Edit(rule="r", dimension=Dimension.LOGICAL_RIGOR, start=start, before=removed, after=after))
            end = start + len(removed)
    after_all = apply_edits(before, edits)
    assert apply_edits(after_all, inverted(edits)) == before


def test_the_command_builds_the_same_bytes_from_another_order(tmp_path: Path) -> None:
    problems = [problem.model_dump_json() for problem in P.values()]
    fields = {"id", "problem_id", "model", "reasoning", "code", "passed"}
    samples = [
        make_sample(f"{name}/1", problem_id=name, passed=True, reasoning=text(name)).model_dump_json(include=fields)
        for name in P
    ]
    built = []
    for name, step in (("one", 1), ("two", -1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.jsonl").write_text("\n".join(problems[::step]))
        (tmp_path / name / "s.jsonl").write_text("\n".join(samples[::step]))
        build = ["build", "crpl", "--samples", "s.jsonl", "--problems", "p.jsonl", "--out", "out"]
        done = run_recode(*build, cwd=tmp_path / name)
        assert done.returncode == 0, done.stderr
        out = tmp_path / name / "out"
        built.append({path.name: path.read_bytes() for path in out.rglob("*.parquet")})
    assert built[0] == built[1]
    assert len(built[0]) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rewriter", "luck"], "Invalid value for '--rewriter'"),
        (["--rewriter", "llm"], "rewriter llm needs a model: give --model"),
    ],
)
def test_a_rewriter_that_cannot_be_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    done = run_recode("build", "crpl", "--samples", "starter", *options, "--out", tmp_path / "out")
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
