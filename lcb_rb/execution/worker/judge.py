"""Runs trusted test code `check(candidate)`; `candidate` asks the parent, which asks the process of the solution.

Started as `python -I judge.py`; holds the expected values, never the solution.
"""

import ast
import builtins
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))
import wire

Message = dict[str, Any]

ORDINARY = frozenset(
    name
    for name in dir(builtins)
    if isinstance(getattr(builtins, name), type) and issubclass(getattr(builtins, name), Exception)
) - {"StopIteration", "StopAsyncIteration", "AssertionError"}


class CandidateError(Exception):
    """Stands for an exception of the solution that the test code must not take for its own."""


class UnsupportedError(BaseException):
    """The test code passes a value that cannot cross; nothing but `run` may catch it."""


class Candidate:
    """The function under test, elsewhere."""

    def __init__(self, send: Callable[[Message], None], receive: Callable[[], Message]) -> None:
        """Starts with no call made."""
        self.send, self.receive = send, receive
        self.calls = 0
        self.raised: Exception | None = None
        self.failure: Message = {}

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Returns what the solution returned, as plain data."""
        self.calls += 1
        self.send(call_message(args, kwargs))
        reply = self.receive()
        if "value" in reply:
            return wire.decode(reply["value"])
        self.failure, self.raised = reply, rebuilt(reply)
        raise self.raised


def call_message(args: tuple[object, ...], kwargs: dict[str, object]) -> Message:
    """Returns the request for one call."""
    try:
        return {
            "args": [wire.encode(value) for value in args],
            "kwargs": {key: wire.encode(value) for key, value in kwargs.items()},
        }
    except wire.Unsendable as error:
        raise UnsupportedError(str(error)) from error


def rebuilt(reply: Message) -> Exception:
    """Returns the solution's exception if it is an ordinary one, else a stand-in."""
    if reply["error"] in ORDINARY:
        try:
            return getattr(builtins, reply["error"])(reply["text"])  # type: ignore[no-any-return]
        except TypeError:  # UnicodeError's children and groups want more than a text
            return CandidateError(reply["message"])
    return CandidateError(reply["message"])


def main() -> None:
    """Takes the job, runs the check and says how it ended; what the test code prints goes nowhere."""
    requests, replies = (
        os.fdopen(os.dup(0), "r", encoding="utf-8"),
        os.fdopen(os.dup(1), "w", encoding="utf-8"),
    )
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    sys.set_int_max_str_digits(0)

    def send(message: Message) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    job = json.loads(requests.readline())
    candidate = Candidate(send, lambda: json.loads(requests.readline()))
    send(run(job, candidate))


def run(job: Message, candidate: Candidate) -> Message:
    """Returns how the check ended."""
    try:
        namespace: Message = {"__name__": "check"}
        exec(compile(job["prompt"], "prompt.py", "exec"), namespace)
        namespace[job["entry_point"]] = candidate  # some checks call it by its name (HumanEval/33)
        exec(compile(job["check"], "check.py", "exec"), namespace)
        namespace["check"](candidate)
    except UnsupportedError as error:
        return {"done": "broken", "message": f"an argument cannot be sent: {error}"}
    except Exception as error:  # noqa: BLE001 - every way in which a check ends is reported
        return verdict(error, candidate, job["check"])
    return {
        "done": "passed" if candidate.calls else "broken",
        "message": "the test never called the solution",
    }


def verdict(error: Exception, candidate: Candidate, check: str) -> Message:
    """Returns how the check ended, and at which assertion."""
    index = test_index(error, check)
    if error is candidate.raised:
        return {**candidate.failure, "done": "raised", "test_index": index}
    broken = isinstance(error, NameError | ImportError) or not (candidate.calls or isinstance(error, AssertionError))
    message = f"{type(error).__name__}: {error}"[:500]
    return {"done": "broken" if broken else "failed", "message": message, "test_index": index}


def test_index(error: Exception, check: str) -> int | None:
    """Returns the number of assertions that stand before the failing line, or None."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "check.py" and frame.lineno]
    if not lines:
        return None
    asserts = sorted(node.lineno for node in ast.walk(ast.parse(check)) if isinstance(node, ast.Assert))
    return max(sum(line <= lines[-1] for line in asserts) - 1, 0)


if __name__ == "__main__":
    main()
