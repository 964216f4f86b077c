"""Several processes that score together: what they report, and what becomes of them when one dies."""

import multiprocessing
import os
import socket
import subprocess
import sys

import pytest

from counted_scoring import PRELOADED, forked
from factories import ROOT, make_pair, needs, run_recode
from lcb_rb.errors import InputError
from lcb_rb.pairs import write_pairs
from lcb_rb.scorers.journal import opened, parts
from lcb_rb.scorers.sharding import Ranks, joined, local_device
from processes import within

needs("torch", "transformers")

PAIRS = [make_pair(f"p{i}/a", problem_id=f"p{i}", rejected_reasoning=f"{i} is a guess. " * i) for i in range(1, 13)]
FORKS = multiprocessing.get_context("forkserver")
"""Processes that are real, but import nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and pairs."""
    from tiny_models import save_model

    FORKS.set_forkserver_preload(PRELOADED)
    made = tmp_path_factory.mktemp("sharding")
    save_model(made / "model", "qwen2")
    write_pairs(PAIRS, made / "pairs", "test")
    return made


ARGUMENTS = ["score", "model", "--pairs", "pairs", "--out", "r.json"]


def started(folder, stderr, **environment):
    known = {"OMP_NUM_THREADS": "1", **environment}
    process = FORKS.Process(target=forked, args=(ARGUMENTS, folder, known, stderr))
    process.start()
    return process


def forwards(folder, stderr, rank=0):
    return (folder / stderr).read_text(encoding="utf-8").count(f"forward of {rank}")


@pytest.fixture(scope="module")
def alone(folder):
    """The report of one process, and how many batches it ran."""
    started(folder, "alone").join()
    report = (folder / "r.json").read_bytes()
    (folder / "r.json").unlink()
    return report, forwards(folder, "alone")


def test_two_processes_write_the_report_of_one(folder, alone):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    script = str(ROOT / "tests" / "counted_scoring.py")
    done = subprocess.run(
        [*launcher, script, *ARGUMENTS], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert (folder / "r.json").read_bytes() == alone[0]
    counts = [done.stderr.count(f"forward of {rank}") for rank in (0, 1)]
    assert counts == [(alone[1] + 1) // 2, alone[1] // 2]
    assert done.stdout.count("scorer model (sha256:") == 1, "one of them speaks"
    assert not parts(folder / ".r.json.journal")
    (folder / "r.json").unlink()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_a_dead_process_ends_the_run_and_one_process_goes_on(folder, alone):
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    first = started(folder, "first", RANK="0", **place)
    second = started(folder, "second", RANK="1", BATCHES="1", **place)
    journal = folder / ".r.json.journal"
    share = (alone[1] + 1) // 2

    def kept():
        return [part.read_text(encoding="utf-8").count("key") for part in parts(journal)]

    assert within(100, lambda: kept() == [share, 1])
    second.kill()
    first.join(60)
    assert first.exitcode == 1
    said = (folder / "first").read_text(encoding="utf-8")
    assert "process 0 of 2: another process has ended" in said
    assert "Traceback" not in said
    assert not (folder / "r.json").exists()

    started(folder, "again").join()
    assert forwards(folder, "again") == alone[1] - share - 1
    assert (folder / "r.json").read_bytes() == alone[0]
    assert not parts(journal)


def test_what_is_scored_by_one_process_is_not_launched_in_two(folder):
    from lcb_rb.scoring import score_model

    with pytest.raises(InputError, match="length: scores in one process, but 2 were launched"):
        score_model("length", folder / "pairs", ranks=Ranks(1, 2))


def test_a_size_without_a_meeting_place_is_one_line(folder):
    place = {**os.environ, "WORLD_SIZE": "2", "RANK": "0"}
    refused = run_recode("score", "length", "--pairs", folder / "pairs", environment=place)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "start it by accelerate launch or torchrun" in refused.stderr


def test_one_process_joins_nothing(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as ranks:
        assert (ranks, list(ranks.own(3)), ranks.gathered({0: [1.0]})) == (Ranks(), [0, 1, 2], {0: [1.0]})


def test_each_process_has_a_device_of_its_own(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device("GPU", 2) == 1
    with pytest.raises(InputError, match="process 1 of this machine has no GPU: it has 1; start at most 1"):
        local_device("GPU", 1)


def test_a_journal_knows_its_parts_and_nothing_else(tmp_path):
    for rank in (0, 1):
        with opened(tmp_path / "j", rank) as journal:
            journal.put(f"of {rank}", [1.0])
    (tmp_path / "j.txt").touch()
    (tmp_path / "jj.1").touch()
    assert [part.name for part in parts(tmp_path / "j")] == ["j", "j.1"]
    with opened(tmp_path / "j", 2) as journal:
        assert (journal.get("of 0"), journal.get("of 1")) == ([1.0], [1.0])
