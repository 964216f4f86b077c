"""Tests of kind `assert`: the check runs here, and its calls are passed on to a child."""

from . import proxy
from .compiled import Check
from .errors import FailedError, TestsError
from .run import Message, Run, Task, ask, job, refuse_error

LIVE_TESTS = 100
"""Calls that a check may make for which there is time, where their number is not known."""


def run_check(work: Run) -> None:
    """Lets the check run here, and passes its calls on; first with the calls that its text lets expect."""
    task = work.task
    assert task.check
    while True:
        try:
            run_once(work, task.check, task.check.predicted)
        except proxy.MispredictedError:
            task.check.predicted = []
        except proxy.MutatedError:
            task.mutates = _mutations(work)
        else:
            return


def compiled_check(task: Task) -> Check:
    """Returns the compiled check of a task.

    Raises:
        TestsError: there is no entry point, or the code is broken.
    """
    if not task.entry_point:
        raise TestsError("assert tests need an entry_point")
    try:
        return Check(task.prompt, task.entry_point, task.tests["check"])
    except Exception as error:
        raise TestsError(f"the test code is broken: {type(error).__name__}: {error}") from error


def _mutations(work: Run) -> set[int]:
    """Returns the numbers of the check's calls in which the reference solution changes its arguments.

    Raises:
        TestsError: it does not pass.
    """
    task = work.task
    assert task.check and task.reference
    try:
        return run_once(
            Run(task, task.reference, work.limits, work.start, work.words), task.check, [], trusted=True
        ).changed
    except FailedError as error:
        raise TestsError(f"the reference solution fails: {error}") from error


def run_once(work: Run, check: Check, predicted: list[Message], *, trusted: bool = False) -> proxy.Candidate:
    """Runs the check on one child and returns the proxy that it used.

    Raises:
        FailedError: the check failed.
        TestsError: the check is broken.
        MispredictedError: it does not make the predicted calls.
    """
    tests = len(predicted) or LIVE_TESTS
    with work.child(tests) as child:
        child.tell(job(work, "call", entry_point=check.entry_point, classes=check.class_names) | {"prelude": False})
        for message in predicted:
            child.tell(message)

        def reply_to(message: Message) -> Message:
            if not predicted:
                child.tell(message)
            return ask(child, None, continues="next" in message)

        refuse_error(ask(child, None), None)
        candidate = proxy.Candidate(reply_to, predicted, _mutation_rule(work.task, trusted=trusted))
        try:
            check.run(candidate)
        except FailedError as failed:
            raise FailedError(failed.verdict, failed.message, check.test_index(failed)) from failed
        except Exception as error:
            raise _ended(error, candidate, check, by_reference=bool(work.task.reference)) from error
        return candidate


def _mutation_rule(task: Task, *, trusted: bool) -> proxy.Mutates:
    """Returns what tells whether the reference solution changes the arguments of a call; None: there is none."""

    def mutates(call: int) -> bool | None:
        if trusted:
            return True
        if task.mutates is None and task.reference:
            raise proxy.MutatedError
        return None if task.mutates is None else call in task.mutates

    return mutates


def _ended(error: Exception, candidate: proxy.Candidate, check: Check, *, by_reference: bool) -> BaseException:
    """Returns what an exception that leaves the check means."""
    index = check.test_index(error)
    if error is candidate.raised:
        verdict = "MEMORY_LIMIT" if candidate.failure["error"] == "MemoryError" else "RUNTIME_ERROR"
        return FailedError(verdict, candidate.failure["message"], index)
    message = f"{type(error).__name__}: {_text(error)}"
    alone = not by_reference and not isinstance(error, AssertionError)  # else the reference will tell
    if alone and check.fails_by_itself(error, index, candidate.results):
        return TestsError(f"the test code is broken: {message}")
    return FailedError("WRONG_ANSWER", message, index)


def _text(error: Exception) -> str:
    try:
        return str(error)[:500]
    except Exception:  # noqa: BLE001 - a text made of huge numbers, or by a class of the prompt
        return ""
