"""LiveCodeBench files and our own JSONL become the same records, or one error that names the place."""

import datetime
import gzip
import json
import lzma
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import SHARED_DATA
from lcb_rb.errors import InputError
from lcb_rb.schema import AssertTests, CallTests, StdinTests
from lcb_rb.sources import STARTER, read_problems, read_samples

needs_data = pytest.mark.skipif(SHARED_DATA is None, reason="no real data")
DATA = SHARED_DATA or Path()

OUTPUT = "We double it.\n\n```python\nprint(2 * int(input()))\n```"
TESTS = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}, {"input": "4\n", "output": "8\n"}]
CALLS = [{"input": "[1, 2]\n3", "output": "true", "testtype": "functional"}]
STARTER_CODE = (
    "class Solution:\n    def helper(self): ...\n    def solve(self, a: list[int], k: int) -> bool:\n        "
)
PROBLEM = {"id": "p", "source": "handmade", "statement": "Double it."}
SAMPLE = {"problem_id": "p", "model": "m", "reasoning": "We double it.", "code": "print(2)"}


def result(**fields: Any) -> dict[str, Any]:
    """One problem of a LiveCodeBench result file, with one sample."""
    known = {
        "question_id": "q1",
        "question_content": "Double the number.",
        "output_list": [OUTPUT],
        "code_list": ["print(2 * int(input()))"],
        "graded_list": [True],
        "difficulty": "easy",
        "platform": "atcoder",
        "contest_date": "2024-12-01T18:30:00",
        "starter_code": "",
    }
    return {**known, **fields}


def question(**fields: Any) -> dict[str, Any]:
    """One LiveCodeBench problem row."""
    known = {"question_id": "q1", "question_content": "Double the number.", "public_test_cases": TESTS}
    return {**known, **fields}


def save(path: Path, *rows: dict[str, Any]) -> Path:
    """JSON Lines, or one list where the name ends in .json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(json.dumps(rows) if path.suffix == ".json" else lines, encoding="utf-8")
    return path


def zst(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


def fault(read: Callable[[list[Path]], object], path: Path) -> str:
    """The error of reading one file, without its path."""
    with pytest.raises(InputError) as raised:
        read([path])
    return str(raised.value).removeprefix(str(path))


# LiveCodeBench result files


def test_a_result_keeps_the_graded_code_and_the_parsed_reasoning(tmp_path: Path) -> None:
    path = save(tmp_path / "M.run0.eval_all.json", result(code_list=["cut"]))
    (sample,) = read_samples([path]).samples
    assert (sample.code, sample.reasoning, sample.place, sample.completion) == (
        "cut",
        "We double it.",
        "before",
        OUTPUT,
    )


def test_every_sample_of_a_result_keeps_its_own_output_code_grade_and_note(tmp_path: Path) -> None:
    outputs, codes = ["think a", "think b", "think c"], ["a()", "b()", "c()"]
    notes = ['{"error_code": -2}', {"error_code": -1}, "plain words"]
    row = result(output_list=outputs, code_list=codes, graded_list=[True, False, True], metadata=notes)
    samples = read_samples([save(tmp_path / "M.eval_all.json", row)]).samples
    assert [(s.completion, s.code, s.passed) for s in samples] == list(
        zip(outputs, codes, [True, False, True], strict=True)
    )
    assert [s.metadata for s in samples] == [{"error_code": -2}, {"error_code": -1}, {"note": "plain words"}]


@pytest.mark.parametrize("metadata", [None, [], {}, "x", [None], ["[" * 100_000], ['{"a": NaN}'], [7]])
def test_a_note_that_cannot_be_read_is_no_fault(tmp_path: Path, metadata: object) -> None:
    (sample,) = read_samples([save(tmp_path / "a.json", result(metadata=metadata))]).samples
    assert sample.metadata.keys() <= {"note"}


@pytest.mark.parametrize(
    ("name", "sample_id", "model"),
    [
        ("Llama-4.run3.eval_all.json", "q1/Llama-4.run3/0", "Llama-4"),
        ("Llama-4.run12.eval_all.jsonl", "q1/Llama-4.run12/0", "Llama-4"),
        ("v6-n10.Qwen2.5-7B_eval_all.json", "q1/v6-n10.Qwen2.5-7B/0", "v6-n10.Qwen2.5-7B"),
        ("GPT-5/Scenario.codegeneration_10_0.2_eval_all.json", None, "GPT-5.Scenario.codegeneration_10_0.2"),
    ],
)
def test_ids_and_models_come_from_the_file_name(tmp_path: Path, name: str, sample_id: str | None, model: str) -> None:
    (sample,) = read_samples([save(tmp_path / name, result())]).samples
    assert (sample.id, sample.problem_id, sample.model) == (sample_id or f"q1/{model}/0", "q1", model)


def test_a_packed_result_file_gives_the_ids_of_the_plain_one(tmp_path: Path) -> None:
    plain = save(tmp_path / "M.run0.eval_all.json", result())
    packed = tmp_path / "M.run0.eval_all.json.zst"
    packed.write_bytes(zst(plain.read_bytes()))
    assert read_samples([packed]).samples == read_samples([plain]).samples


def test_the_problem_of_a_result_has_no_tests_but_all_else(tmp_path: Path) -> None:
    problem = read_samples([save(tmp_path / "a.json", result(starter_code=STARTER_CODE))]).problems["q1"]
    assert (problem.tests, problem.starter_code, problem.source) == (None, STARTER_CODE, "livecodebench")
    assert (problem.statement, problem.difficulty, problem.platform) == ("Double the number.", "easy", "atcoder")


@pytest.mark.parametrize("date", ["2024-12-01", "2024-12-01T18:30:00", "2024-12-01T18:30:00.5Z", "20241201"])
def test_the_day_of_a_contest_is_read_from_any_iso_form(tmp_path: Path, date: str) -> None:
    path = save(tmp_path / "a.json", result(contest_date=date))
    assert read_samples([path]).problems["q1"].date == datetime.date(2024, 12, 1)


@pytest.mark.parametrize("date", [None, ""])
def test_a_contest_may_have_no_date(tmp_path: Path, date: str | None) -> None:
    assert read_samples([save(tmp_path / "a.json", result(contest_date=date))]).problems["q1"].date is None


def test_the_order_and_form_of_the_files_do_not_matter(tmp_path: Path) -> None:
    rows = [result(question_id=f"q{i}") for i in range(5)]
    listed, lines = save(tmp_path / "a.json", *rows[::-1]), save(tmp_path / "b.jsonl", *rows)
    assert read_samples([listed, lines]) == read_samples([lines, listed])


def test_the_samples_of_each_file_are_counted(tmp_path: Path) -> None:
    three = result(question_id="q2", output_list=["a"] * 3, code_list=["b"] * 3, graded_list=[True] * 3)
    listed, lines = save(tmp_path / "a.json", result(), three), save(tmp_path / "b.jsonl", SAMPLE)
    assert read_samples([listed, lines]).files == {"a.json": 4, "b.jsonl": 1}


# LiveCodeBench problem rows


@pytest.mark.parametrize("form", [json.dumps, lambda tests: tests])
def test_public_tests_may_be_a_list_or_a_json_text(tmp_path: Path, form: Callable[[object], object]) -> None:
    path = save(tmp_path / "a.jsonl", question(public_test_cases=form(TESTS)))
    assert read_problems([path])["q1"].tests == StdinTests(inputs=["1\n", "4\n"], outputs=["2\n", "8\n"])


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"func_name": "solve"}},
        {"metadata": '{"func_name": "solve"}', "starter_code": "def other(x): ..."},
        {"starter_code": STARTER_CODE, "metadata": "{}"},
        {"starter_code": STARTER_CODE, "metadata": None},
    ],
)
def test_the_function_of_call_tests_is_named_by_metadata_or_starter_code(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    path = save(tmp_path / "a.jsonl", question(public_test_cases=CALLS, **fields))
    assert read_problems([path])["q1"].tests == CallTests(fn_name="solve", inputs=["[1, 2]\n3"], outputs=["true"])


@pytest.mark.parametrize("tests", [None, [], "[]"])
def test_a_problem_may_have_no_public_tests(tmp_path: Path, tests: object) -> None:
    assert read_problems([save(tmp_path / "a.jsonl", question(public_test_cases=tests))])["q1"].tests is None


def test_private_tests_are_never_unpickled(tmp_path: Path) -> None:
    private = "gASVHwAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjARleGl0lIWUUpQu"
    path = save(tmp_path / "a.jsonl", question(private_test_cases=private))
    assert read_problems([path])["q1"].tests == StdinTests(inputs=["1\n", "4\n"], outputs=["2\n", "8\n"])


# Our own JSONL


@pytest.mark.parametrize("pack", [None, gzip.compress, lzma.compress, zst], ids=["", ".gz", ".xz", ".zst"])
def test_our_own_lines_are_read_however_they_are_packed(
    tmp_path: Path, pack: Callable[[bytes], bytes] | None, request: pytest.FixtureRequest
) -> None:
    path = save(tmp_path / "s.jsonl", {**SAMPLE, "id": "b"}, {**SAMPLE, "id": "a"})
    if pack:
        path = tmp_path / f"s.jsonl{request.node.callspec.id}"
        path.write_bytes(pack((tmp_path / "s.jsonl").read_bytes()))
    assert [sample.id for sample in read_samples([path]).samples] == ["a", "b"]


def test_a_completion_is_parsed(tmp_path: Path) -> None:
    row = {"problem_id": "p", "model": "m", "completion": OUTPUT}
    (sample,) = read_samples([save(tmp_path / "s.jsonl", row)]).samples
    assert (sample.reasoning, sample.code) == ("We double it.", "print(2 * int(input()))\n")


def test_reasoning_and_code_are_taken_as_they_are(tmp_path: Path) -> None:
    row = {**SAMPLE, "reasoning": " <think>```python\n", "code": "\n\tx "}
    (sample,) = read_samples([save(tmp_path / "s.jsonl", row)]).samples
    assert (sample.reasoning, sample.code, sample.completion) == (" <think>```python\n", "\n\tx ", None)


@pytest.mark.parametrize("passed", [True, False, None])
def test_a_stored_grade_is_kept(tmp_path: Path, passed: bool | None) -> None:
    (sample,) = read_samples([save(tmp_path / "s.jsonl", {**SAMPLE, "passed": passed})]).samples
    assert sample.passed is passed


def test_a_sample_without_an_id_gets_the_same_one_wherever_it_stands(tmp_path: Path) -> None:
    first = save(tmp_path / "a.jsonl", SAMPLE, {**SAMPLE, "model": "n"})
    second = save(tmp_path / "b.jsonl", {**SAMPLE, "model": "n"}, {**SAMPLE, "id": None})
    assert read_samples([first]).samples == read_samples([second]).samples


@pytest.mark.parametrize("field", ["problem_id", "model", "reasoning", "code"])
def test_samples_that_differ_get_different_ids(tmp_path: Path, field: str) -> None:
    path = save(tmp_path / "a.jsonl", SAMPLE, {**SAMPLE, field: "other"})
    assert len(read_samples([path]).samples) == 2


def test_a_problem_keeps_all_its_fields(tmp_path: Path) -> None:
    tests = {"kind": "assert", "check": "def check(candidate): assert candidate(1) == 2"}
    row = {**PROBLEM, "tests": tests, "entry_point": "f", "prompt": "import math\n", "date": "2024-12-01"}
    problem = read_problems([save(tmp_path / "p.jsonl", row)])["p"]
    assert problem.tests == AssertTests(check=tests["check"])
    assert (problem.entry_point, problem.prompt, problem.date) == ("f", "import math\n", datetime.date(2024, 12, 1))


def test_the_name_starter_stands_for_the_embedded_set() -> None:
    problems, samples = read_problems([Path(STARTER)]), read_samples([Path(STARTER)]).samples
    assert {sample.problem_id for sample in samples} == problems.keys()


def test_a_file_called_starter_comes_before_the_embedded_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / STARTER, PROBLEM)
    monkeypatch.chdir(tmp_path)
    assert list(read_problems([Path(STARTER)])) == ["p"]


# Laws and real files


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(), st.text(), st.booleans()), min_size=1, max_size=5))
def test_a_result_gives_back_every_output_code_and_grade(tmp_path: Path, drawn: list[tuple[str, str, bool]]) -> None:
    outputs, codes, grades = (list(column) for column in zip(*drawn, strict=True))
    path = save(tmp_path / "a.json", result(output_list=outputs, code_list=codes, graded_list=grades))
    found = sorted(read_samples([path]).samples, key=lambda sample: int(sample.id.rsplit("/", 1)[1]))
    assert [(sample.completion, sample.code, sample.passed) for sample in found] == drawn


@needs_data
def test_the_real_runs_of_llama_4_have_the_counts_of_their_readme() -> None:
    found = read_samples(sorted(DATA.glob("generations/lcb/Llama-4-*.json.gz")))
    assert (len(found.samples), len(found.problems)) == (9 * 166, 166)
    assert Counter(problem.difficulty for problem in found.problems.values()) == {"easy": 41, "medium": 53, "hard": 72}
    days = [problem.date for problem in found.problems.values() if problem.date]
    assert (len(days), min(days), max(days)) == (166, datetime.date(2024, 10, 5), datetime.date(2025, 1, 4))


@needs_data
def test_every_real_stored_grade_is_kept() -> None:
    files = sorted(DATA.glob("generations/lcb/*.json.gz"))
    rows = [row for file in files for row in json.loads(gzip.decompress(file.read_bytes()))]
    stored = Counter((row["question_id"], grade) for row in rows for grade in row["graded_list"])
    assert Counter((sample.problem_id, sample.passed) for sample in read_samples(files).samples) == stored


@needs_data
def test_the_real_files_with_ten_samples_a_problem_are_read() -> None:
    found = read_samples(sorted(DATA.glob("generations/lcb/v6-n10.*.json.gz")))
    assert set(Counter((s.problem_id, s.model) for s in found.samples).values()) == {10}
    assert len(found.problems) == 175


@needs_data
def test_the_public_tests_of_all_real_problems_are_read() -> None:
    problems = read_problems([DATA / "problems" / "lcb_problems_public_tests.jsonl.xz"])
    kinds = Counter(problem.tests.kind if problem.tests else None for problem in problems.values())
    assert kinds == {"stdin": 610, "call": 444, None: 1}


def test_equal_samples_without_ids_are_all_kept(tmp_path):
    row = json.dumps({"problem_id": "p", "model": "m", "reasoning": "r", "code": "c"})
    (tmp_path / "s.jsonl").write_text(f"{row}\n{row}\n{row}\n", encoding="utf-8")
    ids = [sample.id for sample in read_samples([tmp_path / "s.jsonl"]).samples]
    assert len(ids) == len(set(ids)) == 3


def test_a_problem_described_in_two_ways_is_refused(tmp_path):
    row = {"question_id": "q", "output_list": ["o"], "code_list": ["c"], "graded_list": [True]}
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps([{**row, "question_content": name}]), encoding="utf-8")
    with pytest.raises(InputError, match="described otherwise"):
        read_samples([tmp_path / "a.json", tmp_path / "b.json"])
