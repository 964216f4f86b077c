"""What is asked of endpoints and of the executor about a unit, where the recipe asks for it, before pairs are made."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from builders import filters, natural, rewriting
from builders.candidates import Made
from builders.claims import Checked, check_claims
from builders.filters import Drop, Keep
from builders.judging import (
    CachedOracle,
    PairRatings,
    SampleRatings,
    judge_pairs,
    judge_samples,
    label_of,
    of_pair,
    of_ratings,
    pair_agreement,
    sample_agreement,
)
from builders.llm_prompts import read_prompts
from builders.llm_rewriting import LlmRewriter, RewriteOptions
from builders.natural import Evidence
from builders.pipeline import Run
from builders.recipe import BuildRecipe, CrplRecipe, ModelAt, NaturalRecipe
from builders.shards import Material
from lcb_rb.inference.chat import place_of
from lcb_rb.metrics.agreement import Agreement
from lcb_rb.schema import PreferencePair, Sample, Variant
from lcb_rb.writing import write_text


def of_natural(run: Run, recipe: NaturalRecipe, unit: str, material: Material) -> natural.Work:
    """Returns a unit with what judges say of its samples, and what became of the claims of accepted ones."""
    work = natural.Work(material, run.inputs.selection, recipe.near_copies)
    if not recipe.judges and not recipe.claims:
        return work
    usable = [sample for sample in material.samples if isinstance(_kept(sample, material, run), Keep)]
    passed = {sample.id: bool(filters.passed(sample, material.results.get(sample.id))) for sample in usable}
    accepted = [sample for sample in usable if passed[sample.id]]
    found = _claims(run, material, [(sample, sample.reasoning) for sample in accepted]) if recipe.claims else {}
    claims = {name: (checked.checked, checked.refuted) for (name, _), checked in found.items()}
    ratings = _sample_ratings(run, recipe, unit, usable, material) if recipe.judges else {}
    evidence = {
        sample.id: Evidence(
            claims.get(sample.id),
            *_judged(ratings.get(sample.id), passed[sample.id], recipe.keep_unjudged),
        )
        for sample in usable
    }
    return replace(work, evidence=evidence)


def of_rewritten(run: Run, recipe: CrplRecipe, unit: str, material: Material) -> rewriting.Work:
    """Returns a unit with the variants of a model, or of rules, and what became of the claims in all texts."""
    work = rewriting.Work(material, run.inputs.selection, recipe)
    if recipe.rewriter == "rules" and not recipe.claims:
        return work  # made where the pairs are made
    samples = list(rewriting.originals(work, Counter()))
    first = _claims(run, material, [(sample, sample.reasoning) for sample in samples]) if recipe.claims else {}
    if recipe.rewriter == "llm":
        work = _by_model(run, recipe, samples, work)
    else:
        work = replace(work, variants={sample.id: _by_rules(sample, recipe, material, first) for sample in samples})
    if not recipe.claims:
        return work
    texts = [(s, variant.reasoning) for s in samples for variant in (work.variants or {}).get(s.id, ())]
    found = {**first, **_claims(run, material, texts)}
    return replace(work, evidence={key: Evidence((one.checked, one.refuted)) for key, one in found.items()})


def judged(run: Run, recipe: CrplRecipe, unit: str, made: Made) -> Made:
    """Returns what a unit made without the pairs that the judges do not agree to."""
    if not recipe.judges or not made.pairs:
        return made
    ratings = judge_pairs(made.pairs, _oracles(run, recipe.judges, recipe.seed))
    _keep(run, unit, ratings.values())
    drops, kept = Counter(made.drops), list[PreferencePair]()
    for pair in made.pairs:
        outcome = of_pair(ratings[pair.id], keep_unjudged=recipe.keep_unjudged)
        if isinstance(outcome, Drop):
            drops[outcome.reason] += 1
        else:
            kept.append(pair)
    return replace(made, pairs=kept, drops=drops)


def _kept(sample: Sample, material: Material, run: Run) -> Keep | Drop:
    problem, result = material.problems.get(sample.problem_id), material.results.get(sample.id)
    return filters.of_sample(sample, problem, result, run.inputs.selection)


def _by_model(run: Run, recipe: CrplRecipe, samples: Sequence[Sample], work: rewriting.Work) -> rewriting.Work:
    assert recipe.llm
    place = place_of(recipe.llm.model, recipe.llm.base_url)
    options = RewriteOptions(
        temperature=recipe.llm.temperature,
        max_tokens=recipe.llm.max_tokens,
        seed=recipe.seed,
        concurrency=recipe.llm.concurrency,
    )
    rewriter = LlmRewriter(place, run.replies, read_prompts(), options, recipe.gates, run.spent)
    found = rewriter.rewrite(samples, work.material.problems, recipe.dimensions)
    variants: dict[str, list[Variant]] = defaultdict(list)
    for variant in found.variants:
        variants[variant.sample_id].append(variant)
    return replace(work, variants=dict(variants), drops=found.drops)


def _by_rules(
    sample: Sample, recipe: CrplRecipe, material: Material, claims: Mapping[rewriting.Text, Checked]
) -> list[Variant]:
    checked = claims.get((sample.id, sample.reasoning))
    return rewriting.variants_of(sample, material.problems[sample.problem_id], recipe, checked)


def _claims(run: Run, material: Material, texts: Iterable[tuple[Sample, str]]) -> dict[rewriting.Text, Checked]:
    """Returns what became of the claims of each text."""
    items = (((s.id, text), material.problems[s.problem_id], s.code, text) for s, text in texts)
    return check_claims(items, run.grader.engine)


def _judged(ratings: SampleRatings | None, passed: bool, keep_unjudged: bool) -> tuple[bool | None, str | None]:
    """Returns whether a reasoning is correct, and why its sample cannot be used."""
    if ratings is None:
        return None, None
    outcome = of_ratings(ratings, accepted=passed, keep_unjudged=keep_unjudged)
    reason = outcome.reason if isinstance(outcome, Drop) else None
    return label_of(ratings).correct, None if reason == "judged_incorrect" else reason  # a lucky one, maybe


def _sample_ratings(
    run: Run, recipe: NaturalRecipe, unit: str, samples: Sequence[Sample], material: Material
) -> dict[str, SampleRatings]:
    found = judge_samples(samples, material.problems, _oracles(run, recipe.judges, recipe.seed)) if samples else {}
    _keep(run, unit, found.values())
    return found


def _oracles(run: Run, judges: Sequence[ModelAt], seed: int) -> list[CachedOracle]:
    return [
        CachedOracle(place_of(judge.model, judge.base_url), run.replies, seed=seed, max_tokens=judge.max_tokens)
        for judge in judges
    ]


def _keep(run: Run, unit: str, ratings: Iterable[SampleRatings | PairRatings]) -> None:
    """Keeps the ratings for the agreement that the card states."""
    write_text(run.ratings / f"{unit}.jsonl", "".join(f"{each.model_dump_json()}\n" for each in ratings))


def agreement_text(run: Run, recipe: BuildRecipe) -> str:
    """Returns what a card says of the judges: who they are, and how far they agree."""
    if not recipe.judges:
        return "No judge was asked."
    names = " and ".join(judge.model for judge in recipe.judges)
    rated = [line for path in sorted(run.ratings.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    if not rated:
        return f"Judges: {names}; there was nothing to ask them."
    if "sides" in rated[0]:
        pairs = [PairRatings.model_validate_json(line) for line in rated]
        found = {"which side is better": pair_agreement(pairs, recipe.seed)}
    else:
        samples = [SampleRatings.model_validate_json(line) for line in rated]
        found = sample_agreement(samples, recipe.seed)
    told = "; ".join(f"{what}: {_agreement(one)}" for what, one in found.items())
    return f"Judges: {names}. Cohen's kappa of {told or 'one judge is not defined'}."


def _agreement(found: Agreement) -> str:
    if found.kappa is None:
        return f"undefined over {found.n}"
    interval = f" ({found.interval.low:.3f} to {found.interval.high:.3f})" if found.interval else ""
    return f"{found.kappa:.3f}{interval} over {found.n}"
