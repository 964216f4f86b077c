"""Do two sets share problems? Near-duplicate texts by MinHash, each candidate verified by its exact similarity."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lcb_rb.errors import MissingExtraError

SHINGLE_WORDS = 5
"""Words in a row that two texts are compared by."""
THRESHOLD = 0.7
"""Share of common shingles from which two statements are near-duplicates."""

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


def shingles(text: str) -> frozenset[str]:
    """Returns the runs of five words of a text, whatever its case, white space and punctuation; short texts are one."""
    words = _WORD.findall(text.casefold())
    last = max(len(words) - SHINGLE_WORDS, 0)
    return frozenset(" ".join(words[i : i + SHINGLE_WORDS]) for i in range(last + 1)) if words else frozenset()


def similarity(left: str, right: str) -> float:
    """Returns the Jaccard similarity of the shingles of two texts, from 0 to 1; texts without words are alike."""
    return _jaccard(shingles(left), shingles(right))


def near_duplicates(left: Mapping[str, str], right: Mapping[str, str], *, threshold: float = THRESHOLD) -> list[Match]:
    """Returns the pairs of texts of two sets that are at least so similar, sorted by their keys.

    Texts without words match nothing. A pair right at the threshold is missed with a chance of about one in a hundred.

    Args:
        left: Texts by key.
        right: Texts by key.
        threshold: Least similarity.

    Raises:
        MissingExtraError: datasketch is not installed.
    """
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise MissingExtraError("datasketch", "models") from error

    def sketch(found: frozenset[str]) -> MinHash:
        made = MinHash(num_perm=128, seed=1)
        made.update_batch([shingle.encode() for shingle in found])
        return made

    known = {key: found for key, text in right.items() if (found := shingles(text))}
    index = MinHashLSH(threshold=threshold * _SAFETY, num_perm=128)
    for key, found in known.items():
        index.insert(key, sketch(found))
    matches = []
    for key, text in left.items():
        found = shingles(text)
        for other in index.query(sketch(found)) if found else []:
            alike = _jaccard(found, known[other])
            if alike >= threshold:
                matches.append(Match(key, other, alike))
    return sorted(matches, key=lambda match: (match.left, match.right))


def _jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right) if left | right else 1.0
