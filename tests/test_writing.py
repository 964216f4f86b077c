"""Files and directories appear whole, replace only what is their own, and leave nothing when they fail."""

import json
from pathlib import Path

import pytest

from lcb_rb.errors import InputError
from lcb_rb.writing import dump_json, require_writable, staged_directory, write_text

MARKER = "README.md"


def contents(directory: Path) -> dict[str, str]:
    """The files below a directory and what they hold."""
    found = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_text(encoding="utf-8") for path in sorted(found)}


def build(out: Path, text: str = "new") -> None:
    with staged_directory(out, MARKER) as stage:
        (stage / MARKER).write_text(text, encoding="utf-8")


def test_the_directory_appears_whole_when_the_block_ends(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "deep" / "out", MARKER) as stage:
        (stage / "file").write_text("x", encoding="utf-8")
        assert not (tmp_path / "deep" / "out").exists()
    assert contents(tmp_path) == {"deep/out/file": "x"}


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_keeps_the_journals_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), staged_directory(tmp_path / "out", MARKER) as stage:
        (stage / "work.journal").write_text("done so far", encoding="utf-8")
        (stage / "half").write_text("x", encoding="utf-8")
        raise failure
    assert contents(tmp_path) == {".out.partial/work.journal": "done so far"}


@pytest.mark.parametrize("keeps_work", [True, False])
def test_a_wrong_request_costs_no_work_that_is_to_be_kept(tmp_path: Path, keeps_work: bool) -> None:
    with pytest.raises(InputError), staged_directory(tmp_path / "out", MARKER, keeps_work=keeps_work) as stage:
        (stage / "work.journal").write_text("done so far", encoding="utf-8")
        (stage / "half").write_text("x", encoding="utf-8")
        raise InputError("no such model")
    assert contents(tmp_path) == ({".out.partial/work.journal": "done so far"} if keeps_work else {})
    assert [*tmp_path.iterdir()] == ([tmp_path / ".out.partial"] if keeps_work else [])


def test_a_wrong_request_without_work_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError), staged_directory(tmp_path / "out", MARKER, keeps_work=True):
        raise InputError("no such model")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_without_journals_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), staged_directory(tmp_path / "out", MARKER) as stage:
        (stage / "half").write_text("x", encoding="utf-8")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_an_older_output_as_it_was(tmp_path: Path) -> None:
    build(tmp_path / "out", "old")
    with pytest.raises(RuntimeError), staged_directory(tmp_path / "out", MARKER):
        raise RuntimeError
    assert contents(tmp_path) == {"out/README.md": "old"}


def test_success_removes_the_journals(tmp_path: Path) -> None:
    with staged_directory(tmp_path / "out", MARKER) as stage:
        (stage / "work.journal").write_text("x", encoding="utf-8")
        (stage / "checkpoints.journal").mkdir()
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_an_older_output_is_replaced_whole(tmp_path: Path) -> None:
    build(tmp_path / "out", "old")
    (tmp_path / "out" / "stale").write_text("x", encoding="utf-8")
    build(tmp_path / "out")
    assert contents(tmp_path) == {"out/README.md": "new"}


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    build(tmp_path / "out")
    assert contents(tmp_path) == {"out/README.md": "new"}


@pytest.mark.parametrize(
    "names", [["thesis.tex"], [".hidden"], ["README.md", ".git"], ["README.txt"], ["data/README.md"]]
)
def test_a_foreign_directory_is_refused_and_kept(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        write_text(tmp_path / "out" / name, "precious")
    with pytest.raises(InputError, match="holds what this command did not build; choose another --out or remove it"):
        build(tmp_path / "out")
    assert contents(tmp_path) == {f"out/{name}": "precious" for name in sorted(names)}


def test_a_file_in_the_place_of_the_output_is_refused_and_kept(tmp_path: Path) -> None:
    write_text(tmp_path / "out", "precious")
    with pytest.raises(InputError):
        build(tmp_path / "out")
    assert contents(tmp_path) == {"out": "precious"}


def test_a_link_to_a_directory_stays_and_leads_to_the_output(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    build(tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert contents(tmp_path / "real") == {MARKER: "new"}


def test_a_link_to_nothing_is_followed(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("real")
    build(tmp_path / "out")
    assert contents(tmp_path / "real") == {MARKER: "new"}


def test_links_in_a_circle_are_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("out")
    with pytest.raises(InputError, match="cannot be written"), staged_directory(tmp_path / "out", MARKER):
        pytest.fail("the work must not start")


@pytest.mark.parametrize("out", ["file/out", "file/deep/out", "n" * 300, "n" * 250, "/proc/recode/out"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, out: str) -> None:
    write_text(tmp_path / "file", "x")
    with pytest.raises(InputError, match="cannot be written"), staged_directory(tmp_path / out, MARKER):
        pytest.fail("the work must not start")
    assert contents(tmp_path) == {"file": "x"}


def test_an_output_that_cannot_be_moved_into_place_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"), staged_directory(tmp_path / "out", MARKER):
        write_text(tmp_path / "out" / "came meanwhile", "precious")
        (tmp_path / ".out.old").write_text("a file where the older output would go", encoding="utf-8")
    assert contents(tmp_path / "out") == {"came meanwhile": "precious"}


def test_text_is_written_as_utf_8_below_directories_that_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "é\u2028\r\n\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é\u2028\r\n\n".encode()


def test_text_that_cannot_be_encoded_leaves_the_older_file(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "text", "new \ud800")
    assert contents(tmp_path) == {"text": "old"}


unwritable = pytest.mark.parametrize("name", ["", ".", "directory", "file/text", "n" * 300, "n" * 250, "/", "/proc/x"])


@unwritable
def test_a_text_that_has_no_place_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    write_text(tmp_path / "file", "x")
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / name, "text")
    assert contents(tmp_path) == {"file": "x"}


@unwritable
def test_a_place_without_room_for_a_text_is_known_beforehand(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    write_text(tmp_path / "file", "x")
    with pytest.raises(InputError, match="cannot be written"):
        require_writable(tmp_path / name)
    assert contents(tmp_path) == {"file": "x"}


@pytest.mark.parametrize("name", ["new", "file", "deep/er/new"])
def test_asking_for_a_place_leaves_no_trace(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / "file", "x")
    require_writable(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


def test_dumped_json_is_one_line_in_the_given_order() -> None:
    value = {"b": "é\n\u2028", "a": [1, None]}
    assert json.loads(dump_json(value)) == value
    assert dump_json(value) == '{"b": "é\\n\u2028", "a": [1, null]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_never_holds_what_json_does_not_know(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json([value])
