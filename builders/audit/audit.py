"""The audit of a set of pairs: how often predictors that cannot read find the better reasoning."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from builders.audit.features import Seen, author_differences, differences, sampled, seen, word_differences
from builders.audit.learners import FOLDS, Numbers, by_numbers, by_trees, by_words, folds_of, margins
from builders.audit.surface import GROUPS, WIDTH
from lcb_rb.errors import InputError, RecodeError
from lcb_rb.metrics import pairwise_accuracy
from lcb_rb.schema import Accuracy, PairKind, PreferencePair, Record

LIMIT = 0.55
"""Accuracy that a predictor may reach where its interval lies above 0.5."""
MOST = 20_000
"""Pairs that are looked at."""
MIN_PROBLEMS = 20
"""Below this many problems an interval says too little to decide."""
GATES = (*GROUPS, "tfidf", "model")
"""Predictors that a build can fail by."""
TOGETHER = "surface"
"""The stronger learner that sees all numbers at once; it is only reported."""
RESAMPLES = 2_000
"""Of the bootstrap."""

Status = Literal["passed", "failed", "allowed", "not decided", "reported"]
"""What comes of a row; "allowed" would have failed."""


class Row(Record):
    """How often one predictor finds the better reasoning of pairs of problems that it has not learned from."""

    predictor: str
    """A name in GATES, or TOGETHER."""
    part: str
    """Which pairs: all, or a part that was learned and tried for itself."""
    result: Accuracy
    """A tie is a pair whose sides look the same to the predictor."""


class Audit(Record):
    """What predictors that cannot read make of a set of pairs."""

    n_pairs: int
    """Pairs of the set."""
    n_audited: int
    """Those that were looked at: of problems drawn by the hash of their ids."""
    folds: int
    """Parts of the problems: each is predicted by what was learned from the others."""
    seed: int
    """Of the draws."""
    rows: tuple[Row, ...]
    """Over all pairs, one a predictor."""
    parts: tuple[Row, ...]
    """Over parts of them."""

    def failing(self, allowed: Collection[str] = (), limit: float = LIMIT) -> list[Row]:
        """Returns the rows by which the set fails, unless they are allowed by name.

        Args:
            allowed: Predictors that may tell the sides apart.
            limit: Accuracy above which a predictor does, if its interval lies above 0.5.
        """
        return [row for row in self.rows if status_of(row, allowed, limit) == "failed"]


class AuditError(RecodeError):
    """Pairs can be told apart without reading them."""


def examine(
    pairs: Iterable[PreferencePair],
    *,
    seed: int = 0,
    most: int = MOST,
    brief: bool = False,
    look: Callable[[PreferencePair], Seen] = seen,
) -> Audit:
    """Returns how often predictors that cannot read find the better reasoning, of problems they did not learn from.

    Args:
        pairs: Read once; numbers and counted words of at most `most` of them are kept.
        seed: Of the draws, the folds and the bootstrap.
        most: Pairs that are looked at.
        brief: Whether to leave out what decides nothing: TOGETHER, and the parts of the set.
        look: What the predictors may see of a pair; `Looks` for pairs that are looked at again and again.

    Raises:
        InputError: there are no pairs.
        MissingExtraError: scikit-learn is not installed.
    """
    kept, given = sampled(pairs, most, seed, look)
    if not kept:
        raise InputError("audit: no pairs; give some")
    found = {} if brief else _parts(kept)
    parts = [row for name, members in found.items() for row in _rows(members, GATES, name, seed)]
    return Audit(
        n_pairs=given,
        n_audited=len(kept),
        folds=FOLDS,
        seed=seed,
        rows=tuple(_rows(kept, GATES if brief else (*GATES, TOGETHER), "all", seed)),
        parts=tuple(parts),
    )


def status_of(row: Row, allowed: Collection[str] = (), limit: float = LIMIT) -> Status:
    """Returns what comes of a row.

    Too few problems, or an accuracy above the limit whose interval reaches down to 0.5, decide nothing.
    """
    if row.predictor not in GATES:
        return "reported"
    result = row.result
    if result.accuracy is None or result.interval is None or result.n_problems < MIN_PROBLEMS:
        return "not decided"
    if result.accuracy <= limit:
        return "passed"
    if result.interval.low <= 0.5:
        return "not decided"
    return "allowed" if row.predictor in allowed else "failed"


def require_known(allowed: Collection[str]) -> None:
    """Refuses names that no predictor has.

    Raises:
        InputError: there is one.
    """
    if unknown := sorted({*allowed} - {*GATES}):
        raise InputError(f"audit: no predictor is called {', '.join(unknown)}; choose among {', '.join(GATES)}")


def require_passed(audit: Audit, allowed: Collection[str] = (), limit: float = LIMIT) -> None:
    """Refuses pairs that can be told apart without reading.

    Raises:
        AuditError: a predictor finds the better side too often, and is not allowed to.
    """
    if failing := audit.failing(allowed, limit):
        found = ", ".join(f"{row.predictor} {_numbers(row.result)}" for row in failing)
        names = ", ".join([*sorted(allowed), *(row.predictor for row in failing)])
        raise AuditError(
            f"audit: pairs can be told apart without reading, above {limit:g} by {found}; pair or balance them "
            f"otherwise, or accept it by name: `audit: {{allow: [{names}]}}` in the recipe, --allow for `recode audit`"
        )


def _numbers(result: Accuracy) -> str:
    interval = result.interval
    return f"{result.accuracy:.3f}" + (f" ({interval.low:.3f}-{interval.high:.3f})" if interval else "")


def _rows(pairs: Sequence[Seen], names: Collection[str], part: str, seed: int) -> list[Row]:
    problems = [pair.problem for pair in pairs]
    folds = folds_of(problems, seed)
    return [Row(predictor=name, part=part, result=_result(name, pairs, problems, folds, seed)) for name in names]


def _result(name: str, pairs: Sequence[Seen], problems: Sequence[str], folds: NDArray[np.int64], seed: int) -> Accuracy:
    found = _margins(name, pairs, folds).tolist()
    return pairwise_accuracy(found, [0.0] * len(pairs), problems, seed=seed, resamples=RESAMPLES)


def _margins(name: str, pairs: Sequence[Seen], folds: NDArray[np.int64]) -> Numbers:
    if name == "tfidf":
        return margins(word_differences(pairs), folds, by_words)
    if name == "model":
        return margins(author_differences(pairs), folds, by_words)
    if name == TOGETHER:
        return margins(differences(pairs, slice(None))[:, :-WIDTH], folds, by_trees)  # trees see signs in numbers
    return margins(differences(pairs, GROUPS[name]), folds, by_numbers)


def _parts(pairs: Sequence[Seen]) -> dict[str, list[Seen]]:
    """Returns the kinds of pairs, and natural pairs within a model and across models, where these are not all pairs."""
    natural = [pair for pair in pairs if pair.kind == PairKind.NATURAL]
    found = {f"kind {kind}": [pair for pair in pairs if pair.kind == kind] for kind in PairKind}
    found["same model"] = [pair for pair in natural if pair.models[0] == pair.models[1]]
    found["cross-model"] = [pair for pair in natural if pair.models[0] != pair.models[1]]
    return {name: members for name, members in found.items() if 0 < len(members) < len(pairs)}
