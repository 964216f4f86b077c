"""Scores of finished batches in a file, so that a killed run goes on where it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from lcb_rb.journals import opened_lines
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


def parts(path: Path) -> list[Path]:
    """Returns the files of a journal: that of rank 0, which bears its name, and those of other ranks, numbered."""
    beside = [item for item in path.parent.glob("*") if item.stem == path.name and item.suffix[1:].isdecimal()]
    return [item for item in [path, *sorted(beside)] if item.exists()]


@contextmanager
def opened(path: Path, rank: int = 0) -> Iterator[Journal]:
    """Yields the journal in a file, which is made when missing; a torn last line is passed over.

    A rank writes a part of its own and knows what all parts hold: their number may have been another one before.

    Raises:
        InputError: another run is writing it, or the place cannot be written.
    """
    others = [line for part in parts(path) for line in part.read_text(encoding="utf-8", errors="replace").split("\n")]
    with opened_lines(path.with_name(f"{path.name}.{rank}") if rank else path) as (stream, lines):
        yield Journal(stream, dict(_entries([*others, *lines])))


def _entries(lines: list[str]) -> Iterator[tuple[str, list[float | None]]]:
    for line in lines:
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            continue  # blank, torn by a kill, or a line of another scorer: the batch is done again
        yield entry.key, entry.scores
