"""Predictors that learn from some problems and are tried on others; each says the opposite of a pair exchanged."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lcb_rb.errors import MissingExtraError

Numbers = NDArray[np.float64]
Words = csr_array[np.float32 | np.float64, tuple[int, int]]
Rows = TypeVar("Rows", Numbers, Words)
"""One row a pair: differences of the better and the worse side."""

FOLDS = 5
"""Parts of the problems; each is predicted by what was learned from the others."""

_STRENGTH, _STRENGTH_OF_WORDS = 0.01, 1.0
"""Inverse of the penalty: in simulations of 139 and 600 pairs 0.01 finds one telling sign among 33 most often."""
_CUT = 5.0
"""Differences beyond so many root mean squares are as good as that."""


def folds_of(problems: Sequence[str], seed: int = 0) -> NDArray[np.int64]:
    """Returns the fold of each pair: problems are never divided, and the folds have nearly as many pairs each."""
    counts = Counter(problems)
    order = sorted(counts, key=lambda problem: (-counts[problem], _digest(problem, seed)))
    sizes = [0] * min(FOLDS, len(counts))
    fold = {}
    for problem in order:
        fold[problem] = min(range(len(sizes)), key=sizes.__getitem__)
        sizes[fold[problem]] += counts[problem]
    return np.array([fold[problem] for problem in problems], dtype=np.int64)


def margins(rows: Rows, folds: NDArray[np.int64], learner: Callable[[Rows, Rows], Numbers]) -> Numbers:
    """Returns how sure a learner is that the better side of each pair is the better one; NaN where nothing was learned.

    A pair whose two sides look the same gets 0: a tie. One pair is too little to learn from.

    Args:
        rows: One a pair.
        folds: Of each pair; a fold is predicted by what was learned from the others.
        learner: From the rows of some pairs, and those of others, to the margins of these.
    """
    found = np.full(len(folds), np.nan)
    count = int(folds.max(initial=-1)) + 1
    for fold in range(count):
        inside = folds == fold
        if np.count_nonzero(~inside) > 1:
            found[inside] = learner(rows[~inside], rows[inside])
    return found


def by_numbers(training: Numbers, others: Numbers) -> Numbers:
    """Learns a logistic regression on numbers, each in units of its root mean square; no mean is taken off."""
    scale = np.sqrt(np.mean(np.square(training), axis=0))
    scale[scale == 0] = 1.0
    known, new = (np.clip(rows / scale, -_CUT, _CUT) for rows in (training, others))
    if not known.any():
        return np.zeros(len(others))
    signs = _signs(len(known))
    return np.asarray(new @ _weights(known * signs[:, None], signs, _STRENGTH), dtype=np.float64)


def by_words(training: Words, others: Words) -> Numbers:
    """Learns a logistic regression on counted words, or authors."""
    if not training.nnz:
        return np.zeros(len(others.indptr) - 1)
    signs = _signs(len(training.indptr) - 1)
    exchanged = training.copy()
    exchanged.data *= np.repeat(signs, np.diff(training.indptr)).astype(training.dtype)
    weights = _weights(exchanged, signs, _STRENGTH_OF_WORDS)
    return np.asarray(others @ weights, dtype=np.float64)


def by_trees(training: Numbers, others: Numbers) -> Numbers:
    """Learns trees, each pair in both orders."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "builders") from error
    model = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=8, min_samples_leaf=10, l2_regularization=1.0, early_stopping=False, random_state=0
    )
    telling = training.any(axis=0)
    if not telling.any():
        return np.zeros(len(others))
    known, new = training[:, telling], others[:, telling]
    with threadpool_limits(1):  # threads of small problems wait for each other, on a busy machine for minutes
        model.fit(np.vstack([known, -known]), np.repeat([1, 0], len(known)))
        found: Numbers = model.decision_function(new) - model.decision_function(-new)
    return np.where(others.any(axis=1), found, 0.0)


def _weights(rows: Any, labels: Numbers, strength: float) -> Numbers:
    """Returns the weights of a logistic regression without intercept."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "builders") from error
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=200, tol=1e-3)
    found: Numbers = model.fit(rows, labels).coef_[0]
    return found


def _signs(count: int) -> Numbers:
    """Returns +1 and -1 in turn: without an intercept a pair weighs what its exchange does, so one is enough."""
    return np.where(np.arange(count) % 2, -1.0, 1.0)


def _digest(problem: str, seed: int) -> bytes:
    return hashlib.sha256(f"fold/{seed}/{problem}".encode("utf-8", "surrogatepass")).digest()
