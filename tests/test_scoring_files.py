"""Scores from a file, and scoring that goes on where it was killed."""

import json
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories import ROOT, make_pair, run_recode
from lcb_rb.errors import InputError
from lcb_rb.pairs import write_pairs
from lcb_rb.scorers import ModelOptions, load_scorer
from lcb_rb.scorers.journal import opened
from lcb_rb.scoring import score_model

PAIRS = [make_pair(f"p{i}/a", problem_id=f"p{i}", rejected_reasoning=f"{i} is a guess. " * i) for i in range(1, 13)]


@pytest.fixture
def pairs(tmp_path):
    write_pairs(PAIRS, tmp_path / "pairs", "test")
    return tmp_path / "pairs"


def rows(count=12):
    return [{"id": pair.id, "chosen": 1.5, "rejected": 0.5, "n_tokens": 3} for pair in PAIRS[:count]]


def write_rows(path, found):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(found), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["scores.jsonl", "scores.parquet"])
def test_scores_of_others_make_a_report(name, pairs, tmp_path):
    report = score_model(str(write_rows(tmp_path / name, rows())), pairs)
    assert (report.overall.accuracy, report.overall.n, report.overall.n_unscored) == (1.0, 12, 0)
    assert (report.scores[0].chosen, report.scores[0].rejected) == (1.5, 0.5)
    assert report.provenance.scorer_revision.startswith("sha256:")
    assert report.notes == ["scores were read from a file, not computed here"]


def test_missing_and_null_and_nan_are_unscored_and_counted(pairs, tmp_path):
    found = [*rows(10), {"id": "p11/a", "chosen": None, "rejected": 1}]
    found[0]["chosen"] = float("nan")
    report = score_model(str(write_rows(tmp_path / "s.jsonl", found)), pairs)
    assert (report.overall.n, report.overall.n_unscored) == (12, 3)
    assert "3 of 12 pairs have no two finite scores in the file" in report.notes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "p99/a"}, r"1 of 12 ids are no pair's \(p99/a\)"),
        ({"id": "p2/a"}, "line 2.*'p2/a' is there twice"),
        ({"id": 7}, "line 1, field 'id': is no text"),
        ({"chosen": "high"}, "line 1, field 'chosen': 'high' is no number"),
        ({"rejected": True}, "line 1, field 'rejected': True is no number"),
        ({"rejected": 10**400}, "line 1, field 'rejected': is no number: too large"),
    ],
)
def test_a_wrong_row_is_named(change, said, pairs, tmp_path):
    found = rows()
    found[0] |= change
    with pytest.raises(InputError, match=said):
        score_model(str(write_rows(tmp_path / "s.jsonl", found)), pairs)


@pytest.mark.parametrize("name", ["s.jsonl", "s.parquet"])
def test_a_missing_column_is_named(name, pairs, tmp_path):
    found = [{"id": row["id"], "chosen": 1.0} for row in rows()]
    with pytest.raises(InputError, match="field 'rejected': is missing"):
        score_model(str(write_rows(tmp_path / name, found)), pairs)


@pytest.mark.parametrize("name", ["none.jsonl", "none.parquet"])
def test_a_file_that_is_not_there_is_one_line(name, pairs):
    result = run_recode("score", name, "--pairs", pairs)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "does not exist" in result.stderr


def test_a_parquet_file_that_is_none_is_one_line(pairs, tmp_path):
    (tmp_path / "s.parquet").write_text("no parquet", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        score_model(str(tmp_path / "s.parquet"), pairs)


@pytest.mark.parametrize("options", [{"method": "dpo"}, {"over_long": "left"}, {"allow_pickle": True}])
def test_options_of_models_are_refused_elsewhere(options):
    with pytest.raises(InputError, match="are for models only"):
        load_scorer("length", options=ModelOptions(**options))


def test_a_journal_keeps_batches_over_a_torn_line(tmp_path):
    path = tmp_path / "j"
    with opened(path) as journal:
        journal.put("a", [1.0, None])
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"key": "b", "sco')
    with opened(path) as journal:
        assert journal.get("a") == [1.0, None]
        assert journal.get("b") is None
        journal.put("b", [0.1 + 0.2])
    with opened(path) as journal:
        assert journal.get("b") == [0.1 + 0.2]


def test_two_runs_into_one_journal_are_refused(tmp_path):
    with opened(tmp_path / "j") as journal:
        journal.put("a", [1.0])
        with pytest.raises(InputError, match="another run is writing it"), opened(tmp_path / "j"):
            pass
    assert (tmp_path / "j").exists()


def test_a_journal_of_nothing_is_removed(tmp_path):
    with opened(tmp_path / "j"):
        pass
    assert not (tmp_path / "j").exists()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("trl")
    from tiny_models import save_model

    return save_model(tmp_path_factory.mktemp("model"), "qwen2")


SLOW = """
import sys, time
from dataclasses import replace
import lcb_rb.scoring, recode
from lcb_rb.scorers import ModelOptions, classifier
plain, limit = classifier.ClassifierScorer.forward, {limit}
made = classifier.ClassifierScorer.__init__
def small(self, *args, **kwargs):
    made(self, *args, **kwargs)
    self.batch_tokens = 100
def forward(self, batch):
    global limit
    print("forward", len(batch), flush=True)
    limit -= 1
    time.sleep(60 if limit < 0 else 0)
    return plain(self, batch)
classifier.ClassifierScorer.forward, classifier.ClassifierScorer.__init__ = forward, small
sys.argv = ["recode", *{arguments}]
recode.main()
"""


def started(arguments, limit):
    code = SLOW.format(arguments=[str(word) for word in arguments], limit=limit)
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_killed_run_goes_on_and_its_report_is_the_same(model, pairs, tmp_path):
    arguments = ["score", model, "--pairs", pairs, "--out", tmp_path / "report.json"]
    journal = tmp_path / ".report.json.journal"
    whole = started(arguments, 1000).communicate()[0].count("forward")
    expected = (tmp_path / "report.json").read_bytes()
    (tmp_path / "report.json").unlink()
    assert not journal.exists()

    process = started(arguments, 3)
    while process.poll() is None and (not journal.exists() or journal.read_text(encoding="utf-8").count("key") < 3):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "report.json").exists()

    again = started(arguments, 1000).communicate()[0].count("forward")
    assert whole > 4
    assert again == whole - 3
    assert (tmp_path / "report.json").read_bytes() == expected
    assert not journal.exists()


def test_cut_pairs_are_marked_and_counted(model, pairs, tmp_path):
    write_pairs([*PAIRS, make_pair("long/a", chosen_reasoning="step " * 400)], tmp_path / "more", "test")
    refused = run_recode("score", model, "--pairs", tmp_path / "more", "--out", tmp_path / "r.json")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "pair long/a" in refused.stderr
    assert not (tmp_path / ".r.json.journal").exists()
    done = run_recode(
        "score", model, "--pairs", tmp_path / "more", "--truncate", "middle", "--out", tmp_path / "r.json"
    )
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert done.returncode == 0
    assert report["n_truncated"] == 1
    assert [score["id"] for score in report["scores"] if score["truncated"]] == ["long/a"]
    assert "note: 1 of 13 pairs were cut (middle) to the model's context of 256 tokens" in done.stdout


def test_an_unwanted_option_of_the_command_is_one_line(pairs):
    refused = run_recode("score", "length", "--pairs", pairs, "--truncate", "left")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "are for models only" in refused.stderr
