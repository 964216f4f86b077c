"""CRPL pairs: the reasoning of an accepted sample against a degraded variant of it."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builders import filters
from builders.filters import Drop, Selection
from builders.rules import degrade
from lcb_rb.pairs import problem_fields
from lcb_rb.schema import PairKind, PreferencePair, Problem, Result, Sample, Variant

VALIDATION_SHARE = 0.15
"""Of the problems."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The pairs by split, and where the other samples went."""

    splits: dict[str, list[PreferencePair]]
    """`train` and `validation`, apart by problem."""
    n_samples: int
    n_used: int
    """Samples that have at least one variant."""
    drops: Counter[str]

    @property
    def pairs(self) -> list[PreferencePair]:
        """All pairs."""
        return [pair for pairs in self.splits.values() for pair in pairs]


def build_degraded(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    results: Mapping[str, Result],
    selection: Selection,
    seed: int = 0,
) -> Rewritten:
    """Returns pairs "original over degraded" of accepted samples, sorted by id; the order of the input does not matter.

    Args:
        samples: Samples with distinct ids.
        problems: By id.
        results: Our own grades by sample id; a sample without one keeps its stored grade.
        selection: Which samples may be rewritten.
        seed: Of the places that the rules choose.
    """
    drops: Counter[str] = Counter()
    pairs: list[PreferencePair] = []
    n_used = 0
    seen: set[tuple[str, str]] = set()
    for sample in sorted(samples, key=lambda sample: sample.id):
        reason = _refuse(sample, problems, results, selection, seen)
        variants = [] if reason else degrade(sample.reasoning, sample.id, seed=seed)
        if reason or not variants:
            drops[reason or "no_variant"] += 1
            continue
        seen.add((sample.problem_id, sample.reasoning))
        n_used += 1
        pairs += [_pair(problems[sample.problem_id], sample, variant) for variant in variants]
    return Rewritten(_split(pairs), len(samples), n_used, drops)


def _refuse(
    sample: Sample,
    problems: Mapping[str, Problem],
    results: Mapping[str, Result],
    selection: Selection,
    seen: set[tuple[str, str]],
) -> str | None:
    """Returns why the sample cannot be the better side, or None."""
    result = results.get(sample.id)
    kept = filters.of_sample(sample, problems.get(sample.problem_id), result, selection)
    if isinstance(kept, Drop):
        return kept.reason
    if not filters.passed(sample, result):
        return "not_accepted"
    return "same_reasoning" if (sample.problem_id, sample.reasoning) in seen else None


def _split(pairs: Sequence[PreferencePair]) -> dict[str, list[PreferencePair]]:
    """Puts the problems with the smallest hashes into validation, at least one of two."""
    problems = sorted({pair.problem_id for pair in pairs}, key=_hash)
    count = max(round(VALIDATION_SHARE * len(problems)), 1) if len(problems) > 1 else 0
    held_out = set(problems[:count])
    ordered = sorted(pairs, key=lambda pair: pair.id)
    splits = {
        "train": [pair for pair in ordered if pair.problem_id not in held_out],
        "validation": [pair for pair in ordered if pair.problem_id in held_out],
    }
    return {name: found for name, found in splits.items() if found}


def _hash(problem_id: str) -> str:
    return hashlib.sha256(f"validation\0{problem_id}".encode()).hexdigest()


def _pair(problem: Problem, sample: Sample, variant: Variant) -> PreferencePair:
    return PreferencePair(
        id=f"{sample.id}/{'+'.join(edit.rule for edit in variant.edits)}",
        chosen_reasoning=sample.reasoning,
        rejected_reasoning=variant.reasoning,
        chosen_code=sample.code,
        rejected_code=sample.code,
        chosen_model=sample.model,
        rejected_model=sample.model,
        kind=PairKind.DEGRADED,
        dimension=variant.edits[0].dimension,
        edits=variant.edits,
        **problem_fields(problem),
    )
