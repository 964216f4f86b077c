"""Replies in a file, each written through before anybody reads it: they were paid for."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from lcb_rb.inference.chat import Reply
from lcb_rb.journals import opened_lines
from lcb_rb.schema import Record


class Entry(Record):
    """One line of the journal."""

    key: str
    """`request_key`: of the full request and where it went; nothing secret is in either."""
    attempts: int
    """Requests that it took."""
    reply: dict[str, Any]
    """As it came."""


class Store(Protocol):
    """Where replies are found and kept: `Replies` for one run, `Cache` for all."""

    def get(self, key: str) -> Reply | None:
        """Returns the reply, None when there is none."""

    def put(self, key: str, reply: Reply, request: Mapping[str, Any] | None = None) -> None:
        """Keeps a reply; when it returns, a kill cannot lose it where there is a file.

        Args:
            key: `request_key`.
            reply: What came.
            request: What was asked: `described`.
        """


class Replies:
    """Replies by the key of their request, in memory and, where there is one, in a journal."""

    def __init__(self, stream: TextIO | None = None, known: dict[str, Reply] | None = None) -> None:
        """Appends to the stream; `known` is what it holds."""
        self._stream, self._known = stream, known or {}

    def get(self, key: str) -> Reply | None:
        """Returns the reply, None when there is none."""
        return self._known.get(key)

    def put(self, key: str, reply: Reply, request: Mapping[str, Any] | None = None) -> None:
        """Writes a reply through to the disk; what was asked is not kept."""
        if self._stream:
            line = {"key": key, "attempts": reply.attempts, "reply": reply.raw}
            self._stream.write(json.dumps(line) + "\n")  # ASCII: models write line separators and half characters
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._known[key] = reply


@contextmanager
def opened(path: Path) -> Iterator[Replies]:
    """Yields the replies in a file, which is made when missing; a torn last line is passed over.

    Raises:
        InputError: another run is writing it, or the place cannot be written.
    """
    with opened_lines(path) as (stream, lines):
        yield Replies(stream, dict(_entries(lines)))


def _entries(lines: list[str]) -> Iterator[tuple[str, Reply]]:
    for line in lines:
        try:
            entry = Entry.model_validate(json.loads(line))
        except ValueError:
            continue  # blank, torn by a kill, or a line of another scorer: it is asked again
        yield entry.key, Reply(entry.reply, entry.attempts)
