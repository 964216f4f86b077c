"""How well a scorer tells better reasonings from worse ones."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from lcb_rb import __version__
from lcb_rb.metrics import pairwise_accuracy
from lcb_rb.schema import Accuracy, PairScore, PreferencePair, Provenance, Report
from lcb_rb.scorers import Item, Scorer


def score_pairs(
    scorer: Scorer,
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
        scorer: Reads problem and reasoning of both sides.
        pairs: At least one.
        data: Where the pairs come from, for the report.
        data_revision: Their content hash or commit.
        command: What was called, for the report.
        seed: Of the bootstrap.
        advance: Called twice a pair while scoring.
    """
    items = [item for pair in pairs for item in _sides(pair)]
    scores = scorer.score(items, advance)
    found = [PairScore(id=pair.id, chosen=scores[2 * i], rejected=scores[2 * i + 1]) for i, pair in enumerate(pairs)]
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
    """Returns the report that follows from the scores of the pairs, in the same order."""

    def by(group: Callable[[PreferencePair], str | None]) -> dict[str, Accuracy]:
        members: dict[str, list[int]] = defaultdict(list)
        for index, pair in enumerate(pairs):
            name = group(pair)
            if name is not None:
                members[name].append(index)
        return {name: accuracy(members[name]) for name in sorted(members)}

    def accuracy(index: Sequence[int]) -> Accuracy:
        return pairwise_accuracy(
            [scores[i].chosen for i in index],
            [scores[i].rejected for i in index],
            [pairs[i].problem_id for i in index],
            seed=provenance.seed,
        )

    return Report(
        overall=accuracy(range(len(pairs))),
        by_kind=by(lambda pair: pair.kind.value),
        by_difficulty=by(lambda pair: pair.difficulty or "unknown"),
        by_dimension=by(lambda pair: pair.dimension.value if pair.dimension else None),
        notes=list(notes),
        provenance=provenance,
        scores=list(scores),
    )


def _sides(pair: PreferencePair) -> tuple[Item, Item]:
    """Returns both sides as items; their keys do not tell which is which, so that no scorer can use it."""
    return (
        Item(pair.id, pair.problem, pair.chosen_reasoning),
        Item(pair.id, pair.problem, pair.rejected_reasoning),
    )
