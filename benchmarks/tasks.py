"""The work of `execution.py`: HumanEval+ problems with their base tests as assertions, and programs for them."""

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BAD_BODIES = {
    "wrong": "    return None\n",
    "raising": "    raise ValueError('no')\n",
    "syntax": "    return (\n",
}
LOOP = "    while True:\n        pass\n"
N_LOOPS = 8


@dataclass(frozen=True, slots=True)
class Task:
    """One program for one problem."""

    problem: dict[str, Any]
    """Row of the HumanEval+ file."""
    body: str
    """What follows the prompt."""
    kind: str
    """right, wrong, raising, syntax or loop."""

    @property
    def program(self) -> str:
        """The whole program."""
        return str(self.problem["prompt"]) + self.body

    @property
    def test(self) -> str:
        """Test code that follows the program where both share a namespace."""
        return f"{self.problem['test']}\ncheck({self.problem['entry_point']})\n"

    @property
    def passes(self) -> bool:
        """The verdict that it must get."""
        return self.kind == "right"


def read_humaneval(path: Path) -> list[dict[str, Any]]:
    """Returns the rows of HumanEvalPlus.jsonl, plain or .gz."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines() if line.strip()]


def canonical(problems: list[dict[str, Any]], repeat: int) -> list[Task]:
    """Returns every canonical solution, `repeat` times."""
    return [Task(problem, problem["canonical_solution"], "right") for _ in range(repeat) for problem in problems]


def mixed(problems: list[dict[str, Any]]) -> list[Task]:
    """Returns one right, wrong, raising and unparsable program a problem and eight endless ones, shuffled."""
    tasks = canonical(problems, 1)
    tasks += [Task(problem, body, kind) for problem in problems for kind, body in BAD_BODIES.items()]
    tasks += [Task(problem, LOOP, "loop") for problem in problems[:N_LOOPS]]
    random.Random(0).shuffle(tasks)
    return tasks
