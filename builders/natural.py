"""LCB-RB's natural pairs: an accepted and a failed sample of the same problem, matched by length of reasoning."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from builders import filters
from builders.filters import Drop, Selection
from lcb_rb.pairs import problem_fields
from lcb_rb.schema import PairKind, PreferencePair, Problem, Result, Sample


@dataclass(frozen=True, slots=True)
class Built:
    """The pairs and where every other sample went: `n_samples` = 2 pairs + all drops."""

    pairs: list[PreferencePair]
    n_samples: int
    drops: Counter[str]
    n_after: int = 0
    """Pairs whose reasonings stand after the code."""

    @property
    def n_problems(self) -> int:
        """Problems that have a pair."""
        return len({pair.problem_id for pair in self.pairs})


@dataclass(slots=True)
class _Kept:
    accepted: list[Sample] = field(default_factory=list)
    failed: list[Sample] = field(default_factory=list)


def build_pairs(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    results: Mapping[str, Result],
    selection: Selection,
) -> Built:
    """Returns natural pairs, sorted by id; the order of the input does not matter.

    Args:
        samples: Samples with distinct ids.
        problems: By id; samples of other problems are dropped.
        results: Our own grades by sample id; a sample without one keeps its stored grade.
        selection: What may be paired.
    """
    drops: Counter[str] = Counter()
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda sample: sample.id):
        outcome = filters.of_sample(sample, problems.get(sample.problem_id), results.get(sample.id), selection)
        if isinstance(outcome, Drop):
            drops[outcome.reason] += 1
        else:
            groups[sample.problem_id].append(sample)
    pairs: list[PreferencePair] = []
    n_after = 0
    for problem_id in sorted(groups):
        for place in ("before", "after"):
            group = [sample for sample in groups[problem_id] if sample.place == place]
            found = _pairs_of_group(problems[problem_id], group, results, drops)
            pairs += found
            n_after += len(found) if place == "after" else 0
    return Built(sorted(pairs, key=lambda pair: pair.id), len(samples), +drops, n_after)


def match_by_length(accepted: Sequence[Sample], failed: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Returns as many (accepted, failed) pairs as possible with the least total difference in length."""
    chosen, rejected = (np.array([len(sample.reasoning) for sample in side]) for side in (accepted, failed))
    rows, columns = linear_sum_assignment(np.abs(chosen[:, None] - rejected[None, :]))
    return [(accepted[i], failed[j]) for i, j in zip(rows.tolist(), columns.tolist(), strict=True)]


def _pairs_of_group(
    problem: Problem, group: Iterable[Sample], results: Mapping[str, Result], drops: Counter[str]
) -> list[PreferencePair]:
    kept = _Kept()
    for sample in _distinct(group, results, drops):
        side = kept.accepted if filters.passed(sample, results.get(sample.id)) else kept.failed
        side.append(sample)
    if not kept.accepted or not kept.failed:
        drops["no_failed" if kept.accepted else "no_accepted"] += len(kept.accepted) + len(kept.failed)
        return []
    matched = match_by_length(kept.accepted, kept.failed)
    drops["no_partner"] += len(kept.accepted) + len(kept.failed) - 2 * len(matched)
    return [_pair(problem, chosen, rejected) for chosen, rejected in matched]


def _distinct(group: Iterable[Sample], results: Mapping[str, Result], drops: Counter[str]) -> Iterable[Sample]:
    twins: dict[str, list[Sample]] = defaultdict(list)
    for sample in group:
        twins[sample.reasoning].append(sample)
    for same in twins.values():
        if len({filters.passed(sample, results.get(sample.id)) for sample in same}) > 1:
            drops["contradicting_twin"] += len(same)
            continue
        drops["same_reasoning"] += len(same) - 1
        yield same[0]


def _pair(problem: Problem, chosen: Sample, rejected: Sample) -> PreferencePair:
    digest = hashlib.sha256(f"{chosen.id}\0{rejected.id}".encode()).hexdigest()
    return PreferencePair(
        id=f"{problem.id}/{digest[:12]}",
        chosen_reasoning=chosen.reasoning,
        rejected_reasoning=rejected.reasoning,
        chosen_code=chosen.code,
        rejected_code=rejected.code,
        chosen_model=chosen.model,
        rejected_model=rejected.model,
        kind=PairKind.NATURAL,
        **problem_fields(problem),
    )
