"""Files of lines that a killed run leaves behind and the next one reads."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lcb_rb.errors import InputError


@contextmanager
def opened_lines(path: Path) -> Iterator[tuple[TextIO, list[str]]]:
    """Yields a stream that appends to the file, and its lines so far; a file that stays without lines is removed.

    The last line may be torn by a kill: readers pass over what they cannot read.

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
            raise InputError(f"{path}: another run is writing it; wait for it or choose another --out") from error
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        stream.write("\n")  # ends a line that a kill has torn
        try:
            yield stream, lines
        finally:
            stream.flush()
            with path.open("rb") as written:
                empty = not any(line.strip() for line in written)
            if empty:  # nothing was done: leave no trace
                path.unlink()
