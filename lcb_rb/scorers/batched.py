"""Scoring in batches of like lengths, so that padding costs little and no score depends on its neighbours."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from lcb_rb.errors import InputError
from lcb_rb.scorers.base import Item
from lcb_rb.scorers.sharding import Ranks
from lcb_rb.scorers.texts import TextReader, Tokens

if TYPE_CHECKING:
    from lcb_rb.scorers.loading import Loaded

_Value = TypeVar("_Value")


class Store(Protocol):
    """Keeps the scores of batches that are done."""

    def get(self, key: str) -> list[float | None] | None:
        """Returns the scores of that batch, None when it is not done."""

    def put(self, key: str, scores: list[float | None]) -> None:
        """Keeps the scores of a batch."""


class BatchedScorer(ABC):
    """A Scorer whose texts are tokenised once, sorted by length and packed into batches by a budget of tokens."""

    name: str
    revision: str
    notes: list[str]
    identity: str
    """Everything but the texts that the scores depend on."""
    reader: TextReader
    loaded: "Loaded"
    """The model itself, and what is known of it."""
    batch_tokens: int
    """Most tokens of a batch, padding included; 0 for texts that must be alone."""
    store: Store | None = None
    """Where scored batches are kept and found again."""
    ranks: Ranks = Ranks()
    """Processes among which the batches are dealt; all of them return all scores."""
    cut: frozenset[str] = frozenset()
    """Keys of the items of the last call whose text was cut to fit."""

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns one score an item in the order of the items; None for a text without tokens and for NaN or infinity.

        Raises:
            InputError: a text does not fit into the model's context and may not be cut.
        """
        read = self.reader.read(items)
        self.cut = frozenset(
            item.key for item, tokens in zip(items, read, strict=True) if tokens is not None and tokens.cut
        )
        places: dict[Tokens, list[int]] = {}
        scores: list[float | None] = [None] * len(items)
        for place, tokens in enumerate(read):
            if tokens is None:
                advance()
            else:
                places.setdefault(tokens, []).append(place)
        batches = _filled(plan([len(text.ids) for text in places], self.batch_tokens), list(places))
        own: dict[int, list[float | None]] = {}
        for number in self.ranks.own(len(batches)):
            own[number] = self._settled(batches[number])
            for text in batches[number]:
                for _ in places[text]:
                    advance()
        for number, found in self.ranks.gathered(own).items():
            for text, value in zip(batches[number], found, strict=True):
                for place in places[text]:
                    scores[place] = value
                    if number not in own:
                        advance()
        return scores

    def _settled(self, batch: list[Tokens]) -> list[float | None]:
        """Returns the scores of a batch, from the store when they are there."""
        if self.store is None:
            return self._finite(batch)
        key = batch_key(self.identity, batch)
        known = self.store.get(key)
        if known is None:
            known = self._finite(batch)
            self.store.put(key, known)
        return known

    def _finite(self, batch: list[Tokens]) -> list[float | None]:
        return [value if math.isfinite(value) else None for value in self.forward_in_memory(batch)]

    def forward_in_memory(self, batch: list[Tokens]) -> list[float]:
        """Returns what `forward` does, in halves of halves where the GPU is too small for the whole."""
        return in_memory(batch, self.forward, self.name)

    @abstractmethod
    def forward(self, batch: list[Tokens]) -> list[float]:
        """Returns the score of each text of a batch."""

    def plain(self, text: Tokens) -> float:
        """Returns the score of a text alone, by the model's own forward where it has one for this."""
        return self.forward([text])[0]


def in_memory(batch: list[Tokens], run: Callable[[list[Tokens]], list[_Value]], name: str) -> list[_Value]:
    """Returns what `run` says of a batch, text after text, in halves of halves where the GPU is too small for it.

    Args:
        batch: At least one text.
        run: Returns as many values for every text.
        name: The model's, for the error.

    Raises:
        InputError: a text does not fit even alone.
    """
    from torch import OutOfMemoryError, cuda

    try:
        return run(batch)
    except OutOfMemoryError:
        longest = max(len(text.ids) for text in batch)
    cuda.empty_cache()  # here, where the error no longer holds the tensors of the run
    if len(batch) == 1:
        fix = "use a GPU with more memory, or a smaller `dtype` or `max_tokens` in an --adapter file"
        raise InputError(f"{name}: a text of {longest} tokens does not fit into the GPU's memory; {fix}")
    middle = len(batch) // 2
    return in_memory(batch[:middle], run, name) + in_memory(batch[middle:], run, name)


def plan(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Returns batches of indices, short texts first; a batch's count times its longest is at most the budget.

    A text over the budget is a batch of its own. The same lengths give the same batches, whatever was done before.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        if batches and (len(batches[-1]) + 1) * lengths[index] <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _filled(batches: Sequence[Sequence[int]], texts: Sequence[Tokens]) -> list[list[Tokens]]:
    return [[texts[index] for index in batch] for batch in batches]


def batch_key(identity: str, batch: Sequence[Tokens]) -> str:
    """Returns the sha256 of a batch: of the model and options, and of every token, so of the data."""
    texts = [(tokens.start, tokens.ids) for tokens in batch]
    return hashlib.sha256(json.dumps([identity, texts]).encode()).hexdigest()
