"""`grade`: from a problem's tests and a solution to a verdict, computed outside the process that runs the solution.

Covered: time, memory and output limits, a fresh process in its own session and temporary directory, a scrubbed
environment, expected values that never enter the process. Not covered: files, network and other processes are open to
the code, and a daemon that leaves the session outlives it. So the level is `rlimits-only`, and callers must allow it
(`require_isolation`).
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from lcb_rb.errors import GradingError, InputError
from lcb_rb.execution import kinds
from lcb_rb.execution.kinds import Finding, Limits
from lcb_rb.execution.scratch import scratch_directory
from lcb_rb.schema import Isolation, Problem, Result, Verdict

LEVEL = Isolation.RLIMITS_ONLY
"""Isolation that this executor reaches."""

_ORDER = list(Isolation)


def grade(problem: Problem, solution: str, limits: Limits | None = None) -> Result:
    """Returns the verdict on a solution; a failure of the instrument is UNGRADED with its cause.

    Args:
        problem: Its tests are run in order until one fails.
        solution: Python source.
        limits: Time, memory and output; the defaults when None.
    """
    start = time.monotonic()
    if problem.tests is None:
        return _result(Finding(Verdict.UNGRADED, "the problem has no tests"), start)
    if not solution.strip():
        return _result(Finding(Verdict.NO_CODE, "the sample holds no code"), start)
    try:
        with scratch_directory() as directory:
            finding = kinds.run(problem, solution, limits or Limits(), directory)
    except (GradingError, OSError) as error:
        finding = Finding(Verdict.UNGRADED, str(error))
    return _result(finding, start)


def grade_many(
    items: Iterable[tuple[Problem, str]],
    workers: int | None = None,
    limits: Limits | None = None,
    settled: Callable[[int, Result], None] = lambda index, result: None,
) -> Iterator[Result]:
    """Yields the results of (problem, solution) items in their order; at most four a worker are taken ahead.

    Args:
        items: Read as needed, so it may be endless.
        workers: Processes at a time; the number of CPUs when None.
        limits: As in `grade`.
        settled: Called in a worker's thread with number and result of an item as soon as it is done, out of order.
    """

    def work(index: int, problem: Problem, solution: str) -> Result:
        result = grade(problem, solution, limits)
        settled(index, result)
        return result

    count = workers or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for index, (problem, solution) in enumerate(items):
                waiting.append(pool.submit(work, index, problem, solution))
                if len(waiting) >= 4 * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def require_isolation(least: Isolation) -> None:
    """Refuses to run untrusted code below a level of isolation.

    Raises:
        InputError: this executor does not reach the level.
    """
    if _ORDER.index(LEVEL) < _ORDER.index(least):
        raise InputError(
            f"samples without a stored grade must be run, and this executor isolates only at level {LEVEL}: it does "
            f"not protect files and network; use a container without secrets and pass --allow-weak-isolation"
        )


def _result(finding: Finding, start: float) -> Result:
    message = finding.message.encode("ascii", "backslashreplace").decode()[:300].replace("\n", " ")
    return Result(
        verdict=finding.verdict,
        test_index=finding.test_index,
        message="".join(character if character.isprintable() else "?" for character in message),
        cpu_s=round(finding.cpu_s, 4),
        wall_s=round(time.monotonic() - start, 4),
        peak_mb=round(finding.peak_mb, 1),
        isolation=LEVEL,
    )
