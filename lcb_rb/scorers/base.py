"""The Scorer protocol, what it reads, and the options of those that are models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

Method = Literal["head", "loglik-mean", "loglik-sum", "dpo", "judge", "judge-pairs", "steps"]
"""What of a model is the score: its classification head, how likely it finds the reasoning, or what it says of it."""
OverLong = Literal["error", "unscored", "middle", "left"]
"""What becomes of a text beyond the model's context: refused, None, or cut in the middle or at the start."""


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


@runtime_checkable
class PairScorer(Protocol):
    """Gives both reasonings of a pair a score, and needs both for it."""

    name: str
    """As in Scorer."""
    revision: str
    """As in Scorer."""
    notes: list[str]
    """As in Scorer."""

    def score_pairs(
        self, pairs: Sequence[tuple[Item, Item]], advance: Callable[[], None] = lambda: None
    ) -> list[tuple[float | None, float | None]]:
        """Returns the scores of the two sides of each pair; calls `advance` twice a pair."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is read; nothing here concerns baselines."""

    method: Method = "head"
    """What of it is the score."""
    reference: str | None = None
    """Model that the likelihood is compared with, for method dpo: a directory, or an id on the Hub."""
    over_long: OverLong = "error"
    """What becomes of texts that do not fit."""
    adapter: Path | None = None
    """YAML file with the fields of `adapter.Adapter`."""
    allow_pickle: bool = False
    """Whether weights may be pickles, which can hold code."""
    base_url: str | None = None
    """Where a judge is asked; None for a model on this machine."""
    batch_tokens: int | None = None
    """Most tokens of a batch, padding included, None for what suits the device; a longer text is a batch of its own."""
    device: str | None = None
    """Such as `cuda:1` or `cpu`; None for this process's GPU or, without one, the CPU."""
    max_tokens: int | None = None
    """Longest text that is read, tokens, where that is less than the model's own limit."""
