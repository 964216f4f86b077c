"""Training a small reward model for real: it learns, it is saved whole, it resumes."""

import json
import signal
import subprocess
import sys
import time

import pytest
import yaml

from factories import ROOT, make_pair, run_recode
from lcb_rb.errors import InputError
from lcb_rb.evaluation import score_pairs
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import PairKind
from lcb_rb.scorers import load_scorer
from recode_models.reward_model.recipe import RECIPES, RewardRecipe, load_recipe

pytest.importorskip("trl")

RECIPE = {
    "model": {
        "config": {
            "model_type": "qwen2",
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
        },
        "vocab_size": 300,
    },
    "training": {
        "max_steps": 30,
        "per_device_train_batch_size": 8,
        "learning_rate": 0.01,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "save_steps": 5,
    },
}


def pair(index):
    return make_pair(
        f"p{index}/x",
        problem_id=f"p{index}",
        chosen_reasoning=f"Case {index}: the sum is proved step by step.",
        rejected_reasoning=f"Case {index}: the sum is a wild guess, no more.",
        kind=PairKind.DEGRADED,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pairs")
    write_pairs([pair(i) for i in range(32)], directory, "train")
    write_pairs([pair(i) for i in range(32, 40)], directory, "validation")
    return directory


def recipe_file(path, **changes):
    path.write_text(yaml.safe_dump(RECIPE | changes), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    directory = tmp_path_factory.mktemp("run")
    recipe = recipe_file(directory / "recipe.yaml")
    result = run_recode("train", "reward", recipe, "--pairs", data, "--out", directory / "model", "--json")
    assert result.returncode == 0, result.stderr
    return directory / "model", json.loads(result.stdout)


def test_it_learns_and_says_so_exactly(trained):
    assert trained[1]["validation"]["accuracy"] == 1.0
    assert trained[1]["validation"]["n"] == 8


def test_counts_of_given_and_kept_are_printed(trained):
    assert (trained[1]["given"], trained[1]["kept"]) == (32, 32)


def test_the_saved_model_scores_with_recode_score(trained, data):
    result = run_recode("score", trained[0], "--pairs", data, "--split", "validation", "--json")
    assert json.loads(result.stdout)["overall"]["accuracy"] == 1.0


def test_the_directory_holds_what_made_it_and_no_checkpoint(trained):
    names = {path.name for path in trained[0].iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "recode.json"} <= names
    assert not any("checkpoint" in name or name.endswith(".journal") for name in names)


def test_the_record_holds_recipe_and_data_revision(trained):
    record = json.loads((trained[0] / "recode.json").read_text(encoding="utf-8"))
    assert record["recipe"]["training"]["max_steps"] == 30
    assert len(record["data_revision"]) == 64


def test_a_killed_run_goes_on_and_ends_at_the_same_scores(trained, data, tmp_path):
    recipe = recipe_file(tmp_path / "recipe.yaml")
    arguments = ["train", "reward", str(recipe), "--pairs", str(data), "--out", str(tmp_path / "model")]
    stage = tmp_path / ".model.partial"
    process = subprocess.Popen([sys.executable, "-m", "recode", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(stage.glob("*.journal/checkpoint-10/trainer_state.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "model").exists()
    assert run_recode(*arguments).returncode == 0
    assert not stage.exists()
    pairs = [pair(i) for i in range(32, 40)]
    first, second = (
        score_pairs(load_scorer(str(path)), pairs, data="", data_revision="", command="").scores
        for path in (trained[0], tmp_path / "model")
    )
    assert [s.chosen for s in second] == pytest.approx([s.chosen for s in first], abs=1e-4)


def test_too_long_pairs_are_refused_not_dropped(data, tmp_path):
    recipe = recipe_file(tmp_path / "r.yaml", training=RECIPE["training"] | {"max_length": 10})
    result = run_recode("train", "reward", recipe, "--pairs", data, "--out", tmp_path / "model")
    assert result.returncode == 2
    assert "32 of 32 pairs are longer than max_length 10" in result.stderr
    assert not (tmp_path / "model").exists()


def test_an_unknown_training_option_is_one_line(data, tmp_path):
    recipe = recipe_file(tmp_path / "r.yaml", training={"learning_rat": 0.1})
    result = run_recode("train", "reward", recipe, "--pairs", data, "--out", tmp_path / "model")
    assert result.returncode == 2
    assert "learning_rat" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_model_that_is_not_there_is_one_line(data, tmp_path):
    recipe = recipe_file(tmp_path / "r.yaml", model={"id": str(tmp_path / "nothing")})
    result = run_recode("train", "reward", recipe, "--pairs", data, "--out", tmp_path / "model")
    assert result.returncode == 2
    assert "nothing" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_saved_model_can_be_trained_on(trained, data, tmp_path):
    training = RECIPE["training"] | {"max_steps": 1}
    recipe = recipe_file(tmp_path / "r.yaml", model={"id": str(trained[0])}, training=training)
    result = run_recode("train", "reward", recipe, "--pairs", data, "--out", tmp_path / "model", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["validation"]["accuracy"] == 1.0


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_a_recipe(path):
    assert isinstance(load_recipe(path.stem), RewardRecipe)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: {}", "give either id or config"),
        ("model: {id: a, config: {model_type: qwen2}}", "give either id or config"),
        ("model: {config: {hidden_size: 3}}", "needs a model_type"),
        ("model: {id: a}\nkinds: [natura]", "kinds.0"),
        ("model: {id: a}\nmodle: 1", "modle"),
        ("model: {id: a", "not YAML"),
        ("- 1", "recipe"),
    ],
)
def test_a_wrong_recipe_names_file_and_field(tmp_path, text, says):
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"wrong\.yaml") as error:
        load_recipe(str(path))
    assert says in str(error.value)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(InputError, match="starter-cpu"):
        load_recipe("no-such-recipe")
