"""A child process that answers JSON lines: started isolated, watched by the parent, killed as a group."""

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from lcb_rb.errors import GradingError

CHILD = Path(__file__).parent / "worker"
MAX_REPLY_BYTES = 64 * 2**20
POLL_S = 0.02


class OutOfTimeError(Exception):
    """The child used up its CPU or wall time."""


class GoneError(Exception):
    """The child ended instead of answering."""


class FloodError(Exception):
    """The child's answer is too long."""


class Child:
    """One running child; use `started`."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.peak_mb = 0.0
        self.cpu_s = 0.0
        self._buffer = bytearray()

    def tell(self, message: dict[str, Any], cpu_s: float, wall_s: float) -> None:
        """Writes one line, within the limits of `ask`."""
        data = memoryview(json.dumps(message).encode("utf-8") + b"\n")
        stdin = _pipe(self.process.stdin)
        for _ in self._ready(stdin, selectors.EVENT_WRITE, cpu_s, wall_s):
            try:
                data = data[os.write(stdin, data) :]
            except BrokenPipeError as error:
                raise GoneError from error
            if not data:
                return

    def hear(self, cpu_s: float, wall_s: float) -> dict[str, Any]:
        """Returns the next line that the child writes.

        Raises:
            OutOfTimeError: more than `cpu_s` of CPU time or `wall_s` of wall time went by.
            GoneError: the child ended or wrote something else than a JSON object.
            FloodError: the line is over 64 MiB.
        """
        stdout = _pipe(self.process.stdout)
        for _ in self._ready(stdout, selectors.EVENT_READ, cpu_s, wall_s):
            chunk = os.read(stdout, 2**16)
            if not chunk:
                raise GoneError
            self._buffer += chunk
            if len(self._buffer) > MAX_REPLY_BYTES:
                raise FloodError
            if b"\n" in chunk:
                line, _, rest = bytes(self._buffer).partition(b"\n")
                self._buffer = bytearray(rest)
                return _as_object(line)
        raise GoneError

    def ask(self, message: dict[str, Any], cpu_s: float, wall_s: float) -> dict[str, Any]:
        """Returns the answer to a message; limits and errors as `hear`."""
        self.tell(message, cpu_s, wall_s)
        return self.hear(cpu_s, wall_s)

    def close(self) -> int:
        """Kills the whole group, reaps the child and returns its exit code (negative: signal); again, only the code."""
        if self.process.returncode is not None:
            return int(self.process.returncode)
        self.peak_mb = max(self.peak_mb, _peak_mb(self.process.pid))
        with contextlib.suppress(ProcessLookupError):  # the group may have ended by itself
            os.killpg(self.process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()
        return self.process.returncode

    def _ready(self, descriptor: int, event: int, cpu_s: float, wall_s: float) -> Iterator[None]:
        """Yields whenever the descriptor is ready; the CPU clock is the kernel's, out of the child's reach."""
        start, cpu_start = time.monotonic(), self._cpu_clock()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, event)
            while True:
                if selector.select(POLL_S):
                    yield
                if time.monotonic() - start > wall_s or self._cpu_clock() - cpu_start > cpu_s:
                    raise OutOfTimeError

    def _cpu_clock(self) -> float:
        try:
            return time.clock_gettime((~self.process.pid << 3) | 2)
        except OSError:
            return 0.0  # the child has ended; the pipe will say so


@contextmanager
def started(script: str, directory: Path) -> Iterator[Child]:
    """Yields a fresh child running the script in the directory, with an environment that names nothing else.

    Raises:
        GradingError: the interpreter could not be started.
    """
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", str(CHILD / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=directory,
            env={"HOME": str(directory), "TMPDIR": str(directory)},
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise GradingError(f"cannot start {script}: {error}") from error
    os.set_blocking(_pipe(process.stdin), False)
    child = Child(process)
    try:
        yield child
    finally:
        child.close()


def _peak_mb(pid: int) -> float:
    """Returns the peak memory of a living process, else 0; its rusage would count the parent's, from before exec."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _pipe(stream: object) -> int:
    return cast("int", stream.fileno())  # type: ignore[attr-defined]


def _as_object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise GoneError from error
    if not isinstance(value, dict):
        raise GoneError
    return value
