"""What the predictors of an audit may see of pairs: numbers, counted words and authors, never the texts themselves."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from builders.audit.learners import Words
from builders.audit.surface import surface
from builders.audit.words import words_of
from lcb_rb.schema import PreferencePair

BUCKETS = 2**18
"""Words are told apart by so many values of a hash: no list of words has to be kept."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of a pair."""

    problem: str
    """Id of its problem."""
    kind: str
    """Where the two sides come from."""
    models: tuple[str, str]
    """Authors of the better and the worse reasoning."""
    numbers: NDArray[np.float32]
    """Two rows: the surface of either."""
    buckets: NDArray[np.int32]
    """Words that one side has more often than the other."""
    weights: NDArray[np.float32]
    """Of each of them: 1 + log of how often the better side has it, less the same of the worse side."""


def seen(pair: PreferencePair) -> Seen:
    """Returns what the predictors may see of a pair."""
    (better, words), (worse, other_words) = _side(pair.chosen_reasoning), _side(pair.rejected_reasoning)
    return Seen(
        pair.problem_id,
        pair.kind.value,
        (pair.chosen_model, pair.rejected_model),
        np.array([better, worse], dtype=np.float32),
        *_more_often(words, other_words),
    )


@lru_cache(maxsize=64)
def _side(text: str) -> tuple[NDArray[np.float64], dict[int, float]]:
    """Returns the surface and the words of a text; the pairs of a sample stand together and share one."""
    return surface(text), _words(text)


class Looks:
    """What was seen of pairs, remembered for so many of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, Seen] = {}

    def __call__(self, pair: PreferencePair) -> Seen:
        """Returns what the predictors may see of a pair; ids are taken for those of different pairs."""
        found = self._known.get(pair.id) or seen(pair)
        if len(self._known) < self._most:
            self._known[pair.id] = found
        return found


def sampled(
    pairs: Iterable[PreferencePair], most: int, seed: int, look: Callable[[PreferencePair], Seen] = seen
) -> tuple[list[Seen], int]:
    """Returns what is seen of at most so many pairs, of whole problems but for one, and how many pairs were given.

    The same pairs are taken in whatever order they come, and only theirs are in memory.
    """
    heap: list[tuple[int, int, Seen]] = []
    given = 0
    for pair in pairs:
        given += 1
        key = _key(pair, seed)
        if len(heap) < most:
            heapq.heappush(heap, (-key, given, look(pair)))
        elif -key > heap[0][0]:
            heapq.heapreplace(heap, (-key, given, look(pair)))
    return [found for _, _, found in sorted(heap, key=lambda item: (-item[0], item[1]))], given


def differences(pairs: Sequence[Seen], columns: slice) -> NDArray[np.float64]:
    """Returns better minus worse side, one row a pair: of the numbers, of their logarithms, and only the signs."""
    if not pairs:
        return np.empty((0, 0))
    both = np.array([pair.numbers[:, columns] for pair in pairs], dtype=np.float64)
    plain, ratio = both[:, 0] - both[:, 1], np.log1p(both[:, 0]) - np.log1p(both[:, 1])
    return np.hstack([plain, ratio, np.sign(plain)])


def author_differences(pairs: Sequence[Seen]) -> Words:
    """Returns +1 for the author of the better side and -1 for that of the worse, nothing where they are one."""
    names = {name: i for i, name in enumerate(sorted({name for pair in pairs for name in pair.models}))}
    columns = np.array([[names[name] for name in pair.models] for pair in pairs], dtype=np.int32).reshape(-1)
    rows = np.repeat(np.arange(len(pairs)), 2)
    signs = np.tile([1.0, -1.0], len(pairs))
    found = csr_array((signs, (rows, columns)), shape=(len(pairs), max(len(names), 1)))
    found.sum_duplicates()
    found.eliminate_zeros()
    return found


def word_differences(pairs: Sequence[Seen]) -> Words:
    """Returns the difference of the TF-IDF unigrams of the two sides, each row of length 1.

    A term counts 1 + log of its frequency, and is rare where few pairs differ in it. Texts are not brought to one
    length, the differences are: what both sides share is zero, and a pair that differs in one word says as much as one
    that differs in all.
    """
    counts = np.zeros(BUCKETS, dtype=np.int64)
    for pair in pairs:
        counts[pair.buckets] += 1
    rarity = (np.log((1 + len(pairs)) / (1 + counts)) + 1).astype(np.float32)
    columns = (np.cumsum(counts > 0) - 1).astype(np.int32)  # only words that occur get a weight
    ends = np.cumsum([0, *(len(pair.buckets) for pair in pairs)])
    weights = np.concatenate([_of_length_1(pair.weights * rarity[pair.buckets]) for pair in pairs])
    found = np.concatenate([columns[pair.buckets] for pair in pairs])
    return csr_array((weights, found, ends), shape=(len(pairs), max(int(columns[-1]) + 1, 1)))


def _of_length_1(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return weights / np.linalg.norm(weights) if len(weights) else weights


def _words(text: str) -> dict[int, float]:
    """Returns the weight of each word's bucket."""
    buckets: Counter[int] = Counter()
    for word, count in words_of(text).items():
        buckets[crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS] += count
    return {bucket: 1 + log(count) for bucket, count in buckets.items()}


def _more_often(better: dict[int, float], worse: dict[int, float]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    found = {bucket: better.get(bucket, 0.0) - worse.get(bucket, 0.0) for bucket in {*better, *worse}}
    differing = sorted(bucket for bucket, weight in found.items() if weight)
    return np.array(differing, dtype=np.int32), np.array([found[bucket] for bucket in differing], dtype=np.float32)


def _key(pair: PreferencePair, seed: int) -> int:
    """Returns a number by which the pairs of a problem stand together, and problems in no order."""
    parts = (f"{seed}/{pair.problem_id}", f"{seed}/{pair.id}")
    digests = (hashlib.blake2b(part.encode("utf-8", "surrogatepass"), digest_size=8).digest() for part in parts)
    return int.from_bytes(b"".join(digests))
