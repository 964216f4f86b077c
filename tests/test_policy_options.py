"""What recipes make of TRL's options, before any model is loaded."""

import math

import pytest

from factories import needs
from lcb_rb.errors import InputError
from recode_models.policy.recipe import PolicyRecipe

needs("torch", "trl")

RECIPE = {
    "model": {"id": "none"},
    "process": {"model": "length"},
    "training": {
        "max_steps": 6,
        "num_generations": 8,
        "per_device_train_batch_size": 16,
        "per_device_eval_batch_size": 16,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_steps": 2,
    },
}


def arguments_of(directory, training=(), measures=True, **changes):
    """TRL's configuration, as before any model is loaded, without what the run needs later."""
    from recode_models.policy.trainer import refuse_split_groups, training_arguments

    made = PolicyRecipe.model_validate(RECIPE | changes | {"training": {**RECIPE["training"], **dict(training)}})
    made = training_arguments(made, directory, measures=measures)
    refuse_split_groups(made)
    return made


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"learning_rate": "hot"}, 'learning_rate "hot" is no number'),
        ({"temperature": None}, "temperature null is no number"),
        ({"max_steps": 1.5}, "max_steps 1.5 is no whole number"),
        ({"num_train_epochs": math.inf}, "num_train_epochs Infinity is no number"),
        ({"num_generations": 0}, "num_generations 0 is less than 1"),
        ({"steps_per_generation": 0}, "steps_per_generation 0 is less than 1"),
        ({"parallelism_config": {"cp_size": 2}}, 'parallelism_config {"cp_size": 2} is no ParallelismConfig'),
        ({"loss_type": "dapoo"}, 'loss_type "dapoo" is none of grpo, dr_grpo, dapo,'),
        ({"scale_rewards": "std"}, 'scale_rewards "std" is none of group, batch, none'),
        ({"ddp_backend": "glo"}, 'ddp_backend "glo" is none of nccl, gloo,'),
        ({"lr_scheduler_type": "flat"}, "flat is not a valid SchedulerType"),
        ({"eval_strategy": "epochs"}, "epochs is not a valid IntervalStrategy"),
        ({"greater_is_better": False}, "greater_is_better is not for the recipe: the policy that solves most is kept"),
        ({"metric_for_best_model": None}, "metric_for_best_model null, the loss, can be raised without solving more"),
        (
            {"load_best_model_at_end": True, "eval_strategy": "no", "save_strategy": "no"},
            "there is no pass rate to choose a checkpoint by",
        ),
        ({"eval_strategy": "no", "save_strategy": "best"}, "there is no pass rate to choose a checkpoint by"),
        ({"save_steps": 0.5, "eval_steps": 0.5}, "save_steps 0.5 is a share of the run"),
        ({"save_strategy": "best", "eval_steps": 1, "steps_per_generation": 2}, "eval_steps 1 falls within"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_option_that_trl_would_stumble_over_is_refused_before_a_model_is_loaded(training, said, tmp_path):
    with pytest.raises(InputError) as error:
        arguments_of(tmp_path, training)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": "papo", "process": None}, "field 'mode': papo has no meaning without process"),
        ({"gate": "soft", "process": None}, "field 'gate': soft has no meaning without process"),
        ({"gate": "none", "process": None}, "field 'gate': none has no meaning without process"),
        (
            {"warm_start": {"samples": "micro", "least_pass_rate": 0.2}, "measures": False},
            "field 'warm_start.least_pass_rate': there are no held-out problems to measure it on",
        ),
    ],
    ids=["papo", "soft", "none", "least_pass_rate"],
)
def test_what_would_be_passed_over_in_silence_is_refused(changes, said, tmp_path):
    with pytest.raises(InputError) as error:
        arguments_of(tmp_path, **changes)
    assert said in str(error.value)


def test_what_a_recipe_gives_reaches_trl_as_it_is_meant(tmp_path):
    given = {"learning_rate": "1e-3", "max_steps": 4.0, "temperature": 1, "max_grad_norm": "1e0"}
    made = arguments_of(tmp_path, given | {"save_strategy": False})
    assert (made.learning_rate, made.max_steps, made.temperature, made.max_grad_norm) == (0.001, 4, 1, 1.0)
    assert isinstance(made.max_steps, int)
    assert made.save_strategy == "no"
    assert not made.load_best_model_at_end  # there are no checkpoints to choose among
    assert arguments_of(tmp_path, {"eval_strategy": False}).eval_strategy == "no"
    assert arguments_of(tmp_path, {"scale_rewards": False}).scale_rewards == "none"
    best = arguments_of(tmp_path, {"save_strategy": "best", "metric_for_best_model": "eval_pass_rate"})
    assert (best.load_best_model_at_end, best.greater_is_better) == (True, True)
    assert arguments_of(tmp_path, mode="gdpo", process=None).scale_rewards == "batch"


def test_every_arm_of_the_demonstration_is_taken(tmp_path):
    from recode_models.policy.demonstration.runs import ARMS, Job, recipe_of
    from recode_models.policy.trainer import training_arguments

    for arm in ARMS:
        made = recipe_of(Job(setting="weak base", arm=arm, seed=1, weight=0.0), tmp_path)
        assert not training_arguments(made, tmp_path, measures=False).load_best_model_at_end
