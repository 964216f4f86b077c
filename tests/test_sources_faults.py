"""Wrong records are refused with file, line and field; anything else than `InputError` is a bug."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcb_rb.errors import InputError
from lcb_rb.sources import read_problems, read_samples
from test_sources import CALLS, PROBLEM, SAMPLE, TESTS, fault, question, result, save

DEEP = "[" * 100_000


def without(row: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != field}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (without(result(), "graded_list"), "'graded_list': is missing; add it: a list"),
        (without(result(), "code_list"), "'code_list': is missing; add it: a list"),
        (without(result(), "output_list"), "'output_list': is missing; add it: a list"),
        (without(result(), "question_content"), "'question_content': is missing; add it: a string"),
        (result(graded_list=[True, False]), "'graded_list': 1 outputs, 1 codes and 2 grades;"),
        (result(code_list=[]), "'graded_list': 1 outputs, 0 codes and 1 grades;"),
        (result(output_list=None), "'output_list': is null, not a list;"),
        (result(output_list="text"), "'output_list': is str, not a list;"),
        (result(output_list=[None]), "'output_list': item 0 is null, not a string;"),
        (result(code_list=[["x"]]), "'code_list': item 0 is list, not a string;"),
        (result(graded_list=["True"]), "'graded_list': item 0 is not true or false;"),
        (result(graded_list=[1]), "'graded_list': item 0 is not true or false;"),
        (result(graded_list=[None]), "'graded_list': item 0 is not true or false;"),
        (result(question_id=5), "'question_id': is int, not a string;"),
        (result(question_id=None), "'question_id': is null, not a string;"),
        (result(question_content=None), "'question_content': is null, not a string;"),
        (result(difficulty=3), "'difficulty': Input should be a valid string;"),
        (result(platform=["atcoder"]), "'platform': Input should be a valid string;"),
        (result(starter_code=4), "'starter_code': is int, not a string;"),
        (result(contest_date="yesterday"), "'contest_date': 'yesterday' is not a date; write it as 2025-01-31"),
        (result(contest_date="2024-13-01"), "'contest_date': '2024-13-01' is not a date;"),
        (result(contest_date=20241201), "'contest_date': is int, not a string;"),
        (without(SAMPLE, "model"), "'model': is missing; add it: a string"),
        (without(SAMPLE, "problem_id"), "'problem_id': is missing; add it: a string"),
        (without(SAMPLE, "code"), "'code': is missing; add it: a string"),
        ({}, "'reasoning': is missing; add it: a string"),
        ({**SAMPLE, "completion": "x"}, "'completion': stands beside reasoning or code; give one form only"),
        ({**SAMPLE, "pased": True}, "'pased': is not a field of a sample; known are code, completion, id,"),
        ({**SAMPLE, "id": ""}, "'id': String should have at least 1 character;"),
        ({**SAMPLE, "id": 7}, "'id': is int, not a string;"),
        ({**SAMPLE, "passed": "yes"}, "'passed': is str, not true or false;"),
        ({**SAMPLE, "passed": 1}, "'passed': is int, not true or false;"),
        ({**SAMPLE, "metadata": 0}, "'metadata': is int, not an object;"),
        ({**SAMPLE, "metadata": []}, "'metadata': is list, not an object;"),
        ({**SAMPLE, "code": None}, "'code': is null, not a string;"),
    ],
)
def test_a_wrong_sample_is_named_with_line_and_field(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    good = [result(question_id="good"), {**SAMPLE, "id": "good"}]
    assert fault(read_samples, save(tmp_path / "a.jsonl", *good, row)).startswith(f", line 3, field {said}")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (without(PROBLEM, "id"), "'id': is missing; add it: a string"),
        (without(PROBLEM, "source"), "'source': is missing; add it: a string"),
        (without(PROBLEM, "statement"), "'statement': is missing; add it: a string"),
        ({**PROBLEM, "statement": 1}, "'statement': is int, not a string;"),
        ({**PROBLEM, "titel": "x"}, "'titel': Extra inputs are not permitted;"),
        ({**PROBLEM, "date": "soon"}, "'date': 'soon' is not a date; write it as 2025-01-31"),
        ({**PROBLEM, "date": 0}, "'date': is int, not a string;"),
        ({**PROBLEM, "date": "1700006400"}, "'date': '1700006400' is not a date;"),
        ({**PROBLEM, "reference_solution": 1}, "'reference_solution': Input should be a valid string;"),
        ({**PROBLEM, "tests": []}, "'tests': "),
        ({**PROBLEM, "tests": {}}, "'tests': "),
        ({**PROBLEM, "tests": {"kind": "magic"}}, "'tests': Input tag 'magic' found using 'kind' does not match"),
        ({**PROBLEM, "tests": {"kind": "stdin", "inputs": ["1"], "outputs": []}}, "'tests.stdin': 1 inputs but 0 "),
        ({**PROBLEM, "tests": {"kind": "stdin", "inputs": [], "outputs": []}}, "'tests.stdin': no tests;"),
        ({**PROBLEM, "tests": {"kind": "stdin", "inputs": [1], "outputs": [""]}}, "'tests.stdin.inputs.0': "),
        ({**PROBLEM, "tests": {"kind": "call", "inputs": ["1"], "outputs": ["1"]}}, "'tests.call.fn_name': Field "),
        (question(question_id=1), "'question_id': is int, not a string;"),
        (question(public_test_cases="gASVHwAAAA"), "'public_test_cases': holds invalid JSON:"),
        (question(public_test_cases=DEEP), "'public_test_cases': holds invalid JSON: nested too deeply;"),
        (question(public_test_cases="[NaN]"), "'public_test_cases': holds invalid JSON: NaN is not a JSON value;"),
        (question(public_test_cases=r'["\ud800"]'), r"'public_test_cases': holds invalid JSON: '\ud800' is half"),
        (question(public_test_cases=[1]), "'public_test_cases': is not a list of objects;"),
        (question(public_test_cases={"input": "1"}), "'public_test_cases': is not a list of objects;"),
        (question(public_test_cases=[{"input": "1"}]), "'output': is missing; add it: a string"),
        (question(public_test_cases=[{"input": 1, "output": "2"}]), "'input': is int, not a string;"),
        (question(public_test_cases=[*TESTS, *CALLS]), "'public_test_cases': has testtype ['functional', 'stdin'];"),
        (question(public_test_cases=[{**CALLS[0], "testtype": "gui"}]), "'public_test_cases': has testtype ['gui'];"),
        (question(public_test_cases=CALLS), "'starter_code': names no function for the call tests;"),
        (question(public_test_cases=CALLS, metadata="{bad"), "'metadata': holds invalid JSON:"),
    ],
)
def test_a_wrong_problem_is_named_with_line_and_field(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    good = [question(question_id="good"), {**PROBLEM, "id": "better"}]
    assert fault(read_problems, save(tmp_path / "a.jsonl", *good, row)).startswith(f", line 3, field {said}")


@pytest.mark.parametrize("rows", [[result(), result()], [{**SAMPLE, "id": "s"}, {**SAMPLE, "id": "s", "code": "x"}]])
def test_a_sample_that_comes_twice_is_named(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    assert "comes twice; keep one of them" in fault(read_samples, save(tmp_path / "a.jsonl", *rows))


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", result())
    with pytest.raises(InputError, match="sample 'q1/a/0' comes twice"):
        read_samples([path, path])


def test_two_result_files_of_one_name_are_refused(tmp_path: Path) -> None:
    paths = [save(tmp_path / run / "a.json", result()) for run in ("run0", "run1")]
    with pytest.raises(InputError, match="or rename the file"):
        read_samples(paths)


def test_a_problem_that_comes_twice_is_named(tmp_path: Path) -> None:
    assert ", line 2, field 'id': problem 'p' comes twice;" in fault(
        read_problems, save(tmp_path / "a.jsonl", PROBLEM, PROBLEM)
    )


@pytest.mark.parametrize("read", [read_samples, read_problems])
def test_no_file_at_all_is_refused(read: Any) -> None:
    with pytest.raises(InputError, match="no file given"):
        read([])


anything = st.recursive(
    st.sampled_from([None, True, 0, 1.5, "", "x", "2024-12-01", "[]", "{}", '[{"input": "1"}]', "stdin", "functional"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["input", "output", "kind"]), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([result(), question(), SAMPLE, PROBLEM]), st.data())
def test_a_record_with_any_fields_is_read_or_refused_in_one_line(
    tmp_path: Path, row: dict[str, Any], data: st.DataObject
) -> None:
    fields = st.sampled_from([*result(), *question(), *SAMPLE, *PROBLEM, "metadata", "passed", "tests", "date", "new"])
    changed = {**row, **data.draw(st.dictionaries(fields, anything, max_size=3))}
    (tmp_path / "a.jsonl").write_text(json.dumps(changed), encoding="utf-8")
    for read in (read_samples, read_problems):
        try:
            read([tmp_path / "a.jsonl"])
        except InputError as error:
            assert str(error).isprintable()
