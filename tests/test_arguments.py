"""Options of a trainer and the other fields of a recipe, as a YAML file spells them; TRL is not needed."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import pytest

from lcb_rb.errors import InputError
from recode_models.arguments import read_options
from recode_models.policy import recipe as policy
from recode_models.reward_model import recipe as reward

MODEL = "model: {id: a}\n"
LOADERS = {"policy": policy.load_recipe, "reward": reward.load_recipe}


class Strategy(StrEnum):
    NO = "no"
    STEPS = "steps"


@dataclass
class Options:
    """Every sort of field that TRL's have."""

    learning_rate: float = 1.0
    save_steps: float = 500
    max_steps: int = -1
    max_length: int | None = 8
    num_generations: int | None = 8
    use_cpu: bool = False
    bf16: bool | None = None
    run_name: str | None = None
    eval_strategy: Strategy | str = "no"
    report_to: str | list[str] | None = None
    pad_to_multiple_of: int | str | None = "auto"
    kwargs: dict[str, Any] | str | None = None
    static: str | Literal[False] | None = None
    anything: Any = None
    sampling: str = field(default="random", metadata={"choices": ["random", "sequential"]})
    loss: str = "a"


def read(**given):
    return read_options(Options, given, {"loss": ("a", "b")})


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("learning_rate", "1e-3", 0.001),
        ("learning_rate", 1, 1),
        ("save_steps", 2, 2),
        ("save_steps", 0.5, 0.5),
        ("max_steps", 2.0, 2),
        ("max_steps", "1e2", 100),
        ("max_length", None, None),
        ("max_length", 0, 0),
        ("use_cpu", 1, True),
        ("bf16", False, False),
        ("run_name", "5", "5"),
        ("eval_strategy", "steps", "steps"),
        ("report_to", ["wandb"], ["wandb"]),
        ("report_to", "none", "none"),
        ("pad_to_multiple_of", "8", "8"),
        ("pad_to_multiple_of", 8, 8),
        ("kwargs", {"a": 1}, {"a": 1}),
        ("static", False, False),
        ("anything", True, True),
        ("sampling", "sequential", "sequential"),
        ("loss", "b", "b"),
    ],
)
def test_a_value_of_its_type_keeps_its_meaning_and_its_type(name, given, wanted):
    found = read(**{name: given})[name]
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("learning_rate", "hot", 'learning_rate "hot" is no number'),
        ("learning_rate", None, "learning_rate null is no number"),
        ("learning_rate", True, "learning_rate true is no number"),
        ("learning_rate", [1], "is no number"),
        ("learning_rate", float("nan"), "learning_rate NaN is no number"),
        ("learning_rate", "1e999", "is no number"),
        ("max_steps", 1.5, "max_steps 1.5 is no whole number"),
        ("max_steps", "1.5", "is no whole number"),
        ("max_steps", False, "max_steps false is no whole number"),
        ("max_steps", float("inf"), "is no whole number"),
        ("num_generations", 0, "num_generations 0 is less than 1"),
        ("use_cpu", "false", 'use_cpu "false" is no switch (true or false)'),
        ("use_cpu", 2, "is no switch"),
        ("run_name", 5, "run_name 5 is no text; put it in quotes"),
        ("eval_strategy", True, "eval_strategy true is no text; put it in quotes"),
        ("report_to", 5, "report_to 5 is no text or list"),
        ("pad_to_multiple_of", 8.5, "is no whole number or text"),
        ("kwargs", [1], "kwargs [1] is no mapping or text"),
        ("sampling", "sorted", 'sampling "sorted" is none of random, sequential'),
        ("loss", "c", 'loss "c" is none of a, b'),
        ("learnin_rate", 1.0, "learnin_rate is unknown; see TRL's Options"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_name(name, given, says):
    with pytest.raises(InputError) as error:
        read(**{name: given})
    assert str(error.value).startswith("recipe, field 'training': ")
    assert says in str(error.value)
    assert error.value.exit_code == 2


def loaded(path, kind, text):
    file = path / "r.yaml"
    file.write_text(text, encoding="utf-8")
    return LOADERS[kind](str(file))


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("text", ["1e-3", "1E-3", "+1e-3", "1.e-3", "0.1e-2", ".1e-2", "1.0e-3", "0.001"])
def test_a_number_may_be_written_as_usual(tmp_path, kind, text):
    made = loaded(tmp_path, kind, f"{MODEL}training: {{learning_rate: {text}, kwargs: {{eps: {text}}}}}")
    assert made.training == {"learning_rate": 0.001, "kwargs": {"eps": 0.001}}


@pytest.mark.parametrize("text", ["1e-3b", "e5", "1.2.3e4", "0x1e-3", "a1e5", "'1e5'"])
def test_what_only_looks_like_a_number_is_text(tmp_path, text):
    assert loaded(tmp_path, "policy", f"model: {{id: a, revision: {text}}}").model.revision == text.strip("'")


@pytest.mark.parametrize("kind", LOADERS)
def test_no_means_no_where_a_word_is_asked_for(tmp_path, kind):
    text = "training: {eval_strategy: no, save_strategy: no, logging_strategy: off, bf16: no}"
    words = {"eval_strategy": "no", "save_strategy": "no", "logging_strategy": "no", "bf16": False}
    assert loaded(tmp_path, kind, MODEL + text).training == words


def test_true_and_false_scale_rewards_as_trl_says(tmp_path):
    for text, word in (("true", "group"), ("false", "none")):
        assert loaded(tmp_path, "policy", f"{MODEL}training: {{scale_rewards: {text}}}").training == {
            "scale_rewards": word
        }


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; a recipe has fields"),
        ("# nothing yet", "is empty; a recipe has fields"),
        ("- model", "is no recipe: it has no fields; a recipe has fields"),
        (MODEL + "training: {seed: 3}", "give seed at the top of the recipe"),
        (MODEL + "training: {output_dir: x}", "give --out"),
    ],
)
def test_a_stumble_is_refused_in_a_line_that_says_the_way(tmp_path, kind, text, says):
    with pytest.raises(InputError, match=r"r\.yaml") as error:
        loaded(tmp_path, kind, text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_early_stopping_is_refused_where_yaml_made_false_of_no(tmp_path):
    with pytest.raises(InputError, match="early_stopping_patience needs"):
        loaded(tmp_path, "reward", MODEL + "early_stopping_patience: 1\ntraining: {eval_strategy: no}")


@pytest.mark.parametrize("solved", ["[0.9, 0.1]", "[0.5, 0.5]", "[-0.1, 0.5]", "[10, 90]"])
def test_shares_between_which_no_problem_lies_are_refused(tmp_path, solved):
    with pytest.raises(InputError, match=r"field 'data': solved is two shares from 0 to 1, the lower one first"):
        loaded(tmp_path, "policy", f"{MODEL}data: {{solved: {solved}}}")
