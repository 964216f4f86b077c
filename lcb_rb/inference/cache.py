"""Replies in a directory, a file for each request: found again by any later run that asks the same."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lcb_rb.errors import InputError
from lcb_rb.inference.chat import Reply
from lcb_rb.schema import Record

PLACE = "RECODE_CACHE"
"""Environment variable with the directory of the replies."""


class Kept(Record):
    """A file of the cache."""

    key: str
    """`request_key`; also the file's name."""
    request: dict[str, Any] | None
    """What was asked, and of whom; nothing secret is in it. None where whoever put it did not say."""
    attempts: int
    """Times that it was sent."""
    reply: dict[str, Any]
    """As it came, its usage included."""


def cache_directory(given: Path | None = None) -> Path:
    """Returns where replies are kept: the given directory, else that of $RECODE_CACHE, else the user's own."""
    named = os.environ.get(PLACE)
    return given or (Path(named) if named else Path.home() / ".cache" / "recode" / "replies")


class Cache:
    """Replies by the key of their request, on the disk alone; several processes may share one.

    A file that is torn, or holds something else, counts as missing and is written anew.
    """

    def __init__(self, directory: Path | None = None) -> None:
        """Touches nothing yet; None for the user's own directory."""
        self._directory = cache_directory(directory)
        self._ready = False

    def get(self, key: str) -> Reply | None:
        """Returns the reply, None when there is none.

        Raises:
            InputError: none could be kept there; so that is known before anything is paid for.
        """
        self._prepare()
        try:
            kept = Kept.model_validate(json.loads(self._path(key).read_bytes()))
        except (OSError, ValueError, RecursionError):  # what pydantic and json raise are ValueErrors
            return None
        return Reply(kept.reply, kept.attempts) if kept.key == key else None

    def put(self, key: str, reply: Reply, request: Mapping[str, Any] | None = None) -> None:
        """Writes a reply through to the disk, whole or not at all.

        Raises:
            InputError: the place cannot be written.
        """
        kept = {"key": key, "request": request, "attempts": reply.attempts, "reply": reply.raw}
        data = json.dumps(kept).encode()  # ASCII: models write half characters
        path = self._path(key)
        self._prepare()
        try:
            path.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                Path(name).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise self._unwritable(error.strerror) from error

    def _prepare(self) -> None:
        """Makes the directory, once."""
        if self._ready:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error.strerror) from error
        if not os.access(self._directory, os.W_OK | os.X_OK):
            raise self._unwritable("no right to write")
        self._ready = True

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / f"{key}.json"

    def _unwritable(self, reason: str | None) -> InputError:
        return InputError(f"{self._directory}: replies cannot be kept there ({reason}); choose another --cache")
