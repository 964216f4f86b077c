"""References of `evaluate`'s code_eval: mapped for sure, or refused with the reason; the module that takes them."""

import json
import subprocess
import sys

import pytest

from factories import ROOT, make_problem
from lcb_rb.errors import InputError
from lcb_rb.execution import Limits, grade
from lcb_rb.metrics.candidates import grade_candidates
from lcb_rb.schema import Isolation, Result, Verdict
from lcb_rb.sources import code_eval

HUMANEVAL = """
METADATA = {"author": "x"}

def check(candidate):
    for a, b in [(2, 3), (0, 5)]:
        assert candidate(a, b) == 5, "sum"

check(add)
"""
USABLE = [
    "assert add(2, 3) == 5",
    "import math\nassert math.isclose(add(2, 3), 5)\nassert add(0, 0) == 0",
    HUMANEVAL,
    "def test():\n    assert add(2, 3) == 5\ntest()",
    "candidate = add\nassert candidate(2, 3) == 5",
    "assert list(map(add, [2], [3])) == [5]",
    "try:\n    add(2)\n    raise AssertionError\nexcept TypeError:\n    pass\nassert add(2, 3) == 5",
    "if add(2, 3) != 5:\n    raise AssertionError('no')",
    "xs = [add(i, 1) for i in range(3)]\nxs.append(1)\nassert xs == [1, 2, 3, 1]",
]
REFUSED = [
    ("assert add(2, 3) ==", "cannot be compiled"),
    ("assert add(2, 3) == 5\nreturn", "cannot be compiled"),
    ("assert sum([2, 3]) == 5", "calls nothing"),
    ("def check(candidate):\n    assert candidate(2, 3) == 5", "calls nothing"),
    ("assert math.isclose(add(2, 3), 5)", "add, math without defining"),
    ("assert poly(find_zero([1, 2])) == 0", "find_zero, poly"),
    ("s = Stack()\ns.push(1)\nassert s.pop() == 1", r"\.push"),
    ("assert add(2, 3).real_part == 5", r"\.real_part"),
    ("xs = [2, 1]\nsort(xs)\nassert xs == [1, 2]", "drops the result of sort"),
    ("def check(f):\n    xs = [2, 1]\n    f(xs)\n    assert xs == [1, 2]\ncheck(sort)", "drops the result of sort"),
    ("assert callable(add)", "otherwise than by calling"),
    ("assert add.__name__ == 'add'", "__name__"),
    ("import inspect\nf = add\nassert inspect.isfunction(f)", "imports inspect"),
    ("assert eval('add(2, 3)') == add(2, 3)", "reaches for the module's names"),
    ("from math import *\nassert add(2, 3) == 5", r"imports \*"),
    ("add(2, 3)\nprint(add(2, 3))", "drops the result"),
    ("print(add(2, 3))", "asserts nothing"),
    ("if add(2, 3) != 5:\n    raise ValueError", "could be taken for a broken test"),
]
RIGHT, WRONG = "def add(a, b): return a + b", "def add(a, b): return a * b"


def fake_grader(items):
    """Judges by the text of the program."""
    found = {RIGHT: Verdict.ACCEPTED, WRONG: Verdict.WRONG_ANSWER}
    for _, program in items:
        yield Result(verdict=found.get(program, Verdict.UNGRADED), isolation=Isolation.FULL)


@pytest.mark.parametrize("reference", USABLE)
def test_a_clear_reference_tells_right_from_wrong(reference):
    problem = code_eval.problem(reference, "0")
    assert problem.entry_point == "add"
    assert grade(problem, RIGHT, Limits(cpu_s=5)).verdict is Verdict.ACCEPTED
    assert grade(problem, WRONG, Limits(cpu_s=5)).verdict is Verdict.WRONG_ANSWER


@pytest.mark.parametrize(("reference", "reason"), REFUSED)
def test_an_unclear_reference_is_refused(reference, reason):
    with pytest.raises(InputError, match=reason):
        code_eval.problem(reference, "0")


def test_an_error_of_one_reference_leaves_the_others_graded():
    found = grade_candidates([[RIGHT, WRONG], [RIGHT, RIGHT]], ["assert add(2, 3) == 5", "assert"], [1], fake_grader)
    assert (found["pass@1"], found["n_samples"], found["n_ungraded"]) == (0.5, 2, 2)
    assert len(found["errors"]) == 1 and "reference 1" in found["errors"][0]
    assert [result["passed"] for result in found["problems"][1]["results"]] == [None, None]


def test_a_k_beyond_the_candidates_is_left_out():
    found = grade_candidates([[RIGHT, WRONG], [WRONG]], ["assert add(2, 3) == 5"] * 2, [1, 2], fake_grader)
    assert found["pass@1"] == 0.25 and "pass@2" not in found
    assert found["intervals"]["pass@1"]["low"] == 0.0


def test_a_failing_instrument_is_no_wrong_answer():
    found = grade_candidates([[RIGHT, "?"], ["?", "?"]], ["assert add(2, 3) == 5"] * 2, [1, 2], fake_grader)
    assert (found["pass@1"], found["n_problems"]["pass@1"]) == (1.0, 1)
    assert (found["pass@2"], found["n_problems"]["pass@2"], found["n_ungraded"]) == (None, 0, 3)
    json.dumps(found)


def test_references_may_be_problems_as_json():
    broken = json.dumps({"id": "p", "tests": {"kind": "stdin"}})
    good = make_problem().model_dump_json()
    found = grade_candidates([[RIGHT], [RIGHT]], [good, broken], [1], fake_grader)
    assert found["pass@1"] == 1.0
    assert "reference 1: field" in found["errors"][0]


@pytest.mark.parametrize(("predictions", "k"), [([], 1), ([[]], 1), ([[RIGHT]], 0), ([[RIGHT]] * 2, 1)])
def test_bad_requests_are_errors(predictions, k):
    references = ["assert add(2, 3) == 5"] * min(len(predictions), 1)
    with pytest.raises(ValueError, match=r"no problems|k must|references"):
        grade_candidates(predictions, references, [k], fake_grader)


def test_evaluate_loads_the_module_from_its_folder_offline(tmp_path):
    pytest.importorskip("evaluate")
    code = f"""
import evaluate, json
module = evaluate.load("lcb_rb/metrics/pass_at_k/pass_at_k.py")
found = module.compute(predictions=[[{RIGHT!r}, {WRONG!r}]], references=["assert add(2, 3) == 5"], k=[1, 2])
print(json.dumps(found))
"""
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["pass@1"], found["pass@2"], found["n_ungraded"]) == (0.5, 1.0, 0)
    assert [result["verdict"] for result in found["problems"][0]["results"]] == ["ACCEPTED", "WRONG_ANSWER"]
