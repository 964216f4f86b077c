import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import datasets
import pytest

from builders.audit.audit import GATES, TOGETHER
from factories import LONG, ROOT, SHARED_DATA, make_problem, make_sample, run_recode
from lcb_rb.pairs import SCHEMA, read_pairs

WEAK = "--allow-weak-isolation"
PARQUET = "data/test-00000-of-00001.parquet"
RIGHT, WRONG = "print(2 * int(input()))", "print(int(input()) ** 2)"
FIELDS = {"id", "problem_id", "model", "reasoning", "code", "passed"}
DIES = """
import os, signal, sys
place = sys.argv[1]
sys.argv[1:] = sys.argv[2:]
import datasets, recode, builders.lcb_rb, sklearn.linear_model, sklearn.ensemble

def die_after(left):
    def hook(event, args):
        nonlocal left
        changes = event in {"os.mkdir", "os.rename", "os.rmdir"} or event == "open" and args[2] & os.O_CREAT
        if changes and not isinstance(args[0], int) and place in os.fsdecode(args[0]):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for line in sys.stdin:
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        os.dup2(2, 1)
        die_after(int(line))
        recode.main()
"""
"""Runs the command once for each line of its input, killed after so many changes to the disk below a place."""


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def words(name: str, chars: int) -> str:
    """A text like no other."""
    drawn = random.Random(name)
    text = LONG
    while len(text) < chars:
        text += "".join(drawn.choice("abcdefgh") for _ in range(5)) + " "
    return text


def rows_of_samples(graded: bool) -> list[dict[str, object]]:
    """Eight samples for each of two problems, half of them right; the last one is slow, so that a kill comes first."""
    rows = []
    for problem in ("p1", "p2"):
        for i in range(8):
            pause_s = 1.0 if (problem, i) == ("p2", 7) else 0.1
            code = f"import time\ntime.sleep({pause_s})\n{WRONG if i % 2 else RIGHT}  # {problem}/{i}\n"
            reasoning = words(f"{problem}/{i}", 100 * (3 + i % 3))
            sample = make_sample(f"{problem}/{i}", problem_id=problem, code=code, reasoning=reasoning)
            rows.append({**sample.model_dump(include=FIELDS), "passed": i % 2 == 0 if graded else None})
    return rows


def arguments(directory: Path, *, graded: bool = True) -> list[str]:
    """Writes the input files and returns the command that builds from them."""
    rows = rows_of_samples(graded)
    files = [write(directory / "a.jsonl", rows[:9]), write(directory / "b.jsonl", rows[9:])]
    problems = [make_problem(name).model_dump(mode="json") for name in ("p1", "p2")]
    known = write(directory / "problems.jsonl", problems)
    return ["build", "lcb-rb", "--samples", *map(str, files), "--problems", str(known), WEAK]


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below a directory with its bytes; empty when there is none."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with outputs of the same samples: `new`, `old` with other pairs, and `run`, which graded them itself."""
    directory = tmp_path_factory.mktemp("built")
    run_recode(*arguments(directory, graded=False), "--out", directory / "run")
    for name, least in (("new", "200"), ("old", "400")):
        run_recode(*arguments(directory), "--min-reasoning-chars", least, "--out", directory / name)
    return directory


def test_a_build_makes_pairs_and_a_card(tmp_path: Path) -> None:
    done = run_recode(*arguments(tmp_path), "--out", tmp_path / "out", "--json")
    told = json.loads(done.stdout)
    audit = told.pop("audit")
    assert (done.returncode, told) == (
        0,
        {
            "pairs": 7,
            "problems": 2,
            "samples": 16,
            "drops": {"unbalanced": 2},
            "spent": None,
            "out": str(tmp_path / "out"),
        },
    )
    assert {row["predictor"] for row in audit["rows"]} == {*GATES, TOGETHER}
    assert tree(tmp_path / "out").keys() == {"README.md", PARQUET}


def test_the_order_of_files_and_lines_does_not_matter(built: Path, tmp_path: Path) -> None:
    build = arguments(tmp_path)
    for name in ("a.jsonl", "b.jsonl", "problems.jsonl"):
        lines = (tmp_path / name).read_text().splitlines(keepends=True)
        (tmp_path / name).write_text("".join(reversed(lines)))
    a, b = build[3:5]
    run_recode(*build[:3], b, a, *build[5:], "--out", tmp_path / "out")
    assert tree(tmp_path / "out")[PARQUET] == tree(built / "new")[PARQUET]


def test_grades_from_running_the_code_give_the_same_pairs_as_stored_ones(built: Path) -> None:
    assert tree(built / "run")[PARQUET] == tree(built / "new")[PARQUET]


def test_the_command_on_the_card_builds_the_same_again(built: Path) -> None:
    card = (built / "old" / "README.md").read_text()
    again = shlex.split(card.partition("from the same files: `")[2].partition("`")[0])
    assert (again[0], again[-1]) == ("recode", "DIR")
    done = run_recode(*again[1:], cwd=built)
    assert (done.returncode, tree(built / "DIR")) == (0, tree(built / "old"))


def test_an_old_output_is_replaced(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "old", tmp_path / "out")
    run_recode(*arguments(tmp_path), "--out", tmp_path / "out")
    assert tree(built / "old") != tree(tmp_path / "out") == tree(built / "new")


def test_what_another_run_left_half_done_is_not_published(built: Path, tmp_path: Path) -> None:
    stale = tmp_path / ".out.partial" / "data"
    stale.mkdir(parents=True)
    (stale / "train-00000-of-00001.parquet").write_text("cut")
    run_recode(*arguments(tmp_path), "--out", tmp_path / "out")
    assert tree(tmp_path / "out") == tree(built / "new")


def test_nothing_is_left_beside_the_outputs(built: Path) -> None:
    assert [path.name for path in built.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--min-reasoning-chars", "100000"], "no pair can be built (short_reasoning 16)"),
        (["--window", "2025-01-01:"], "no pair can be built (outside_window 16)"),
        (["--window", "soon"], "--window 'soon'"),
        (["--exclude-problems", "missing.jsonl"], "missing.jsonl: does not exist"),
    ],
)
def test_a_build_that_cannot_be_is_one_line_and_leaves_nothing(tmp_path: Path, options: list[str], fault: str) -> None:
    build = arguments(tmp_path)
    before = tree(tmp_path)
    done = run_recode(*build, *options, "--out", tmp_path / "out", cwd=tmp_path)
    assert (done.returncode, done.stdout, tree(tmp_path)) == (2, "", before)
    *progress, told = done.stderr.splitlines()
    assert fault in told
    assert not any(line.startswith("recode:") for line in progress)


def test_a_project_is_not_taken_for_an_old_output(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "README.md").write_text("# Mine\n")
    (project / "src" / "main.py").write_text("print()\n")
    before = tree(project)
    done = run_recode(*arguments(tmp_path), "--out", project)
    assert (done.returncode, tree(project)) == (2, before)
    assert "was not built by this command" in done.stderr


def journal(out: Path) -> Path:
    work = out.with_name(f".{out.name}.partial") / "work.journal"
    return next(work.glob("grades-*.journal"), work / "grades-000.journal")


def keys(path: Path) -> list[str]:
    """What the journal says is graded; a line that a kill has torn is none."""
    keys = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            keys.append(json.loads(line)["key"])
        except ValueError:
            continue
    return keys


def killed_at(n_graded: int, build: list[str], out: Path) -> list[str]:
    """Runs the real command, kills it as soon as so many samples are graded, and returns what the journal says."""
    command = [sys.executable, "-m", "recode", *build, "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(keys(journal(out))) < n_graded and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    return keys(journal(out))


def test_a_build_killed_while_grading_goes_on_where_it_was(built: Path, tmp_path: Path) -> None:
    build, out = arguments(tmp_path, graded=False), tmp_path / "out"
    done = [killed_at(n_graded, build, out) for n_graded in (1, 5, 10)]
    assert not out.exists()
    assert all(before == after[: len(before)] for before, after in pairwise(done))
    os.link(journal(out), tmp_path / "kept.journal")  # the build removes its own name only
    assert run_recode(*build, "--out", out).returncode == 0
    assert set(Counter(keys(tmp_path / "kept.journal")).values()) == {1}
    assert len(keys(tmp_path / "kept.journal")) == 16
    assert tree(out) == tree(built / "run") != {}


def runs_that_die(build: list[str], out: Path, prepare: Path | None) -> Iterator[int]:
    """Runs the command again and again, each time killed one change to the disk later, until it survives.

    Args:
        build: The command.
        out: Its output.
        prepare: Copied to the output before each run that would find none.
    """
    command = [sys.executable, "-c", DIES, str(out.parent), *build, "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as driver:
        for changes in count():
            if prepare and not out.exists():
                shutil.copytree(prepare, out)
            print(changes, file=driver.stdin, flush=True)
            status = int(driver.stdout.readline())
            assert status in (0, -signal.SIGKILL)
            yield changes
            if status == 0:
                driver.stdin.close()
                return


@pytest.mark.parametrize("old", [False, True])
def test_a_build_killed_at_any_change_leaves_a_whole_output_or_none(built: Path, tmp_path: Path, old: bool) -> None:
    out = tmp_path / "in" / "out"
    out.parent.mkdir()
    whole = [{}, tree(built / "new"), tree(built / "old")]
    moments = 0
    for moments in runs_that_die(arguments(tmp_path), out, built / "old" if old else None):
        assert tree(out) in whole, moments
    assert moments >= 4
    assert tree(out) == whole[1]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


real = pytest.mark.skipif(SHARED_DATA is None, reason="the real generations are not on this machine")


@pytest.fixture(scope="module")
def built_from_real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert SHARED_DATA is not None
    files = sorted((SHARED_DATA / "generations" / "lcb").glob("*.json.gz"))
    out = tmp_path_factory.mktemp("real") / "lcb-rb"
    done = run_recode("build", "lcb-rb", "--samples", *files, "--min-reasoning-chars", "200", "--out", out)
    assert done.returncode == 0, done.stderr
    run_recode("build", "lcb-rb", *("--samples", files[3]), *files[:3], *files[4:][::-1], "--out", out.with_name("two"))
    return out


@real
def test_real_generations_give_at_least_90_pairs(built_from_real: Path) -> None:
    assert len(read_pairs(built_from_real)) >= 90


@real
def test_real_files_in_another_order_give_the_same_bytes(built_from_real: Path) -> None:
    assert tree(built_from_real) == tree(built_from_real.with_name("two"))


@real
def test_no_real_sample_is_used_twice(built_from_real: Path) -> None:
    sides = [
        (pair.problem_id, model, reasoning, code)
        for pair in read_pairs(built_from_real)
        for model, reasoning, code in (
            (pair.chosen_model, pair.chosen_reasoning, pair.chosen_code),
            (pair.rejected_model, pair.rejected_reasoning, pair.rejected_code),
        )
    ]
    assert len(set(sides)) == len(sides)


@real
def test_length_gives_nothing_away_on_real_pairs(built_from_real: Path) -> None:
    done = run_recode("score", "length", "--pairs", built_from_real, "--json")
    assert 0.45 <= json.loads(done.stdout)["overall"]["accuracy"] <= 0.55


@real
def test_load_dataset_loads_the_real_pairs(built_from_real: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(built_from_real), split="test", cache_dir=str(tmp_path))
    assert loaded.column_names == [*SCHEMA.names, "place"]
    assert loaded.num_rows == len(read_pairs(built_from_real))
