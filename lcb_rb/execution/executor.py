"""The pool of graders: `Executor` grades solutions at a level of isolation, in order, as completed or awaited."""

import asyncio
import hashlib
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, cast

from lcb_rb.errors import InputError
from lcb_rb.execution.graders import ChokedError, Grader, GraderGoneError, LevelError, Work
from lcb_rb.execution.limits import Limits
from lcb_rb.execution.worker.watch import QUEUE_FACTOR
from lcb_rb.schema import CallTests, Isolation, Problem, Result, Verdict

AHEAD = 256
"""Items a worker that are taken from the caller ahead of their results."""

SLEEPERS = 4
"""Graders a worker that may run while others' solutions sleep."""

KEPT_RESULTS = 10_000
KEPT_PROBLEMS = 4096
SLACK_S = 120.0

PROBE = Path(__file__).parent / "worker" / "probe.py"
LAYERS = {
    Isolation.FULL: ["namespaces", "landlock", "seccomp", "privileges", "rlimits"],
    Isolation.NO_NAMESPACES: ["landlock", "seccomp", "privileges", "rlimits"],
    Isolation.RLIMITS_ONLY: ["rlimits"],
}
"""What a level consists of."""

STRONGEST_FIRST = tuple(reversed(Isolation))


class Executor:
    """Grades solutions with a pool of graders, which it owns; a context manager.

    Every sample runs in a fresh process that holds no expected value; the verdict is computed outside of it
    (docs/execution.md). May be used from several threads, and from asyncio by `grade_async`.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        limits: Limits | None = None,
        level: Isolation | None = None,
        least: Isolation = Isolation.NO_NAMESPACES,
        calibrate: bool = False,
        adaptive: bool = False,
        deduplicate: bool = True,
        yield_sleepers: bool = True,
        trust_tests: bool = False,
    ) -> None:
        """Starts the first grader and finds the level.

        Args:
            workers: Graders that work at a time; one and a half for each usable CPU when None.
            limits: The defaults when None.
            level: The level to run at; the strongest that the machine allows when None.
            least: With `level` None, the weakest level that will do.
            calibrate: Lower the time limit to ten times what the reference solution needs, and at least 0.5 s.
            adaptive: Run the tests first that failed most often; the first failing one reported may then be another.
            deduplicate: Grade equal code for the same problem once.
            yield_sleepers: Let another sample start while one sleeps.
            trust_tests: Believe unittest tests that share the solution's interpreter where no reference guards them.

        Raises:
            InputError: the machine does not reach the level.
        """
        self.limits = limits or Limits()
        self.workers = workers or default_workers()
        self.options = {"calibrate": calibrate, "adaptive": adaptive, "trust_tests": trust_tests}
        self._trust, self._deduplicate = trust_tests, deduplicate
        self._lock = threading.Lock()
        self._idle: list[Grader] = []
        self._all: set[Grader] = set()
        self._open = True
        self._tokens = threading.Semaphore(self.workers)
        self._problems: OrderedDict[int, tuple[Problem, Work]] = OrderedDict()
        self._running: dict[bytes, _Shared] = {}
        self._known: OrderedDict[bytes, Result] = OrderedDict()
        self._references: dict[tuple[str, Limits], Result] = {}
        self._threads = ThreadPoolExecutor(self.workers * (SLEEPERS if yield_sleepers else 1), "grader")
        self.reasons: dict[Isolation, str] = {}
        try:
            self.level = self._threads.submit(self._reach, [level] if level else _at_least(least)).result()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Executor":
        """Returns the executor."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Ends all processes; what was not yet graded is cancelled."""
        with self._lock:
            self._open = False
            graders = list(self._all)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for grader in graders:
            grader.close()
        self._threads.shutdown(wait=True)

    def submit(self, problem: Problem, solution: str, limits: Limits | None = None) -> "Future[Result]":
        """Returns the future verdict on a solution.

        Args:
            problem: Its tests are run until one fails.
            solution: Python source.
            limits: The executor's when None.
        """
        limits = limits or self.limits
        if problem.tests is None:
            return self._settled(Verdict.UNGRADED, "the problem has no tests")
        if not solution.strip():
            return self._settled(Verdict.NO_CODE, "the sample holds no code")
        with self._lock:
            work = self._work(problem)
            key = hashlib.sha256(repr((work.key, normalised(solution), limits)).encode()).digest()
            if key in self._known:
                self._known.move_to_end(key)
                return settled(self._known[key])
            shared = self._running.get(key)
            if not shared:
                future = self._threads.submit(self._grade, work, solution, limits)
                shared = _Shared(future, self._lock, lambda: self._running.pop(key, None))
                if self._deduplicate:
                    self._running[key] = shared
            shared.takers += 1
        if self._deduplicate:
            shared.work.add_done_callback(lambda done: self._keep(key, done))
        return shared.taken()

    def _keep(self, key: bytes, done: "Future[Result]") -> None:
        """Remembers a result, but not work that was given up, nor failures of the instrument."""
        with self._lock:
            self._running.pop(key, None)
            if not done.cancelled() and not done.exception() and done.result().verdict is not Verdict.UNGRADED:
                self._known[key] = done.result()
                if len(self._known) > KEPT_RESULTS:
                    self._known.popitem(last=False)

    def grade(self, problem: Problem, solution: str, limits: Limits | None = None) -> Result:
        """Returns the verdict on a solution; a failure of the instrument is UNGRADED with its cause."""
        return self.submit(problem, solution, limits).result()

    async def grade_async(self, problem: Problem, solution: str, limits: Limits | None = None) -> Result:
        """Returns the verdict on a solution without holding up the event loop."""
        return await asyncio.wrap_future(self.submit(problem, solution, limits))

    def grade_many(self, items: Iterable[tuple[Problem, str]]) -> Iterator[Result]:
        """Yields the results of (problem, solution) items in their order; few are taken ahead, so it may be endless."""
        waiting: deque[Future[Result]] = deque()
        try:
            for problem, solution in items:
                waiting.append(self.submit(problem, solution))
                if len(waiting) >= AHEAD * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def grade_as_completed(self, items: Iterable[tuple[Problem, str]]) -> Iterator[tuple[int, Result]]:
        """Yields (number, result) of items as soon as they are done; few are taken ahead, so it may be endless."""
        waiting: dict[Future[Result], int] = {}
        try:
            for index, (problem, solution) in enumerate(items):
                waiting[self.submit(problem, solution)] = index
                if len(waiting) >= AHEAD * self.workers:
                    yield from _completed(waiting)
            while waiting:
                yield from _completed(waiting)
        finally:
            for future in waiting:
                future.cancel()

    def _reach(self, levels: Iterable[Isolation]) -> Isolation:
        """Returns the first of the levels that a grader starts at and where every layer holds."""
        for level in levels:
            try:
                grader = Grader(level.value)
            except (LevelError, GraderGoneError) as error:
                self.reasons[level] = str(error)
                continue
            self._all.add(grader)
            broken = {layer: reason for layer in LAYERS[level] if (reason := probe(grader, layer))}
            if not broken:
                self._idle.append(grader)
                return level
            self.reasons[level] = "; ".join(f"{layer}: {reason}" for layer, reason in broken.items())
            self._all.remove(grader)
            grader.close()
        reasons = "; ".join(f"{level.value}: {reason}" for level, reason in self.reasons.items())
        raise InputError(
            f"untrusted code cannot be run safely here ({reasons}); see `recode doctor --sandbox`, use a container "
            f"without secrets and pass --allow-weak-isolation"
        )

    def _work(self, problem: Problem) -> Work:
        """Returns the problem as graders take it; made once an object, which is kept so that its id stays its own."""
        known = self._problems.get(id(problem))
        if known:
            self._problems.move_to_end(id(problem))
            return known[1]
        work = as_work(problem, trust=self._trust)
        self._problems[id(problem)] = (problem, work)
        if len(self._problems) > KEPT_PROBLEMS:
            self._problems.popitem(last=False)
        return work

    def _grade(self, work: Work, solution: str, limits: Limits) -> Result:
        """Runs in a thread of the pool; a finding against a solution counts only where the reference passes."""
        result = self._once(work, solution, limits)
        if result.passed is not False or not work.task["reference"]:
            return result
        reference = self._references.get((work.key, limits)) or self._once(work, work.task["reference"], limits)
        if reference.verdict is Verdict.UNGRADED:
            return reference
        self._references[work.key, limits] = reference
        if reference.passed:
            return result
        message = f"the reference solution fails these tests too ({reference.verdict}: {reference.message})"
        return result.model_copy(update={"verdict": Verdict.UNGRADED, "message": message[:300], "test_index": None})

    def _once(self, work: Work, solution: str, limits: Limits) -> Result:
        request = {
            "code": solution,
            "limits": limits.as_dict(),
            "calibrate": self.options["calibrate"],
            "adaptive": self.options["adaptive"],
        }
        wall_s = limits.wall_s * QUEUE_FACTOR * (3 + len(work.task["tests"].get("inputs") or [0] * 100)) + SLACK_S
        token = _Token(self._tokens)
        start = time.monotonic()
        try:
            for last in (False, True):
                grader = None
                try:
                    grader = self._take(work.key)
                    found = grader.grade(work, request, wall_s, token.release)
                    self._give(grader)
                    return result_of(found, start, self.level)
                except ChokedError as error:
                    self._discard(cast("Grader", grader))
                    found = {"verdict": "TIME_LIMIT", "message": str(error), "limit_s": limits.cpu_s}
                    return result_of(found, start, self.level)
                except (GraderGoneError, LevelError) as error:
                    if grader:
                        self._discard(grader)
                    if last or not self._open:
                        return result_of({"verdict": "UNGRADED", "message": str(error)}, start, self.level)
        finally:
            token.release()
        raise AssertionError("unreachable")

    def _take(self, key: str) -> Grader:
        """Returns an idle grader, one that knows the problem before others, or a new one."""
        with self._lock:
            if not self._open:
                raise GraderGoneError("the executor is closed")
            if self._idle:
                found = next((grader for grader in reversed(self._idle) if grader.knows(key)), self._idle[-1])
                self._idle.remove(found)
                return found
        grader = Grader(self.level.value)
        with self._lock:
            self._all.add(grader)
            if self._open:
                return grader
        self._discard(grader)
        raise GraderGoneError("the executor is closed")

    def _give(self, grader: Grader) -> None:
        with self._lock:
            self._idle.append(grader)

    def _discard(self, grader: Grader) -> None:
        with self._lock:
            self._all.discard(grader)
        grader.close()

    def _settled(self, verdict: Verdict, message: str) -> "Future[Result]":
        return settled(Result(verdict=verdict, message=message, isolation=self.level))


def settled(result: Result) -> "Future[Result]":
    """Returns the future of a result that is known."""
    future: Future[Result] = Future()
    future.set_result(result)
    return future


class _Shared:
    """Work whose result several callers wait for; given up when all of them have."""

    def __init__(self, work: "Future[Result]", lock: threading.Lock, forget: Callable[[], object]) -> None:
        self.work, self.takers = work, 0
        self._lock, self._forget = lock, forget

    def taken(self) -> "Future[Result]":
        """Returns a caller's own future of the result."""
        own: Future[Result] = Future()
        own.add_done_callback(self._left)
        self.work.add_done_callback(lambda done: _passed_on(done, own))
        return own

    def _left(self, own: "Future[Result]") -> None:
        if not own.cancelled():
            return
        with self._lock:
            self.takers -= 1
            if self.takers:
                return
            self._forget()  # so that nobody joins what is given up
        self.work.cancel()


def _passed_on(done: "Future[Result]", own: "Future[Result]") -> None:
    if done.cancelled():
        own.cancel()
    if not own.set_running_or_notify_cancel():
        return
    error = done.exception()
    if error:
        own.set_exception(error)
    else:
        own.set_result(done.result())


class _Token:
    """The right to use a processor; given back when the solution sleeps, or at the end."""

    def __init__(self, tokens: threading.Semaphore) -> None:
        tokens.acquire()
        self._tokens, self._held = tokens, True

    def release(self) -> None:
        if self._held:
            self._held = False
            self._tokens.release()


def _completed(waiting: "dict[Future[Result], int]") -> Iterator[tuple[int, Result]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


def _at_least(least: Isolation) -> list[Isolation]:
    return [level for level in STRONGEST_FIRST if STRONGEST_FIRST.index(level) <= STRONGEST_FIRST.index(least)]


def default_workers() -> int:
    """Returns one and a half workers for each CPU that this process may use."""
    return max(len(os.sched_getaffinity(0)) * 3 // 2, 1)


def normalised(code: str) -> str:
    """Returns the code without what never changes what it does: line ends and the end of the file."""
    lines = code.replace("\r\n", "\n").replace("\r", "\n")
    kept = lines.rstrip(" \t\n")
    return lines if kept.endswith("\\") else kept  # what follows a backslash decides whether it may stand there


def as_work(problem: Problem, *, trust: bool = False) -> Work:
    """Returns a problem as graders take it."""
    assert problem.tests
    tests = problem.tests.model_dump(mode="json") | ({"trust": True} if trust else {})
    task = {
        "tests": tests,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "reference": problem.reference_solution,
    }
    text = repr(task).encode("utf-8", "backslashreplace")
    return Work(hashlib.sha256(text).hexdigest(), task, len(text))


def probe(grader: Grader, layer: str) -> str:
    """Returns what a solution could do although the layer forbids it, empty when the layer holds."""
    tests = CallTests(fn_name="probe", inputs=[f'"{layer}"'], outputs=["null"])
    work = as_work(Problem(id="probe", source="recode", statement="", tests=tests))
    code = PROBE.read_text(encoding="utf-8")
    request = {"code": code, "limits": Limits().as_dict(), "calibrate": False, "adaptive": False}
    found = grader.grade(work, request, SLACK_S, lambda: None)
    return "" if found["verdict"] == "ACCEPTED" else str(found["message"])


def result_of(found: dict[str, Any], start: float, level: Isolation) -> Result:
    """Returns a grader's finding as a record, its message printable."""
    message = str(found.get("message", "")).encode("ascii", "backslashreplace").decode()[:300].replace("\n", " ")
    return Result(
        verdict=Verdict(found["verdict"]),
        test_index=found.get("test_index"),
        message="".join(character if character.isprintable() else "?" for character in message),
        cpu_s=round(found.get("cpu_s", 0.0), 4),
        wall_s=round(time.monotonic() - start, 4),
        peak_mb=round(found.get("peak_mb", 0.0), 1),
        limit_s=found.get("limit_s"),
        isolation=level,
        method=found.get("method", "isolated"),
    )
