"""The Scorer protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """What a scorer reads: a problem and one reasoning, never the code."""

    key: str
    """Stable name of the item, from which random scorers draw."""
    problem: str
    reasoning: str


class Scorer(Protocol):
    """Gives reasonings a score; higher is better, the scale is its own."""

    name: str
    """As asked for: a baseline's name or a path."""
    revision: str
    """Hash of weights, or the parameters that decide the scores."""
    notes: list[str]
    """What a reader of the numbers must know."""

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns one score an item, None where scoring failed; calls `advance` once an item."""
