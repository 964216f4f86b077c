"""CRPL pairs: the reasoning of an accepted sample and its optimized and degraded variants, each against another."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from builders import filters
from builders.candidates import Made
from builders.claims import Checked
from builders.filters import Drop, Selection
from builders.gates.checks import check
from builders.gates.copies import near_copies, variant_copies
from builders.gates.limits import fits
from builders.inputs import count_grades
from builders.natural import Evidence, claim_fields
from builders.recipe import CrplRecipe
from builders.rules import degrade
from builders.rules.optimize import PARTNERS, optimize
from builders.shards import Material, by_problem
from builders.sides import Side, between, inverted
from lcb_rb.pairs import problem_fields
from lcb_rb.schema import Edit, PairKind, PreferencePair, Problem, Sample, Variant

Text = tuple[str, str]
"""Sample id and reasoning: what evidence is about."""


@dataclass(frozen=True, slots=True)
class Work:
    """A unit and how it is rewritten."""

    material: Material
    """Whole problems."""
    selection: Selection
    """Which samples may be rewritten."""
    recipe: CrplRecipe
    """Kinds, gates, seed."""
    variants: Mapping[str, Sequence[Variant]] | None = None
    """By sample id, where they were made before; rules make them when None."""
    evidence: Mapping[Text, Evidence] = field(default_factory=dict)
    """What is known of the claims of originals and variants."""
    drops: Counter[str] = field(default_factory=Counter)
    """Variants that could not be made, by reason."""


def rewrite_unit(work: Work) -> Made:
    """Returns the pairs of a unit, and the samples and variants that are in none, by reason.

    The order of the samples does not matter, nor which problems are in a unit.
    """
    drops: Counter[str] = Counter(work.drops)
    tally = count_grades(work.material.samples, work.material.results)
    pairs: list[PreferencePair] = []
    for sample in originals(work, drops):
        found = _numbered(_of_sample(sample, work, drops))
        tally["used"] += bool(found)
        pairs += found
    tally["samples"] = len(work.material.samples)
    return Made(sorted(pairs, key=lambda pair: pair.id), +drops, +tally)


def originals(work: Work, drops: Counter[str]) -> Iterator[Sample]:
    """Yields the samples that are rewritten: accepted, none a copy of another; counts the others."""
    for _, samples in sorted(by_problem(work.material.samples).items()):
        usable: dict[str, Sample] = {}
        for sample in sorted(samples, key=lambda sample: sample.id):
            reason = _refuse(sample, work)
            if reason:
                drops[reason] += 1
            else:
                usable[sample.id] = sample
        copies = near_copies({name: sample.reasoning for name, sample in usable.items()}, work.recipe.gates)
        drops["same_reasoning"] += len(copies)
        yield from (sample for name, sample in usable.items() if name not in copies)


def variants_of(sample: Sample, problem: Problem, recipe: CrplRecipe, checked: Checked | None = None) -> list[Variant]:
    """Returns the variants that rules make of a sample, in the recipe's dimensions.

    Args:
        sample: Accepted.
        problem: Its problem.
        recipe: Says which.
        checked: What became of the claims in its reasoning, where they were checked.
    """
    found = degrade(sample.reasoning, sample.id, seed=recipe.seed, places=recipe.places)
    found += optimize(sample.reasoning, sample.id, problem, checked, seed=recipe.seed)
    return [variant for variant in found if variant.dimension in recipe.dimensions]


def _refuse(sample: Sample, work: Work) -> str | None:
    """Returns why the sample is not rewritten, or None."""
    material = work.material
    result = material.results.get(sample.id)
    kept = filters.of_sample(sample, material.problems.get(sample.problem_id), result, work.selection)
    if isinstance(kept, Drop):
        return kept.reason
    return None if filters.passed(sample, result) else "not_accepted"


def _of_sample(sample: Sample, work: Work, drops: Counter[str]) -> Iterator[PreferencePair]:
    problem = work.material.problems[sample.problem_id]
    given = variants_of(sample, problem, work.recipe) if work.variants is None else work.variants.get(sample.id, ())
    if not given and work.variants is None:
        drops["no_variant"] += 1
    kept = [variant for variant in given if _passes(variant, sample, work, drops)]
    refuted = _known(sample, sample.reasoning, work).refuted
    for kind, better, worse, edits in _sides(sample, _distinct(sample, kept, work, drops)):
        if kind not in work.recipe.kinds:
            continue
        if refuted and kind is PairKind.DEGRADED:  # what is known to be wrong is nobody's better side
            drops["refuted_reasoning"] += 1
            continue
        if not fits(better.reasoning, worse.reasoning, work.recipe.gates):
            drops["length_ratio"] += 1
            continue
        yield _pair(problem, sample, (kind, better, worse, edits), work)


def _passes(variant: Variant, sample: Sample, work: Work, drops: Counter[str]) -> bool:
    outcome = check(sample.reasoning, variant, sample, work.recipe.gates)
    reason = outcome.reason if isinstance(outcome, Drop) else None
    if variant.direction == "optimized" and _known(sample, variant.reasoning, work).refuted:
        reason = "refuted_variant"
    if reason:
        drops[reason] += 1
    return reason is None


def _distinct(sample: Sample, variants: Sequence[Variant], work: Work, drops: Counter[str]) -> list[Variant]:
    """Returns the variants of which no other of the same direction makes the same change, where a model wrote them."""
    copies: set[int] = set()
    for direction in ("optimized", "degraded"):
        texts = {
            f"{index:06}": variant.reasoning
            for index, variant in enumerate(variants)
            if variant.direction == direction and variant.rewriter != "rules"
        }
        copies |= {int(name) for name in variant_copies(sample.reasoning, texts, work.recipe.gates)}
    drops["near_copy"] += len(copies)
    return [variant for index, variant in enumerate(variants) if index not in copies]


def _sides(sample: Sample, variants: Sequence[Variant]) -> Iterator[tuple[PairKind, Side, Side, tuple[Edit, ...]]]:
    """Yields every pair of two texts of which one is better, with what turns it into the worse one."""
    original = Side(sample.reasoning)
    better = [variant for variant in variants if variant.direction == "optimized"]
    worse = [variant for variant in variants if variant.direction == "degraded"]
    for variant in worse:
        if _rule(variant) not in PARTNERS.values():
            yield PairKind.DEGRADED, original, Side.of(variant), variant.edits
    for variant in better:
        if _rule(variant) not in PARTNERS:
            yield PairKind.OPTIMIZED, Side.of(variant), original, inverted(variant.edits)
    for first, second in product(better, worse):
        if _partners(first, second):
            yield PairKind.STRONG, Side.of(first), Side.of(second), between(first, second)


def _partners(better: Variant, worse: Variant) -> bool:
    """Returns whether two variants make a strong pair: of one dimension, and rules only where they are made for it."""
    if better.dimension is not worse.dimension:
        return False
    if better.rewriter != "rules":
        return worse.rewriter != "rules"
    return PARTNERS.get(_rule(better)) == _rule(worse)


def _rule(variant: Variant) -> str:
    return variant.edits[0].rule if variant.edits else ""


def _pair(
    problem: Problem, sample: Sample, sides: tuple[PairKind, Side, Side, tuple[Edit, ...]], work: Work
) -> PreferencePair:
    kind, better, worse, edits = sides
    variant = worse.variant or better.variant
    assert variant
    return PreferencePair(
        id=_id(sample, kind, variant),
        chosen_reasoning=better.reasoning,
        rejected_reasoning=worse.reasoning,
        chosen_code=sample.code,
        rejected_code=sample.code,
        chosen_model=sample.model,
        rejected_model=sample.model,
        kind=kind,
        dimension=variant.dimension,
        edits=edits,
        rewriter=variant.rewriter,
        **claim_fields("chosen", work.evidence.get((sample.id, better.reasoning))),
        **claim_fields("rejected", work.evidence.get((sample.id, worse.reasoning))),
        **problem_fields(problem),
    )


def _id(sample: Sample, kind: PairKind, variant: Variant) -> str:
    """Returns the id of a pair: sample and rules, or sample, dimension and kind where a model rewrote."""
    if variant.rewriter == "rules":
        return f"{sample.id}/{'+'.join(edit.rule for edit in variant.edits)}"
    return f"{sample.id}/{variant.dimension.value}/{kind.value}"


def _numbered(pairs: Iterable[PreferencePair]) -> list[PreferencePair]:
    """Returns the pairs with distinct ids: rules may be applied at several places."""
    seen: Counter[str] = Counter()
    found = []
    for pair in pairs:
        seen[pair.id] += 1
        count = seen[pair.id]
        found.append(pair if count == 1 else pair.model_copy(update={"id": f"{pair.id}/{count}"}))
    return found


def _known(sample: Sample, reasoning: str, work: Work) -> Evidence:
    return work.evidence.get((sample.id, reasoning), Evidence())
