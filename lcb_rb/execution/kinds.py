"""How each kind of test is run: the child answers with data, the comparison happens here."""

import json
import math
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from lcb_rb.errors import GradingError
from lcb_rb.execution.worker import wire
from lcb_rb.execution.worker.compare import stdout_matches, value_matches
from lcb_rb.execution.process import Child, FloodError, GoneError, OutOfTimeError, started
from lcb_rb.execution.scratch import scratch_directory
from lcb_rb.schema import AssertTests, CallTests, Problem, StdinTests, Verdict

START_S = 60.0
"""Wall time that a fresh interpreter may take to say hello."""

GRACE_S = 10
"""Wall time after which a child ends itself when its parent, which should have ended it, is gone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a solution may use."""

    cpu_s: float = 6.0
    """CPU time of one test, seconds (LiveCodeBench's default)."""
    wall_factor: float = 5.0
    """Wall time of one test in multiples of `cpu_s`, so that a busy machine does not decide."""
    memory_mb: int = 1024
    """Address space."""
    output_mb: int = 16
    """Standard output of one test."""

    @property
    def wall_s(self) -> float:
        """Wall time of one test, seconds."""
        return self.cpu_s * self.wall_factor


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict before it becomes a Result."""

    verdict: Verdict
    message: str = ""
    test_index: int | None = None
    cpu_s: float = 0.0
    peak_mb: float = 0.0


ACCEPTED = Finding(Verdict.ACCEPTED)


class _FailedError(Exception):
    """Carries the finding that ends the run."""

    def __init__(self, verdict: Verdict, message: str, test_index: int | None = None) -> None:
        super().__init__(message)
        self.finding = Finding(verdict, message, test_index)


def run(problem: Problem, solution: str, limits: Limits, directory: Path) -> Finding:
    """Returns the finding on a solution.

    Raises:
        GradingError: the instrument failed.
    """
    tests = problem.tests
    code = f"{problem.prompt}\n{solution}" if problem.prompt else solution
    with started("runner.py", directory) as child:
        try:
            if isinstance(tests, StdinTests):
                _start(child, _job(code, "stdin", None, limits, len(tests.inputs)), limits)
                _run_programs(child, tests, limits)
            elif isinstance(tests, CallTests):
                _start(child, _job(code, "call", tests.fn_name, limits, len(tests.inputs)), limits)
                _run_calls(child, tests, limits)
            elif isinstance(tests, AssertTests):
                _start(child, _job(code, "assert", _entry_point(problem), limits, 10), limits)
                _run_check(child, problem, tests, limits)
            else:
                raise GradingError(f"tests of kind {tests.kind if tests else None} cannot be run by this executor")
            finding = ACCEPTED
        except _FailedError as failed:
            finding = failed.finding
        child.close()
        return replace(finding, cpu_s=child.cpu_s, peak_mb=child.peak_mb)


def _entry_point(problem: Problem) -> str:
    if not problem.entry_point:
        raise GradingError(f"problem {problem.id}: assert tests need an entry_point")
    return problem.entry_point


def _job(code: str, mode: str, entry_point: str | None, limits: Limits, tests: int) -> dict[str, Any]:
    return {
        "code": code,
        "mode": mode,
        "entry_point": entry_point,
        "prelude": mode != "assert",
        "limits": {
            "cpu_s": limits.cpu_s,
            "total_cpu_s": math.ceil(limits.cpu_s * tests) + 5,
            "wall_s": math.ceil(limits.wall_s) + GRACE_S,
            "total_wall_s": math.ceil(limits.wall_s * (tests + 1)) + GRACE_S,
            "memory_bytes": limits.memory_mb * 2**20,
            "output_bytes": limits.output_mb * 2**20,
        },
    }


def _start(child: Child, job: dict[str, Any], limits: Limits) -> None:
    """Waits for the interpreter, then for the solution to load."""
    try:
        child.hear(START_S, START_S)
    except (GoneError, FloodError, OutOfTimeError) as error:
        raise GradingError(f"the runner did not start: {type(error).__name__}") from error
    reply = _ask(child, job, limits, None)
    if "syntax" in reply:
        raise _FailedError(Verdict.SYNTAX_ERROR, str(reply["syntax"]))
    _refuse_error(reply, None)


def _ask(child: Child, message: dict[str, Any], limits: Limits, index: int | None) -> dict[str, Any]:
    try:
        return child.ask(message, limits.cpu_s, limits.wall_s)
    except OutOfTimeError as error:
        raise _FailedError(Verdict.TIME_LIMIT, f"over {limits.cpu_s:g} s", index) from error
    except FloodError as error:
        raise _FailedError(Verdict.OUTPUT_LIMIT, "the answer is too long", index) from error
    except GoneError as error:
        verdict, message_ = _death(child.close())
        raise _FailedError(verdict, message_, index) from error


def _death(code: int) -> tuple[Verdict, str]:
    if code == -signal.SIGXCPU:
        return Verdict.TIME_LIMIT, "CPU time used up"
    if code == -signal.SIGALRM:
        return Verdict.TIME_LIMIT, "wall time of all tests used up"
    if code < 0:
        return Verdict.RUNTIME_ERROR, f"killed by signal {-code}"
    return Verdict.RUNTIME_ERROR, f"exited with status {code} before it answered"


def _refuse_error(reply: dict[str, Any], index: int | None) -> None:
    """Turns an exception of the solution into its verdict."""
    if "error" in reply:
        verdict = Verdict.MEMORY_LIMIT if reply["error"] == "MemoryError" else Verdict.RUNTIME_ERROR
        raise _FailedError(verdict, str(reply.get("message", "")), index)


def _run_programs(child: Child, tests: StdinTests, limits: Limits) -> None:
    for index, (given, expected) in enumerate(zip(tests.inputs, tests.outputs, strict=True)):
        reply = _ask(child, {"stdin": given}, limits, index)
        status, cpu_s, peak_mb = reply.get("exit"), reply.get("cpu_s"), reply.get("peak_mb")
        if not isinstance(status, int) or not _is_amount(cpu_s) or not _is_amount(peak_mb):
            raise _FailedError(Verdict.RUNTIME_ERROR, "the reply was tampered with", index)
        child.peak_mb = max(child.peak_mb, peak_mb)
        if status == -signal.SIGXCPU or cpu_s > limits.cpu_s:
            raise _FailedError(Verdict.TIME_LIMIT, f"over {limits.cpu_s:g} s", index)
        if reply.get("flooded") is not False:
            raise _FailedError(Verdict.OUTPUT_LIMIT, f"over {limits.output_mb} MiB", index)
        if status != 0:
            error = str(reply.get("stderr", ""))
            verdict = Verdict.MEMORY_LIMIT if "MemoryError" in error else Verdict.RUNTIME_ERROR
            raise _FailedError(verdict, error or _death(status)[1], index)
        if not stdout_matches(str(reply.get("stdout")), expected):
            raise _FailedError(Verdict.WRONG_ANSWER, "the output differs", index)


def _is_amount(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and math.isfinite(value)


def _run_calls(child: Child, tests: CallTests, limits: Limits) -> None:
    for index, (given, expected) in enumerate(zip(tests.inputs, tests.outputs, strict=True)):
        try:
            arguments = [wire.encode(json.loads(line)) for line in given.split("\n") if line.strip()]
            wanted = json.loads(expected)
        except (ValueError, RecursionError, wire.Unsendable) as error:
            raise GradingError(f"test {index} is not usable JSON: {error}") from error
        reply = _ask(child, {"args": arguments}, limits, index)
        if not value_matches(_value(reply, index), wanted):
            raise _FailedError(Verdict.WRONG_ANSWER, "the result differs", index)


def _value(reply: dict[str, Any], index: int | None) -> object:
    _refuse_error(reply, index)
    if "unsendable" in reply:
        raise _FailedError(Verdict.WRONG_ANSWER, str(reply["unsendable"]), index)
    try:
        return wire.decode(reply["value"])
    except (KeyError, ValueError) as error:
        raise _FailedError(Verdict.WRONG_ANSWER, "the result cannot be read", index) from error


def _run_check(child: Child, problem: Problem, tests: AssertTests, limits: Limits) -> None:
    """Lets a second process run the check, in a directory of its own, and passes its calls on to the solution."""
    with scratch_directory() as directory, started("judge.py", directory) as judge:
        job = {"prompt": problem.prompt, "entry_point": problem.entry_point, "check": tests.check}
        said = _of_judge(judge, job)
        while "done" not in said:
            said = _of_judge(judge, _checked(_ask(child, said, limits, None)))
    index = said.get("test_index")
    if said["done"] == "raised":
        _refuse_error(said, index)
    if said["done"] == "failed":
        raise _FailedError(Verdict.WRONG_ANSWER, said["message"], index)
    if said["done"] != "passed":
        raise GradingError(f"the test code is broken: {said['message']}")


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    """Returns the reply if it is well-formed: an exception, or a value that can be read."""
    if "error" in reply:
        return {name: str(reply.get(name, "")) for name in ("error", "text", "message")}
    _value(reply, None)
    return {"value": reply["value"]}


def _of_judge(judge: Child, message: dict[str, Any]) -> dict[str, Any]:
    try:
        return judge.ask(message, START_S, START_S)
    except (OutOfTimeError, GoneError, FloodError) as error:
        raise GradingError(f"the test code did not end: {type(error).__name__}") from error
