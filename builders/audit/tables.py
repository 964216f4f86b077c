"""An audit as a table, for a card or a terminal."""

from collections.abc import Collection

from builders.audit.audit import LIMIT, Audit, Row, status_of
from builders.card import table
from lcb_rb.schema import Accuracy
from lcb_rb.tables import text_table

HEAD = ("predictor", "n", "problems", "ties", "accuracy", "95 % interval", "result")
PARTS_HEAD = ("part: predictor", *HEAD[1:-1])


def audit_table(audit: Audit, allowed: Collection[str] = (), limit: float = LIMIT) -> str:
    """Returns the markdown table of an audit's rows, with what was looked at below it."""
    rows = [_cells(row, allowed, limit) for row in audit.rows]
    return f"{table(HEAD, rows)}\n\n{_basis(audit, limit)}"


def audit_text(audit: Audit, allowed: Collection[str] = (), limit: float = LIMIT) -> str:
    """Returns the same for a terminal, and the parts of the set, which only inform."""
    lines = [text_table(HEAD, [_cells(row, allowed, limit) for row in audit.rows])]
    if audit.parts:
        rows = [(f"{row.part}: {row.predictor}", *_numbers(row.result)) for row in audit.parts]
        lines += ["", text_table(PARTS_HEAD, rows), ""]
    return "\n".join([*lines, _basis(audit, limit)])


def _basis(audit: Audit, limit: float) -> str:
    return (
        f"{audit.n_audited} of {audit.n_pairs} pairs, {audit.folds} folds by problem, seed {audit.seed}; a predictor "
        f"fails above {limit:g} with an interval above 0.5, and below 20 problems nothing is decided."
    )


def _cells(row: Row, allowed: Collection[str], limit: float) -> tuple[str, ...]:
    return (row.predictor, *_numbers(row.result), status_of(row, allowed, limit))


def _numbers(result: Accuracy) -> tuple[str, ...]:
    interval = f"{result.interval.low:.3f}-{result.interval.high:.3f}" if result.interval else "-"
    accuracy = "-" if result.accuracy is None else f"{result.accuracy:.3f}"
    return str(result.n), str(result.n_problems), str(result.n_ties), accuracy, interval
