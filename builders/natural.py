"""LCB-RB's pairs of real samples of one problem: accepted against failed, and sound against refuted reasonings."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from builders import filters
from builders.candidates import Made
from builders.filters import Drop, Selection
from builders.gates.copies import near_copies
from builders.gates.limits import GateLimits
from builders.inputs import count_grades
from builders.matching import matched
from builders.shards import Material, by_problem
from lcb_rb.pairs import problem_fields
from lcb_rb.parsing import syntax_key
from lcb_rb.schema import PairKind, PreferencePair, Problem, Result, Sample


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a reasoning beside the outcome of its code."""

    claims: tuple[int, int] | None = None
    """Numeric claims that were checked, and refuted; None where none were sought."""
    correct: bool | None = None
    """Whether all judges find it correct; None where they were not asked or say different things."""
    unusable: str | None = None
    """Why judges rule its sample out."""

    @property
    def refuted(self) -> bool:
        """Whether something in it is known to be wrong."""
        return bool(self.claims and self.claims[1]) or self.correct is False

    @property
    def sound(self) -> bool:
        """Whether something in it is known to be right, and nothing to be wrong."""
        return not self.refuted and (bool(self.claims and self.claims[0]) or bool(self.correct))


@dataclass(frozen=True, slots=True)
class Work:
    """A unit and how it is paired."""

    material: Material
    """Whole problems."""
    selection: Selection
    """What may be paired."""
    near_copies: float = 0.9
    """Similarity from which two reasonings are one."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    """By sample id."""


def pair_unit(work: Work) -> Made:
    """Returns the pairs of a unit and where every other sample went: samples = 2 pairs + all drops.

    The order of the samples does not matter, nor which problems are in a unit.
    """
    drops: Counter[str] = Counter()
    pairs: list[PreferencePair] = []
    tally = count_grades(work.material.samples, work.material.results)
    for problem_id, samples in sorted(by_problem(work.material.samples).items()):
        kept = [sample for sample in samples if _keeps(sample, work, drops)]
        for place in ("before", "after"):
            group = [sample for sample in kept if sample.place == place]
            found = list(_of_group(work.material.problems[problem_id], group, work, drops)) if group else []
            pairs += found
    tally["samples"] = len(work.material.samples)
    return Made(sorted(pairs, key=lambda pair: pair.id), +drops, +tally)


def _keeps(sample: Sample, work: Work, drops: Counter[str]) -> bool:
    material = work.material
    problem, result = material.problems.get(sample.problem_id), material.results.get(sample.id)
    outcome = filters.of_sample(sample, problem, result, work.selection)
    if isinstance(outcome, Drop):
        drops[outcome.reason] += 1
    return not isinstance(outcome, Drop)


def _of_group(problem: Problem, group: Sequence[Sample], work: Work, drops: Counter[str]) -> Iterator[PreferencePair]:
    """Yields the pairs among samples whose reasonings stand at the same place."""
    results, evidence = work.material.results, work.evidence
    accepted: list[Sample] = []
    failed: list[Sample] = []
    refuted: list[Sample] = []
    for sample in _distinct(sorted(group, key=lambda sample: sample.id), work, drops):
        known, passed = evidence.get(sample.id, Evidence()), filters.passed(sample, results.get(sample.id))
        if known.unusable:
            drops[known.unusable] += 1
        elif passed:
            (refuted if known.refuted else accepted).append(sample)
        else:
            failed.append(sample)
    for better, worse, kind in _against_sound(accepted, refuted, evidence):
        accepted.remove(better)
        refuted.remove(worse)
        yield _pair(problem, better, worse, kind, evidence)
    drops["refuted_reasoning"] += len(refuted)
    if not accepted or not failed:
        drops["no_failed" if accepted else "no_accepted"] += len(accepted) + len(failed)
        return
    pairs = matched(accepted, failed)
    drops["no_partner"] += len(accepted) + len(failed) - 2 * len(pairs)
    for better, worse in pairs:
        yield _pair(problem, better, worse, PairKind.NATURAL, evidence)


def _against_sound(
    accepted: Sequence[Sample], refuted: Sequence[Sample], evidence: Mapping[str, Evidence]
) -> list[tuple[Sample, Sample, PairKind]]:
    """Returns a sound partner for every refuted reasoning that has one: with the same code first, then with another."""
    free = [sample for sample in accepted if evidence.get(sample.id, Evidence()).sound]
    found: list[tuple[Sample, Sample, PairKind]] = []
    keys = {sample.id: syntax_key(sample.code) for sample in (*free, *refuted)}
    for kind in (PairKind.SAME_CODE, PairKind.LUCKY):
        for worse in refuted:
            if any(worse is other for _, other, _ in found):
                continue
            same = kind is PairKind.SAME_CODE
            partners = [sample for sample in free if (keys[sample.id] == keys[worse.id]) is same]
            if partners:
                better = min(
                    partners, key=lambda sample: (abs(len(sample.reasoning) - len(worse.reasoning)), sample.id)
                )
                free.remove(better)
                found.append((better, worse, kind))
    return found


def _distinct(group: Sequence[Sample], work: Work, drops: Counter[str]) -> Iterable[Sample]:
    """Yields one sample of each reasoning; none where the same, or nearly the same, led to both outcomes."""
    results = work.material.results
    twins: dict[str, list[Sample]] = defaultdict(list)
    for sample in group:
        twins[sample.reasoning].append(sample)
    first = {same[0].id: same[0].reasoning for same in twins.values()}
    for copy, original in near_copies(first, GateLimits(copy_similarity=work.near_copies)).items():
        twins[first[original]] += twins.pop(first[copy])
    for same in twins.values():
        if len({filters.passed(sample, results.get(sample.id)) for sample in same}) > 1:
            drops["contradicting_twin"] += len(same)
            continue
        drops["same_reasoning"] += len(same) - 1
        yield same[0]


def _pair(
    problem: Problem, better: Sample, worse: Sample, kind: PairKind, evidence: Mapping[str, Evidence]
) -> PreferencePair:
    digest = hashlib.sha256(f"{better.id}\0{worse.id}".encode()).hexdigest()
    return PreferencePair(
        id=f"{problem.id}/{digest[:12]}",
        chosen_reasoning=better.reasoning,
        rejected_reasoning=worse.reasoning,
        chosen_code=better.code,
        rejected_code=worse.code,
        chosen_model=better.model,
        rejected_model=worse.model,
        kind=kind,
        place=better.place,
        **claim_fields("chosen", evidence.get(better.id)),
        **claim_fields("rejected", evidence.get(worse.id)),
        **problem_fields(problem),
    )


def claim_fields(side: str, known: Evidence | None) -> dict[str, int]:
    """Returns the fields of a pair that say what became of the claims of a side."""
    if known is None or known.claims is None:
        return {}
    return {f"{side}_claims_checked": known.claims[0], f"{side}_claims_refuted": known.claims[1]}


def build_pairs(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    results: Mapping[str, Result],
    selection: Selection,
    evidence: Mapping[str, Evidence] | None = None,
) -> Made:
    """Returns the pairs of samples in memory, sorted by id.

    Args:
        samples: Samples with distinct ids.
        problems: By id; samples of other problems are dropped.
        results: Our own grades by sample id; a sample without one keeps its stored grade.
        selection: What may be paired.
        evidence: What else is known of their reasonings, by sample id.
    """
    return pair_unit(Work(Material(list(samples), dict(problems), dict(results)), selection, evidence=evidence or {}))
