"""Tests of kind `call`: a function is sent arguments, and its results are compared here."""

import json
import sys
from typing import Any

from . import compare, wire
from .errors import FailedError, TestsError
from .run import Message, Run, Task, ask, job, refuse_error

ANY_OBJECT = "not-none"
"""Oracle for which it only counts that something was returned, be it an object that cannot be sent."""

PIPELINE = 2**17
"""Bytes of calls that are sent ahead of the answers."""


def run_calls(work: Run) -> None:
    """Loads the solution once, then calls it once a test; calls are sent ahead of the answers."""
    task, expected = work.task, work.task.expected
    order = work.order(len(task.frames))
    with work.child(len(order)) as child:
        child.tell(job(work, "call", entry_point=task.tests["fn_name"]))
        refuse_error(ask(child, None), None)
        told = ahead = 0
        for index in order:
            while told < len(order) and ahead < PIPELINE:
                child.tell_frame(task.frames[order[told]])
                ahead, told = ahead + len(task.frames[order[told]]), told + 1
            reply = ask(child, index)
            ahead -= len(task.frames[index])
            try:
                _judge_call(task, reply, expected[index], index)
            except FailedError:
                work.failed(index, len(order))
                raise


def _judge_call(task: Task, reply: Message, expected: Any, index: int) -> None:
    refuse_error(reply, index)
    if "unsendable" in reply and task.tests["oracle"] != ANY_OBJECT:
        raise FailedError("WRONG_ANSWER", str(reply["unsendable"]), index)
    try:
        value = _value(reply)
    except (KeyError, ValueError, RecursionError, MemoryError, TypeError) as error:
        raise FailedError("WRONG_ANSWER", "the result cannot be read", index) from error
    rules = {name: task.tests[name] for name in ("compare", "atol", "oracle")}
    arguments = wire.decode(json.loads(task.frames[index][4:])["args"]) if rules["oracle"] else []
    if not compare.call_matches(value, expected, arguments, **rules):
        raise FailedError("WRONG_ANSWER", "the result differs", index)


def _value(reply: Message) -> Any:
    if "unsendable" in reply:
        return ANY_OBJECT
    return iter(wire.decode(reply["items"])) if "items" in reply else wire.decode(reply["value"])


def arguments_of(tests: Message) -> list[Any]:
    """Returns the encoded arguments of every test.

    Raises:
        TestsError: they are not JSON.
    """
    wired = tests.get("encoding") == "wire"
    arguments = []
    for index, given in enumerate(tests["inputs"]):
        try:
            values = [loads(line) for line in given.split("\n") if line.strip()]
            arguments.append(values if wired else wire.encode(values))
            if wired:
                wire.decode(values)
        except (ValueError, RecursionError, wire.Unsendable) as error:
            raise TestsError(f"test {index} is not usable JSON: {error}") from error
    return arguments


def loads(text: str) -> Any:
    """Returns a JSON value of the tests, which are trusted: its integers may have any length."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.loads(text)
    finally:
        sys.set_int_max_str_digits(limit)


def expectations(work: Run) -> list[Any]:
    """Returns the expected value of every test, from the tests or else from the reference solution.

    Raises:
        TestsError: they are not JSON, or the reference solution fails.
    """
    outputs, wired = work.task.tests.get("outputs"), work.task.tests.get("encoding") == "wire"
    try:
        if outputs is None:
            return _of_reference(work)
        return [wire.decode(loads(text)) if wired else loads(text) for text in outputs]
    except (ValueError, RecursionError) as error:
        raise TestsError(f"an expected output is not usable JSON: {error}") from error


def _of_reference(work: Run) -> list[Any]:
    task = work.task
    if not task.reference:
        raise TestsError("the tests hold no outputs and the problem no reference solution")
    reference = Run(task, task.reference, work.limits, work.start, work.words)
    results = []
    with reference.child(len(task.frames)) as child:
        child.tell(job(reference, "call", entry_point=task.tests["fn_name"]))
        try:
            refuse_error(ask(child, None), None)
            for index, frame in enumerate(task.frames):
                child.tell_frame(frame)
                reply = ask(child, index)
                refuse_error(reply, index)
                if "unsendable" in reply and task.tests["oracle"] != ANY_OBJECT:
                    raise TestsError(f"the reference solution's result of test {index}: {reply['unsendable']}")
                results.append(_value(reply))
                task.expected_bytes += child.heard_bytes
        except (FailedError, KeyError, ValueError) as error:
            raise TestsError(f"the reference solution fails: {error}") from error
    return results
