"""Running a batch of completions in the executor's pool, awaited, with a deadline for all of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lcb_rb.schema import CallTests, Problem, Result, StdinTests, Verdict

UNGRADED = Verdict.UNGRADED.value


class Judge(Protocol):
    """What grades one solution: an `Executor`."""

    async def grade_async(self, problem: Problem, solution: str) -> Result:
        """Returns the verdict on a solution."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What running one completion gave."""

    outcome: float | None
    """1 when all tests pass, else 0; None when ungraded."""
    pass_rate: float | None
    """Share of passed tests; None when ungraded or not asked for."""
    verdict: str
    message: str = ""
    """Cause, in a few words."""


class BatchGrader:
    """Grades completions; whatever fails but the solution is ungraded, with its cause."""

    def __init__(self, judge: Judge, deadline_s: float, *, each_test: bool = False) -> None:
        """Keeps how a batch is graded.

        Args:
            judge: The executor.
            deadline_s: Wall time of a batch, seconds; what is not graded by then is ungraded.
            each_test: Run every test of a failed solution, for the share of passed ones.
        """
        self._judge, self._deadline_s, self._each_test = judge, deadline_s, each_test
        self._single: dict[str, list[Problem]] = {}

    def start(self, items: Sequence[tuple[Problem, str]]) -> "Batch":
        """Returns the batch, which is being graded from now on; needs a running event loop."""
        deadline = asyncio.get_running_loop().time() + self._deadline_s
        return Batch([asyncio.ensure_future(self._grade(*item)) for item in items], deadline)

    async def _grade(self, problem: Problem, code: str) -> Grade:
        result = await self._judge.grade_async(problem, code)
        outcome = None if result.passed is None else float(result.passed)
        share = outcome if outcome != 0 or not self._each_test else await self._share(problem, code)
        return Grade(outcome, share, result.verdict.value, result.message)

    async def _share(self, problem: Problem, code: str) -> float | None:
        """Returns the share of passed tests; tests that are one program pass or fail together."""
        parts = self._single.get(problem.id) or self._single.setdefault(problem.id, single_tests(problem))
        if not parts:
            return 0.0
        found = await asyncio.gather(*(self._judge.grade_async(part, code) for part in parts))
        passed = [result.passed for result in found]
        return None if None in passed else sum(map(bool, passed)) / len(passed)


class Batch:
    """Completions that are being graded."""

    def __init__(self, tasks: Sequence["asyncio.Future[Grade]"], deadline: float) -> None:
        """Keeps the tasks; `deadline` is in the event loop's time."""
        self._tasks, self._deadline = tasks, deadline

    async def part(self, start: int, end: int) -> list[Grade]:
        """Returns the grades of some completions when they are there, or the deadline is over."""
        tasks = self._tasks[start:end]
        left = self._deadline - asyncio.get_running_loop().time()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=max(left, 0.0))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        return [_settled(task) for task in tasks]


def single_tests(problem: Problem) -> list[Problem]:
    """Returns the problem once for each of its tests; nothing where its tests are one program."""
    tests = problem.tests
    if not isinstance(tests, StdinTests | CallTests):
        return []
    parts = []
    for index in range(len(tests.inputs)):
        outputs = None if tests.outputs is None else [tests.outputs[index]]
        alone = tests.model_copy(update={"inputs": [tests.inputs[index]], "outputs": outputs})
        parts.append(problem.model_copy(update={"tests": alone}))
    return parts


def _settled(task: "asyncio.Future[Grade]") -> Grade:
    if task.cancelled():
        return Grade(None, None, UNGRADED, "not graded within the deadline of the batch")
    error = task.exception()
    if error is not None:
        return Grade(None, None, UNGRADED, f"the executor failed: {type(error).__name__}: {error}"[:300])
    return task.result()
