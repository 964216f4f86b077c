"""One measured run: a fresh process prepares a job, waits for the word, runs it and answers, all in one meter."""

import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from meter import Cgroup, Rusage, machine_busy_s, make_meter

SETTLE_S = 2.0
"""How long processes may outlive their run before they are counted as left behind."""

Row = dict[str, Any]


class MissingError(Exception):
    """What is to be measured is not here; the message says what to do."""


def command_line() -> str:
    """Returns the command that runs, with files and folders by their last name: where they lie says nothing."""
    return " ".join(["python", sys.argv[0], *(Path(word).name if "/" in word else word for word in sys.argv[1:])])


def provenance(rounds: int) -> Row:
    """Returns what a report says of when, how and where it was measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "commit": commit(),
        "machine": machine(),
        "rounds": rounds,
    }


def serve(prepare: Callable[[Row], Callable[[], Row]]) -> None:
    """Reads a job on stdin, answers "ready" or why not, runs at the next line, answers seconds and what was found."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a peer prints is none of our answers

    def say(fields: Row) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    try:
        run = prepare(json.loads(sys.stdin.readline()))
    except (MissingError, ImportError) as error:
        say({"missing": str(error)})
        return
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    say({"ready": True, "cpu_s": sum(item.ru_utime + item.ru_stime for item in used)})
    sys.stdin.readline()
    start = time.perf_counter()
    found = run()
    say({"wall_s": time.perf_counter() - start, **found})
    os._exit(0)  # the end of an interpreter full of a peer's imports is no grading


def measure(script: Path, job: Row, python: str = sys.executable) -> Row:
    """Returns what `script`, which calls `serve`, took for one job in a fresh process of that interpreter."""
    meter = make_meter()
    with tempfile.TemporaryFile() as errors, contextlib.closing(meter):
        command = [python, str(script)]
        child = subprocess.Popen(  # one thread here, so a preexec_fn is safe
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, preexec_fn=meter.enter
        )
        assert child.stdin
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        ready = _answer(child, errors)
        if "missing" in ready:
            child.wait()
            return ready
        before, others = meter.before(ready["cpu_s"]), machine_busy_s()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        found = _answer(child, errors)
        others = machine_busy_s() - others
        child.wait()
        return {**found, **_used(meter, before, others)}


def _used(meter: Cgroup | Rusage, before: float, others: float) -> Row:
    deadline = time.monotonic() + SETTLE_S
    while meter.left() and time.monotonic() < deadline:
        time.sleep(0.01)
    left = len(meter.left())
    cpu_s = meter.cpu_s() - before
    return {
        "cpu_s": cpu_s,
        "foreign_cpu_s": max(others - cpu_s, 0.0),
        "left_behind": left,
        "meter": type(meter).__name__,
    }


def _answer(child: subprocess.Popen[bytes], errors: IO[bytes]) -> Row:
    assert child.stdout
    line = child.stdout.readline()
    if not line:
        status = child.wait()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace")
        raise RuntimeError(f"the system ended with status {status}: {said[-2000:]}")
    answer: Row = json.loads(line)
    return answer


def machine() -> Row:
    """Returns what the numbers depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """Returns the commit that was measured."""
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "no git"
