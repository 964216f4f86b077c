"""Which pairs to leave out so that form, words and authors give nothing away: the largest balanced subset.

A linear predictor on the difference of two texts, without an intercept, has its best weights at zero exactly when the
differences sum to zero: then it can only guess. So a linear program keeps as many pairs as possible under the condition
that the differences of what is kept sum to zero, up to a tolerance that no test could see.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, diags_array, vstack

from builders.audit.surface import FEATURES, WIDTH, surface
from builders.audit.words import words_of
from builders.candidates import Candidates
from lcb_rb.schema import PreferencePair

BLOCK = 20_000
"""Pairs that are balanced together; each block is balanced, so all of them are."""
CLIP = 3.0
"""Differences count up to so many times their root mean square, so that no single pair decides."""
RARE = 3
"""Pairs of a block in which a word differs, from which it is balanced."""
LEVELS = (2.0, 1.0, 0.5, 0.25)
"""Tolerances of a sum, in standard errors under chance and at least one pair, from loose to strict. A small set that is
balanced exactly shows the opposite of what was seen in most of it to whoever sees the rest: looser is better."""

NAMES = [name for names in FEATURES.values() for name in names]
FIRST = ("chars", "words", "lines", "digits")
"""Numbers that a reader would try first: their signs are held to one standard error at least."""

Kept = dict[str, NDArray[np.bool_]]
"""By unit, which of its pairs stay."""


def balanced(candidates: Candidates, passes: Callable[[Kept], bool]) -> Kept:
    """Returns which candidates stay: as many as the loosest tolerance lets whose choice of a first block passes.

    Of any two authors either wins as often in any case.

    Args:
        candidates: Pairs.
        passes: Says whether a choice will do.
    """
    kept: Kept = {}
    level: float | None = None
    for units in _blocks(candidates):
        pairs = [_Seen(pair) for unit in units for pair in candidates.of_unit(unit)]
        if level is None:
            level = next((one for one in LEVELS if passes(_block(candidates, units, pairs, one))), LEVELS[-1])
        kept.update(_block(candidates, units, pairs, level))
    return kept


def _block(candidates: Candidates, units: Sequence[str], pairs: Sequence["_Seen"], tolerance: float) -> Kept:
    """Returns the choice of a block, by unit."""
    ends = np.cumsum([candidates.summaries[unit].n for unit in units])
    return dict(zip(units, np.split(_choose(pairs, tolerance), ends[:-1]), strict=True))


def everything(candidates: Candidates) -> Kept:
    """Returns that all candidates stay."""
    return {unit: np.ones(summary.n, dtype=np.bool_) for unit, summary in candidates.summaries.items()}


class _Seen:
    """What is balanced of a pair; its texts are forgotten."""

    __slots__ = ("form", "models", "words")

    def __init__(self, pair: PreferencePair) -> None:
        better, worse = pair.chosen_reasoning, pair.rejected_reasoning
        first, second = _surface(better), _surface(worse)
        self.form = np.concatenate([first - second, np.log1p(first) - np.log1p(second)]).astype(np.float32)
        self.models = (pair.chosen_model, pair.rejected_model)
        self.words = _word_differences(better, worse) if pair.edits else {}


@lru_cache(maxsize=64)
def _surface(text: str) -> NDArray[np.float64]:
    return surface(text)


@lru_cache(maxsize=64)
def _words(text: str) -> Counter[str]:
    return words_of(text)


def _word_differences(better: str, worse: str) -> dict[str, float]:
    """Returns how much more of a word the better text has, as a vector of length 1, as the audit takes it."""
    first, second = _words(better), _words(worse)
    changed = [word for word in first | second if first[word] != second[word]]
    found = {word: _damped(first[word]) - _damped(second[word]) for word in changed}
    length = math.sqrt(sum(value**2 for value in found.values())) or 1.0
    return {word: value / length for word, value in found.items()}


def _damped(count: int) -> float:
    return 1 + math.log(count) if count else 0.0


def _blocks(candidates: Candidates) -> Iterator[list[str]]:
    block: list[str] = []
    total = 0
    for unit, summary in candidates.summaries.items():
        if block and total + summary.n > BLOCK:
            yield block
            block, total = [], 0
        block.append(unit)
        total += summary.n
    if block:
        yield block


def _choose(pairs: Sequence[_Seen], tolerance: float) -> NDArray[np.bool_]:
    """Returns the largest choice whose sums are within their tolerances, up to the few pairs that would be cut."""
    if not pairs:
        return np.zeros(0, dtype=np.bool_)
    parts = [_models(pairs), _forms(pairs, tolerance), _word_rows(pairs, tolerance)]
    rows = vstack([part for part, _ in parts], format="csr")
    limits = np.concatenate([limit for _, limit in parts])
    if not rows.shape[0]:
        return np.ones(len(pairs), dtype=np.bool_)
    found = linprog(
        -np.ones(len(pairs)),
        A_ub=vstack([rows, -rows], format="csr"),
        b_ub=np.concatenate([limits, limits]),
        bounds=(0, 1),
        method="highs",
    )
    if found.x is None:  # zero pairs always satisfy the conditions
        raise RuntimeError(f"the linear program failed: {found.message}")
    return np.asarray(found.x > 0.5, dtype=np.bool_)


Rows = tuple[csr_array, NDArray[np.float64]]
"""One row a condition, one column a pair; and how far each row's sum may be from zero."""


def _forms(pairs: Sequence[_Seen], tolerance: float) -> Rows:
    """Returns the conditions on form: the sign of every difference, its size, and that of its logarithm."""
    differences = np.array([pair.form for pair in pairs], dtype=np.float64)
    scale = np.sqrt((differences**2).mean(axis=0))
    used = differences[:, scale > 0] / scale[scale > 0]
    signs = np.sign(differences[:, :WIDTH])
    rows = np.hstack([signs[:, scale[:WIDTH] > 0], np.clip(used, -CLIP, CLIP)]).T
    first = np.isin(np.array(NAMES)[scale[:WIDTH] > 0], FIRST)
    tolerances = np.full(len(rows), tolerance)
    tolerances[: len(first)][first] = min(tolerance, 1.0)
    return csr_array(rows), np.maximum(1.0, tolerances * np.sqrt((rows**2).sum(axis=1)))


def _models(pairs: Sequence[_Seen]) -> Rows:
    """Returns the conditions on authors: of any two, either wins as often, but for one pair."""
    meetings = {tuple(sorted(pair.models)) for pair in pairs if pair.models[0] != pair.models[1]}
    index = {meeting: number for number, meeting in enumerate(sorted(meetings))}
    cells = [
        (index[meeting], column, 1.0 if meeting == pair.models else -1.0)
        for column, pair in enumerate(pairs)
        if (meeting := tuple(sorted(pair.models))) in index
    ]
    return _sparse(cells, len(index), len(pairs)), np.ones(len(index))


def _word_rows(pairs: Sequence[_Seen], tolerance: float) -> Rows:
    """Returns the conditions on words, for pairs that differ by edits: the sign of every difference, and its size."""
    counts = Counter(word for pair in pairs for word in pair.words)
    index = {word: number for number, word in enumerate(sorted(name for name, n in counts.items() if n >= RARE))}
    cells = [
        (index[word], column, value)
        for column, pair in enumerate(pairs)
        for word, value in pair.words.items()
        if word in index
    ]
    sizes = _sparse(cells, len(index), len(pairs))
    squares = np.asarray(sizes.power(2).sum(axis=1)).ravel()
    scale = np.sqrt(squares / np.maximum(np.diff(sizes.indptr), 1))
    sizes = csr_array(diags_array(1 / scale) @ sizes) if len(index) else sizes
    rows = csr_array(vstack([sizes.sign(), sizes]))
    return rows, np.maximum(1.0, tolerance * np.sqrt(np.tile(np.diff(sizes.indptr), 2)))


def _sparse(cells: Sequence[tuple[int, int, float]], height: int, width: int) -> csr_array:
    rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
    return csr_array((np.array(values, dtype=np.float64), (rows, columns)), shape=(height, width))


def describe(kept: Mapping[str, NDArray[np.bool_]]) -> str:
    """Returns how many pairs stay, in a few words."""
    total, stay = sum(len(mask) for mask in kept.values()), sum(int(mask.sum()) for mask in kept.values())
    return f"{stay} of {total} pairs stay"
