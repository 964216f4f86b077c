"""Looking up files where the system calls for it are closed: by opening them, which Landlock watches over."""

import ctypes
import importlib._bootstrap_external as bootstrap
import os
import struct
from collections.abc import Callable
from typing import Any

from . import syscalls

_LAYOUTS = {
    "x86_64": (struct.Struct("=QQQIII4xQqqqqqqqqq"), ["dev", "ino", "nlink", "mode", "uid", "gid", "rdev", "size"]),
    "aarch64": (struct.Struct("=QQIIIIQ8xqi4xqqqqqqq"), ["dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size"]),
}
"""The kernel's `struct stat`: the fields up to the size, then block size, blocks and three times."""


def through_open(run: Callable[[bytes], tuple[int, int]]) -> None:
    """Replaces `os.stat`, `os.lstat` and `os.fstat`, also where the import system uses them."""
    layout, names = _LAYOUTS[syscalls.machine()]
    buffer = ctypes.create_string_buffer(256)
    address = ctypes.addressof(buffer)
    number = syscalls.numbers(syscalls.machine())["fstat"]

    def fstat(fd: int) -> os.stat_result:
        """Returns the status of an open file."""
        _, error = run(struct.pack("7Q", number, fd, address, 0, 0, 0, 0))
        if error:
            raise OSError(error, os.strerror(error))
        values = layout.unpack_from(buffer)
        field = dict(zip(names, values, strict=False))
        times = values[-6::2]
        order = ("mode", "ino", "dev", "nlink", "uid", "gid", "size")
        return os.stat_result((*(field[name] for name in order), *times))

    def stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        """Returns the status of a file that may be opened."""
        if isinstance(path, int):
            return fstat(path)
        flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_symlinks else os.O_NOFOLLOW)
        descriptor = os.open(path, flags, dir_fd=dir_fd)
        try:
            return fstat(descriptor)
        finally:
            os.close(descriptor)

    def lstat(path: Any, *, dir_fd: int | None = None) -> os.stat_result:
        """Returns the status of a file that may be opened and is no link."""
        return stat(path, dir_fd=dir_fd, follow_symlinks=False)

    os.fstat, os.stat, os.lstat = fstat, stat, lstat
    system = bootstrap._os  # type: ignore[attr-defined]
    system.stat, system.lstat, system.fstat = stat, lstat, fstat
