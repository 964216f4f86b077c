"""Trainings in this process, which imports trl once: adapters, the score objective, stopping, and what is refused."""

import json
import math
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories import needs
from lcb_rb.errors import InputError
from lcb_rb.evaluation import score_pairs
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import PairKind
from lcb_rb.scorers import load_scorer
from recode_models.failures import TrainingError
from recode_models.reward_model.recipe import RECIPES, RewardRecipe, load_recipe
from recode_models.reward_model.train import train
from trainings import RECIPE, make_data, pair, training

needs("trl", "matplotlib", "datasketch")

SHORT = {**RECIPE["model"], "config": {**RECIPE["model"]["config"], "max_position_embeddings": 20}}
"""A model with positions for 20 tokens."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model whose pad token is its end token, with dropout."""
    from tiny_models import save_model

    directory = save_model(tmp_path_factory.mktemp("tiny"), "qwen2", pad_is_eos=True)
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "attention_dropout": 0.5}))
    return directory


def recipe(**changes):
    return RewardRecipe.model_validate({**RECIPE, **changes})


def scores(model, pairs):
    return score_pairs(load_scorer(str(model)), pairs, data="", data_revision="", command="").scores


@pytest.fixture(scope="module")
def adapted(data, tiny, tmp_path_factory):
    pytest.importorskip("peft")
    out = tmp_path_factory.mktemp("lora") / "model"
    lora = {"r": 4, "alpha": 8}
    options = training(max_steps=10, learning_rate=0.02, gradient_checkpointing=True)
    return out, train(recipe(model={"id": str(tiny)}, lora=lora, training=options), data, out)


def test_adapters_are_merged_and_the_directory_scores_as_the_model_in_memory(adapted, data):
    out, trained = adapted
    assert not list(out.glob("adapter*"))
    assert trained.validation.accuracy > 0.9
    assert json.loads((out / "recode.json").read_text())["versions"]["peft"]


def test_adapters_train_the_head_and_leave_the_embeddings(adapted, tiny):
    from safetensors.torch import load_file

    before, after = load_file(tiny / "model.safetensors"), load_file(adapted[0] / "model.safetensors")
    known = before["model.embed_tokens.weight"]
    assert not after["score.weight"].equal(before["score.weight"])
    assert after["model.embed_tokens.weight"][: len(known)].equal(known)


def test_a_pad_token_that_ends_every_text_is_replaced(adapted):
    config = json.loads((adapted[0] / "config.json").read_text())
    assert config["pad_token_id"] != config["eos_token_id"]


def test_a_saved_model_that_is_another_one_is_an_error(adapted, data, tmp_path):
    from safetensors.torch import load_file, save_file

    from recode_models.launch import stage_of
    from recode_models.reward_model.data import read_data
    from recode_models.reward_model.examine import examine

    model = tmp_path / "model"
    shutil.copytree(adapted[0], model)
    found = read_data(recipe(), data, "default", stage_of(model))
    known = [(score.chosen, score.rejected) for score in scores(model, found.train.pairs[:4])]
    assert examine(model, found, known, seed=0).scale
    weights = load_file(model / "model.safetensors")
    weights["score.weight"] *= 0.5  # as a head that was drawn anew
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match="is not the trained one: pair p0/x"):
        examine(model, found, known, seed=0)


def test_texts_are_split_in_training_as_by_whoever_loads_the_model(data, tmp_path):
    from transformers import AutoTokenizer

    from recode_models.reward_model.base_model import load_base

    model, tokenizer = load_base(recipe(), [pair(i) for i in range(4)])
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert str(loaded.backend_tokenizer.pre_tokenizer) == str(tokenizer.backend_tokenizer.pre_tokenizer)


def test_dropout_is_off_while_training(tiny, data, tmp_path):
    import torch

    from recode_models.reward_model.base_model import load_base
    from recode_models.reward_model.data import read_data
    from recode_models.reward_model.trainer import build_trainer, training_arguments

    wanted = recipe(model={"id": str(tiny)})
    found = read_data(wanted, data, "default", tmp_path / "list")
    model, tokenizer = load_base(wanted, found.train.pairs)
    ids = tokenizer("the sum is proved", return_tensors="pt").input_ids
    model.train()
    assert not torch.equal(model(ids).logits, model(ids).logits)  # the model has dropout
    arguments = training_arguments(wanted, tmp_path / "run", validates=True)
    trainer = build_trainer(wanted, arguments, model, tokenizer, found.train, found.held_out)
    trainer.model.train()
    assert torch.equal(trainer.model(ids).logits, trainer.model(ids).logits)


def test_the_score_objective_learns_the_given_scores(data, tmp_path):
    given = tmp_path / "pairs"
    shutil.copytree(data, given)
    path = given / "data" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    for name, value in (("chosen_score", 3.0), ("rejected_score", 1.0)):
        table = table.append_column(name, pa.array([value] * len(table)))
    pq.write_table(table, path)
    options = training(max_steps=60, learning_rate=0.02, logging_steps=20)
    train(recipe(objective="score", training=options), given, tmp_path / "model")
    found = scores(tmp_path / "model", [pair(i) for i in range(32, 40)])
    assert sum(score.chosen for score in found) / 8 == pytest.approx(3.0, abs=0.5)
    assert sum(score.rejected for score in found) / 8 == pytest.approx(1.0, abs=0.5)


def test_without_given_scores_an_original_has_one_score_in_every_kind_of_pair():
    from recode_models.reward_model.data import ROLES

    assert ROLES[PairKind.OPTIMIZED][1] == ROLES[PairKind.DEGRADED][0] == ROLES[PairKind.NATURAL][0]
    assert all(chosen > rejected for chosen, rejected in ROLES.values())


def test_training_stops_when_the_validation_no_longer_gets_better(data, tmp_path):
    options = training(learning_rate=0.0, max_steps=60, eval_strategy="steps", eval_steps=2, save_steps=2)
    train(recipe(early_stopping_patience=2, training=options), data, tmp_path / "model")
    lines = [json.loads(line) for line in (tmp_path / "model" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "eval_validation_loss" in line] == [2, 4, 6]


def test_the_best_checkpoint_by_validation_is_the_one_that_is_saved(data, tmp_path):
    swapped = tmp_path / "pairs"
    write_pairs([pair(i) for i in range(32)], swapped, "train")
    write_pairs([pair(i).swap() for i in range(32, 40)], swapped, "validation")  # what is learned is wrong there
    options = training(eval_strategy="steps", eval_steps=5, logging_steps=5, load_best_model_at_end=True)
    options["metric_for_best_model"] = "validation_loss"
    found = train(recipe(training=options), swapped, tmp_path / "model")
    lines = [json.loads(line) for line in (tmp_path / "model" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["eval_validation_loss"] for line in lines if "eval_validation_loss" in line]
    assert losses[0] == min(losses) < losses[-1] / 2  # so best and last are two models
    assert found.examined
    kept = found.examined.reports["validation"].scores
    loss = sum(math.log1p(math.exp(score.rejected - score.chosen)) for score in kept) / len(kept)
    assert loss == pytest.approx(min(losses), abs=1e-4)


def test_a_loss_that_is_no_number_ends_the_run(data, tmp_path):
    options = training(learning_rate=1e30, logging_steps=1, save_strategy="no")
    with pytest.raises(TrainingError, match=r"step \d+: .* is (nan|inf)") as error:
        train(recipe(training=options), data, tmp_path / "model")
    assert error.value.exit_code == 1
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"training": training(max_length=10)}, "32 of 32 pairs are longer than max_length 10"),
        ({"model": SHORT}, "32 of 32 pairs are longer than max_length 20"),
        ({"training": {"learning_rat": 0.1}}, "learning_rat"),
        ({"model": {"id": "no/such/model"}}, "no/such/model"),
        (
            {"training": training(eval_strategy="steps", load_best_model_at_end=True, metric_for_best_model="loss")},
            "metric_for_best_model loss is not of the validation",
        ),
        ({"kinds": ["strong"]}, "no train pair is of kind strong"),
    ],
)
def test_what_is_wrong_is_refused_before_the_training(data, tmp_path, changes, says):
    with pytest.raises(InputError) as error:
        train(recipe(**changes), data, tmp_path / "model")
    assert says in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda model: (model / "model.safetensors").write_bytes(b"\xff" * 99), "model.safetensors"),
        (lambda model: (model / "config.json").write_text("[]"), "tiny"),
        (lambda model: (model / "tokenizer.json").write_text("{"), "tiny"),
    ],
)
def test_a_base_that_cannot_be_loaded_is_refused_in_one_line(tiny, data, tmp_path, damage, says):
    base = tmp_path / "tiny"
    shutil.copytree(tiny, base)
    damage(base)
    with pytest.raises(InputError, match=r"field 'model\.id'") as error:
        train(recipe(model={"id": str(base)}), data, tmp_path / "model")
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_failure_of_the_measuring_costs_no_checkpoint(data, tmp_path, monkeypatch):
    from recode_models.reward_model import examine as module

    def out_of_memory(*given):
        raise InputError("the model does not fit into memory")

    wanted = recipe(training=training(max_steps=5))
    with monkeypatch.context() as patched:
        patched.setattr(module, "examine", out_of_memory)
        with pytest.raises(TrainingError, match="trained, but not measured: the model does not fit"):
            train(wanted, data, tmp_path / "model")
    assert list(tmp_path.glob(".model.partial/checkpoints-*.journal/checkpoint-5"))
    assert list(tmp_path.glob(".model.partial/checkpoints-*.journal/parts.json"))  # a rerun can say what has changed
    found = train(wanted, data, tmp_path / "model")
    assert found.examined and found.loss > 0.1  # of all steps, although this run made none


def test_score_columns_concern_the_score_objective_only(data, tmp_path):
    from recode_models.reward_model.data import read_data

    given = tmp_path / "pairs"
    shutil.copytree(data, given)
    path = given / "data" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    for name in ("chosen_score", "rejected_score"):
        table = table.append_column(name, pa.array(["high"] * len(table)))
    pq.write_table(table, path)
    assert read_data(recipe(), given, "default", tmp_path / "listing").train.pairs
    with pytest.raises(InputError, match="pair 'p0/x': no score"):
        read_data(recipe(objective="score"), given, "default", tmp_path / "listing")


def test_a_checkpoint_belongs_to_one_config_one_base_and_one_number_of_processes(data, monkeypatch):
    from dataclasses import replace
    from pathlib import Path

    from recode_models.reward_model.data import read_data
    from recode_models.reward_model.train import _parts

    found = read_data(recipe(), data, "default", Path("unused"))
    other = replace(found, train=replace(found.train, place=replace(found.train.place, config="other")))
    plain = _parts(recipe(), found, None)
    told = [plain, _parts(recipe(), other, None), _parts(recipe(), found, "b"), _parts(recipe(seed=1), found, None)]
    monkeypatch.setenv("WORLD_SIZE", "2")
    told.append(_parts(recipe(), found, None))
    assert len({str(parts) for parts in told}) == 5
    monkeypatch.delenv("WORLD_SIZE")
    aside = training(logging_steps=7, report_to="tensorboard", save_total_limit=1)
    assert _parts(recipe(training=aside, cpu_threads=2, max_dropped_share=0.5), found, None) == plain


def test_choosing_a_checkpoint_needs_a_validation_split(tmp_path):
    data = make_data(tmp_path / "pairs", held_out=0)
    with pytest.raises(InputError, match="no validation split"):
        train(recipe(early_stopping_patience=1), data, tmp_path / "model")


def test_dropped_problems_are_counted_and_not_trained_on(data, tmp_path):
    write_pairs([pair(3, kind=PairKind.NATURAL)], tmp_path / "bench", "test")
    wanted = recipe(overlap="drop", evaluation=[{"pairs": str(tmp_path / "bench")}], training=training(max_steps=1))
    assert train(wanted, data, tmp_path / "model").given == 31
    assert json.loads((tmp_path / "model" / "recode.json").read_text())["pairs_overlapping"] == 1


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_one_that_trl_takes(path, tmp_path):
    from recode_models.reward_model.trainer import training_arguments

    shipped = load_recipe(path.stem)
    here = shipped.model_copy(update={"training": {**shipped.training, "use_cpu": True, "bf16": False}})
    arguments = training_arguments(here, tmp_path, validates=True)
    assert {name: getattr(arguments, name) for name in ("learning_rate", "max_length")} == {
        name: shipped.training[name] for name in ("learning_rate", "max_length")
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"learning_rate": "hot"}, 'learning_rate "hot" is no number'),
        ({"max_steps": 1.5}, "max_steps 1.5 is no whole number"),
        ({"max_length": "long"}, 'max_length "long" is no whole number'),
        ({"train_sampling_strategy": "sorted"}, 'train_sampling_strategy "sorted" is none of random, sequential'),
        (
            {"eval_strategy": "steps", "load_best_model_at_end": True, "greater_is_better": False},
            "greater_is_better would keep the worst validation_accuracy; leave it out",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_option_that_trl_would_stumble_over_is_refused(tmp_path, changes, says):
    from recode_models.reward_model.trainer import training_arguments

    with pytest.raises(InputError) as error:
        training_arguments(recipe(training=training(**changes)), tmp_path, validates=True)
    assert says in str(error.value)


def test_a_checkpoint_is_chosen_by_accuracy_where_no_metric_is_given(tmp_path):
    from recode_models.reward_model.trainer import training_arguments

    options = training(eval_strategy="steps", eval_steps=5, load_best_model_at_end=True, metric_for_best_model=None)
    made = training_arguments(recipe(training=options | {"learning_rate": "1e-3"}), tmp_path, validates=True)
    assert (made.metric_for_best_model, made.greater_is_better) == ("validation_accuracy", True)
    assert made.learning_rate == 0.001


@pytest.mark.parametrize("name", ["1gpu", "8gpu-fsdp"])
def test_the_launcher_takes_every_shipped_config(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(RECIPES.parent / "accelerate" / f"{name}.yaml"))
    assert config.num_processes == int(name[0])
    assert (config.distributed_type == "FSDP") is ("fsdp" in name)
