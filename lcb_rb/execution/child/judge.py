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


class Candidate:
    """The function under test, elsewhere."""

    def __init__(self, send: Callable[[Message], None], receive: Callable[[], Message]) -> None:
        """Starts with no call made."""
        self.send, self.receive = send, receive
        self.calls = 0
        self.raised: Exception | None = None

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Returns what the solution returned, as plain data."""
        self.calls += 1
        arguments = {key: wire.encode(value) for key, value in kwargs.items()}
        self.send({"args": [wire.encode(value) for value in args], "kwargs": arguments})
        reply = self.receive()
        if "value" in reply:
            return wire.decode(reply["value"])
        kind = getattr(builtins, reply["error"]) if reply["error"] in ORDINARY else CandidateError
        self.raised = kind(reply["message"]) if kind is not UnicodeDecodeError else CandidateError(reply["message"])
        raise self.raised


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
        exec(compile(job["check"], "check.py", "exec"), namespace)
        namespace["check"](candidate)
    except Exception as error:  # noqa: BLE001 - every way in which a check ends is reported
        return verdict(error, candidate, job["check"])
    return {
        "done": "passed" if candidate.calls else "broken",
        "message": "the test never called the solution",
    }


def verdict(error: Exception, candidate: Candidate, check: str) -> Message:
    """Returns how the check ended, and at which assertion."""
    message = f"{type(error).__name__}: {error}"[:500]
    if error is candidate.raised:
        done = "raised"
    elif isinstance(error, AssertionError) or candidate.calls:
        done = "failed"
    else:
        done = "broken"
    return {"done": done, "message": message, "test_index": test_index(error, check)}


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
