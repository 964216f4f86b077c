"""HumanEval, MBPP, EvalPlus and LeetCodeDataset: their rows become problems, the solutions for them samples."""

import datetime
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from factories import grade
from lcb_rb.errors import InputError
from lcb_rb.execution.worker import wire
from lcb_rb.schema import AssertTests, CallTests, Problem, UnittestTests
from lcb_rb.sources import read_problems, read_samples
from test_sources import DATA, PROBLEM, fault, needs_data, save
from test_sources_faults import anything, without

PROMPT = 'import math\n\n\ndef twice(x):\n    """Doubles x."""\n'
HUMANEVAL = {
    "task_id": "HumanEval/900",
    "prompt": PROMPT,
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}
HUMANEVAL_PLUS = {**HUMANEVAL, "contract": "", "base_input": [[2]], "plus_input": [[3], [0.5]], "atol": 0}
MBPP_PLUS = {
    "task_id": "Mbpp/9001",
    "prompt": '"""\nDouble x.\nassert twice(2) == 4\n"""\n',
    "entry_point": "twice",
    "canonical_solution": "\nimport math\ndef twice(x):\n    return 2 * x\n",
    "base_input": [[2]],
    "plus_input": [[3]],
    "contract": "",
    "assertion": "\nassert twice(2) == 4\nassert math.isclose(twice(2.5), 5.0)\n",
    "atol": 1e-4,
}
MBPP = {
    "text": "Double x.",
    "code": "import math\r\ndef helper(x):\r\n    return x\r\ndef twice(x):\r\n    return 2 * helper(x)",
    "task_id": 901,
    "test_setup_code": "",
    "test_list": ["assert twice(2) == 4", "assert twice('a\\n') == 'a\\na\\n'"],
    "challenge_test_list": ["assert twice(0) == 1"],
}
SANITIZED = {"prompt": "Double x.", "code": MBPP["code"], "task_id": 901, "test_imports": ["import math"]}
SANITIZED["test_list"] = ["assert math.isclose(twice(2), 4)"]
LEETCODE = {
    "task_id": "twice",
    "question_id": 12,
    "difficulty": "Easy",
    "tags": ["Math"],
    "problem_description": "Double x.",
    "starter_code": "class Solution:\n    def twice(self, x: int) -> int:\n        ",
    "estimated_date": "2024-08-04",
    "prompt": "from typing import *\n",
    "completion": "class Solution:\n    def twice(self, x: int) -> int:\n        return 2 * x\n",
    "entry_point": "Solution().twice",
    "test": "def check(candidate):\n    assert candidate(x = 2) == 4\n",
    "query": "Double x, please.",
    "response": "We add it.\n\n```python\nclass Solution:\n    def twice(self, x):\n        return x + x\n```",
}
ROWS = [HUMANEVAL, HUMANEVAL_PLUS, MBPP_PLUS, MBPP, SANITIZED, LEETCODE]


def read(tmp_path: Path, row: dict[str, Any], **options: Any) -> Problem:
    (problem,) = read_problems([save(tmp_path / "problems.jsonl", row)], **options).values()
    return problem


def values(tests: Any) -> list[list[Any]]:
    """The arguments of each test of kind call."""
    assert isinstance(tests, CallTests)
    found = [[json.loads(line) for line in given.split("\n")] for given in tests.inputs]
    return [[wire.decode(value) for value in given] for given in found] if tests.encoding == "wire" else found


def passes(problem: Problem) -> bool:
    """Whether the reference passes the check, each in a namespace of its own."""
    assert isinstance(problem.tests, AssertTests)
    solution: dict[str, Any] = {}
    test: dict[str, Any] = {}
    exec(problem.reference_solution or "", solution)
    exec(problem.prompt, test)
    exec(problem.tests.check, test)
    owner = solution["Solution"]() if "Solution" in solution else None
    test["check"](getattr(owner, problem.entry_point or "") if owner else solution[problem.entry_point or ""])
    return True


@pytest.mark.parametrize("row", ROWS, ids=["HumanEval", "HumanEval+", "MBPP+", "MBPP", "sanitized", "LeetCode"])
def test_the_reference_passes_the_base_tests(tmp_path: Path, row: dict[str, Any]) -> None:
    assert passes(read(tmp_path, row, tests="base"))


@pytest.mark.parametrize("row", ROWS, ids=["HumanEval", "HumanEval+", "MBPP+", "MBPP", "sanitized", "LeetCode"])
def test_a_problem_of_every_format_round_trips_as_our_own(tmp_path: Path, row: dict[str, Any]) -> None:
    problem = read(tmp_path, row)
    assert read(tmp_path / "own", problem.model_dump(mode="json")) == problem


# HumanEval


def test_a_humaneval_row_keeps_its_prompt_before_every_solution(tmp_path: Path) -> None:
    problem = read(tmp_path, HUMANEVAL)
    assert (problem.id, problem.source, problem.entry_point) == ("HumanEval/900", "humaneval", "twice")
    assert problem.prompt == problem.statement == PROMPT
    assert problem.reference_solution == PROMPT + "    return 2 * x\n"
    assert problem.tests == AssertTests(check=HUMANEVAL["test"])


# EvalPlus


def test_the_plus_suite_is_both_lists_of_inputs_against_the_reference(tmp_path: Path) -> None:
    tests = read(tmp_path, HUMANEVAL_PLUS).tests
    assert tests == CallTests(fn_name="twice", inputs=["2", "3", "0.5"], outputs=None, compare="evalplus")


def test_the_base_suite_of_humaneval_plus_is_its_check(tmp_path: Path) -> None:
    assert read(tmp_path, HUMANEVAL_PLUS, tests="base").tests == AssertTests(check=HUMANEVAL["test"])


def test_the_base_suite_of_mbpp_plus_imports_the_modules_that_it_uses(tmp_path: Path) -> None:
    tests = read(tmp_path, MBPP_PLUS, tests="base").tests
    assert isinstance(tests, AssertTests)
    assert tests.check.startswith("import math\n")


def test_an_empty_list_of_inputs_may_be_written_as_an_object(tmp_path: Path) -> None:
    assert values(read(tmp_path, {**MBPP_PLUS, "plus_input": {}}).tests) == [[2]]


def test_the_tolerance_of_a_problem_is_kept(tmp_path: Path) -> None:
    tests = read(tmp_path, MBPP_PLUS).tests
    assert isinstance(tests, CallTests)
    assert tests.atol == 1e-4


@pytest.mark.parametrize(
    ("row", "entry_point", "oracle"),
    [
        (HUMANEVAL_PLUS, "find_zero", "find-zero"),
        (MBPP_PLUS, "Diff", "same-set"),
        (MBPP_PLUS, "check_str", "not-none"),
        (MBPP_PLUS, "surface_Area", "surface-area"),
        (MBPP_PLUS, "find_zero", ""),
        (HUMANEVAL_PLUS, "Diff", ""),
    ],
)
def test_the_oracle_goes_with_the_entry_point(
    tmp_path: Path, row: dict[str, Any], entry_point: str, oracle: str
) -> None:
    tests = read(tmp_path, {**row, "entry_point": entry_point}).tests
    assert isinstance(tests, CallTests)
    assert tests.oracle == oracle


@pytest.mark.parametrize(
    ("number", "given", "found"),
    [
        (2, [[1, 2], [3]], [(1, 2), (3,)]),
        (63, [[[1, 2], [3, 4]]], [[(1, 2), (3, 4)]]),
        (259, [[[1, 2]], [[3, 4]]], [((1, 2),), ((3, 4),)]),
        (250, [[1, 2], 2], [(1, 2), 2]),
        (307, [[1, []], 2, 3], [(1, []), 2, 3]),
        (75, [[[1, 2]], 2], [[(1, 2)], 2]),
        (106, [[1], [2, 3]], [[1], (2, 3)]),
        (115, [[[1, 2], [], {}]], [[{1, 2}, {}, {}]]),
        (124, ["1", "2j"], [1.0, 2j]),
        (252, ["(1+2j)"], [1 + 2j]),
        (278, [[1, [2, [3]]]], [(1, (2, [3]))]),
        (580, [[1, [2, [3]]]], [(1, (2, (3,)))]),
        (722, [{"a": [1, 2]}, 3], [{"a": (1, 2)}, 3]),
    ],
)
def test_tasks_of_mbpp_get_the_types_that_json_has_not(
    tmp_path: Path, number: int, given: list[Any], found: list[Any]
) -> None:
    problem = read(tmp_path, {**MBPP_PLUS, "task_id": f"Mbpp/{number}", "base_input": [given], "plus_input": []})
    assert repr(values(problem.tests)) == repr([found])


def test_inputs_that_are_not_numbers_in_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**MBPP_PLUS, "plus_input": [[float("nan")], [float("-inf")]]}), encoding="utf-8")
    (problem,) = read_problems([path]).values()
    assert repr(values(problem.tests)) == "[[2], [nan], [-inf]]"


# MBPP


def test_an_mbpp_row_becomes_a_check_of_the_function_that_its_tests_call(tmp_path: Path) -> None:
    problem = read(tmp_path, MBPP)
    assert (problem.id, problem.source, problem.entry_point) == ("Mbpp/901", "mbpp", "twice")
    assert problem.statement.startswith("Double x.\n\nYour code must pass these tests:\nassert twice(2) == 4\n")
    assert problem.tests == AssertTests(
        check="def check(candidate):\n    twice = candidate\n    assert twice(2) == 4\n"
        "    assert twice('a\\n') == 'a\\na\\n'\n"
    )


def test_a_sanitized_row_brings_its_imports(tmp_path: Path) -> None:
    tests = read(tmp_path, SANITIZED).tests
    assert isinstance(tests, AssertTests)
    assert tests.check.startswith("import math\n\ndef check(candidate):\n")


def test_tests_that_build_objects_of_the_solution_share_its_interpreter(tmp_path: Path) -> None:
    code = "class Node:\n    value = 2\ndef twice(x):\n    return 2 * x.value\n"
    row = {**MBPP, "code": code, "test_setup_code": "root = Node()\r\n", "test_list": ["assert twice(root) == 4"]}
    tests = read(tmp_path, row).tests
    assert isinstance(tests, UnittestTests)
    namespace: dict[str, Any] = {}
    exec(code + tests.source, namespace)
    namespace["TestCases"]("test_0").debug()


# LeetCodeDataset


def test_a_leetcode_row_names_the_method_under_test(tmp_path: Path) -> None:
    problem = read(tmp_path, LEETCODE)
    assert (problem.id, problem.source, problem.entry_point) == ("twice", "leetcodedataset", "twice")
    assert (problem.statement, problem.starter_code) == (LEETCODE["problem_description"], LEETCODE["starter_code"])
    assert (problem.difficulty, problem.platform) == ("easy", "leetcode")
    assert problem.date == datetime.date(2024, 8, 4)
    assert problem.prompt == "from typing import *\n"


def test_a_leetcode_row_of_an_older_version_keeps_its_details_under_meta(tmp_path: Path) -> None:
    meta = {"question_id": 12, "difficulty": "Hard", "question_title": "Triple x.", "lang_code": "class Solution: ..."}
    new = ("question_id", "difficulty", "tags", "problem_description", "starter_code", "estimated_date")
    problem = read(tmp_path, {**{name: LEETCODE[name] for name in LEETCODE if name not in new}, "meta": meta})
    assert (problem.statement, problem.starter_code) == ("Triple x.", "class Solution: ...")
    assert (problem.difficulty, problem.date) == ("hard", None)


def test_a_leetcode_row_is_also_a_sample_with_its_problem(tmp_path: Path) -> None:
    found = read_samples([save(tmp_path / "a.jsonl", LEETCODE)])
    (sample,) = found.samples
    assert (sample.id, sample.problem_id, sample.model) == ("twice/response", "twice", "reference")
    assert sample.reasoning == "We add it."
    assert sample.code.endswith("return x + x\n")
    assert list(found.problems) == ["twice"]


def test_a_leetcode_row_without_a_response_gives_its_completion(tmp_path: Path) -> None:
    (sample,) = read_samples([save(tmp_path / "a.jsonl", {**LEETCODE, "response": ""})]).samples
    assert (sample.id, sample.code) == ("twice/completion", LEETCODE["completion"])


# Samples


def test_a_completion_continues_the_prompt_of_its_problem(tmp_path: Path) -> None:
    known = read_problems([save(tmp_path / "problems.jsonl", HUMANEVAL)])
    path = save(tmp_path / "m_t0.8.jsonl", {"task_id": "HumanEval/900", "completion": "    return x + x\n"})
    (sample,) = read_samples([path], known).samples
    assert sample.code == PROMPT + "    return x + x\n"
    assert (sample.problem_id, sample.model, sample.passed) == ("HumanEval/900", "m_t0.8", None)


def test_a_solution_stands_for_itself(tmp_path: Path) -> None:
    row = {"task_id": "HumanEval/900", "solution": "def twice(x): ...", "_identifier": "HumanEval/900 (line 1)"}
    (sample,) = read_samples([save(tmp_path / "a.jsonl", row)]).samples
    assert sample.code == "def twice(x): ..."
    assert sample.metadata == {"_identifier": "HumanEval/900 (line 1)"}


def test_stored_grades_and_models_are_kept_and_equal_samples_numbered(tmp_path: Path) -> None:
    row = {"task_id": 7, "solution": "x", "model": "m", "passed": True, "result": "passed"}
    samples = read_samples([save(tmp_path / "a.jsonl", row, row)]).samples
    assert [(sample.problem_id, sample.model, sample.passed) for sample in samples] == [("Mbpp/7", "m", True)] * 2
    assert samples[1].id == f"{samples[0].id}-2"


def test_a_solution_may_have_an_id(tmp_path: Path) -> None:
    rows = [{"id": name, "task_id": "HumanEval/900", "solution": "x"} for name in ("a", "b")]
    assert [sample.id for sample in read_samples([save(tmp_path / "a.jsonl", *rows)]).samples] == ["a", "b"]


def test_a_completion_without_its_problem_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jsonl", {"task_id": "HumanEval/900", "completion": "    return x\n"})
    assert fault(read_samples, path) == (
        ", line 1, field 'task_id': problem 'HumanEval/900' is not given, and a completion continues its prompt; "
        "add its file to --problems"
    )


# Faults


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (without(HUMANEVAL, "prompt"), "'prompt': is missing; add it: a string"),
        (without(HUMANEVAL, "test"), "'test': is missing; add it: a string"),
        ({**HUMANEVAL, "task_id": 5}, "'task_id': is int, not a string;"),
        ({**HUMANEVAL_PLUS, "base_input": "1"}, "'base_input': is str, not a list;"),
        ({**HUMANEVAL_PLUS, "base_input": [1]}, "'base_input': item 0 is not a list of arguments;"),
        ({**HUMANEVAL_PLUS, "plus_input": [[]]}, "'plus_input': item 0 is not a list of arguments;"),
        ({**HUMANEVAL_PLUS, "base_input": [], "plus_input": []}, "'CallTests': no tests;"),
        ({**HUMANEVAL_PLUS, "atol": "low"}, "'atol': Input should be a valid number"),
        ({**HUMANEVAL_PLUS, "atol": -1}, "'atol': Input should be greater than or equal to 0;"),
        (without(MBPP_PLUS, "canonical_solution"), "'canonical_solution': is missing;"),
        ({**MBPP_PLUS, "task_id": "Mbpp/2"}, "'base_input': the arguments are not those of Mbpp/2: 'int' object"),
        ({**MBPP_PLUS, "task_id": "Mbpp/252", "base_input": [["x"]]}, "'base_input': the arguments are not those of"),
        ({**MBPP, "task_id": "901"}, "'task_id': is str, not a whole number;"),
        (without(MBPP, "code"), "'code': is missing; add it: a string"),
        ({**MBPP, "code": "def twice(:"}, "'code': is not Python: invalid syntax"),
        ({**MBPP, "test_list": ["assert twice("]}, "'test_list': is not Python: '(' was never closed"),
        ({**MBPP, "test_list": ["twice(2)"]}, "'test_list': asserts nothing;"),
        ({**MBPP, "test_list": ["assert thrice(2)"]}, "'test_list': calls no function that the code defines;"),
        ({**MBPP, "test_list": [1]}, "'test_list': item 0 is int, not a string;"),
        ({**SANITIZED, "test_imports": "math"}, "'test_imports': is str, not a list;"),
        (
            {**LEETCODE, "entry_point": "Solution().a.b"},
            "'entry_point': is neither `Solution().method` nor a function;",
        ),
        ({**LEETCODE, "estimated_date": "soon"}, "'estimated_date': 'soon' is not a date;"),
        ({**LEETCODE, "meta": 1}, "'meta': is int, not an object;"),
        (
            {**PROBLEM, "tests": {"kind": "call", "fn_name": "f", "inputs": ["1"]}},
            "'tests.call.outputs': Field required",
        ),
        (
            {**PROBLEM, "tests": {"kind": "call", "fn_name": "f", "inputs": ["1"], "outputs": None}},
            "'Problem': tests without outputs need a reference_solution;",
        ),
    ],
)
def test_a_wrong_task_is_named_with_line_and_field(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    good = [{**HUMANEVAL, "task_id": "good"}, {**MBPP, "task_id": 1}]
    assert fault(read_problems, save(tmp_path / "a.jsonl", *good, row)).startswith(f", line 3, field {said}")


def test_a_row_of_another_format_may_not_hold_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**HUMANEVAL, "x": float("nan")}), encoding="utf-8")
    assert fault(read_problems, path).startswith(", line 1: invalid JSON: NaN is not a JSON value;")


@pytest.mark.parametrize("options", [{"oracle": "magic"}, {"oracle": "any"}, {"atol": 1e-6}, {"atol": float("nan")}])
def test_call_tests_with_rules_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CallTests(fn_name="f", inputs=["1"], outputs=["1"], **options)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ROWS), st.data())
def test_a_task_with_any_fields_is_read_or_refused_in_one_line(
    tmp_path: Path, row: dict[str, Any], data: st.DataObject
) -> None:
    fields = st.sampled_from(sorted({name for known in ROWS for name in known}))
    changed = {**row, **data.draw(st.dictionaries(fields, anything, max_size=3))}
    path = save(tmp_path / "a.jsonl", changed)
    for reader in (read_samples, read_problems):
        try:
            reader([path])
        except InputError as error:
            assert str(error).isprintable()


# Real files


@needs_data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "count", "kinds"),
    [
        ("HumanEvalPlus.jsonl.gz", 164, {"call": 164}),
        ("MbppPlus.jsonl.gz", 378, {"call": 378}),
        ("mbpp.jsonl.xz", 974, {"assert": 971, "unittest": 3}),
        ("sanitized-mbpp.json.xz", 427, {"assert": 427}),
        ("LeetCodeDataset-v0.2.0-train.jsonl.gz", 1890, {"assert": 1890}),
        ("LeetCodeDataset-v0.3.0-test.jsonl.gz", 386, {"assert": 386}),
        ("LeetCodeDataset-v0.3.1-test.jsonl.gz", 228, {"assert": 228}),
    ],
)
def test_every_problem_of_the_real_files_has_tests_and_a_reference(
    name: str, count: int, kinds: dict[str, int]
) -> None:
    problems = read_problems([DATA / "problems" / name])
    assert len(problems) == count
    assert Counter(problem.tests.kind for problem in problems.values() if problem.tests) == kinds
    for problem in problems.values():
        compile(problem.reference_solution or "", problem.id, "exec")
        compile(problem.prompt, problem.id, "exec")


@needs_data
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["HumanEvalPlus.jsonl.gz", "MbppPlus.jsonl.gz"])
def test_the_base_suites_of_the_real_evalplus_files_compile(name: str) -> None:
    for problem in read_problems([DATA / "problems" / name], "base").values():
        assert isinstance(problem.tests, AssertTests)
        compile(problem.tests.check, problem.id, "exec")


@needs_data
def test_the_published_solutions_of_leetcode_are_samples_with_code() -> None:
    found = read_samples([DATA / "problems" / "LeetCodeDataset-v0.3.1-test.jsonl.gz"])
    assert len(found.samples) == len(found.problems) == 228
    assert all(sample.code for sample in found.samples)


MAPCODER = {
    "benchmark": "HumanEval",
    "task_id": "HumanEval/1",
    "model": "m",
    "prompt": "\ndef f(x):\n    pass\n",
    "entry_point": "f",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    "reasoning": "Double it.",
    "code": "def f(x):\n    return 2 * x",
    "passed": True,
    "error": None,
}


def test_a_row_of_mapcoder_is_a_sample_with_its_problem(tmp_path):
    found = read_samples([save(tmp_path / "a.jsonl", MAPCODER)])
    (sample,), problem = found.samples, found.problems["HumanEval/1"]
    assert (sample.id, sample.reasoning, sample.passed, problem.source) == (
        "HumanEval/1/m",
        "Double it.",
        True,
        "humaneval",
    )
    assert grade(problem, sample.code).passed


def test_a_graded_livecodebench_sample_is_read(tmp_path):
    row = {"question_id": "q", "model": "m", "sample": 3, "output": "Think.\n```python\nx = 1\n```", "code": "x = 1"}
    (sample,) = read_samples([save(tmp_path / "a.jsonl", {**row, "passed": False})]).samples
    assert (sample.id, sample.reasoning, sample.code, sample.passed) == ("q/m/3", "Think.", "x = 1", False)
