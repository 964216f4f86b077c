"""`recode build lcb-rb` on bad input: exit code 2, one line on stderr, nothing on stdout, nothing written.

The cases of issue 2 run in a process of their own, the others in this one through the same `main`.
"""

import gzip
import hashlib
import io
import json
import lzma
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import recode
from factories import LONG, run_recode


def text(name: str) -> str:
    """A reasoning like no other, of the same form as all others."""
    letters = str.maketrans("0123456789", "ghijklmnop")
    return " ".join(hashlib.sha256(f"{name}/{i}".encode()).hexdigest()[:6].translate(letters) for i in range(40)) + "."


def result(question_id: str = "q1", **fields: Any) -> dict[str, Any]:
    """A problem of a LiveCodeBench result file from whose two samples one pair can be built."""
    known = {
        "question_id": question_id,
        "question_content": "Double the number.",
        "output_list": [text(f"{question_id}/right"), text(f"{question_id}/wrong")],
        "code_list": ["print(2 * int(input()))", "print(int(input()) ** 2)"],
        "graded_list": [True, False],
        "contest_date": "2024-12-01T18:30:00",
    }
    return {**known, **fields}


GOOD = [result(f"q{index}") for index in range(20)]
SAMPLE = {"id": "s", "problem_id": "p", "model": "m", "reasoning": LONG, "code": "x", "passed": True}


def listed(*rows: object) -> bytes:
    return json.dumps(rows).encode()


def lines(*rows: object, end: str = "\n") -> bytes:
    return "".join(json.dumps(row) + end for row in rows).encode()


def on_line_17(bad: str) -> bytes:
    good = [json.dumps(row) for row in GOOD]
    return "\n".join([*good[:16], bad, *good[16:]]).encode()


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in result().items() if name != field}


def entries(directory: Path) -> set[tuple[str, int]]:
    """Every file and directory below, with its size."""
    return {(str(path.relative_to(directory)), path.lstat().st_size) for path in directory.rglob("*")}


def run_here(*arguments: str | Path) -> tuple[int | None, str, str]:
    """Runs the command in this process and returns exit code, stdout and stderr; None is the code of success."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["recode", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            recode.main()
    return stopped.value.code, out.getvalue(), err.getvalue()


def refusal(directory: Path, *arguments: str | Path) -> str:
    """Runs the command in this process, checks that it refuses and writes nothing, and returns its one line."""
    before = entries(directory)
    code, out, err = run_here(*arguments)
    assert (code, out, err.count("\n"), err[-1:]) == (2, "", 1, "\n"), err
    assert entries(directory) == before
    return err


ISSUE = {
    "an empty file": ("a.json", b"", "is empty"),
    "a truncated gzip": ("a.json.gz", gzip.compress(listed(*GOOD))[:-20], "cannot be read: Compressed file ended"),
    "a truncated xz": ("a.json.xz", lzma.compress(listed(*GOOD))[:-20], "cannot be read: Compressed file ended"),
    "a truncated zst": ("a.json.zst", pa.compress(listed(*GOOD), "zstd", asbytes=True)[:-20], "cannot be read: Trunc"),
    "invalid JSON on line 17": ("a.jsonl", on_line_17('{"question_id": }'), "a.jsonl, line 17: invalid JSON:"),
    "no graded_list": ("a.json", listed(without("graded_list")), "line 1, field 'graded_list': is missing; add it"),
    "lists of different length": ("a.json", listed(result(graded_list=[True])), "2 outputs, 2 codes and 1 grades"),
    "NaN": ("a.jsonl", on_line_17('{"question_id": NaN}'), "line 17: invalid JSON: NaN is not a JSON value"),
    "50 MB on one line": (
        "a.json",
        listed(result(output_list=["x" * 50_000_000] * 2)),
        "line 1: is longer than 32 MiB",
    ),
    "non-UTF-8 bytes": ("a.jsonl", on_line_17("{}").replace(b"{}", b'{"a": "\xe9"}'), "line 17: is not UTF-8 (byte 7)"),
    "duplicate ids": ("a.json", listed(result(), result()), "sample 'q1/a/0' comes twice; keep one of them"),
    "a directory": ("", None, "is a directory; name the files in it"),
    "a missing file": ("missing.json", None, "missing.json: does not exist; check the path"),
}


@pytest.mark.parametrize("case", list(ISSUE))
def test_the_bad_inputs_of_the_issue_are_refused_by_the_real_command(tmp_path: Path, case: str) -> None:
    name, data, said = ISSUE[case]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    before = entries(tmp_path)
    done = run_recode("build", "lcb-rb", "--samples", tmp_path / name, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("recode: ")
    assert said in done.stderr
    assert entries(tmp_path) == before


def test_the_good_twin_of_the_bad_inputs_is_built(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(listed(*GOOD))
    done = run_recode("build", "lcb-rb", "--samples", tmp_path / "a.json", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pairs"] == 20


FILES = {
    "lone surrogate in the output": ("a.json", listed(result(output_list=["\ud800", ""])), r"'\ud800' is half a char"),
    "lone surrogate in the id": ("a.jsonl", lines({**SAMPLE, "id": "\udc00"}), r"'\udc00' is half a character"),
    "lone surrogate in a name": ("a.jsonl", lines({**SAMPLE, "\ud800": 1}), r"'\ud800' is half a character"),
    "deeply nested list": ("a.json", b"[" * 100_000, "nested too deeply"),
    "deeply nested object": ("a.jsonl", b'{"a":' * 100_000, "nested too deeply"),
    "deep list in a list": ("a.json", b'[{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}]", "nested too deeply"),
    "grades as strings": ("a.json", listed(result(graded_list=["True", "False"])), "item 0 is not true or false"),
    "grades as numbers": ("a.json", listed(result(graded_list=[1, 0])), "item 0 is not true or false"),
    "grades that are null": ("a.json", listed(result(graded_list=[None, None])), "item 0 is not true or false"),
    "a number as id": ("a.json", listed(result(question_id=7)), "'question_id': is int, not a string"),
    "a number as model": ("a.jsonl", lines({**SAMPLE, "model": 4}), "'model': is int, not a string"),
    "a string as grade": ("a.jsonl", lines({**SAMPLE, "passed": "yes"}), "'passed': is str, not true or false"),
    "null outputs": ("a.json", listed(result(output_list=None)), "'output_list': is null, not a list"),
    "a null output": ("a.json", listed(result(output_list=[None, ""])), "'output_list': item 0 is null"),
    "null statement": ("a.json", listed(result(question_content=None)), "'question_content': is null"),
    "null reasoning": ("a.jsonl", lines({**SAMPLE, "reasoning": None}), "'reasoning': is null, not a string"),
    "empty id": ("a.jsonl", lines({**SAMPLE, "id": ""}), "'id': String should have at least 1 character"),
    "no date": ("a.json", listed(result(contest_date="soon")), "'contest_date': 'soon' is not a date"),
    "only a byte order mark": ("a.json", b"\xef\xbb\xbf", "is empty"),
    "a fault after a byte order mark": ("a.jsonl", b"\xef\xbb\xbf{}\n{]", "line 1, field 'reasoning': is missing"),
    "a fault after CRLF": ("a.jsonl", lines(GOOD[0], GOOD[1], end="\r\n") + b"{]\r\n", "line 3: invalid JSON"),
    "lines ended by CR": ("a.jsonl", lines(GOOD[0], GOOD[1], end="\r"), "line 1: invalid JSON: Extra data"),
    "UTF-16": ("a.json", listed(result()).decode().encode("utf-16"), "is not UTF-8"),
    "only blanks": ("a.json", b" \n\t\r\n", "is empty"),
    "zero bytes": ("a.json", bytes(1000), "line 1: invalid JSON"),
    "a list of numbers": ("a.json", b"[1, 2]", "expected a JSON object, found int"),
    "a list of nulls": ("a.json", b"[null]", "expected a JSON object, found NoneType"),
    "a list of lists": ("a.json", listed(GOOD), "expected a JSON object, found list"),
    "an empty list": ("a.json", b"[]", "holds an empty list"),
    "a list cut in a record": ("a.json", listed(*GOOD)[:-300], "invalid JSON: Unterminated string"),
    "a list cut between records": ("a.json", listed(*GOOD)[:-1], "the list is cut"),
    "a list cut after the bracket": ("a.json", b"[", "line 1: invalid JSON"),
    "a comma after the last record": ("a.json", listed(*GOOD)[:-1] + b",]", "line 1: invalid JSON: Expecting value"),
    "text after the list": ("a.json", listed(*GOOD) + b" more", "text after the list"),
    "two lists": ("a.json", listed(*GOOD) + b"\n" + listed(result("new")), "text after the list"),
    "one record over many lines": ("a.json", json.dumps(result(), indent=1).encode(), "line 1: invalid JSON"),
    "an unknown field": ("a.jsonl", lines({**SAMPLE, "pased": True}), "'pased': is not a field of a sample"),
    "two forms of one sample": ("a.jsonl", lines({**SAMPLE, "completion": "x"}), "give one form only"),
    "a string": ("a.jsonl", b'"hello"', "expected a JSON object, found str"),
    "an empty object": ("a.json", b"{}", "is missing"),
    "problems as samples": ("a.jsonl", lines({"id": "p", "source": "s", "statement": "t"}), "is not a field of a samp"),
    "no text at all": ("a.txt", b"hello", "line 1: invalid JSON"),
    "an infinite number": ("a.jsonl", lines(SAMPLE).replace(b"true", b"1e999"), "1e999 is out of range"),
    "a number of 5000 digits": ("a.jsonl", lines(SAMPLE).replace(b"true", b"9" * 5000), "Exceeds the limit"),
    "a gz that is none": ("a.json.gz", listed(*GOOD), "cannot be read: Not a gzipped file"),
    "an xz that is none": ("a.json.xz", listed(*GOOD), "cannot be read: Input format not supported"),
    "a zst that is none": ("a.json.zst", listed(*GOOD), "cannot be read: ZSTD decompress failed"),
    "a gz with a wrong checksum": ("a.json.gz", gzip.compress(listed(*GOOD))[:-8] + bytes(8), "CRC check failed"),
    "50 MB on one line, packed": ("a.json.gz", gzip.compress(b"[" + b" " * 50_000_000, 1), "is longer than 32 MiB"),
    "a name with a line end": ("a\nb.json", listed(*GOOD), "control characters or not in UTF-8; rename it"),
    "a name that is no text": (os.fsdecode(b"\xff.json"), listed(*GOOD), "control characters or not in UTF-8; rename"),
}


@pytest.mark.parametrize("case", list(FILES))
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    name, data, said = FILES[case]
    (tmp_path / name).write_bytes(data)
    assert said in refusal(tmp_path, "build", "lcb-rb", "--samples", tmp_path / name, "--out", tmp_path / "out")


@pytest.mark.parametrize("option", ["--samples", "--problems", "--exclude-problems"])
def test_every_file_that_is_asked_for_is_checked(tmp_path: Path, option: str) -> None:
    (tmp_path / "good.json").write_bytes(listed(*GOOD))
    (tmp_path / "bad.jsonl").write_bytes(b"\n{bad}\n")
    arguments = ["--samples", tmp_path / "good.json", option, tmp_path / "bad.jsonl", "--out", tmp_path / "out"]
    assert "bad.jsonl, line 2: invalid JSON" in refusal(tmp_path, "build", "lcb-rb", *arguments)


def test_a_bad_file_leaves_an_older_output_as_it_was(tmp_path: Path) -> None:
    build = ["build", "lcb-rb", "--samples", tmp_path / "a.json", "--out", tmp_path / "out"]
    (tmp_path / "a.json").write_bytes(listed(*GOOD))
    assert run_here(*build)[0] is None
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    (tmp_path / "a.json").write_bytes(b"[")
    assert run_here(*build)[0] == 2
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("form", ["byte order mark", "CRLF", "list after a byte order mark"])
def test_what_other_systems_write_is_read(tmp_path: Path, form: str) -> None:
    data = {
        "byte order mark": b"\xef\xbb\xbf" + lines(*GOOD),
        "CRLF": lines(*GOOD, end="\r\n"),
        "list after a byte order mark": b"\xef\xbb\xbf" + listed(*GOOD),
    }[form]
    (tmp_path / "a.json").write_bytes(data)
    _, out, _ = run_here("build", "lcb-rb", "--samples", tmp_path / "a.json", "--out", tmp_path / "out", "--json")
    assert json.loads(out)["pairs"] == 20
