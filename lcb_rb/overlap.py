"""Do two sets share problems? Near-duplicate texts by MinHash, each verified exactly, and long runs of common words."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lcb_rb.errors import MissingExtraError

SHINGLE_WORDS = 5
"""Words in a row that two texts are compared by."""
THRESHOLD = 0.7
"""Share of common shingles from which two statements are near-duplicates."""

RUN_WORDS = 13
"""Words in a row that hardly occur in two texts by chance; the length that GPT-3's authors looked for (2005.14165)."""
COMMON = 10
"""A run in more texts of a set than this is a phrase of the set (how input is given, how output is asked for)."""

FEW = 64 * 64
"""Pairs of texts that are compared one by one; above, MinHash finds the candidates."""

_SAFETY = 0.7
"""MinHash looks for candidates below the threshold, so that few true ones are missed; the exact test drops the rest."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Match:
    """Two texts that are nearly the same."""

    left: str
    """Key in the first set."""
    right: str
    """Key in the second."""
    similarity: float
    """Jaccard similarity of their shingles, from the threshold to 1."""


@dataclass(frozen=True, slots=True)
class SharedRuns:
    """Two texts with long runs of words in common."""

    left: str
    """Key in the first set."""
    right: str
    """Key in the second."""
    count: int
    """Different runs that are in both."""
    share: float
    """Of the runs of the text that has fewer, above 0 to 1."""


def shingles(text: str, length: int = SHINGLE_WORDS) -> frozenset[str]:
    """Returns the runs of so many words of a text, whatever its case, spaces and punctuation; short texts are one."""
    words = _WORD.findall(text.casefold())
    last = max(len(words) - length, 0)
    return frozenset(" ".join(words[i : i + length]) for i in range(last + 1)) if words else frozenset()


def similarity(left: str, right: str) -> float:
    """Returns the Jaccard similarity of the shingles of two texts, from 0 to 1; texts without words are alike."""
    return _jaccard(shingles(left), shingles(right))


def near_duplicates(left: Mapping[str, str], right: Mapping[str, str], *, threshold: float = THRESHOLD) -> list[Match]:
    """Returns the pairs of texts of two sets that are at least so similar, sorted by their keys.

    Texts without words match nothing. In large sets, a pair right at the threshold is missed with a chance of about one
    in a hundred.

    Args:
        left: Texts by key.
        right: Texts by key.
        threshold: Least similarity.

    Raises:
        MissingExtraError: the sets are large and datasketch is not installed.
    """
    few = len(left) * len(right) <= FEW
    found = _all_pairs(left, right, threshold) if few else _by_minhash(left, right, threshold)
    return sorted(found, key=lambda match: (match.left, match.right))


def shared_runs(left: Mapping[str, str], right: Mapping[str, str]) -> list[SharedRuns]:
    """Returns the texts of two sets that have runs of 13 words in common, sorted by their keys.

    Unlike `near_duplicates` this finds a text inside a longer one. Phrases that more than ten texts of the second set
    have do not count.

    Args:
        left: Texts by key; only one of them is taken apart at a time.
        right: Texts by key.
    """
    places: dict[str, list[str]] = defaultdict(list)
    for key, text in right.items():
        for run in shingles(text, RUN_WORDS):
            places[run].append(key)
    common = {run for run, keys in places.items() if len(keys) > COMMON}
    sizes = Counter(key for run, keys in places.items() if run not in common for key in keys)
    found = (match for key, text in left.items() for match in _sharing(key, text, places, common, sizes))
    return sorted(found, key=lambda match: (match.left, match.right))


def _all_pairs(left: Mapping[str, str], right: Mapping[str, str], threshold: float) -> Iterator[Match]:
    """Yields the matches of small sets, for which MinHash takes longer than it saves."""
    known = {key: found for key, text in right.items() if (found := shingles(text))}
    for key, text in left.items():
        found = known.get(key, frozenset()) if left is right else shingles(text)
        for other, others in known.items():
            if threshold * len(others) <= len(found) <= len(others) / threshold:  # else they cannot be so similar
                alike = _jaccard(found, others)
                if alike >= threshold:
                    yield Match(key, other, alike)


def _by_minhash(left: Mapping[str, str], right: Mapping[str, str], threshold: float) -> Iterator[Match]:
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise MissingExtraError("datasketch", "builders") from error

    def sketch(found: frozenset[str]) -> MinHash:
        made = MinHash(num_perm=128, seed=1)
        made.update_batch([shingle.encode() for shingle in found])
        return made

    known = {key: found for key, text in right.items() if (found := shingles(text))}
    index = MinHashLSH(threshold=threshold * _SAFETY, num_perm=128)
    for key, found in known.items():
        index.insert(key, sketch(found))
    for key, text in left.items():
        found = shingles(text)
        for other in index.query(sketch(found)) if found else []:
            alike = _jaccard(found, known[other])
            if alike >= threshold:
                yield Match(key, other, alike)


def _sharing(
    key: str, text: str, places: Mapping[str, list[str]], common: set[str], sizes: Mapping[str, int]
) -> Iterator[SharedRuns]:
    runs = shingles(text, RUN_WORDS) - common
    counts = Counter(other for run in runs for other in places.get(run, ()))
    for other, count in counts.items():
        yield SharedRuns(key, other, count, count / min(len(runs), sizes[other]))


def _jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right) if left | right else 1.0
