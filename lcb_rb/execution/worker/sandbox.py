"""The grader's side of a zygote: starts children, talks with them, watches their time and memory, ends them."""

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import layers, wire
from .zygote import CHANNEL, ENDED, MODULES, SPAWN

START_S = 60.0
"""Time that a zygote may take to start, on the busiest machine."""

SLICE_S = 0.2
"""How often a child that does not answer is looked at."""

QUEUE_FACTOR = 2.5
"""Without the kernel's account of waiting for a processor, wall limits are this much longer."""

MAX_SCRATCH_FILES = 4000


class SandboxError(Exception):
    """The instrument failed; says nothing about the code."""


class TestsError(Exception):
    """The problem's tests, or its reference solution, cannot be used; says nothing about the code."""


class OutOfTimeError(Exception):
    """The child used up its CPU or wall time."""


class GoneError(Exception):
    """The child ended instead of answering."""


class FloodError(Exception):
    """The child's answer, or what it wrote to its scratch directory, is too long."""


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


class Zygote:
    """A running zygote; starts one child at a time."""

    def __init__(
        self,
        level: str,
        packages: Sequence[str] = (),
        modules: Sequence[str] = (),
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        """Starts the process.

        Args:
            level: One of the three levels.
            packages: Directories and files outside the standard library that a child may import.
            modules: Of those, what to load before the fork.
            on_idle: Called when a child sleeps.

        Raises:
            SandboxError: it does not start, or the machine does not allow the level.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel, self.level, self.on_idle = ours, level, on_idle
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        root = str(Path(__file__).parent.parent)
        start = f"import os, sys; os.dup2({theirs.fileno()}, {CHANNEL}); sys.path.insert(0, {root!r})"
        start += "; from worker.zygote import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-B", "-P", "-X", "utf8", "-c", start],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd="/",
            env={"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
        )
        theirs.close()
        config = {
            "level": level,
            "packages": list(packages),
            "path": sorted({str(Path(package).parent) for package in packages}),
            "modules": [*MODULES.split(), *modules],
        }
        ours.send(json.dumps(config).encode())
        ours.settimeout(START_S)
        try:
            reply = json.loads(ours.recv(2**16) or b"{}")
        except TimeoutError:
            reply = {"failed": f"no answer in {START_S:g} s"}
        ours.settimeout(None)
        if not reply.get("ready"):
            self.close()
            raise SandboxError(reply.get("failed", "the zygote ended at its start"))
        self.calls: str = reply["calls"]

    def close(self) -> None:
        """Ends the process and its child."""
        self.channel.close()
        self._process.kill()
        self._process.wait()

    @contextmanager
    def child(self, limits: Limits, tests: int, *, files: bool, streams: bool) -> Iterator["Child"]:
        """Yields a fresh child, which is ended afterwards.

        Args:
            limits: Of one test.
            tests: How many tests it may be given.
            files: Whether it gets a scratch directory.
            streams: Whether it gets files for standard input and output.

        Raises:
            SandboxError: the zygote is gone.
        """
        with contextlib.ExitStack() as stack:
            directory = None
            if files and self.level != layers.FULL:
                directory = Path(stack.enter_context(_scratch_directory()))
            ours, theirs = socket.socketpair()
            inherited = [theirs.fileno()]
            pipes = (
                [os.memfd_create(name, os.MFD_CLOEXEC) for name in ("stdin", "stdout")] if streams or directory else []
            )
            inherited += pipes
            if directory:
                inherited.append(os.open(directory, os.O_PATH | os.O_DIRECTORY))
            cpu_s = int(limits.cpu_s * (tests + 1)) + 5
            request = SPAWN.pack(files, cpu_s, limits.memory_mb * 2**20, limits.output_mb * 2**20)
            try:
                socket.send_fds(self.channel, [request], inherited)
            except OSError as error:
                raise SandboxError(f"the zygote is gone ({error})") from error
            finally:
                theirs.close()
                if directory:
                    os.close(inherited[-1])
            child = Child(self, ours, pipes, limits, directory)
            try:
                yield child
            finally:
                child.close()
                for descriptor in pipes:
                    os.close(descriptor)

    def started(self) -> int:
        """Returns the pid of the child that was asked for.

        Raises:
            SandboxError: the zygote is gone.
        """
        size = struct.calcsize("iII")
        with self._watched():
            text, ancillary, _, _ = self.channel.recvmsg(64, socket.CMSG_SPACE(size))
        for level, kind, data in ancillary:
            if text and level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                return int(struct.unpack("iII", data[:size])[0])
        raise SandboxError("the zygote is gone")

    def ended(self) -> tuple[int, float, float]:
        """Returns exit code, CPU seconds and peak MiB of the child, which is killed if it still runs."""
        with self._watched():
            self.channel.send(b"end")
            reply = self.channel.recv(64)
        if len(reply) != ENDED.size:
            raise SandboxError("the zygote is gone")
        code, cpu_s, peak_mb = ENDED.unpack(reply)
        return code, cpu_s, peak_mb

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self.channel.settimeout(START_S)
        try:
            yield
        except OSError as error:
            raise SandboxError(f"the zygote does not answer ({error})") from error
        finally:
            self.channel.settimeout(None)


class Child:
    """One running child."""

    def __init__(
        self, zygote: Zygote, channel: socket.socket, streams: list[int], limits: Limits, directory: Path | None
    ) -> None:
        """Takes over the channel."""
        self.channel, self.limits = channel, limits
        self.code, self.cpu_s, self.peak_mb = 0, 0.0, 0.0
        self._zygote, self._streams, self._directory = zygote, streams, directory
        self._pid: int | None = None
        self._open = True
        self._buffer = bytearray()
        self._shut_in = False
        self._waiting = b""
        self._heard_cpu_s = 0.0
        channel.setblocking(False)
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)

    def tell(self, message: object) -> None:
        """Queues a frame; it is written while `hear` waits for an answer."""
        self.tell_frame(wire.frame(message))

    def tell_frame(self, data: bytes) -> None:
        """Queues a frame that is already made."""
        self._waiting += data

    def ask(self, message: object) -> dict[str, Any]:
        """Returns the answer to a message; errors as `hear`."""
        self.tell(message)
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """Returns the next frame that the child sends.

        Raises:
            OutOfTimeError: more than the limits of CPU or wall time went by.
            GoneError: the child ended or wrote something else than a JSON object.
            FloodError: the frame is over the limit, or the scratch directory is full.
            SandboxError: the child could not be shut in.
        """
        watch = None
        self._write()
        while (found := self._framed()) is None:
            if self._poll.poll(SLICE_S * 1000):
                self._read()
                self._write()
                continue
            watch = watch or Watch(self.pid, self.limits, self._heard_cpu_s)
            if watch.over():
                raise OutOfTimeError
            if self._directory:
                _check_size(self._directory)
            if watch.idle():
                self._zygote.on_idle()
        if watch and watch.over():
            raise OutOfTimeError
        self._heard_cpu_s = cpu_clock(self.pid)
        return found

    @property
    def pid(self) -> int:
        """The child's process id as this process sees it."""
        if self._pid is None:
            self._pid = self._zygote.started()
        return self._pid

    def put_stdin(self, text: str) -> None:
        """Gives the next run its standard input, and takes away the last one's output."""
        data = text.encode("utf-8", "surrogatepass")
        os.ftruncate(self._streams[0], 0)
        os.ftruncate(self._streams[1], 0)
        os.pwrite(self._streams[0], data, 0)

    def stdout(self) -> tuple[str, bool]:
        """Returns what was written to standard output, and whether that reached the limit."""
        size = os.fstat(self._streams[1]).st_size
        if size >= self.limits.output_mb * 2**20:
            return "", True
        return os.pread(self._streams[1], size, 0).decode("utf-8", "replace"), False

    def close(self) -> int:
        """Ends the child and returns its exit code (negative: signal); again, only the code."""
        if self._open:
            self._open = False
            self.channel.close()
            self.pid  # noqa: B018 - the zygote's first message
            self.code, self.cpu_s, self.peak_mb = self._zygote.ended()
        return self.code

    def _framed(self) -> dict[str, Any] | None:
        if not self._shut_in and self._buffer:
            if self._buffer[:1] != b"+":
                raise SandboxError(f"the child could not be shut in: {self._buffer[1:200].decode('utf-8', 'replace')}")
            self._shut_in = True
            del self._buffer[0]
        try:
            end = wire.frame_end(self._buffer)
        except ValueError as error:
            raise FloodError from error
        if not end or len(self._buffer) < end:
            return None
        text = bytes(self._buffer[4:end])
        del self._buffer[:end]
        return _as_object(text)

    def _write(self) -> None:
        while self._waiting:
            try:
                self._waiting = self._waiting[self.channel.send(self._waiting) :]
            except BlockingIOError:
                self._poll.modify(self.channel, select.POLLIN | select.POLLOUT)
                return
            except OSError as error:
                self._waiting = b""
                if not self._readable():
                    raise GoneError from error
                break
        self._poll.modify(self.channel, select.POLLIN)

    def _readable(self) -> bool:
        return bool(select.select([self.channel], [], [], 0)[0])

    def _read(self) -> None:
        try:
            chunk = self.channel.recv(2**18)
        except BlockingIOError:
            return
        except OSError as error:
            raise GoneError from error
        if not chunk:
            if not self._shut_in and not self._buffer:
                raise SandboxError("the child ended before it was shut in")
            raise GoneError
        self._buffer += chunk


class Watch:
    """Whether a child that does not answer has used up its time.

    What counts is its CPU time, and the time that it spent asleep: not what it waited for a processor, so that a busy
    machine does not decide. Both come from the kernel, out of the child's reach.
    """

    def __init__(self, pid: int, limits: Limits, heard_cpu_s: float) -> None:
        """Starts when one slice of the test's time has gone by unwatched.

        Args:
            pid: Of the child.
            limits: Of one test.
            heard_cpu_s: The child's CPU clock when the test began.
        """
        self._pid, self._limits, self._cpu = pid, limits, heard_cpu_s
        self._start = time.monotonic() - SLICE_S
        self._queued = queue_clock(pid)
        self._told = False

    def over(self) -> bool:
        """Returns whether the time is used up."""
        wall = time.monotonic() - self._start
        if cpu_clock(self._pid) - self._cpu > self._limits.cpu_s:
            return True
        if self._queued is None:
            return wall > self._limits.wall_s * QUEUE_FACTOR
        return wall - ((queue_clock(self._pid) or 0.0) - self._queued) > self._limits.wall_s

    def idle(self) -> bool:
        """Returns, once, whether the child has used less than a tenth of the time that went by."""
        wall = time.monotonic() - self._start
        if self._told or wall < 2 * SLICE_S or cpu_clock(self._pid) - self._cpu > wall / 10:
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


def _as_object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise GoneError from error
    if not isinstance(value, dict):
        raise GoneError
    return value


@contextmanager
def _scratch_directory() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="recode-", ignore_cleanup_errors=True) as name:
        yield name


def _check_size(directory: Path) -> None:
    """Keeps a scratch directory small that lies in the outer file system, as without namespaces."""
    files = total = 0
    with contextlib.suppress(FileNotFoundError):
        for root, _, names in os.walk(directory):
            for name in names:
                with contextlib.suppress(OSError):
                    total += os.lstat(f"{root}/{name}").st_blocks * 512
            files += len(names) + 1
            if files > MAX_SCRATCH_FILES or total > layers.SCRATCH_MB * 2**20:
                raise FloodError
