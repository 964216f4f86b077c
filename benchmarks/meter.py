"""CPU time of a process and of all that descend from it, daemons and orphans included."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
CPUACCT = Path("/sys/fs/cgroup/cpuacct")
UNIFIED = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]


class Cgroup:
    """A fresh cgroup: the kernel charges it with every process that is born in it, whoever waits for it."""

    def __init__(self) -> None:
        """Makes the group.

        Raises:
            OSError: no cgroup hierarchy is writable.
        """
        root = next((path for path in [CPUACCT, *UNIFIED] if self._usage_file(path).exists()), None)
        if root is None:
            raise OSError("no cgroup hierarchy counts CPU time")
        self.path = root / f"recode-benchmark-{os.getpid()}-{time.monotonic_ns()}"
        self.path.mkdir()

    @staticmethod
    def _usage_file(path: Path) -> Path:
        return path / ("cpuacct.usage" if path.is_relative_to(CPUACCT) else "cgroup.procs")

    def enter(self) -> None:
        """Moves the calling process in; safe between fork and exec."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def before(self, reported_s: float) -> float:
        """Returns the CPU seconds of the preparation, which the process has `reported_s` of as its own."""
        return self.cpu_s()

    def cpu_s(self) -> float:
        """Returns the CPU seconds used so far."""
        if self.path.is_relative_to(CPUACCT):
            return int((self.path / "cpuacct.usage").read_text()) / 1e9
        fields = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(fields["usage_usec"]) / 1e6

    def left(self) -> list[int]:
        """Returns the processes that are still there."""
        reap()
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]

    def close(self) -> None:
        """Ends what is left in the group, then the group."""
        for _ in range(100):
            left = self.left()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left:
                break
            time.sleep(0.05)
        self.path.rmdir()


class Rusage:
    """The fallback: times of children that were waited for; orphans come to this process, which must be a subreaper."""

    def __init__(self) -> None:
        """Starts from what was used before."""
        self.start = self._used()

    @staticmethod
    def _used() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def enter(self) -> None:
        """Does nothing."""

    def before(self, reported_s: float) -> float:
        """Returns the CPU seconds of the preparation: what the process reports."""
        return reported_s

    def left(self) -> list[int]:
        """Returns the children of this process that are still there."""
        reap()
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]

    def cpu_s(self) -> float:
        """Returns the CPU seconds of children that have ended."""
        reap()
        return self._used() - self.start

    def close(self) -> None:
        """Does nothing."""


def make_meter() -> Cgroup | Rusage:
    """Returns the best meter that works here."""
    try:
        return Cgroup()
    except OSError:
        return Rusage()


def own_descendants() -> None:
    """Makes orphans of the descendants children of this process, and lets SIGTERM end it in order, so they end too."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap() -> None:
    """Waits for children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def machine_busy_s() -> float:
    """Returns the CPU seconds that all cores have worked since boot; what is not ours disturbed the measurement."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")
