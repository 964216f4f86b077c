"""What runs below a process, as /proc tells it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

Known = dict[int, tuple[int, str]]


def parents() -> Known:
    """Parent and state of every process."""
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            found[int(path.name)] = (int(fields[1]), fields[0])
    return found


def below(pid: int, known: Known | None = None) -> set[int]:
    """The processes that descend from one, zombies included."""
    known, found = known or parents(), {pid}
    while more := {child for child, (parent, _) in known.items() if parent in found} - found:
        found |= more
    return found - {pid}


def children(pid: int, known: Known | None = None) -> set[int]:
    """The processes whose parent is one."""
    return {child for child, (parent, _) in (known or parents()).items() if parent == pid}


def alive(pids: set[int]) -> set[int]:
    """Those that still run."""
    known = parents()
    return {pid for pid in pids if pid in known and known[pid][1] != "Z"}


def zombies(pid: int) -> set[int]:
    """Descendants that have ended and were not reaped."""
    known = parents()
    return {child for child in below(pid) if known.get(child, (0, ""))[1] == "Z"}


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_mb(pid: int) -> float:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether a condition that other processes bring about holds in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
