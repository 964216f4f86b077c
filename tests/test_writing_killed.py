"""Killed, full and competing writers, each a real process: what is seen afterwards is whole, and a rerun completes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pytest

from factories import ROOT
from lcb_rb.errors import InputError
from lcb_rb.writing import staged_directory, write_text
from test_writing import MARKER, build, contents

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

STAGING = """
import sys
from pathlib import Path
from lcb_rb.writing import staged_directory
with staged_directory(Path(sys.argv[1]), "README.md") as stage:
    (stage / "work.journal").write_text("done so far")
    (stage / "checkpoints.journal").mkdir()
    (stage / "checkpoints.journal" / "step").write_text("7")
    (stage / "README.md").write_text("half")
    (stage / "data").mkdir()
    (stage / "data" / "rows").write_text("half")
    print("in the block", flush=True)
    sys.stdin.read()
"""

KILLED_AT_STEP = """
import os, signal, sys
from pathlib import Path
from lcb_rb.writing import staged_directory, write_text

steps = int(sys.argv[2])
watched = ("open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir", "shutil.rmtree")

def count(event, arguments):
    global steps
    if event in watched:
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
with staged_directory(Path(sys.argv[1]), "README.md") as stage:
    for name in ("README.md", "a", "b"):
        (stage / name).write_text("new")
"""

LIMITED = """
import resource, signal, sys
from pathlib import Path
from lcb_rb.writing import write_text

signal.signal(signal.SIGXFSZ, signal.SIG_DFL if sys.argv[2] == "killed" else signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
write_text(Path(sys.argv[1]), "new" * 1_000_000)
"""


@contextmanager
def child(script: str, *arguments: Path) -> Iterator["subprocess.Popen[str]"]:
    """A running Python process that is killed with SIGKILL at the end of the block."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: "subprocess.Popen[str]") -> None:
    """Waits until the process has printed a line."""
    assert cast("IO[str]", process.stdout).readline(), cast("IO[str]", process.stderr).read()


def run(script: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs a Python process to its end, whatever that is."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


def kill_in_the_block(out: Path) -> None:
    with child(STAGING, out) as process:
        hear(process)


def test_a_killed_writer_leaves_no_output(tmp_path: Path) -> None:
    kill_in_the_block(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_killed_writer_leaves_an_older_output_as_it_was(tmp_path: Path) -> None:
    build(tmp_path / "out", "old")
    kill_in_the_block(tmp_path / "out")
    assert contents(tmp_path / "out") == {MARKER: "old"}


def test_the_rerun_of_a_killed_writer_finds_its_journals_and_nothing_half_done(tmp_path: Path) -> None:
    kill_in_the_block(tmp_path / "out")
    with staged_directory(tmp_path / "out", MARKER) as stage:
        assert contents(stage) == {"work.journal": "done so far", "checkpoints.journal/step": "7"}


def test_the_rerun_of_a_killed_writer_leaves_only_its_own_output(tmp_path: Path) -> None:
    kill_in_the_block(tmp_path / "out")
    build(tmp_path / "out")
    assert contents(tmp_path) == {"out/README.md": "new"}


@pytest.mark.parametrize("older", [True, False])
def test_a_writer_killed_at_any_step_leaves_a_whole_version_and_can_be_rerun(tmp_path: Path, older: bool) -> None:
    for steps in range(200):
        out = tmp_path / str(steps) / "out"
        if older:
            for name in ("README.md", "a", "b"):
                write_text(out / name, "old")
        returncode = run(KILLED_AT_STEP, out, str(steps)).returncode
        whole = [contents(place) for place in (out, out.with_name(".out.old")) if place == out or not out.exists()]
        versions = [dict.fromkeys(["README.md", "a", "b"], text) for text in ("old", "new")]
        assert all(found in [{}, *versions] for found in whole), f"killed at step {steps}"
        assert not older or any(found in versions for found in whole), f"killed at step {steps}"
        build(out)
        assert contents(out.parent) == {"out/README.md": "new"}, f"killed at step {steps}"
        if returncode == 0:
            assert steps > 10
            return
        assert returncode == -signal.SIGKILL
    pytest.fail("it never came to its end")


def test_a_second_writer_is_refused_while_the_first_is_alive(tmp_path: Path) -> None:
    with child(STAGING, tmp_path / "out") as process:
        hear(process)
        with pytest.raises(InputError, match="another recode process is writing it"):
            build(tmp_path / "out")


def test_a_refused_second_writer_does_not_disturb_the_first(tmp_path: Path) -> None:
    with child(STAGING, tmp_path / "out") as process:
        hear(process)
        with pytest.raises(InputError):
            build(tmp_path / "out")
        process.communicate("", timeout=60)
    assert contents(tmp_path) == {"out/README.md": "half", "out/data/rows": "half"}


@pytest.mark.parametrize(("end", "returncode"), [("killed", -signal.SIGXFSZ), ("no space", 1)])
def test_an_older_text_survives_a_writer_that_comes_half_way(tmp_path: Path, end: str, returncode: int) -> None:
    write_text(tmp_path / "text", "old")
    assert run(LIMITED, tmp_path / "text", end).returncode == returncode
    assert (tmp_path / "text").read_text(encoding="utf-8") == "old"


def test_a_text_that_finds_no_space_leaves_nothing_half_written(tmp_path: Path) -> None:
    done = run(LIMITED, tmp_path / "text", "no space")
    assert "InputError" in done.stderr and "cannot be written (File too large)" in done.stderr
    assert list(tmp_path.iterdir()) == []
