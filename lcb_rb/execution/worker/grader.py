"""The trusted process that judges: holds tests and expected values, never runs a solution; asked by the pool."""

import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from . import kinds
from .channel import Channel
from .child import Child
from .errors import FailedError, SandboxError, TestsError
from .run import Message, Run, Start, Task, words_of
from .sandbox import Zygote
from .scratch import sweep
from .watch import Limits
from .zygote import CHANNEL, RARE_MODULES, die_with_parent

OWN_CPU_S, OWN_CPU_S_PER_MB, OWN_CPU_S_PER_EXPECTED_MB = 5.0, 5.0, 0.5
"""CPU time that judging one solution may take, more with large tests; beyond it, they choke on what it returned."""

OWN_MEMORY_BYTES = 2**32

LEAST_S = 0.5
REFERENCE_FACTOR = 10


CHOKED = "judging its results took too much CPU time"
_METHODS = {True: "guarded", False: "trusted"}


class WatchdogError(BaseException):
    """Judging took too long."""


class Grader:
    """Grades one solution after the other, each in a child of a zygote that has what it imports."""

    def __init__(self, config: Message, channel: Channel) -> None:
        """Starts the plain zygote.

        Raises:
            SandboxError: the level cannot be reached.
        """
        self.config, self.channel = config, channel
        self.tasks: dict[str, Task] = {}
        self.limits: dict[str, float] = {}
        self.prepared: set[str] = set()
        rare = RARE_MODULES.split()
        self.flavours = {"rare": (frozenset(name.partition(".")[0] for name in rare), rare)} | {
            name: (frozenset(names), modules) for name, (names, modules) in config["flavours"].items()
        }
        self.zygotes = {"": self._zygote("")}

    def answer(self, request: Message) -> Message:
        """Returns the finding on one solution."""
        for key in request["forget"]:
            self.tasks.pop(key, None)
            self.prepared.discard(key)
        if request["task"] is not None:
            self.tasks[request["key"]] = Task(**request["task"])
        task = self.tasks[request["key"]]
        try:
            try:
                return self._judged(task, request)
            except SandboxError:  # its zygote has been replaced
                return self._judged(task, request)
        except (SandboxError, TestsError) as error:
            return {"verdict": "UNGRADED", "message": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever fails here is the instrument, and the next sample must go on
            return {"verdict": "UNGRADED", "message": f"the grader failed: {type(error).__name__}: {error}"}

    def _judged(self, task: Task, request: Message) -> Message:
        start = time.process_time()
        limits = Limits(**request["limits"])
        if request["key"] not in self.prepared:
            kinds.prepare(self._run(task, task.reference or "", limits))  # of the tests alone
            self.prepared.add(request["key"])
        if request["calibrate"] and task.reference:
            limits = self._calibrated(task, request["key"], limits)
        work = self._run(task, request["code"], limits)
        work.adaptive = request["adaptive"]
        found: Message = {"verdict": "ACCEPTED", "message": "", "test_index": None}
        try:
            budget_s = own_cpu_s(request["size"]) + OWN_CPU_S_PER_EXPECTED_MB * task.expected_bytes / 2**20
            self.channel.send({"cpu_s": time.process_time() - start + budget_s})
            with watchdog(budget_s):
                kinds.run(work)
        except FailedError as error:
            found = {"verdict": error.verdict, "message": error.message, "test_index": error.test_index}
        except WatchdogError:
            found = {"verdict": "TIME_LIMIT", "message": CHOKED, "test_index": None}
        return found | {
            "message": found["message"] or work.note,
            "method": _METHODS[bool(task.reference)] if task.tests["kind"] == "unittest" else "isolated",
            "cpu_s": work.cpu_s,
            "peak_mb": work.peak_mb,
            "limit_s": limits.cpu_s,
        }

    def _calibrated(self, task: Task, key: str, limits: Limits) -> Limits:
        """Returns a time limit of ten times what the reference solution needs for all tests, never more than given."""
        if key not in self.limits:
            reference = self._run(task, task.reference or "", limits)
            try:
                kinds.run(reference)
            except FailedError as error:
                raise TestsError(f"the reference solution fails: {error}") from error
            self.limits[key] = max(LEAST_S, REFERENCE_FACTOR * reference.cpu_s)
        cpu_s = min(limits.cpu_s, self.limits[key])
        return Limits(cpu_s, limits.wall_factor, limits.memory_mb, limits.output_mb)

    def _run(self, task: Task, code: str, limits: Limits) -> Run:
        words = words_of(task.prompt, task.tests.get("source", ""), code)
        return Run(task, code, limits, self._starter(words, limits), words)

    def _starter(self, words: frozenset[str], limits: Limits) -> Start:
        flavour = self._flavour(words)

        def start(*, tests: int, files: bool, streams: bool) -> AbstractContextManager[Child]:
            return self._child(flavour, limits, tests, files=files, streams=streams)

        return start

    @contextmanager
    def _child(self, flavour: str, limits: Limits, tests: int, *, files: bool, streams: bool) -> Iterator[Child]:
        if flavour not in self.zygotes:
            self.zygotes[flavour] = self._zygote(flavour)
        try:
            with self.zygotes[flavour].child(limits, tests, files=files, streams=streams) as child:
                yield child
        except SandboxError:
            self.zygotes.pop(flavour).close()  # the next child gets a new one
            raise

    def _flavour(self, words: frozenset[str]) -> str:
        """Returns the heaviest flavour that one of the words names."""
        return next((name for name in reversed(self.flavours) if not self.flavours[name][0].isdisjoint(words)), "")

    def _zygote(self, flavour: str) -> Zygote:
        modules = self.flavours[flavour][1] if flavour else ()
        packages = self.config["packages"] if flavour in self.config["flavours"] else ()
        return Zygote(self.config["level"], packages, modules, self._on_idle)

    def _on_idle(self) -> None:
        self.channel.send({"idle": True})


def own_cpu_s(size: int) -> float:
    """Returns the CPU time that judging may take with tests of so many bytes."""
    return OWN_CPU_S + OWN_CPU_S_PER_MB * size / 2**20


@contextmanager
def watchdog(cpu_s: float) -> Iterator[None]:
    """Ends the block with WatchdogError after so many seconds of this process's CPU time."""

    def bark(number: int, frame: object) -> None:
        raise WatchdogError

    signal.signal(signal.SIGPROF, bark)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> None:
    """Takes the configuration, says whether the level was reached, and answers until the pool goes."""
    die_with_parent()
    most = min(OWN_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1] % 2**64)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    sweep()
    channel = Channel(CHANNEL)
    config: dict[str, Any] = channel.receive()
    sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent.parent] + config["path"]
    try:
        grader = Grader(config, channel)
    except SandboxError as error:
        return channel.send({"failed": str(error)})
    channel.send({"ready": True, "calls": grader.zygotes[""].calls})
    while True:
        channel.send({"found": grader.answer(channel.receive())})
