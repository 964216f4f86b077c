"""Scores that somebody else computed: a file with columns id, chosen and rejected."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lcb_rb.errors import input_error
from lcb_rb.reading import bare_name, read_json_lines
from lcb_rb.schema import PreferencePair
from lcb_rb.scorers.base import Item

COLUMNS = ("id", "chosen", "rejected")
_NONE = (None, None)
_FIX = "give objects with id (text), chosen and rejected (numbers, or null for none)"


def is_scores_file(name: str) -> bool:
    """Returns whether a name is that of a file of scores, by its ending."""
    if not bare_name(Path(name)).endswith((".jsonl", ".parquet")):
        return False
    try:
        return not Path(name).is_dir()
    except OSError as error:  # no right to look
        raise input_error(Path(name), f"cannot be read ({error.strerror})", "check its permissions") from error


class StoredScorer:
    """Gives each side of the pairs the score that a file has for it."""

    def __init__(self, path: Path, pairs: Sequence[PreferencePair]) -> None:
        """Reads the file; a pair that it lacks is unscored.

        Args:
            path: JSON Lines, plain or compressed, or parquet; columns besides COLUMNS are passed over, NaN is None.
            pairs: What was scored.

        Raises:
            InputError: no such file, not of that form, or ids that are twice in it or no pair's.
        """
        found = _read(path)
        unknown = sorted(found.keys() - {pair.id for pair in pairs})
        if unknown:
            what = f"{len(unknown)} of {len(found)} ids are no pair's ({', '.join(unknown[:3])})"
            raise input_error(path, what, "score the same pairs, config and split")
        self.name = str(path)
        self.revision = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        self.notes = ["scores were read from a file, not computed here"]
        lacking = sum(None in found.get(pair.id, _NONE) for pair in pairs)
        if lacking:
            self.notes.append(f"{lacking} of {len(pairs)} pairs have no two finite scores in the file")
        self._scores: dict[tuple[str, str], float | None] = {}
        for pair in pairs:
            chosen, rejected = found.get(pair.id, _NONE)
            self._scores |= {(pair.id, pair.chosen_reasoning): chosen, (pair.id, pair.rejected_reasoning): rejected}

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns what the file says of every item."""
        scores = []
        for item in items:
            scores.append(self._scores[item.key, item.reasoning])
            advance()
        return scores


def _read(path: Path) -> dict[str, tuple[float | None, float | None]]:
    found = {}
    for line, row in _rows(path):
        for name in COLUMNS:
            if name not in row:
                raise input_error(path, "is missing", _FIX, line=line, field=name)
        key = row["id"]
        if not isinstance(key, str):
            raise input_error(path, "is no text", _FIX, line=line, field="id")
        if key in found:
            raise input_error(path, f"id {key!r} is there twice", "keep one", line=line)
        found[key] = (_number(path, line, "chosen", row["chosen"]), _number(path, line, "rejected", row["rejected"]))
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.suffix != ".parquet":
        yield from read_json_lines(path, may_hold_nan=lambda row: True)
        return
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise input_error(path, "does not exist", "check the path") from error
    except (OSError, pa.ArrowException) as error:
        raise input_error(path, f"cannot be read: {str(error).splitlines()[0]}", "write it again") from error
    yield from enumerate(table.select([name for name in COLUMNS if name in table.column_names]).to_pylist(), start=1)


def _number(path: Path, line: int, name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise input_error(path, f"{value!r} is no number", _FIX, line=line, field=name)
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError as error:
        raise input_error(path, "is no number: too large an integer", _FIX, line=line, field=name) from error
