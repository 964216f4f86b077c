"""How well a scorer tells better reasonings from worse ones."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from lcb_rb import __version__
from lcb_rb.metrics import calibration, length_gap, length_groups, margin_length_correlation, pairwise_accuracy
from lcb_rb.schema import (
    Accuracy,
    Calibration,
    Correlation,
    LengthGroup,
    PairScore,
    PreferencePair,
    Provenance,
    Report,
)
from lcb_rb.scorers import BASELINES, Item, PairScorer, Scorer


def score_pairs(
    scorer: Scorer | PairScorer,
    pairs: Sequence[PreferencePair],
    *,
    data: str,
    data_revision: str,
    command: str,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> Report:
    """Returns the report of a scorer on pairs.

    Args:
        scorer: Reads problem and reasoning of both sides, one by one or together.
        pairs: At least one.
        data: Where the pairs come from, for the report.
        data_revision: Their content hash or commit.
        command: What was called, for the report.
        seed: Of the bootstrap.
        advance: Called twice a pair while scoring.
    """
    found = _scores(scorer, pairs, advance)
    provenance = Provenance(
        data=data,
        data_revision=data_revision,
        package_version=__version__,
        scorer=scorer.name,
        scorer_revision=scorer.revision,
        seed=seed,
        command=command,
    )
    return report_of(found, pairs, provenance, scorer.notes)


def report_of(
    scores: Sequence[PairScore],
    pairs: Sequence[PreferencePair],
    provenance: Provenance,
    notes: Sequence[str] = (),
) -> Report:
    """Returns the report that follows from the scores of the pairs, in the same order.

    Beside them stand the baselines, which do not read, on the same pairs; not where the scorer is one of them.
    """
    seed, reads = provenance.seed, provenance.scorer not in BASELINES
    overall = _accuracy(scores, pairs, range(len(pairs)), seed)

    def by(group: Callable[[PreferencePair], str | None]) -> dict[str, Accuracy]:
        members: dict[str, list[int]] = defaultdict(list)
        for index, pair in enumerate(pairs):
            name = group(pair)
            if name is not None:
                members[name].append(index)
        return {
            name: overall if len(index) == len(pairs) else _accuracy(scores, pairs, index, seed)
            for name, index in sorted(members.items())
        }

    return Report(
        overall=overall,
        by_kind=by(lambda pair: pair.kind.value),
        by_difficulty=by(lambda pair: pair.difficulty or "unknown"),
        by_dimension=by(lambda pair: pair.dimension.value if pair.dimension else None),
        notes=list(notes),
        provenance=provenance,
        scores=list(scores),
        by_platform=by(lambda pair: pair.platform or "unknown"),
        by_length_gap=_by_length_gap(scores, pairs, seed),
        length_correlation=_length_correlation(scores, pairs, seed),
        calibration=_calibration(scores, pairs, seed) if reads else None,
        baselines=_baselines(pairs, seed) if reads else {},
    )


def _scores(
    scorer: Scorer | PairScorer, pairs: Sequence[PreferencePair], advance: Callable[[], None] = lambda: None
) -> list[PairScore]:
    sides = [_sides(pair) for pair in pairs]
    if isinstance(scorer, PairScorer):
        found = scorer.score_pairs(sides, advance)
    else:
        flat = scorer.score([item for both in sides for item in both], advance)
        found = list(zip(flat[::2], flat[1::2], strict=True))
    return [
        PairScore(
            id=pair.id,
            chosen=chosen,
            rejected=rejected,
            problem_id=pair.problem_id,
            kind=pair.kind,
            dimension=pair.dimension,
        )
        for pair, (chosen, rejected) in zip(pairs, found, strict=True)
    ]


def _accuracy(
    scores: Sequence[PairScore], pairs: Sequence[PreferencePair], index: Sequence[int], seed: int
) -> Accuracy:
    return pairwise_accuracy(
        [scores[i].chosen for i in index],
        [scores[i].rejected for i in index],
        [pairs[i].problem_id for i in index],
        seed=seed,
    )


def _by_length_gap(scores: Sequence[PairScore], pairs: Sequence[PreferencePair], seed: int) -> list[LengthGroup]:
    gaps = [length_gap(*_lengths(pair)) for pair in pairs]
    return [
        LengthGroup(
            low=min(gaps[i] for i in index),
            high=max(gaps[i] for i in index),
            accuracy=_accuracy(scores, pairs, index, seed),
        )
        for index in length_groups(gaps, [pair.id for pair in pairs])
    ]


def _length_correlation(scores: Sequence[PairScore], pairs: Sequence[PreferencePair], seed: int) -> Correlation:
    longer, shorter = zip(*map(_lengths, pairs), strict=True)
    problems = [pair.problem_id for pair in pairs]
    return margin_length_correlation(*_columns(scores), longer, shorter, problems, seed=seed)


def _calibration(scores: Sequence[PairScore], pairs: Sequence[PreferencePair], seed: int) -> Calibration | None:
    return calibration(*_columns(scores), [pair.problem_id for pair in pairs], seed=seed)


def _baselines(pairs: Sequence[PreferencePair], seed: int) -> dict[str, Accuracy]:
    every = range(len(pairs))
    return {name: _accuracy(_scores(make(seed), pairs), pairs, every, seed) for name, make in BASELINES.items()}


def _columns(scores: Sequence[PairScore]) -> tuple[list[float | None], list[float | None]]:
    return [score.chosen for score in scores], [score.rejected for score in scores]


def _lengths(pair: PreferencePair) -> tuple[int, int]:
    return len(pair.chosen_reasoning), len(pair.rejected_reasoning)


def _sides(pair: PreferencePair) -> tuple[Item, Item]:
    """Returns both sides as items; their keys do not tell which is which, so that no scorer can use it."""
    return (
        Item(pair.id, pair.problem, pair.chosen_reasoning),
        Item(pair.id, pair.problem, pair.rejected_reasoning),
    )
