"""Grading many samples: order, equal work once, going on after a kill; and `recode grade` from end to end."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from factories import ROOT, make_problem, make_sample, run_recode
from lcb_rb.execution import Limits, grade_many
from lcb_rb.execution.journal import grade_samples, grading_key
from lcb_rb.schema import CallTests, StdinTests, UnittestTests, Verdict

PROBLEM = make_problem()
RIGHT = "print(2 * int(input()))\n"


def noting(note, name, body=RIGHT):
    """A solution that notes each of its runs, one line a program, in a file outside of its directory."""
    return f"open({str(note)!r}, 'a').write({name!r} + chr(10))\n{body}"


def runs(note):
    """The names noted; a problem with two tests notes each sample twice."""
    return Path(note).read_text().split() if Path(note).exists() else []


def test_equal_work_is_done_once(tmp_path):
    note = tmp_path / "note"
    samples = [make_sample(f"s{i}", code=noting(note, "same")) for i in range(5)]
    results = grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", workers=2)
    assert list(results) == ["s0", "s1", "s2", "s3", "s4"]
    assert {found.verdict for found in results.values()} == {Verdict.ACCEPTED}
    assert runs(note) == ["same"] * 2


def test_work_found_in_the_journal_is_not_done_again(tmp_path):
    note = tmp_path / "note"
    samples = [make_sample("a", code=noting(note, "a")), make_sample("b", code=noting(note, "b", "print(0)"))]
    first = grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", workers=1)
    before = runs(note)
    assert grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", workers=1) == first
    assert runs(note) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-40],
        lambda data: data + b'{"key": "half',
        lambda data: data + b"\xff\xfe\0",
        lambda data: b"no json\n\n[]\n{}\n" + data,
        lambda data: data.replace(b'"verdict":"ACCEPTED"', b'"verdict":"UNGRADED"'),
        lambda data: data.replace(b'"verdict":"ACCEPTED"', b'"verdict":"NEW"'),
        lambda data: b"",
    ],
)
def test_a_damaged_journal_costs_work_but_never_a_result(tmp_path, damage):
    samples = [make_sample("a", code=RIGHT), make_sample("b", code="print(0)")]
    journal = tmp_path / "j"
    first = grade_samples(samples, {"p1": PROBLEM}, journal, workers=1)
    journal.write_bytes(damage(journal.read_bytes()))
    again = grade_samples(samples, {"p1": PROBLEM}, journal, workers=1)
    assert [found.verdict for found in again.values()] == [found.verdict for found in first.values()]
    settled = journal.read_bytes()
    assert grade_samples(samples, {"p1": PROBLEM}, journal, workers=1) == again
    assert journal.read_bytes().strip() == settled.strip()


def test_ungraded_work_is_done_again(tmp_path):
    broken = make_problem(tests=UnittestTests(source="x"))
    first = grade_samples([make_sample("a")], {"p1": broken}, tmp_path / "j")
    assert first["a"].verdict is Verdict.UNGRADED
    lines = (tmp_path / "j").read_text().split()
    again = grade_samples([make_sample("a")], {"p1": broken}, tmp_path / "j")
    assert again["a"].verdict is Verdict.UNGRADED
    assert len((tmp_path / "j").read_text().split()) > len(lines)


def test_every_sample_advances_once(tmp_path):
    samples = [make_sample(f"s{i}", code=f"print({i % 3})") for i in range(6)]
    for _ in range(2):
        steps = []
        grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", workers=2, advance=lambda: steps.append(1))  # noqa: B023
        assert len(steps) == 6


def test_the_key_is_the_same_for_the_same_work():
    other = make_problem("p2", statement="other words", difficulty="hard")
    assert grading_key(PROBLEM, "x", Limits()) == grading_key(other, "x", Limits())


@pytest.mark.parametrize(
    ("problem", "code", "limits"),
    [
        (PROBLEM, "y", Limits()),
        (PROBLEM, "x ", Limits()),
        (make_problem(tests=None), "x", Limits()),
        (make_problem(tests=StdinTests(inputs=["1\n", "4\n"], outputs=["2\n", "9\n"])), "x", Limits()),
        (make_problem(tests=StdinTests(inputs=["1\n"], outputs=["2\n"])), "x", Limits()),
        (make_problem(tests=CallTests(fn_name="f", inputs=["1\n", "4\n"], outputs=["2\n", "8\n"])), "x", Limits()),
        (make_problem(prompt="import math"), "x", Limits()),
        (make_problem(entry_point="f"), "x", Limits()),
        (PROBLEM, "x", Limits(cpu_s=7)),
        (PROBLEM, "x", Limits(wall_factor=7)),
        (PROBLEM, "x", Limits(memory_mb=7)),
        (PROBLEM, "x", Limits(output_mb=7)),
    ],
)
def test_the_key_changes_with_everything_that_a_verdict_depends_on(problem, code, limits):
    assert grading_key(problem, code, limits) != grading_key(PROBLEM, "x", Limits())


def test_a_surrogate_in_the_code_has_a_key():
    assert grading_key(PROBLEM, "\ud800", Limits()) != grading_key(PROBLEM, "\ud801", Limits())


def test_results_come_in_the_order_of_the_items():
    def item(number):
        wait = "import time; time.sleep(0.3)\n" if number % 3 == 0 else ""
        tests = StdinTests(inputs=["x"], outputs=[f"{number}"])
        return make_problem(tests=tests), f"{wait}print({number if number % 2 else -1})"

    verdicts = [found.verdict for found in grade_many(map(item, range(10)), workers=4)]
    assert verdicts == [Verdict.WRONG_ANSWER, Verdict.ACCEPTED] * 5


def test_only_four_items_a_worker_are_taken_ahead():
    taken = itertools.count()
    last = 0

    def items():
        nonlocal last
        while True:
            last = next(taken)
            yield PROBLEM, RIGHT

    results = grade_many(items(), workers=2)
    for done in range(1, 5):
        next(results)
        assert last < done + 8
    results.close()


def test_no_items_give_no_results():
    assert list(grade_many([])) == []


def test_an_error_of_the_items_is_not_swallowed():
    def items():
        yield PROBLEM, RIGHT
        raise RuntimeError("broken source")

    with pytest.raises(RuntimeError, match="broken source"):
        list(grade_many(items(), workers=2))


# ---- the command


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
        "--problems",
        write_rows(folder / "problems.jsonl", problems),
        "--samples",
        write_rows(folder / "samples.jsonl", samples),
        "--out",
        folder / "verdicts.jsonl",
    ]


def verdicts(folder):
    rows = map(json.loads, (folder / "verdicts.jsonl").read_text(encoding="utf-8").splitlines())
    return {row["id"]: row["verdict"] for row in rows}


CODES = {"b": "print(0)", "a": RIGHT, "c": "", "d": "print(", "e": "raise ValueError('\u202e')"}


def test_the_command_writes_a_row_a_sample_sorted_by_id(tmp_path):
    done = run_recode("grade", *files(tmp_path, CODES), "--allow-weak-isolation", "--json")
    assert done.returncode == 0, done.stderr
    assert list(verdicts(tmp_path).items()) == [
        ("a", "ACCEPTED"),
        ("b", "WRONG_ANSWER"),
        ("c", "NO_CODE"),
        ("d", "SYNTAX_ERROR"),
        ("e", "RUNTIME_ERROR"),
    ]
    summary = json.loads(done.stdout)
    assert summary["samples"] == 5
    assert summary["verdicts"]["ACCEPTED"] == 1
    row = json.loads((tmp_path / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert list(row) == [
        *("id", "problem_id", "model", "passed", "verdict", "test_index", "message"),
        *("cpu_s", "wall_s", "peak_mb", "isolation"),
    ]
    assert (row["passed"], row["isolation"]) == (True, "rlimits-only")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["problems.jsonl", "samples.jsonl", "verdicts.jsonl"]


def test_an_ungraded_sample_is_null_and_counted(tmp_path):
    arguments = files(tmp_path, {"a": RIGHT})
    row = {"id": "p1", "source": "own", "statement": "s", "tests": {"kind": "unittest", "source": "x"}}
    write_rows(tmp_path / "problems.jsonl", [row])
    done = run_recode("grade", *arguments, "--allow-weak-isolation", "--json")
    assert (done.returncode, json.loads(done.stdout)["verdicts"]) == (0, {"UNGRADED": 1}), done.stderr
    assert json.loads((tmp_path / "verdicts.jsonl").read_text())["passed"] is None


def test_weak_isolation_is_refused_before_anything_runs(tmp_path):
    note = tmp_path / "note"
    done = run_recode("grade", *files(tmp_path, {"a": noting(note, "a")}))
    assert done.returncode == 2
    assert "--allow-weak-isolation" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["problems.jsonl", "samples.jsonl"]


def test_a_sample_of_an_unknown_problem_is_named(tmp_path):
    arguments = files(tmp_path, {"a": RIGHT})
    write_rows(tmp_path / "samples.jsonl", [{"id": "z", "problem_id": "p9", "model": "m", "reasoning": "", "code": ""}])
    done = run_recode("grade", *arguments, "--allow-weak-isolation")
    assert done.returncode == 2
    assert "'p9'" in done.stderr
    assert "sample z" in done.stderr


@pytest.mark.parametrize("out", [".", "a_directory", "a_file/verdicts.jsonl", "/", "/proc/verdicts.jsonl"])
def test_an_out_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, out):
    note = tmp_path / "note"
    (tmp_path / "a_directory").mkdir()
    (tmp_path / "a_file").touch()
    arguments = [*files(tmp_path, {"a": noting(note, "a")})[:-1], out]
    done = run_recode("grade", *arguments, "--allow-weak-isolation", cwd=tmp_path)
    assert done.returncode == 2
    assert "choose another --out" in done.stderr or "name a file" in done.stderr
    assert "Traceback" not in done.stderr
    assert runs(note) == []


def until(condition, process, within_s=60.0):
    """Waits until a condition holds that a running process brings about."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_run_goes_on_and_runs_no_finished_sample_again(tmp_path, workers):
    note, journal = tmp_path / "note", tmp_path / ".verdicts.jsonl.journal"
    slow = f"import os, time\nwhile not os.path.exists({str(tmp_path / 'killed')!r}): time.sleep(0.05)\n"
    codes = {f"s{i:02}": noting(note, f"s{i:02}", (slow if i == 7 else "") + RIGHT) for i in range(12)}
    arguments = ["grade", *files(tmp_path, codes), "--allow-weak-isolation", "--workers", workers]
    command = [sys.executable, "-m", "recode", *map(str, arguments)]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}, **quiet
    )

    def stuck():
        settled, noted = journal.read_text().count('"key"') if journal.exists() else 0, runs(note)
        return "s07" in noted and settled >= len(noted) - 1 and len(noted) == (8 if workers == "1" else 12)

    until(stuck, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished = set(runs(note)) - {"s07"}
    assert len(finished) >= 7
    assert not (tmp_path / "verdicts.jsonl").exists()
    (tmp_path / "killed").touch()
    done = run_recode(*arguments)
    assert done.returncode == 0, done.stderr
    assert set(verdicts(tmp_path).values()) == {"ACCEPTED"}
    assert len(verdicts(tmp_path)) == 12
    assert [name for name in finished if runs(note).count(name) != 1] == []
    assert not journal.exists()
