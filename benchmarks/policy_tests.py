"""What a fresh interpreter runs for the straightforward reward: one program, its tests one after another.

No isolation, no limit but an alarm, and the expected values lie beside the code: a measure of cost, no grader.
"""

import contextlib
import io
import json
import signal
import sys
from contextlib import redirect_stdout
from typing import Any


def passes_stdin(code: str, given: str, wanted: str) -> bool:
    """Returns whether the program prints what is wanted, but for white space."""
    printed = io.StringIO()
    sys.stdin = io.StringIO(given)
    with redirect_stdout(printed), contextlib.suppress(SystemExit):
        exec(compile(code, "solution", "exec"), {"__name__": "__main__"})
    return printed.getvalue().split() == wanted.split()


def passes_call(code: str, name: str, given: str, wanted: str) -> bool:
    """Returns whether the function returns what is wanted."""
    space: dict[str, Any] = {"__name__": "solution"}
    exec("from typing import *\nfrom collections import *\nfrom math import *\nfrom itertools import *\n", space)
    exec(compile(code, "solution", "exec"), space)
    call = getattr(space["Solution"](), name) if "Solution" in space else space[name]
    return bool(call(*[json.loads(line) for line in given.splitlines()]) == json.loads(wanted))


class Late(BaseException):
    """A test has taken too long."""


def ring(number: int, frame: object) -> None:
    """Ends the test that runs."""
    raise Late


def passes(task: dict[str, Any], given: str, wanted: str) -> bool:
    """Returns whether one test passes within its time."""
    code, tests = task["code"], task["tests"]
    signal.setitimer(signal.ITIMER_REAL, task["timeout_s"])
    try:
        if tests["kind"] == "stdin":
            return passes_stdin(code, given, wanted)
        return passes_call(code, tests["fn_name"], given, wanted)
    except (Exception, Late):  # noqa: BLE001 - whatever the code raises, it fails
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Reads code and tests on stdin; says so when all pass."""
    task = json.load(sys.stdin)
    signal.signal(signal.SIGALRM, ring)
    failed = 0
    for given, wanted in zip(task["tests"]["inputs"], task["tests"]["outputs"], strict=True):
        failed += not passes(task, given, wanted)
        if failed and task["stops"]:
            break
    print("" if failed else "all tests passed", end="")  # noqa: T201


if __name__ == "__main__":
    main()
