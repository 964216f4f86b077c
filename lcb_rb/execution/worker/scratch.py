"""Scratch directories in the outer file system, as children have them without namespaces of their own."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import layers
from .errors import FloodError

MAX_SCRATCH_FILES = 4000
SCRATCH_PREFIX = "recode-"


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Yields a directory in the outer file system; it is removed at the end, whatever was done in it."""
    directory = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-"))
    try:
        yield directory
    finally:
        remove(directory)


def remove(directory: Path) -> None:
    """Removes a tree with programs that neither follow links nor fail on any depth."""
    try:
        directory.rmdir()
    except OSError:
        unlock = ["find", str(directory), "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";"]
        for command in (unlock, ["rm", "-rf", str(directory)]):
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def sweep() -> None:
    """Removes the scratch directories of graders that were killed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}[0-9]*-*"):
        pid = directory.name[len(SCRATCH_PREFIX) :].partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            remove(directory)


def check_size(directory: Path, pid: int) -> None:
    """Keeps a scratch directory small that lies in the outer file system, as without namespaces.

    Raises:
        FloodError: it holds too many files, too many bytes, or what cannot be looked at.
    """
    waiting, count, total = [str(directory)], 0, _unlinked_bytes(pid)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    with contextlib.suppress(FileNotFoundError):
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if count > MAX_SCRATCH_FILES or total > layers.SCRATCH_MB * 2**20:
                        raise FloodError("too much in the scratch directory")
        except FileNotFoundError:
            continue  # it has been removed meanwhile
        except OSError as error:
            raise FloodError(f"what is in the scratch directory cannot be seen ({error.strerror})") from error


def _unlinked_bytes(pid: int) -> int:
    """Returns the bytes of files that a process holds open and has removed."""
    total = 0
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                status = descriptor.stat()
                total += status.st_blocks * 512 if not status.st_nlink else 0
    return total
