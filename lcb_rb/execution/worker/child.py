"""One running child: told what to run, heard, watched, ended."""

import json
import os
import select
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import layers, wire
from .channel import FILE_BYTES, frame, frame_end
from .errors import FloodError, GoneError, OutOfTimeError, SandboxError
from .scratch import check_size
from .watch import FIRST_LOOK_S, LOOK_AT_FILES_S, LOOK_S, QUEUE_FACTOR, Limits, Watch, cpu_clock, thread_count

if TYPE_CHECKING:
    from .sandbox import Zygote


class Child:
    """One running child."""

    def __init__(
        self,
        zygote: "Zygote",
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
        self.tell_frame(frame(message))

    def tell_frame(self, data: bytes) -> None:
        """Queues a frame that is already made."""
        self._waiting += data

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

    def _look(self, watch: Watch) -> None:
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
        """Gives the program its standard input."""
        os.pwrite(self._memory[1], text.encode("utf-8", "surrogatepass"), 0)

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
        size = min(os.fstat(self._memory[0]).st_size, 2 * FILE_BYTES) - self._read_bytes
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


def _taken(buffer: bytearray) -> bytes | None:
    """Returns the first frame's text and takes it from the buffer, None when it is not all there."""
    end = frame_end(buffer)
    if not end or len(buffer) < end:
        return None
    text = bytes(buffer[4:end])
    del buffer[:end]
    return text


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
