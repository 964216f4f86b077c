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
from .errors import FloodError, GoneError, OutOfTimeError, SandboxError
from .zygote import ANSWERS, CHANNEL, ENDED, MODULES, SPAWN, STARTED

START_S = 60.0
"""Time that a zygote may take to start, on the busiest machine."""

FIRST_LOOK_S, LOOK_S, LOOK_AT_FILES_S = 0.05, 0.2, 0.02
"""When a child that does not answer is looked at first, how often then, and how often where its files may grow."""

QUEUE_FACTOR = 2.5
"""Without the kernel's account of waiting for a processor, wall limits are this much longer."""

MAX_SCRATCH_FILES = 4000
SCRATCH_PREFIX = "recode-"


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
        # hooks at fork, such as seeding `random`, only cost time: none may be registered
        start = "import os; os.register_at_fork = lambda **hooks: None\n"
        start += (
            f"import sys; os.dup2({theirs.fileno()}, {CHANNEL}); os.dup2(0, {ANSWERS}); sys.path.insert(0, {root!r})"
        )
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
                directory = stack.enter_context(scratch_directory())
            ours, theirs = socket.socketpair()
            names = ("answers", "stdin", "stdout") if streams or directory else ("answers",)
            memory = [os.memfd_create(name, os.MFD_CLOEXEC) for name in names]
            inherited = [theirs.fileno(), *memory]
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
            child = Child(self, ours, memory, limits, directory, limits.wall_s * (tests + 1))
            try:
                yield child
            finally:
                child.close()
                for descriptor in memory:
                    os.close(descriptor)

    def started(self) -> int:
        """Returns the pid of the child that was asked for.

        Raises:
            SandboxError: the zygote is gone.
        """
        size = struct.calcsize("iII")
        with self._watched():
            text, ancillary, _, _ = self.channel.recvmsg(512, socket.CMSG_SPACE(size))
        if not text:
            raise SandboxError("the zygote is gone")
        pid = int(STARTED.unpack_from(text)[0])
        if pid < 0:
            raise SandboxError(f"no child could be started: {text[STARTED.size :].decode('ascii', 'replace')}")
        if self.level != layers.FULL:
            return pid
        for level, kind, data in ancillary:  # the kernel has made it a number of our own pid namespace
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                return int(struct.unpack("iII", data[:size])[0])
        raise SandboxError("the zygote did not say which process it started")

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
        self,
        zygote: Zygote,
        channel: socket.socket,
        memory: list[int],
        limits: Limits,
        directory: Path | None,
        total_s: float,
    ) -> None:
        """Takes over the channel."""
        self.channel, self.limits = channel, limits
        self.code, self.cpu_s, self.peak_mb = 0, 0.0, 0.0
        self._zygote, self._memory, self._directory = zygote, memory, directory
        self._pid: int | None = None
        self._open = True
        self._buffer = bytearray()
        self.heard_bytes = 0
        self._shut_in = self._ended = False
        self._answers, self._read_bytes = bytearray(), 0
        self._waiting = b""
        self._heard_cpu_s = self._test_cpu_s = self._test_s = 0.0
        self._left_s = total_s
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

    def hear(self, *, continues: bool = False) -> dict[str, Any]:
        """Returns the next frame that the child sends.

        Args:
            continues: Whether it belongs to the last one's test, and is given what is left of its time.

        Raises:
            OutOfTimeError: more than the limits of CPU or wall time went by.
            GoneError: the child ended or wrote something else than a JSON object.
            FloodError: the frame is over the limit, or the scratch directory is full.
            SandboxError: the child could not be shut in.
        """
        if not continues:
            self._test_cpu_s, self._test_s = self._heard_cpu_s, 0.0
        watch, start = None, time.monotonic()
        often_s = FIRST_LOOK_S if self._zygote.level != layers.FULL else LOOK_S  # as it may start threads without end
        pause_s = LOOK_AT_FILES_S if self._directory else FIRST_LOOK_S
        look_at = time.monotonic() + pause_s
        self._write()
        while (found := self._framed()) is None:
            if self._ended:
                raise GoneError
            if self._poll.poll(1000 * pause_s):
                self._read()
                self._write()
            if time.monotonic() >= look_at:  # also while it talks without end
                watch = watch or Watch(self.pid, self.limits, self._test_cpu_s, pause_s + self._test_s)
                self._look(watch)
                self._drain()
                pause_s = LOOK_AT_FILES_S if self._directory else often_s
                look_at = time.monotonic() + pause_s
        if watch:
            self._look(watch)
        self._heard_cpu_s = cpu_clock(self.pid)
        self._note_time(watch.fair_wall_s() - self._test_s if watch else time.monotonic() - start)
        return found

    def _note_time(self, spent_s: float) -> None:
        """Takes an answer's time off what the test and all tests together have."""
        self._test_s += spent_s
        self._left_s -= spent_s / QUEUE_FACTOR
        over = self._test_s > self.limits.wall_s * QUEUE_FACTOR or self._left_s < 0
        if over or self._heard_cpu_s - self._test_cpu_s > self.limits.cpu_s + FIRST_LOOK_S:
            raise OutOfTimeError

    def _look(self, watch: "Watch") -> None:
        if watch.over(self._left_s):
            raise OutOfTimeError
        if thread_count(self.pid) > layers.MAX_THREADS:
            raise FloodError("too many threads")
        if self._directory:
            check_size(self._directory, self.pid)
        if watch.idle():
            self._zygote.on_idle()

    @property
    def pid(self) -> int:
        """The child's process id as this process sees it."""
        if self._pid is None:
            self._pid = self._zygote.started()
        return self._pid

    def put_stdin(self, text: str) -> None:
        """Gives the next run its standard input, and takes away the last one's output."""
        data = text.encode("utf-8", "surrogatepass")
        os.ftruncate(self._memory[1], 0)
        os.ftruncate(self._memory[2], 0)
        os.pwrite(self._memory[1], data, 0)

    def stdout(self) -> tuple[str, bool]:
        """Returns what was written to standard output, and whether that reached the limit."""
        size = os.fstat(self._memory[2]).st_size
        if size >= self.limits.output_mb * 2**20:
            return "", True
        return os.pread(self._memory[2], size, 0).decode("utf-8", "replace"), False

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
            text = _taken(self._answers)
            while text is None and (text := _taken(self._buffer)) == b"":
                self._drain()
                text = _taken(self._answers)
        except ValueError as error:
            raise FloodError("the answer is too long") from error
        if text is None:
            return None
        self.heard_bytes = len(text)
        return _as_object(text)

    def _drain(self) -> None:
        """Takes over what the child has written to its file since."""
        size = min(os.fstat(self._memory[0]).st_size, 2 * wire.FILE_BYTES) - self._read_bytes
        if size > 0:
            self._answers += os.pread(self._memory[0], size, self._read_bytes)
            self._read_bytes += size

    def _write(self) -> None:
        while self._waiting:
            try:
                self._waiting = self._waiting[self.channel.send(self._waiting) :]
            except BlockingIOError:
                self._poll.modify(self.channel, select.POLLIN | select.POLLOUT)
                return
            except OSError:  # it has ended; what it said before that is still to be read
                self._waiting = b""
        self._poll.modify(self.channel, select.POLLIN)

    def _read(self) -> None:
        try:
            chunk = self.channel.recv(2**18)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            if not self._shut_in and not self._buffer:
                raise SandboxError("the child ended before it was shut in")
            self._ended = True
            return self._drain()
        self._buffer += chunk


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


def _taken(buffer: bytearray) -> bytes | None:
    """Returns the first frame's text and takes it from the buffer, None when it is not all there."""
    end = wire.frame_end(buffer)
    if not end or len(buffer) < end:
        return None
    text = bytes(buffer[4:end])
    del buffer[:end]
    return text


def thread_count(pid: int) -> int:
    """Returns how many threads a process has, 0 when it has ended."""
    try:
        return Path(f"/proc/{pid}/task").stat().st_nlink - 2
    except OSError:
        return 0


def _as_object(text: bytes) -> dict[str, Any]:
    if text.count(b"[") + text.count(b"{") > wire.MAX_ITEMS:
        raise FloodError("the answer holds too many parts")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise GoneError from error
    if not isinstance(value, dict):
        raise GoneError
    return value


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
