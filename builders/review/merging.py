"""What several reviewers say together: counts, agreement with the labels and with each other, confirmed pairs."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from builders.filters import Drop, Keep
from builders.review.answers import Answer, Reason, read_answers
from builders.review.blind import text_hash
from lcb_rb.errors import InputError, input_error
from lcb_rb.metrics import Agreement, cohen_kappa, fleiss_kappa, pairwise_accuracy
from lcb_rb.schema import Accuracy, PreferencePair, Record

Vote = Literal["chosen", "rejected", "equal", "unsure"]
"""What an answer says once the sides are known."""

REASONS = {
    "not_reviewed": "nobody answered",
    "contradicted": "a reviewer finds the other side better",
    "too_few": "fewer reviewers than asked for could judge it",
    "no_majority": "too many reviewers find both sides equal",
}
"""Why a pair is not confirmed, in the order in which it is asked."""

_MIRROR: dict[Vote | None, Vote] = {"chosen": "rejected", "rejected": "chosen", "equal": "equal"}
_POINTS: dict[Vote, tuple[float, float]] = {"chosen": (1, 0), "rejected": (0, 1), "equal": (0, 0)}


class Reviewer(Record):
    """What one reviewer says."""

    name: str
    """As the reviewer gave it."""
    votes: dict[Vote, int]
    """How often each."""
    label: Accuracy
    """How often the reviewer finds the dataset's better side better; equal counts half, unsure is left out."""
    reasons: dict[Reason, int]
    """How often each was given."""
    median_seconds: float
    """Spent on a pair."""


class Disagreement(Record):
    """A pair about which reviewers differ."""

    pair: str
    """Id."""
    votes: dict[str, Vote]
    """By reviewer."""


class Merged(Record):
    """What the reviewers say together."""

    reviewers: list[Reviewer]
    """By name."""
    agreement: Agreement | None
    """Cohen's kappa of two, Fleiss' of more; None for one."""
    disagreements: list[Disagreement]
    """In the order of the dataset."""
    confirmations: int
    """Reviewers who must confirm a pair."""
    confirmed: list[str]
    """Ids of the pairs that they do confirm, in the order of the dataset."""
    drops: dict[str, int]
    """The others, by reason."""


@dataclass(frozen=True, slots=True)
class _Reviewed:
    """A pair with the votes on it, by reviewer."""

    pair: PreferencePair
    votes: dict[str, Vote]


def merge(
    pairs: Sequence[PreferencePair], files: Sequence[Path], *, revision: str, confirmations: int = 2, seed: int = 0
) -> Merged:
    """Returns what the answers in the files say; the order of the files does not matter.

    Args:
        pairs: The dataset.
        files: Of answers, one a reviewer.
        revision: Content hash of the dataset.
        confirmations: Reviewers who must find the better side of a pair better.
        seed: Of the bootstrap.

    Raises:
        InputError: a file is not one of answers to these pairs, or two are of the same reviewer.
    """
    answers = _by_reviewer(files, revision)
    known = {pair.id: pair for pair in pairs}
    votes: dict[str, dict[str, Vote]] = {pair.id: {} for pair in pairs}
    for name, (path, given) in answers.items():
        for pair_id, answer in given.items():
            votes.get(pair_id, {})[name] = _vote(path, answer, known.get(pair_id))
    reviewed = [_Reviewed(pair, votes[pair.id]) for pair in pairs]
    outcomes = {item.pair.id: confirm(list(item.votes.values()), confirmations) for item in reviewed}
    drops = Counter(found.reason for found in outcomes.values() if isinstance(found, Drop))
    return Merged(
        reviewers=[_reviewer(name, given, reviewed, seed) for name, (_, given) in answers.items()],
        agreement=_agreement(list(answers), [item for item in reviewed if item.votes], seed),
        disagreements=[
            Disagreement(pair=item.pair.id, votes=item.votes)
            for item in reviewed
            if len(set(item.votes.values()) - {"unsure"}) > 1
        ],
        confirmations=confirmations,
        confirmed=[pair_id for pair_id, found in outcomes.items() if isinstance(found, Keep)],
        drops={reason: drops[reason] for reason in REASONS if drops[reason]},
    )


def confirm(votes: Collection[Vote], confirmations: int) -> Keep | Drop:
    """Filters pairs: enough reviewers, and more than half, find the better side better, and nobody the other one.

    Who cannot judge says nothing for or against.
    """
    counts = Counter(votes)
    judged = len(votes) - counts["unsure"]
    if not votes:
        return Drop("not_reviewed")
    if counts["rejected"]:
        return Drop("contradicted")
    if judged < confirmations:
        return Drop("too_few")
    return Keep() if counts["chosen"] >= max(confirmations, judged // 2 + 1) else Drop("no_majority")


def _by_reviewer(files: Sequence[Path], revision: str) -> dict[str, tuple[Path, dict[str, Answer]]]:
    found: dict[str, tuple[Path, dict[str, Answer]]] = {}
    for path in files:
        name, answers = read_answers(path, revision)
        if name in found:
            raise input_error(path, f"is by {name!r}, as is {found[name][0]}", "give one file a reviewer")
        found[name] = (path, answers)
    return dict(sorted(found.items()))


def _vote(path: Path, answer: Answer, pair: PreferencePair | None) -> Vote:
    if answer.choice == "equal" or answer.choice == "unsure":
        return answer.choice
    hashes = [text_hash(text) for text in (pair.chosen_reasoning, pair.rejected_reasoning)] if pair else []
    if answer.left not in hashes:
        raise input_error(path, f"pair {answer.pair!r} is none of the dataset", "give the file as it was written")
    return "chosen" if (answer.choice == "left") is (answer.left == hashes[0]) else "rejected"


def _reviewer(name: str, answers: Mapping[str, Answer], reviewed: Sequence[_Reviewed], seed: int) -> Reviewer:
    mine = [(item.votes[name], item.pair.problem_id) for item in reviewed if name in item.votes]
    points = [_POINTS.get(vote, (None, None)) for vote, _ in mine]
    problems = [problem for _, problem in mine]
    if not mine:
        raise InputError(f"{name}: every answer was taken back; leave the file out")
    return Reviewer(
        name=name,
        votes={vote: sum(mine_vote == vote for mine_vote, _ in mine) for vote in (*_POINTS, "unsure")},
        label=pairwise_accuracy([a for a, _ in points], [b for _, b in points], problems, seed=seed),
        reasons=dict(sorted(Counter(reason for answer in answers.values() for reason in answer.reasons).items())),
        median_seconds=median(answer.seconds for answer in answers.values()),
    )


def _agreement(names: Sequence[str], reviewed: Sequence[_Reviewed], seed: int) -> Agreement | None:
    """Returns the agreement with every pair counted as it is and with its sides exchanged.

    Reviewers see the sides in any order. Measured on the labels as they are, chance would seem to agree almost always
    where most labels are right, and kappa would be undefined where all are.
    """
    if len(names) < 2:
        return None
    problems = [item.pair.problem_id for item in reviewed]
    labels = [
        [None if item.votes.get(name) == "unsure" else item.votes.get(name) for name in names] for item in reviewed
    ]
    mirrored = [[_MIRROR.get(vote) for vote in item] for item in labels]
    plain = _kappa(labels, problems, seed)
    both = _kappa([*labels, *mirrored], problems * 2, seed)
    taken = ("expected", "kappa", "undefined", "interval")
    return plain.model_copy(update={name: getattr(both, name) for name in taken})


def _kappa(labels: Sequence[Sequence[Vote | None]], problems: Sequence[str], seed: int) -> Agreement:
    if len(labels[0]) == 2:
        return cohen_kappa([item[0] for item in labels], [item[1] for item in labels], problems, seed=seed)
    return fleiss_kappa(labels, problems, seed=seed)
