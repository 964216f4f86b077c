"""LiveCodeBench: result files (`*_eval_all.json`) and problem rows with public tests.

Source of the formats: https://github.com/LiveCodeBench/LiveCodeBench. Private tests are pickled there and never read.
"""

import re
from pathlib import Path
from typing import Any

from lcb_rb.parsing import parse_completion
from lcb_rb.reading import bare_name, parse_json
from lcb_rb.schema import CallTests, Problem, Sample, StdinTests
from lcb_rb.sources.records import Row

SOURCE = "livecodebench"


def is_result(row: Row) -> bool:
    """Returns whether the row is one problem of a result file."""
    return "question_id" in row.fields and bool({"output_list", "code_list", "graded_list"} & row.fields.keys())


def is_sample(row: Row) -> bool:
    """Returns whether the row holds samples: a problem of a result file, or one graded sample."""
    return is_result(row) or {"question_id", "output", "code", "passed"} <= row.fields.keys()


def is_problem(row: Row) -> bool:
    """Returns whether the row describes a LiveCodeBench problem."""
    return "question_id" in row.fields


def problem(row: Row) -> Problem:
    """Returns a problem with its public tests."""
    return _problem(row, _public_tests(row))


def problem_of_result(row: Row) -> Problem:
    """Returns the problem that a row of a result file describes; it has no tests."""
    return _problem(row, None)


def samples(row: Row) -> list[Sample]:
    """Returns the samples of one row of a result file.

    The code is the one that was graded; the reasoning is parsed from the completion. Sample ids are
    `question_id/file/index`, where `file` is the result file's name without `.eval_all.json`.
    """
    outputs, codes = row.strings("output_list"), row.strings("code_list")
    grades = row.typed("graded_list", list)
    if not len(outputs) == len(codes) == len(grades):
        what = f"{len(outputs)} outputs, {len(codes)} codes and {len(grades)} grades"
        raise row.error("graded_list", what, "the three lists must have one length")
    run, notes = _run_name(row.path), _notes(row, len(outputs))
    found = []
    for index, (output, code, grade) in enumerate(zip(outputs, codes, grades, strict=True)):
        if not isinstance(grade, bool):
            raise row.error("graded_list", f"item {index} is not true or false", "mend the record")
        parsed = parse_completion(output)
        sample = row.build(
            Sample,
            id=f"{row.text('question_id')}/{run}/{index}",
            problem_id=row.text("question_id"),
            model=re.sub(r"\.run\d+$", "", run),
            reasoning=parsed.reasoning,
            place=parsed.place,
            code=code,
            completion=output,
            passed=grade,
            metadata=notes[index],
        )
        found.append(sample)
    return found


def sample(row: Row) -> Sample:
    """Returns the sample of a row with question_id, model, sample (its number), output, code and passed.

    Raises:
        InputError: a field is missing or of the wrong type.
    """
    parsed = parse_completion(row.text("output"))
    return row.build(
        Sample,
        id=f"{row.text('question_id')}/{row.text('model')}/{row.typed('sample', int)}",
        problem_id=row.text("question_id"),
        model=row.text("model"),
        reasoning=parsed.reasoning,
        place=parsed.place,
        code=row.text("code"),
        completion=row.text("output"),
        passed=row.optional("passed", bool),
    )


def _problem(row: Row, tests: StdinTests | CallTests | None) -> Problem:
    return row.build(
        Problem,
        id=row.text("question_id"),
        source=SOURCE,
        statement=row.text("question_content"),
        starter_code=row.text("starter_code", default=""),
        tests=tests,
        difficulty=row.fields.get("difficulty"),
        platform=row.fields.get("platform"),
        date=row.day("contest_date"),
    )


def _public_tests(row: Row) -> StdinTests | CallTests | None:
    raw = row.fields.get("public_test_cases")
    cases = _from_json(row, "public_test_cases", raw) if isinstance(raw, str) else raw
    if not cases:
        return None
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise row.error("public_test_cases", "is not a list of objects", "mend the record")
    case_row = [Row(row.path, row.line, case) for case in cases]
    inputs = [case.text("input") for case in case_row]
    outputs = [case.text("output") for case in case_row]
    kinds = {case.text("testtype", default="stdin") for case in case_row}
    if kinds == {"stdin"}:
        return row.build(StdinTests, inputs=inputs, outputs=outputs)
    if kinds != {"functional"}:
        raise row.error("public_test_cases", f"has testtype {sorted(kinds)}", "all must be stdin, or all functional")
    return row.build(CallTests, fn_name=_function_name(row), inputs=inputs, outputs=outputs)


def _function_name(row: Row) -> str:
    raw = row.fields.get("metadata") or {}
    metadata = _from_json(row, "metadata", raw) if isinstance(raw, str) else raw
    if isinstance(metadata, dict) and isinstance(metadata.get("func_name"), str):
        return str(metadata["func_name"])
    names: list[str] = re.findall(r"def (\w+)\(", row.text("starter_code", default=""))
    if not names:
        raise row.error("starter_code", "names no function for the call tests", "add it or metadata.func_name")
    return names[-1]


def _from_json(row: Row, field: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise row.error(field, f"holds invalid JSON: {error}", "give the tests as JSON, not pickled") from error


def _notes(row: Row, count: int) -> list[dict[str, Any]]:
    """Returns the grader's metadata of each sample; files hold objects, JSON strings or nothing."""
    raw = row.fields.get("metadata")
    values = raw if isinstance(raw, list) and len(raw) == count else [None] * count
    return [_note(value) for value in values]


def _note(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            return {"note": value}
    return value if isinstance(value, dict) else {}


def _run_name(path: Path) -> str:
    name = re.sub(r"[._]?eval_all$", "", bare_name(path).removesuffix(".json").removesuffix(".jsonl"))
    return f"{path.parent.name}.{name}" if name.startswith("Scenario.") else name
