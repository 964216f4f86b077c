"""What a child may use, and whether it has."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

FIRST_LOOK_S, LOOK_S, LOOK_AT_FILES_S = 0.05, 0.2, 0.02
"""When a child that does not answer is looked at first, how often then, and how often where its files may grow."""

QUEUE_FACTOR = 2.5
"""Without the kernel's account of waiting for a processor, wall limits are this much longer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use; the fields of the same name of the package's Limits."""

    cpu_s: float
    wall_factor: float
    memory_mb: int
    output_mb: int

    @property
    def wall_s(self) -> float:
        """Wall time of one test, less what it waited for a processor, seconds."""
        return self.cpu_s * self.wall_factor


class Watch:
    """Whether a child that does not answer has used up its time.

    What counts is its CPU time, and the time that it spent asleep: not what it waited for a processor, so that a busy
    machine does not decide. Both come from the kernel, out of the child's reach.
    """

    def __init__(self, pid: int, limits: Limits, heard_cpu_s: float, gone_s: float) -> None:
        """Starts when some of the test's time has gone by unwatched.

        Args:
            pid: Of the child.
            limits: Of one test.
            heard_cpu_s: The child's CPU clock when the test began.
            gone_s: The wall time that has gone by.
        """
        self._pid, self._limits, self._cpu = pid, limits, heard_cpu_s
        self._start = time.monotonic() - gone_s
        self._queued = queue_clock(pid)
        self._told = False

    def over(self, left_s: float) -> bool:
        """Returns whether the time of the test, or what is left of that of all tests, is used up."""
        if cpu_clock(self._pid) - self._cpu > self._limits.cpu_s:
            return True
        return self.fair_wall_s() > min(self._limits.wall_s, left_s)

    def fair_wall_s(self) -> float:
        """Returns the wall time of the test, less what the child waited for a processor."""
        wall = time.monotonic() - self._start
        if self._queued is None:
            return wall / QUEUE_FACTOR
        return wall - ((queue_clock(self._pid) or self._queued) - self._queued)

    def idle(self) -> bool:
        """Returns, once, whether the child has used less than a tenth of the time that went by."""
        wall = time.monotonic() - self._start
        if self._told or wall < 2 * LOOK_S or cpu_clock(self._pid) - self._cpu > wall / 10:
            return False
        self._told = True
        return True


def cpu_clock(pid: int) -> float:
    """Returns the CPU seconds of a process, 0 when it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def queue_clock(pid: int) -> float | None:
    """Returns the longest time that one of a process's threads waited for a processor, None when it is not known."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - a plain list
        return max(_queued(f"/proc/{pid}/task/{thread}/schedstat") for thread in threads[:64])
    except (OSError, ValueError, IndexError):
        return None


def _queued(path: str) -> float:
    with open(path, encoding="ascii") as stream:  # noqa: PTH123 - read often
        return int(stream.read().split()[1]) / 1e9


def thread_count(pid: int) -> int:
    """Returns how many threads a process has, 0 when it has ended."""
    try:
        return Path(f"/proc/{pid}/task").stat().st_nlink - 2
    except OSError:
        return 0
