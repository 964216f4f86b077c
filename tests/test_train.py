"""Training a small reward model in a process of its own: it learns, is saved whole, is measured, and resumes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from factories import ROOT, needs, run_recode
from lcb_rb.evaluation import score_pairs
from lcb_rb.hub.files import files_of
from lcb_rb.hub.model_card import model_files
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import PairKind
from lcb_rb.scorers import load_scorer
from lcb_rb.scorers.calibrated import CalibratedScorer, read_scale
from trainings import make_data, pair, recipe_file, training

needs("trl", "matplotlib", "datasketch")

TRAINING = training(eval_strategy="steps", eval_steps=5, logging_steps=5, load_best_model_at_end=True)
HELD_OUT = [pair(i) for i in range(32, 40)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def natural(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bench") / "LCB-RB"
    write_pairs([pair(i, kind=PairKind.NATURAL, dimension=None).swap() for i in range(50, 55)], directory, "test")
    return directory


@pytest.fixture(scope="module")
def trained(data, natural, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    recipe = recipe_file(directory / "recipe.yaml", training=TRAINING)
    out = directory / "model"
    result = run_recode("train", "reward", recipe, "--pairs", data, "--evaluate", natural, "--out", out, "--json")
    assert result.returncode == 0, result.stderr
    return out, json.loads(result.stdout)


@pytest.fixture(scope="module")
def record(trained):
    return json.loads((trained[0] / "recode.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def metrics(trained):
    return [json.loads(line) for line in (trained[0] / "metrics.jsonl").read_text().splitlines()]


def test_it_learns_and_says_so_exactly(trained):
    assert trained[1]["validation"]["accuracy"] == 1.0
    assert trained[1]["validation"]["n"] == 8


def test_counts_of_given_and_kept_are_printed(trained):
    assert (trained[1]["given"], trained[1]["kept"]) == (32, 32)


def test_the_saved_model_scores_with_recode_score(trained):
    report = score_pairs(load_scorer(str(trained[0])), HELD_OUT, data="", data_revision="", command="")
    assert report.overall.accuracy == 1.0


def test_the_directory_holds_what_made_it_and_no_checkpoint(trained):
    names = {path.relative_to(trained[0]).as_posix() for path in trained[0].rglob("*")}
    assert {"config.json", "model.safetensors", "tokenizer.json", "recode.json", "metrics.jsonl"} <= names
    assert {"plots/loss.png", "plots/accuracy.png", "plots/margins.png"} <= names
    assert not any("checkpoint" in name or name.endswith((".journal", ".bin")) for name in names)


def test_the_record_holds_recipe_and_data_revision(record, data):
    assert record["recipe"]["training"]["max_steps"] == 30
    assert len(record["data_revision"]) == 64
    assert str(data.parent) not in record["data"]


def test_held_out_pairs_are_measured_by_kind_and_dimension(record):
    assert record["results"]["lcb_rb"]["overall"]["accuracy"] == 0.0  # its sides are exchanged
    assert set(record["results"]["lcb_rb"]["by_kind"]) == {"natural"}
    assert record["results"]["validation"]["by_dimension"]["logical_rigor"]["n"] == 8


def test_metrics_of_the_training_are_exact_and_per_set(metrics, record):
    evaluated = [line for line in metrics if "eval_validation_accuracy" in line]
    assert [line["step"] for line in evaluated] == [5, 10, 15, 20, 25, 30]
    assert evaluated[-1]["eval_validation_accuracy"] == 1.0
    assert evaluated[-1]["eval_lcb_rb_accuracy"] == 0.0
    assert evaluated[-1]["eval_validation_logical_rigor_accuracy"] == 1.0
    assert not {"eval_accuracy", "eval_loss", "eval_runtime"} & set(evaluated[-1])


def test_process_rewards_of_the_model_are_calibrated_on_accepted_reasonings(trained, record):
    scale = read_scale(trained[0])
    assert scale.model_dump() == record["calibration"] == trained[1]["calibration"]
    assert scale.n == 40  # 8 of the validation are few, so the training ones are there too
    report = score_pairs(
        CalibratedScorer(load_scorer(str(trained[0])), scale), HELD_OUT, data="", data_revision="", command=""
    )
    assert all(0.0 <= score.rejected < score.chosen <= 1.0 for score in report.scores)


def test_every_style_of_right_and_wrong_reasonings_is_probed(record, trained):
    cells = {(cell["reasoning"], cell["style"]): cell for cell in record["style_probe"]["cells"]}
    styles = ("as written", "terse", "wordy", "formatted", "empty")
    assert set(cells) == {(side, style) for side in ("right", "wrong") for style in styles}
    assert all(cell["n"] == 8 and 0.0 <= cell["mean"] <= 1.0 for cell in cells.values())
    assert cells["right", "as written"]["mean"] > cells["wrong", "as written"]["mean"]
    assert record["style_probe"]["n"] == 16
    assert 0.0 <= trained[1]["style_beats_substance"] <= 1.0


def test_the_card_shows_probe_calibration_and_plots(trained, tmp_path):
    made = model_files(trained[0], files_of(trained[0]), "me/reward", tmp_path)
    card = made["README.md"].read_text(encoding="utf-8")
    assert "## Style probe" in card
    assert "| formatted | " in card
    assert "sigmoid((score - " in card
    assert "![Loss](plots/loss.png)" in card


def test_a_killed_run_goes_on_and_ends_at_the_same_scores(trained, data, natural, tmp_path):
    recipe = recipe_file(tmp_path / "recipe.yaml", training=TRAINING)
    arguments = ["train", "reward", recipe, "--pairs", data, "--evaluate", natural, "--out", tmp_path / "model"]
    arguments = [str(argument) for argument in arguments]
    stage = tmp_path / ".model.partial"
    process = subprocess.Popen([sys.executable, "-m", "recode", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(stage.glob("*.journal/checkpoint-10/trainer_state.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "model").exists()
    result = run_recode(*arguments)
    assert result.returncode == 0, result.stderr
    assert not stage.exists()
    first, second = (
        score_pairs(load_scorer(str(path)), HELD_OUT, data="", data_revision="", command="").scores
        for path in (trained[0], tmp_path / "model")
    )
    assert [s.chosen for s in second] == pytest.approx([s.chosen for s in first], abs=1e-4)
    steps = [json.loads(line)["step"] for line in (tmp_path / "model" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [json.loads(line)["step"] for line in (trained[0] / "metrics.jsonl").read_text().splitlines()]


def test_two_processes_train_one_model_and_speak_once(data, tmp_path):
    recipe = recipe_file(tmp_path / "r.yaml", training={**TRAINING, "max_steps": 4, "eval_steps": 2, "save_steps": 2})
    launch = ["timeout", "200", sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launch, "-m", "recode", "train", "reward", recipe, "--pairs", data, "--out", tmp_path / "model"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*map(str, command), "--json"], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["validation"]["n"] == 8  # one object, so one process spoke
    assert result.stderr.count("training pairs: 32 given") == 1
    lines = [json.loads(line) for line in (tmp_path / "model" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "eval_validation_accuracy" in line] == [2, 4]
    assert not (tmp_path / ".model.partial").exists()
