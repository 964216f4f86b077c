"""`recode grade` from end to end: rows sorted by id, and a killed run goes on where it was."""

import json
import os
import signal
import subprocess
import sys

from factories import ROOT, run_recode
from processes import below, within

RIGHT = "print(2 * int(input()))\n"


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def files(folder, codes):
    """A file with one problem of one test, and one with a sample for each code."""
    tests = {"kind": "stdin", "inputs": ["21\n"], "outputs": ["42\n"]}
    problems = [{"id": "p1", "source": "own", "statement": "Double it.", "tests": tests}]
    samples = [
        {"id": name, "problem_id": "p1", "model": "m", "reasoning": "r", "code": code} for name, code in codes.items()
    ]
    return [
        *("--problems", write_rows(folder / "problems.jsonl", problems)),
        *("--samples", write_rows(folder / "samples.jsonl", samples)),
        *("--out", folder / "verdicts.jsonl"),
    ]


def rows(folder):
    return [json.loads(line) for line in (folder / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_command_writes_a_row_a_sample_sorted_by_id(tmp_path):
    codes = {"b": "print(0)", "a": RIGHT, "c": "", "d": "print(", "e": "raise ValueError('\u202e')"}
    done = run_recode("grade", *files(tmp_path, codes), "--json")
    assert done.returncode == 0, done.stderr
    verdicts = ["ACCEPTED", "WRONG_ANSWER", "NO_CODE", "SYNTAX_ERROR", "RUNTIME_ERROR"]
    assert [(row["id"], row["verdict"]) for row in rows(tmp_path)] == list(zip("abcde", verdicts, strict=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["problems.jsonl", "samples.jsonl", "verdicts.jsonl"]


def test_a_killed_run_goes_on_and_runs_no_finished_sample_again(tmp_path):
    journal = tmp_path / ".verdicts.jsonl.journal"
    codes = {f"s{i:02}": f"import time; time.sleep(0.3)  # {i}\n{RIGHT}" for i in range(16)}
    arguments = ["grade", *files(tmp_path, codes), "--workers", "1"]
    command = [sys.executable, "-m", "recode", *map(str, arguments)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, **quiet)
    assert within(60, lambda: journal.exists() and journal.read_text().count('"key"') >= 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "verdicts.jsonl").exists()
    finished = [json.loads(line)["result"] for line in journal.read_text().splitlines() if line.endswith("}}")]
    assert 3 <= len(finished) < 16
    done = run_recode(*arguments)
    assert done.returncode == 0, done.stderr
    assert {row["verdict"] for row in rows(tmp_path)} == {"ACCEPTED"}
    assert len(rows(tmp_path)) == 16
    assert {found["wall_s"] for found in finished} <= {row["wall_s"] for row in rows(tmp_path)}
    assert not journal.exists()


def test_an_interrupted_run_says_so_in_one_line(tmp_path):
    command = [sys.executable, "-m", "recode", "grade", *files(tmp_path, {"a": "while True: pass"})]
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        list(map(str, command)), env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert within(60, lambda: len(below(process.pid)) >= 3)  # a grader, its zygote, the sample
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and output == ""
    assert errors.splitlines()[-1] == "recode: interrupted; run it again to go on" and "Traceback" not in errors
