"""The kinds of tests: what is done once for a problem, and how each is run."""

from collections.abc import Callable

from . import calls, checks, guarded, programs
from .channel import frame
from .errors import TestsError
from .run import Run


def prepare(work: Run) -> None:
    """Does what is done once for a problem, apart from any solution.

    Raises:
        TestsError: the tests are unusable.
    """
    task = work.task
    kind = task.tests["kind"]
    if task.tests.get("inputs") == []:
        raise TestsError("the problem has no tests")
    if kind not in _KINDS:
        raise TestsError(f"tests of kind {kind} cannot be run by this executor")
    if kind == "call":
        task.frames = [frame({"args": arguments}) for arguments in calls.arguments_of(task.tests)]
        task.expected = calls.expectations(work)
    elif kind == "assert" and task.check is None:
        task.check = checks.compiled_check(task)
    elif kind == "unittest" and task.reference and not task.variants:
        guarded.prepare(work)


def run(work: Run) -> None:
    """Runs the tests of a prepared task; returns when all passed.

    Raises:
        FailedError: they did not.
        TestsError: the tests are unusable.
    """
    _KINDS[work.task.tests["kind"]](work)


_KINDS: dict[str, Callable[[Run], None]] = {
    "stdin": programs.run_programs,
    "call": calls.run_calls,
    "assert": checks.run_check,
    "unittest": guarded.run_guarded,
}
