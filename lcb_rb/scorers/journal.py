"""Scores of finished batches in a file, so that a killed run goes on where it was."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from lcb_rb.errors import InputError
from lcb_rb.schema import Record


class Entry(Record):
    """One line of the journal."""

    key: str
    """`batch_key` of the batch: model, options and texts."""
    scores: list[float | None]
    """In the order of the batch."""


class Journal:
    """A Store of lines; batches are whole or absent, so a rerun makes the same batches and the same scores."""

    def __init__(self, stream: TextIO, known: dict[str, list[float | None]]) -> None:
        """Appends to the stream; `known` is what it holds."""
        self._stream, self._known = stream, known

    def get(self, key: str) -> list[float | None] | None:
        """Returns the scores of that batch, None when it is not done."""
        return self._known.get(key)

    def put(self, key: str, scores: list[float | None]) -> None:
        """Writes the scores of a batch through to the file."""
        self._known[key] = scores
        self._stream.write(Entry(key=key, scores=scores).model_dump_json() + "\n")
        self._stream.flush()


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Yields the journal in a file, which is made when missing; a torn last line is passed over.

    Raises:
        InputError: another run is writing it, or the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{path}: another run is scoring into it; wait for it or choose another --out") from error
        known = _read(path)
        stream.write("\n")  # ends a line that a kill has torn
        try:
            yield Journal(stream, known)
        finally:
            if not known:  # nothing was scored: leave no trace
                path.unlink()


def _read(path: Path) -> dict[str, list[float | None]]:
    known = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            continue  # blank, or torn by a kill: the batch is done again
        known[entry.key] = entry.scores
    return known
