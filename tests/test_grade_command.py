"""`recode grade` from files to verdicts: formats, options, what is printed, and what is refused."""

import gzip
import json

import pytest

from factories import SHARED_DATA, make_problem, make_sample, run_recode
from lcb_rb.execution.verdicts import SLOWEST, summarise
from lcb_rb.schema import Isolation, Result, Verdict
from lcb_rb.sources import FORMATS
from lcb_rb.tables import graded_text
from test_bad_input import refusal, run_here

TWICE = "print(2 * int(input()))\n"
CHECK = "def check(candidate):\n    assert candidate(3) == 6\n"
SIGNATURE = 'def twice(n):\n    """Double it."""\n'
UNITTEST = """
import unittest


class TestF(unittest.TestCase):
    def test_f(self):
        self.assertEqual(f(), 1)
"""


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def ours(folder, codes=(TWICE, "print(0)\n")):
    """Arguments for our own format: a problem with a sample for each code."""
    sample = {"problem_id": "p1", "model": "m", "reasoning": "r"}
    problems = write_rows(folder / "problems.jsonl", make_problem().model_dump(mode="json"))
    samples = write_rows(
        folder / "samples.jsonl", *({"id": f"s{index}", "code": code, **sample} for index, code in enumerate(codes))
    )
    return ["--problems", problems, "--samples", samples, "--out", folder / "verdicts.jsonl"]


def evalplus(folder):
    """Arguments for EvalPlus's format; one of the two samples passes the base suite only."""
    problem = {
        "task_id": "HumanEval/900",
        "prompt": SIGNATURE,
        "entry_point": "twice",
        "canonical_solution": "    return 2 * n\n",
        "test": CHECK,
        "base_input": [[3]],
        "plus_input": [[5], [-1]],
        "atol": 0,
    }
    samples = [
        {"id": "completion", "task_id": "HumanEval/900", "completion": "    return n + n\n"},
        {"id": "solution", "task_id": "HumanEval/900", "solution": SIGNATURE + "    return 6\n"},
    ]
    return [
        *("--problems", write_rows(folder / "problems.jsonl", problem)),
        *("--samples", write_rows(folder / "samples.jsonl", *samples)),
        *("--out", folder / "verdicts.jsonl"),
    ]


def livecodebench(folder):
    """Arguments for LiveCodeBench's formats: a problem row and a result file with two samples."""
    problem = {
        "question_id": "q1",
        "question_content": "Double it.",
        "public_test_cases": json.dumps([{"input": "4\n", "output": "8\n", "testtype": "stdin"}]),
    }
    result = {
        "question_id": "q1",
        "question_content": "Double it.",
        "output_list": [f"```python\n{TWICE}```", "```python\nprint(0)\n```"],
        "code_list": [TWICE, "print(0)"],
        "graded_list": [True, False],
    }
    samples = folder / "model.eval_all.json"
    samples.write_text(json.dumps([result]), encoding="utf-8")
    problems = write_rows(folder / "problems.jsonl", problem)
    return ["--problems", problems, "--samples", samples, "--out", folder / "verdicts.jsonl"]


def leetcode(folder):
    """Arguments for LeetCodeDataset: one file is both."""
    row = {
        "task_id": "double-it",
        "prompt": "from typing import *\n",
        "entry_point": "Solution().twice",
        "completion": "class Solution:\n    def twice(self, n: int) -> int:\n        return 2 * n\n",
        "response": "Twice.\n\n```python\nclass Solution:\n    def twice(self, n):\n        return n + n\n```\n",
        "query": "Double it.",
        "test": CHECK,
    }
    path = write_rows(folder / "rows.jsonl", row)
    return ["--problems", path, "--samples", path, "--out", folder / "verdicts.jsonl"]


def verdicts(folder):
    rows = map(json.loads, (folder / "verdicts.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["verdict"] for row in rows}


def graded(*arguments):
    code, out, err = run_here("grade", *arguments, "--json")
    assert code in (0, None), err
    return json.loads(out)


BOTH = ["ACCEPTED", "WRONG_ANSWER"]


@pytest.mark.parametrize("named", [False, True], ids=["recognised", "named"])
@pytest.mark.parametrize(
    ("make", "name", "expected"),
    [
        (ours, "ours", BOTH),
        (evalplus, "evalplus", BOTH),
        (livecodebench, "livecodebench", BOTH),
        (leetcode, "leetcode", ["ACCEPTED"]),
    ],
)
def test_every_format_is_graded_from_end_to_end(tmp_path, make, name, expected, named):
    graded(*make(tmp_path), *(["--format", name] if named else []))
    assert list(verdicts(tmp_path).values()) == expected


def test_the_suite_of_evalplus_is_chosen(tmp_path):
    graded(*evalplus(tmp_path), "--tests", "base")
    assert verdicts(tmp_path) == {"completion": "ACCEPTED", "solution": "ACCEPTED"}


def test_limits_can_be_calibrated_on_the_reference(tmp_path):
    graded(*evalplus(tmp_path), "--calibrate")
    rows = map(json.loads, (tmp_path / "verdicts.jsonl").read_text(encoding="utf-8").splitlines())
    assert {row["limit_s"] for row in rows} == {0.5}


def test_unguarded_tests_are_believed_on_request_only(tmp_path):
    arguments = ours(tmp_path, ["def f():\n    return 1\n"])
    problem = make_problem(tests=None).model_dump(mode="json") | {"tests": {"kind": "unittest", "source": UNITTEST}}
    write_rows(tmp_path / "problems.jsonl", problem)
    code, _, err = run_here("grade", *arguments)
    assert (code, "not one of 1 samples could be graded" in err) == (1, True)
    assert graded(*arguments, "--trust-tests")["methods"] == {"trusted": 1}


def test_the_json_names_everything(tmp_path):
    found = graded(*ours(tmp_path))
    assert list(found) == ["samples", "verdicts", "pass_at_k", "slowest", "isolation", "methods", "out"]
    assert found["samples"] == 2
    assert found["methods"] == {"isolated": 2}
    assert sum(found["isolation"].values()) == 2
    (slow,) = found["slowest"]
    assert (slow["problem_id"], slow["samples"], slow["time_limits"]) == ("p1", 2, 0)
    assert slow["cpu_s"] >= slow["max_cpu_s"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--format", "nope"],
            "--format 'nope' is not known; choose among leetcode, livecodebench, mapcoder, evalplus, mbpp",
        ),
        (["--format", "leetcode"], "problems.jsonl, line 1, field "),
        (["--engine", "slurm"], "'local', 'ray'"),
        (["--tests", "extra"], "'base', 'plus'"),
        (["--time-limit-s", "0"], "--time-limit-s"),
        (["missing.jsonl"], "missing.jsonl: does not exist"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(tmp_path, arguments, said):
    assert said in refusal(tmp_path, "grade", *ours(tmp_path), *arguments)


def test_every_format_is_in_the_help():
    shown = " ".join(run_recode("grade", "--help").stdout.split())
    assert [name for name in FORMATS if name not in shown] == []


def test_nothing_graded_is_a_failure_with_the_commonest_reason(tmp_path):
    arguments = ours(tmp_path, ["print(1)", "print(2)"])
    write_rows(tmp_path / "problems.jsonl", make_problem(tests=None).model_dump(mode="json", exclude={"tests"}))
    code, out, err = run_here("grade", *arguments, "--json")
    assert (code, out) == (1, "")
    assert "recode: not one of 2 samples could be graded; 2 of them: the problem has no tests; all reasons: " in err
    assert set(verdicts(tmp_path).values()) == {"UNGRADED"}
    assert not (tmp_path / ".verdicts.jsonl.journal").exists()


# ---- what results say together


def result(verdict="ACCEPTED", cpu_s=0.25, **fields):
    return Result(verdict=Verdict(verdict), cpu_s=cpu_s, isolation=Isolation.FULL, **fields)


def summary(*given):
    """The summary of (problem, result) pairs."""
    samples = [make_sample(f"s{index:03}", problem_id=name) for index, (name, _) in enumerate(given)]
    return summarise(samples, {f"s{index:03}": found for index, (_, found) in enumerate(given)})


def test_an_ungraded_sample_is_counted_and_left_out():
    found = summary(
        ("a", result()), ("a", result("UNGRADED")), ("b", result("WRONG_ANSWER")), ("c", result("UNGRADED"))
    )
    (passes,) = found.passes
    assert (passes.k, passes.value, passes.n_problems, passes.n_samples, passes.n_ungraded) == (1, 0.5, 2, 2, 2)
    assert found.verdicts == {"ACCEPTED": 1, "UNGRADED": 2, "WRONG_ANSWER": 1}
    assert found.isolation == {"full": 2}
    assert found.methods == {"isolated": 2}


def test_the_slowest_problems_are_those_whose_samples_took_most():
    given = [(f"p{index}", result(cpu_s=float(index))) for index in range(8)]
    found = summary(*given, ("p1", result(cpu_s=9.0)), ("p2", result("NO_CODE", cpu_s=0.0)))
    assert len(found.slowest) == SLOWEST
    assert [slow.problem_id for slow in found.slowest] == ["p1", "p7", "p6", "p5", "p4"]
    assert (found.slowest[0].samples, found.slowest[0].cpu_s, found.slowest[0].max_cpu_s) == (2, 10.0, 9.0)


def test_problems_that_were_not_run_are_not_slow():
    assert summary(("p", result("NO_CODE", cpu_s=0.0))).slowest == []


def test_the_text_is_golden(golden):
    found = summary(
        *((f"Mbpp/{index}", result(("ACCEPTED", "WRONG_ANSWER")[index % 2], index / 8)) for index in range(4)),
        ("Mbpp/3", result("TIME_LIMIT", 6.0)),
        ("HumanEval/1", result("ACCEPTED", 0.0, method="guarded")),
        ("HumanEval/2", result("UNGRADED", 0.0)),
    )
    golden("graded.txt", graded_text(found) + "\n")


# ---- real files


@pytest.mark.skipif(not SHARED_DATA, reason="the shared data is not here")
def test_reference_solutions_of_humaneval_pass_its_base_tests(tmp_path):
    path = SHARED_DATA / "problems" / "HumanEvalPlus.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    samples = [{"task_id": row["task_id"], "completion": row["canonical_solution"]} for row in rows]
    arguments = ["--problems", path, "--samples", write_rows(tmp_path / "samples.jsonl", *samples)]
    found = graded(*arguments, "--out", tmp_path / "verdicts.jsonl", "--tests", "base")
    assert found["verdicts"] == {"ACCEPTED": 164}
    assert found["pass_at_k"][0]["value"] == 1.0
