"""Hand-made records and the command in a real process, for all tests."""

import atexit
import functools
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lcb_rb.execution import Executor, Limits
from lcb_rb.schema import PairKind, PreferencePair, Problem, Result, Sample, StdinTests

ROOT = Path(__file__).parents[1]
SHARED_DATA = next((path for path in [ROOT.parent / "shared" / "data"] if path.is_dir()), None)
LONG = "We walk over the list once and keep the sum of what we saw, because each item is needed only once. "


def needs(*packages: str) -> None:
    """Skips a whole file where a package is missing, without the seconds that importing it in every process takes."""
    for name in packages:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}", allow_module_level=True)


@functools.cache
def executor() -> Executor:
    """One executor for all tests that need nothing special."""
    made = Executor(2, deduplicate=False)
    atexit.register(made.close)
    return made


def grade(problem: Problem, solution: str, limits: Limits | None = None) -> Result:
    """The verdict of the shared executor."""
    return executor().grade(problem, solution, limits)


def make_problem(problem_id: str = "p1", **fields: Any) -> Problem:
    """A problem that asks for the double of a number."""
    tests = StdinTests(inputs=["1\n", "4\n"], outputs=["2\n", "8\n"])
    known = {"source": "handmade", "statement": "Print the double of the number on stdin.", "tests": tests}
    return Problem(id=problem_id, **{**known, **fields})


def make_sample(sample_id: str = "s1", *, problem_id: str = "p1", passed: bool | None = None, **fields: Any) -> Sample:
    """A sample with a reasoning of about 300 characters that names the sample."""
    known = {"model": "m", "reasoning": f"{sample_id}: {LONG}" * 3, "code": "print(2 * int(input()))\n"}
    return Sample(id=sample_id, problem_id=problem_id, passed=passed, **{**known, **fields})


def make_pair(pair_id: str = "p1/a", **fields: Any) -> PreferencePair:
    """A natural pair."""
    known = {
        "problem_id": "p1",
        "problem": "Print the double.",
        "chosen_reasoning": "Twice the number is the answer.",
        "rejected_reasoning": "The square is the answer.",
        "chosen_code": "print(2 * int(input()))",
        "rejected_code": "print(int(input()) ** 2)",
        "chosen_model": "m",
        "rejected_model": "m",
        "kind": PairKind.NATURAL,
        "difficulty": "easy",
        "source": "handmade",
    }
    return PreferencePair(id=pair_id, **{**known, **fields})


def run_recode(
    *arguments: str | Path,
    cwd: Path | None = None,
    timeout: float = 300,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `recode` in a process of its own, with this one's environment or another."""
    command = [sys.executable, "-m", "recode", *map(str, arguments)]
    environment = {**(environment or os.environ), "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
