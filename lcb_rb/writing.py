"""Writing files and directories that are never seen half done."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lcb_rb.errors import InputError


def dump_json(value: object) -> str:
    """Returns compact JSON, keys in the given order; NaN raises ValueError."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, text: str) -> None:
    """Writes the file whole or not at all.

    Raises:
        InputError: the place cannot be written.
    """
    data = text.encode("utf-8")
    try:
        partial = _partial(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise _unwritable(path, error) from error


def require_writable(path: Path) -> None:
    """Refuses, before long work, a place where `write_text` would fail; leaves nothing behind.

    Raises:
        InputError: the place cannot be written.
    """
    missing = []
    try:
        partial = _partial(path)
        missing = [parent for parent in path.absolute().parents if not parent.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()


@contextmanager
def staged_directory(out: Path, marker: str, *, keeps_work: bool = False) -> Iterator[Path]:
    """Yields a directory beside `out` that takes its place when the block ends without an error.

    The stage outlives a kill: what is named `*.journal` in it is kept for the rerun and removed at the end. An `out`
    that exists is replaced only when it is empty or holds the file `marker`, the sign that the same command built it,
    and nothing hidden (a clone's .git).

    Args:
        out: What is made.
        marker: The file that says who built it.
        keeps_work: Whether journals outlive an InputError, too: where they hold hours of work, a rerun with a mistake
            must not cost them.

    Raises:
        InputError: `out` holds something else, cannot be written, or another process is writing it.
    """
    try:
        out = out.resolve()
        if out.exists() and not _replaceable(out, marker):
            raise InputError(f"{out}: holds what this command did not build; choose another --out or remove it")
        stage = out.with_name(f".{out.name}.partial")
        stage.mkdir(parents=True, exist_ok=True)
        handle = os.open(stage, os.O_RDONLY)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise _unwritable(out, error) from error
    try:
        _lock(handle, out)
        _clear(stage, journals=False)
        try:
            yield stage
        except BaseException as error:
            if isinstance(error, InputError) and not keeps_work:  # the same request would fail again
                _clear(stage, journals=True)
            _abandon(stage)
            raise
        _clear(stage, journals=True)
        try:
            _replace(stage, out)
        except OSError as error:
            _abandon(stage)
            raise _unwritable(out, error) from error
    finally:
        os.close(handle)


def _partial(path: Path) -> Path:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory")
    return path.with_name(f".{path.name}.partial")


def _replaceable(out: Path, marker: str) -> bool:
    if not out.is_dir():
        return False
    names = [item.name for item in out.iterdir()]
    return not names or (marker in names and not any(name.startswith(".") for name in names))


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(f"{out}: another recode process is writing it; wait for it to end") from error


def _clear(stage: Path, *, journals: bool) -> None:
    """Removes the journals, or everything else."""
    for item in stage.iterdir():
        if (item.suffix == ".journal") is journals:
            shutil.rmtree(item) if item.is_dir() else item.unlink()


def _abandon(stage: Path) -> None:
    _clear(stage, journals=False)
    if not any(stage.iterdir()):
        stage.rmdir()


def _replace(stage: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    stage.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _unwritable(path: Path, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) else error
    return InputError(f"{path}: cannot be written ({reason}); choose another --out")
