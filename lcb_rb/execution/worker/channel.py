"""Frames of JSON between processes: four bytes of length, then the text."""

import json
import os
import struct
from typing import Any, NoReturn

MAX_FRAME = 2**24
MAX_REQUEST = 2**31

FILE_BYTES = 2**20
"""Answers that go to a child's file; more go through its channel."""

BELL = bytes(4)
"""An empty frame: answers are in the file."""

_LENGTH = struct.Struct("<I")


class Channel:
    """Frames of JSON over a stream: four bytes of length, then the text."""

    def __init__(self, descriptor: int) -> None:
        """Takes an open descriptor."""
        self.descriptor = descriptor

    def send(self, message: object) -> None:
        """Writes one frame."""
        self._write(frame(message))

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self.descriptor, left) :]

    def receive(self) -> Any:
        """Returns the next frame; an other side that has gone ends this process."""
        return json.loads(self._exactly(_LENGTH.unpack(self._exactly(4))[0]))

    def _exactly(self, size: int) -> bytes:
        data = os.read(self.descriptor, size)
        while len(data) < size:
            more = os.read(self.descriptor, size - len(data))
            if not more:
                self.gone()
            data += more
        return data

    def gone(self) -> NoReturn:
        """Ends this process: the other side has ended."""
        os._exit(0)


class AnswerChannel(Channel):
    """A child's side: answers go to a file, and the grader is only woken when there is nothing left to answer."""

    def __init__(self, descriptor: int, file: int) -> None:
        """Takes the open channel and the open file."""
        super().__init__(descriptor)
        self._file, self._room, self._rung = file, FILE_BYTES, True
        self._buffer = b""

    def send(self, message: object) -> None:
        """Writes one frame, to the channel itself when the file is full."""
        data = frame(message)
        if len(data) > self._room:
            self._room = 0  # for good: the order must stay
            self._ring()
            return self._write(data)
        self._room -= len(data)
        self._rung = False
        written = os.write(self._file, data)
        while written < len(data):
            written += os.write(self._file, data[written:])

    def receive(self) -> Any:
        """Returns the next frame; an other side that has gone ends this process."""
        while not (end := frame_end(self._buffer, MAX_REQUEST)) or len(self._buffer) < end:
            self._ring()
            more = os.read(self.descriptor, 2**16)
            if not more:
                self.gone()
            self._buffer += more
        text, self._buffer = self._buffer[4:end], self._buffer[end:]
        return json.loads(text)

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._write(BELL)


def frame(message: object) -> bytes:
    """Returns the bytes of one frame."""
    text = json.dumps(message, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(text)) + text


def frame_end(buffer: bytes | bytearray, most: int = MAX_FRAME) -> int:
    """Returns where the first frame of a buffer ends, 0 while its length is not there.

    Raises:
        ValueError: the frame is longer than it may be.
    """
    if len(buffer) < 4:
        return 0
    size = int(_LENGTH.unpack_from(buffer)[0])
    if size > most:
        raise ValueError("the frame is too long")
    return 4 + size
