"""Wrong arguments of build, score and grade: exit code 2, one line on stderr, nothing on stdout, nothing written."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories import make_pair, make_problem, make_sample, run_recode
from lcb_rb.execution import executor
from lcb_rb.execution.graders import LevelError
from lcb_rb.pairs import write_pairs
from test_bad_input import GOOD, listed, refusal, run_here


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with good inputs for every command, a plain file, a link in a circle and somebody's project."""
    (tmp_path / "good.json").write_bytes(listed(*GOOD))
    write_pairs([make_pair("p1/a"), make_pair("p2/a", problem_id="p2")], tmp_path / "pairs", "test")
    (tmp_path / "problems.jsonl").write_text(make_problem().model_dump_json() + "\n", encoding="utf-8")
    sample = make_sample().model_dump(mode="json", include={"id", "problem_id", "model", "reasoning", "code"})
    (tmp_path / "samples.jsonl").write_text(json.dumps(sample) + "\n", encoding="utf-8")
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    (tmp_path / "two\nlines").write_text("precious", encoding="utf-8")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "project" / "data").mkdir(parents=True)
    (tmp_path / "project" / "README.md").write_text("# Mine, made with `recode build`\n", encoding="utf-8")
    return tmp_path


def build(place: Path, name: str, *arguments: str | Path) -> str:
    """The refusal of a build whose other arguments are good; a later --out takes the place of the first."""
    return refusal(place, "build", name, "--samples", place / "good.json", "--out", place / "out", *arguments)


builds = pytest.mark.parametrize("name", ["lcb-rb", "crpl"])


@builds
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--window", "soon"], "--window 'soon': "),
        (["--window", "2024-13-01:"], "month must be in 1..12; write it as"),
        (["--window", "2024-10-01"], "no colon; write it as"),
        (["--window", ""], "no colon; write it as"),
        (["--window", "2024-10-01:soon"], "Invalid isoformat string: 'soon'; write it as"),
        (["--window", "2024-01-01:2024-02-01:2024-03-01"], "write it as"),
        (["--window", "2025-01-01:2024-01-01"], "it ends before it starts"),
        (["--window", "2030-01-01:"], "no pair can be built (outside_window 40)"),
        (["--min-reasoning-chars", "-1"], "--min-reasoning-chars"),
        (["--min-reasoning-chars", "many"], "--min-reasoning-chars"),
        (["--min-reasoning-chars", "1.5"], "--min-reasoning-chars"),
        (["--min-reasoning-chars", "9" * 30], "no pair can be built (short_reasoning 40)"),
        (["--samples", ""], "is a directory"),
        (["--problems", "missing.jsonl"], "missing.jsonl: does not exist"),
        (["--exclude-problems", "missing.jsonl"], "missing.jsonl: does not exist"),
        (["missing.jsonl"], "missing.jsonl: does not exist"),
        (["--unknown"], "No such option: --unknown"),
        (["--out"], "requires an argument"),
    ],
)
def test_a_wrong_option_of_a_build_is_refused(place: Path, name: str, arguments: list[str], said: str) -> None:
    assert said in build(place, name, *arguments)


@builds
@pytest.mark.parametrize(
    "out",
    [
        "file",
        "two\nlines",
        "file/out",
        "circle",
        "project",
        "",
        ".",
        "..",
        "/",
        "/proc/recode/out",
        "/dev/null",
        "n" * 300,
    ],
)
def test_a_build_refuses_a_place_that_is_not_its_own(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str, out: str
) -> None:
    monkeypatch.chdir(place / "project")
    assert re.search("choose another --out", build(place, name, "--out", place / out if out.strip("./") else out))


@builds
def test_a_missing_option_of_a_build_is_named(place: Path, name: str) -> None:
    assert "--samples" in refusal(place, "build", name, "--out", place / "out")
    assert "--out" in refusal(place, "build", name, "--samples", place / "good.json")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rewriter", "magic"], "Invalid value for '--rewriter'"),
        (["--seed", "x"], "--seed"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_a_wrong_option_of_crpl_alone_is_refused(place: Path, arguments: list[str], said: str) -> None:
    assert said in build(place, "crpl", *arguments)


def test_samples_without_a_grade_are_not_run_without_isolation_or_leave(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(level: str) -> None:
        raise LevelError(f"{level} is not to be had")

    monkeypatch.setattr(executor, "Grader", refused)
    files = ["--samples", place / "samples.jsonl", "--problems", place / "problems.jsonl"]
    line = refusal(place, "build", "lcb-rb", *files, "--out", place / "out")
    assert "full is not to be had" in line
    assert "no-namespaces is not to be had" in line
    assert "--allow-weak-isolation" in line


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        (
            "magic",
            [],
            "magic: neither a directory with a model, nor the id of one on the Hub, nor one of length, shorter,",
        ),
        ("tfidf", [], "tfidf: nothing to learn from; give --fit-on"),
        ("tfidf", ["--fit-on", "missing"], "missing: is not a directory"),
        ("length", ["--pairs", "missing"], "missing: is not a directory"),
        ("length", ["--pairs", "file"], "file: is not a directory"),
        ("length", ["--pairs", "project"], "project: has no data/*.parquet"),
        ("length", ["--split", "train"], "has no split 'train'; choose one of"),
        ("length", ["--split", ""], "has no split ''; choose one of"),
        ("length", ["--split", "*"], "has no split '*'; choose one of"),
        ("length", ["--split", "/"], "has no split '/'; choose one of"),
        ("length", ["--split", "["], "has no split '['; choose one of"),
        ("length", ["--split", "**"], "has no split '**'; choose one of"),
        ("length", ["--seed", "-1"], "--seed"),
        ("length", ["--seed", "x"], "--seed"),
        ("length", ["--out", ""], "cannot be written"),
        ("length", ["--out", "/"], "cannot be written"),
        ("length", ["--out", "project"], "cannot be written"),
        ("length", ["--out", "file/report.json"], "cannot be written"),
        ("length", ["--out", "n" * 300], "cannot be written"),
        ("length", ["--out", "new/report.json", "--pairs", "missing"], "missing: is not a directory"),
        ("length", ["--unknown"], "No such option"),
    ],
)
def test_a_wrong_argument_of_score_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, model: str, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(place)
    assert said in refusal(place, "score", model, "--pairs", "pairs", *arguments)


def test_tfidf_is_not_scored_on_what_it_learnt_from(place: Path) -> None:
    line = refusal(place, "score", "tfidf", "--pairs", place / "pairs", "--fit-on", place / "pairs")
    assert "2 problems are also in the pairs to score" in line


def test_a_missing_argument_of_score_is_named(place: Path) -> None:
    assert "model" in refusal(place, "score", "--pairs", place / "pairs").lower()
    assert "--pairs" in refusal(place, "score", "length")


@pytest.mark.parametrize("fault", ["no parquet", "cut", "no rows", "no column", "an unknown kind", "twice"])
def test_pairs_that_cannot_be_read_are_refused(place: Path, fault: str) -> None:
    path = place / "pairs" / "data" / "test-00000-of-00001.parquet"
    table, data = pq.read_table(path), path.read_bytes()
    kinds = table.column_names.index("kind")
    changed = {
        "no rows": table.slice(0, 0),
        "no column": table.drop_columns(["problem"]),
        "an unknown kind": table.set_column(kinds, "kind", pa.array(["magic"] * len(table))),
        "twice": pa.concat_tables([table, table]),
    }
    if fault in changed:
        pq.write_table(changed[fault], path)
    else:
        path.write_bytes(b"PAR1 no" if fault == "no parquet" else data[:-50])
    assert str(place / "pairs") in refusal(place, "score", "length", "--pairs", place / "pairs")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--problems", "missing"], "missing: does not exist"),
        (["--samples", "missing"], "missing: does not exist"),
        (["--samples", "problems.jsonl"], "is not a field of a sample"),
        (["--problems", "samples.jsonl"], "line 1, field 'source': is missing"),
        (["--samples", "good.json"], "problem 'q0' is not given; add its file to --problems"),
        (["--workers", "0"], "--workers"),
        (["--workers", "x"], "--workers"),
        (["--out", ""], "--out"),
        (["--out", "/"], "--out"),
        (["--out", "project"], "project: is a directory"),
        (["--out", "file/verdicts.jsonl"], "choose another --out"),
        (["--out", "/proc/recode/verdicts.jsonl"], "choose another --out"),
        (["--out", "n" * 300], "choose another --out"),
        (["--out", "n" * 248], "choose another --out"),
        (["--unknown"], "No such option"),
    ],
)
def test_a_wrong_argument_of_grade_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(place)
    good = ["--problems", "problems.jsonl", "--samples", "samples.jsonl", "--out", "verdicts.jsonl"]
    assert said in refusal(place, "grade", *good, "--allow-weak-isolation", *arguments)


@pytest.mark.parametrize("missing", ["--problems", "--samples", "--out"])
def test_a_missing_option_of_grade_is_named(place: Path, missing: str) -> None:
    given = {"--problems": place / "problems.jsonl", "--samples": place / "samples.jsonl", "--out": place / "out"}
    arguments = [word for option, value in given.items() if option != missing for word in (option, value)]
    assert missing in refusal(place, "grade", *arguments)


@pytest.mark.parametrize("arguments", [["magic"], ["build", "magic"], ["build", "lcb-rb"], ["score", "--seed", "-1"]])
def test_wrong_use_is_one_line_of_the_real_command_that_leads_to_help(arguments: list[str]) -> None:
    done = run_recode(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"recode: .+; see --help\n", done.stderr)


@pytest.mark.parametrize("arguments", [[], ["build"], ["train"]])
def test_a_command_without_a_sub_command_prints_its_help(arguments: list[str]) -> None:
    code, out, err = run_here(*arguments)
    assert (code, err) == (2, "")
    assert "Usage:" in out


@pytest.mark.parametrize("arguments", [["--help"], ["build", "lcb-rb", "-h"], ["score", "--help"]])
def test_asking_for_help_is_no_error(arguments: list[str]) -> None:
    code, out, err = run_here(*arguments)
    assert (code or 0, err) == (0, "")
    assert "Usage:" in out
