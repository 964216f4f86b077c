"""A directory for one run of untrusted code, removed afterwards whatever the code has done to it."""

import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOG = logging.getLogger(__name__)


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Yields a fresh directory; what cannot be removed at the end is logged and disturbs no verdict."""
    directory = Path(tempfile.mkdtemp(prefix="recode-"))
    try:
        yield directory
    finally:
        _remove(directory)


def _remove(directory: Path) -> None:
    try:
        _remove_flat(directory)
    except OSError:  # sub-directories, a link in its place, taken rights
        _remove_by_force(directory)


def _remove_flat(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name in os.listdir(handle):  # noqa: PTH208 - a path could have been replaced by a link
            os.unlink(name, dir_fd=handle)
    finally:
        os.close(handle)
    directory.rmdir()


def _remove_by_force(directory: Path) -> None:
    """Uses programs that neither follow links nor fail on a tree too deep for shutil.rmtree."""
    unlock = ["find", str(directory), "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";"]
    for command in (unlock, ["rm", "-rf", str(directory)]):
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if os.path.lexists(directory):
        _LOG.warning("%s could not be removed; remove it by hand", directory)
