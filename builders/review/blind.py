"""What a reviewer sees of the pairs, and in which order: nothing that tells the better reasoning."""

import hashlib
import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass

from lcb_rb.schema import PreferencePair


@dataclass(frozen=True, slots=True)
class Sheet:
    """The pairs that one reviewer is shown."""

    reviewer: str
    """Name."""
    seed: int
    """Of the sample, the order and the sides."""
    revision: str
    """Content hash of the dataset."""
    pairs: Sequence[PreferencePair]
    """In the order in which they are shown."""

    def sides(self, place: int) -> tuple[str, str]:
        """Returns the reasonings on the left and on the right."""
        pair = self.pairs[place]
        shown = (pair.chosen_reasoning, pair.rejected_reasoning)
        return shown if _coin(self.seed, self.reviewer, pair.id) else shown[::-1]


def make_sheet(
    pairs: Sequence[PreferencePair], reviewer: str, *, revision: str, seed: int = 0, sample: int | None = None
) -> Sheet:
    """Returns a reviewer's pairs: the sample is the same for all reviewers, order and sides are each one's own.

    Args:
        pairs: The dataset.
        reviewer: Name.
        revision: Content hash of the dataset.
        seed: Of every draw.
        sample: How many pairs to draw; a greater number draws the same and more. None for all.
    """
    drawn = pairs if sample is None else heapq.nsmallest(sample, pairs, key=lambda pair: _draw(seed, pair.id))
    ordered = sorted(drawn, key=lambda pair: _draw(seed, reviewer, pair.id, "order"))
    return Sheet(reviewer, seed, revision, ordered)


def text_hash(text: str) -> str:
    """Returns the mark by which an answer says which text stood on the left."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _coin(seed: int, reviewer: str, pair_id: str) -> bool:
    return int(_draw(seed, reviewer, pair_id, "sides"), 16) % 2 == 0


def _draw(*parts: int | str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
