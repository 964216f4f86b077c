"""One grader process seen from the pool: started at a level, asked one thing at a time, killed when it hangs."""

import importlib.util
import json
import select
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lcb_rb.errors import GradingError
from lcb_rb.execution.worker.channel import frame, frame_end
from lcb_rb.execution.worker.grader import CHOKED, own_cpu_s
from lcb_rb.execution.worker.sandbox import START_S
from lcb_rb.execution.worker.watch import cpu_clock
from lcb_rb.execution.worker.zygote import CHANNEL

PACKAGES = ("numpy", "pandas", "scipy", "sympy", "mpmath", "networkx", "sortedcontainers", "dateutil", "pytz", "six")
"""Third-party packages that solutions may import where they are installed."""

PRELOADED = {"packages": ["sortedcontainers"], "numpy": ["numpy"], "pandas": ["numpy", "pandas"]}
"""Zygotes for solutions whose text holds the name, or that of any package; what they load before the fork."""

TASKS_BYTES = 2**28
"""Tests that a grader keeps."""

MAX_REPLY_BYTES = 2**30
"""More than a grader ever says."""

LOOK_S = 0.5
"""How often a silent grader is looked at."""


class GraderGoneError(GradingError):
    """The grader ended, or hung and was killed."""


class ChokedError(GradingError):
    """The grader took too long over what a solution returned, and was killed."""


class LevelError(GradingError):
    """The machine does not allow a level of isolation."""


@dataclass(frozen=True, slots=True)
class Work:
    """A problem as graders take it."""

    key: str
    """Of its content."""
    task: dict[str, Any]
    """Tests, prompt, entry point and reference."""
    size: int
    """Bytes."""


class Grader:
    """A running grader process."""

    def __init__(self, level: str) -> None:
        """Starts it.

        Raises:
            LevelError: the machine does not allow the level.
            GraderGoneError: it does not start.
        """
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).parent)
        start = f"import os, sys; os.dup2({theirs.fileno()}, {CHANNEL}); sys.path.insert(0, {root!r})"
        start += "; from worker.grader import main; main()"
        self._channel = ours
        self._buffer = bytearray()
        self._kept: OrderedDict[str, int] = OrderedDict()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", start],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
                env={"LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise GraderGoneError(f"a grader cannot be started: {error}") from error
        finally:
            theirs.close()
        there = {name: paths for name in PACKAGES if (paths := installed(name))}
        config = {
            "level": level,
            "flavours": {
                name: (
                    [word for word in there if word != "six"] if name == "packages" else [name],
                    [module for module in modules if module in there],
                )
                for name, modules in PRELOADED.items()
                if there and (name == "packages" or name in there)
            },
            "packages": [path for paths in there.values() for path in paths],
            "path": sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}),
        }
        self._send(config)
        reply = self._receive(lambda: None, START_S, START_S)
        if "failed" in reply:
            self.close()
            raise LevelError(str(reply["failed"]))
        self.calls: str = reply["calls"]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def knows(self, key: str) -> bool:
        """Returns whether it holds a problem's tests already."""
        return key in self._kept

    def grade(self, work: Work, request: dict[str, Any], wall_s: float, on_idle: Callable[[], None]) -> dict[str, Any]:
        """Returns what the grader found.

        Args:
            work: The problem; its tests are sent once.
            request: Code, limits and options.
            wall_s: After how long without CPU use it is taken to hang.
            on_idle: Called when the solution sleeps.

        Raises:
            GraderGoneError: it ended or hung; this grader must be closed.
            ChokedError: it was busy for too long; this grader must be closed.
        """
        known = work.key in self._kept
        self._kept[work.key] = work.size
        self._kept.move_to_end(work.key)
        forget = []
        while len(self._kept) > 1 and sum(self._kept.values()) > TASKS_BYTES:
            forget.append(self._kept.popitem(last=False)[0])
        self._send(
            {"key": work.key, "task": None if known else work.task, "forget": forget, "size": work.size, **request}
        )
        found: dict[str, Any] = self._receive(on_idle, wall_s, own_cpu_s(work.size) + 1.0)["found"]
        return found

    def close(self) -> None:
        """Ends the process and all below it."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _send(self, message: object) -> None:
        try:
            self._channel.sendall(frame(message))
        except OSError as error:
            raise GraderGoneError(f"the grader is gone ({error})") from error

    def _receive(self, on_idle: Callable[[], None], wall_s: float, cpu_s: float) -> dict[str, Any]:
        start, cpu = time.monotonic(), cpu_clock(self.pid)
        while True:
            while not (end := frame_end(self._buffer, MAX_REPLY_BYTES)) or len(self._buffer) < end:
                if not select.select([self._channel], [], [], LOOK_S)[0]:
                    if cpu_clock(self.pid) - cpu > cpu_s:
                        raise ChokedError(CHOKED)
                    if time.monotonic() - start > wall_s:
                        raise GraderGoneError("the grader hung and was ended")
                    continue
                try:
                    chunk = self._channel.recv(2**16)
                except OSError as error:
                    raise GraderGoneError(f"the grader is gone ({error})") from error
                if not chunk:
                    raise GraderGoneError("the grader ended")
                self._buffer += chunk
            message: dict[str, Any] = json.loads(self._buffer[struct.calcsize("<I") : end])
            del self._buffer[:end]
            if "cpu_s" in message:
                cpu_s = message["cpu_s"] + 1.0
            elif "idle" in message:
                on_idle()
            else:
                return message


def installed(name: str) -> list[str]:
    """Returns the directories and files of an installed package, with the libraries that a wheel puts beside it."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    if not found or not found.origin:
        return []
    place = Path(found.origin)
    if place.name != "__init__.py":
        return [str(place)]
    libraries = place.parent.with_name(f"{name}.libs")
    return [str(path) for path in (place.parent, libraries) if path.exists()]
