"""The benchmark of executors on two small problems, with the systems that need no peer."""

import json
import os
import subprocess
import sys

import pytest

from factories import ROOT

PROBLEMS = [
    {
        "task_id": f"Small/{number}",
        "prompt": f"def add(a, b):\n    '''Adds {number} too.'''\n",
        "canonical_solution": f"    return a + b + {number}\n",
        "test": f"def check(candidate):\n    assert candidate(1, 2) == {3 + number}\n",
        "entry_point": "add",
        "base_input": [[1, 2]],
        "atol": 0,
    }
    for number in range(2)
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS), encoding="utf-8")
    command = [sys.executable, ROOT / "benchmarks" / "execution.py", "--humaneval", folder / "small.jsonl"]
    options = ["--systems", "in-process,fresh,evalplus", "--rounds", "1", "--timeout-s", "1", "--out", folder / "out"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=120, env=environment)
    return json.loads((folder / "out.json").read_text(encoding="utf-8")), (folder / "out.md").read_text(
        encoding="utf-8"
    )


def test_every_system_judges_all_work_rightly(report):
    rows = [row for row in report[0]["summary"] if "missing" not in row]
    found = {(row["work"], row["system"]): (row["samples"], row["unexpected"]) for row in rows}
    assert found == {
        ("canonical", "in-process"): (4, []),
        ("canonical", "fresh"): (4, []),
        ("mixed", "in-process"): (10, []),
        ("mixed", "fresh"): (10, []),
    }


def test_children_are_counted(report):
    rows = {(row["work"], row["system"]): row for row in report[0]["summary"]}
    assert rows["canonical", "fresh"]["cpu_ms"] > 2, "an interpreter takes longer"
    assert rows["mixed", "in-process"]["cpu_ms"] * 10 > 200, (
        "two loops run for a second each, the less of it the busier the machine"
    )


def test_a_missing_peer_is_reported(report):
    assert "| evalplus | missing |" in report[1]
