"""Baselines that do not read: every table of reward models stands beside them."""

import hashlib
from collections.abc import Callable, Sequence

from lcb_rb.scorers.base import Item, Scorer


class Rule:
    """A scorer made of a function of one item."""

    def __init__(self, name: str, revision: str, rule: Callable[[Item], float]) -> None:
        self.name = name
        self.revision = revision
        self.notes: list[str] = []
        self._rule = rule

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns the rule's value for every item."""
        scores: list[float | None] = []
        for item in items:
            scores.append(self._rule(item))
            advance()
        return scores


def _draw(seed: int, item: Item) -> float:
    digest = hashlib.sha256(f"{seed}\0{item.key}\0{item.reasoning}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _longer(seed: int) -> Scorer:
    return Rule("length", "characters of the reasoning", lambda item: float(len(item.reasoning)))


def _shorter(seed: int) -> Scorer:
    return Rule("shorter", "minus the characters of the reasoning", lambda item: -float(len(item.reasoning)))


def _random(seed: int) -> Scorer:
    return Rule("random", f"uniform draw of sha256(seed {seed}, pair, reasoning)", lambda item: _draw(seed, item))


BASELINES: dict[str, Callable[[int], Scorer]] = {"length": _longer, "shorter": _shorter, "random": _random}
"""By name: a function of the seed."""
