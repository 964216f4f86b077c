"""What every kind of test shares: a problem's tests made ready, one solution's run, talk with its child."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from .child import Child
from .compiled import Check
from .errors import FailedError, FloodError, GoneError, OutOfTimeError
from .watch import Limits

Message = dict[str, Any]

FILES = frozenset(
    ("FileIO", "Path", "dbm", "makedirs", "mkdir", "mkstemp", "multiprocessing", "open", "pathlib", "shelve", "shutil")
) | {"sqlite3", "tarfile", "tempfile", "zipfile"}
"""Words of programs that write files."""

_WORD = re.compile(r"[^\W\d]\w*")


@dataclass
class Task:
    """A problem's tests, ready to be run on any number of solutions."""

    tests: Message
    prompt: str
    entry_point: str | None
    reference: str | None
    check: Check | None = None
    expected_bytes: int = 0
    frames: list[bytes] = field(default_factory=list)
    expected: list[Any] = field(default_factory=list)
    mutates: set[int] | None = None
    failures: list[int] = field(default_factory=list)
    variants: list[tuple[str, Message]] = field(default_factory=list)
    assertions: int = 0


Start = Callable[..., AbstractContextManager[Child]]
"""Starts a child: `start(tests=..., files=..., streams=...)`."""


@dataclass
class Run:
    """One solution against one task."""

    task: Task
    code: str
    limits: Limits
    start: Start
    words: frozenset[str] = frozenset()
    adaptive: bool = False
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    note: str = ""

    @contextmanager
    def child(self, tests: int, *, streams: bool = False) -> Iterator[Child]:
        """Yields a child and adds up what it used."""
        with self.start(tests=tests, files=not FILES.isdisjoint(self.words), streams=streams) as child:
            try:
                yield child
            finally:
                child.close()
                self.cpu_s += child.cpu_s
                self.peak_mb = max(self.peak_mb, child.peak_mb)

    def order(self, count: int) -> list[int]:
        """Returns the tests' order: as given, or those first that failed most often so far."""
        failures = self.task.failures
        if not self.adaptive or len(failures) != count:
            return list(range(count))
        return sorted(range(count), key=lambda index: -failures[index])

    def failed(self, index: int, count: int) -> None:
        """Counts a failure of a test."""
        if len(self.task.failures) != count:
            self.task.failures = [0] * count
        self.task.failures[index] += 1


def words_of(*texts: str) -> frozenset[str]:
    """Returns the names in programs, and whatever else looks like one."""
    return frozenset(word for text in texts for word in _WORD.findall(text))


def job(work: Run, mode: str, **fields: object) -> Message:
    """Returns a child's first message."""
    return {"mode": mode, "prompt": work.task.prompt, "code": work.code, "prelude": mode == "call", **fields}


def ask(child: Child, index: int | None, *, continues: bool = False, may_end: bool = False) -> Message:
    """Returns the next answer of a child, or what its silence means.

    Args:
        child: What was told what to do.
        index: Of the test.
        continues: Whether the answer belongs to the last one's test and time.
        may_end: Whether to end well is an answer too.

    Raises:
        FailedError: it did not answer.
    """
    try:
        return child.hear(continues=continues)
    except OutOfTimeError as error:
        raise FailedError("TIME_LIMIT", f"over {child.limits.cpu_s:g} s", index) from error
    except FloodError as error:
        raise FailedError("OUTPUT_LIMIT", str(error), index) from error
    except GoneError as error:
        code = child.close()
        if may_end and code == 0:
            return {"exit": 0}
        raise FailedError(*_death(code), index) from error


def _death(code: int) -> tuple[str, str]:
    if code == -signal.SIGXCPU:
        return "TIME_LIMIT", "CPU time used up"
    if code == -signal.SIGKILL:
        return "RUNTIME_ERROR", "killed, or closed its channel"
    if code < 0:
        return "RUNTIME_ERROR", f"killed by signal {-code}"
    return "RUNTIME_ERROR", f"exited with status {code} before it answered"


def refuse_error(reply: Message, index: int | None) -> None:
    """Turns an exception of the solution into its verdict."""
    if "syntax" in reply:
        raise FailedError("SYNTAX_ERROR", str(reply["syntax"]))
    if "error" in reply:
        verdict = "MEMORY_LIMIT" if reply["error"] == "MemoryError" else "RUNTIME_ERROR"
        raise FailedError(verdict, str(reply.get("message", "")), index)
