"""References of `evaluate`'s code_eval: mapped for sure, or refused with the reason; the candidates that they judge."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_problem
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
TEST = "assert add(2, 3) == 5"
NAN = float("nan")
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


def graded(predictions, references, k=None):
    return grade_candidates(predictions, references, k, grader=fake_grader)


def test_an_error_of_one_reference_leaves_the_others_graded():
    found, results = graded([[RIGHT, WRONG], [RIGHT, RIGHT]], [TEST, "assert"], [1])
    assert (found["pass@1"], found["n_samples"], found["n_ungraded"]) == (0.5, 2, 2)
    assert len(found["errors"]) == 1 and "reference 1" in found["errors"][0]
    assert [result["passed"] for _, result in results[1]] == [None, None]


def test_a_k_beyond_the_candidates_of_a_problem_names_it():
    known = make_problem("double").model_dump_json()
    with pytest.raises(ValueError, match=r"problem 1: pass@2 needs 2 candidates, there are 1; give more"):
        graded([[RIGHT, WRONG], [WRONG]], [TEST] * 2, [1, 2])
    with pytest.raises(ValueError, match=r"problem 1 \('double'\): pass@2 needs 2 candidates, there are 1"):
        graded([[RIGHT, WRONG], [WRONG]], [TEST, known], [2])


def test_a_k_too_large_is_refused_before_anything_runs():
    def never(items):
        raise AssertionError("a program was run")

    with pytest.raises(ValueError, match="needs 2 candidates"):
        grade_candidates([[RIGHT]], [TEST], [2], grader=never)


def test_without_k_those_of_the_default_that_fit_are_given():
    found, _ = graded([[RIGHT, WRONG] * 5, [WRONG] * 100], [TEST] * 2)
    assert [name for name in found if name.startswith("pass@")] == ["pass@1", "pass@10"]
    assert (found["pass@1"], found["pass@10"]) == (0.25, 0.5)
    assert found["intervals"]["pass@1"]["low"] == 0.0


def test_a_failing_instrument_is_no_wrong_answer():
    found, results = graded([[RIGHT, "?"], ["?", "?"]], [TEST] * 2, [1, 2])
    assert (found["pass@1"], found["n_problems"]["pass@1"], found["n_unscored"]["pass@1"]) == (1.0, 1, 1)
    assert (found["pass@2"], found["n_problems"]["pass@2"], found["n_unscored"]["pass@2"]) == (None, 0, 2)
    assert found["n_ungraded"] == 3
    assert [problem["pass@1"] for problem in found["problems"]] == [1.0, None]
    assert results[0][1][1]["result"] == "ungraded: UNGRADED"
    json.dumps([found, results])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.lists(st.sampled_from([RIGHT, WRONG, "?", None, NAN]), min_size=1, max_size=5), min_size=1, max_size=5)
)
def test_every_candidate_is_counted_once_and_a_missing_one_is_as_a_failing_instrument(predictions):
    found, results = graded(predictions, [TEST] * len(predictions), [1])
    assert found["n_samples"] + found["n_ungraded"] == sum(map(len, predictions))
    assert found["n_problems"]["pass@1"] + found["n_unscored"]["pass@1"] == len(predictions)
    words = {
        RIGHT: "passed",
        WRONG: "failed: WRONG_ANSWER",
        "?": "ungraded: UNGRADED",
        None: "ungraded: no candidate was given",
        NAN: "ungraded: no candidate was given",
    }
    assert [[words[program] for program in programs] for programs in predictions] == [
        [result["result"] for _, result in results[task]] for task in range(len(predictions))
    ]
    replaced = [[program if isinstance(program, str) else "?" for program in programs] for programs in predictions]
    assert graded(replaced, [TEST] * len(predictions), [1]).scores == found


@pytest.mark.parametrize("missing", [None, float("nan"), ""])
def test_a_missing_reference_leaves_its_candidates_ungraded(missing):
    found, _ = graded([[RIGHT], [RIGHT]], [TEST, missing], [1])
    assert (found["pass@1"], found["n_unscored"]["pass@1"]) == (1.0, 1)
    assert found["errors"] == ["reference 1: it is missing; give test code, or a problem as JSON"]


def test_references_may_be_problems_and_tests():
    broken = json.dumps({"id": "p", "tests": {"kind": "stdin"}})
    references = [make_problem(), make_problem().model_dump_json(), make_problem().tests.model_dump_json(), broken]
    found, _ = graded([[RIGHT]] * 4, references, [1])
    assert [problem["n"] for problem in found["problems"]] == [1, 1, 1, 0]
    assert [problem["problem_id"] for problem in found["problems"]] == ["p1", "p1", "2", "3"]
    assert len(found["errors"]) == 1 and "reference 3: field" in found["errors"][0]


@pytest.mark.parametrize(
    ("predictions", "k", "reason"),
    [
        ([], 1, "no problems"),
        ([[RIGHT], []], 1, "problem 1 has no candidates"),
        ([[RIGHT], None], 1, "problem 1 has no candidates"),
        ([[RIGHT]], 0, "k must be 1 or more"),
        ([[RIGHT]] * 3, 1, "candidates of 3 problems but 2 references"),
        ([RIGHT, RIGHT], 1, "problem 0: predictions must hold a list"),
        ([[RIGHT], [5]], 1, "problem 1: a candidate is a int"),
    ],
)
def test_bad_requests_are_errors(predictions, k, reason):
    with pytest.raises(ValueError, match=reason):
        graded(predictions, [TEST] * min(len(predictions), 2), [k])
