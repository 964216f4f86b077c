"""TRL's RewardTrainer as a recipe wants it, its run, and what it leaves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from transformers import PrinterCallback
from trl import RewardConfig, RewardTrainer

from lcb_rb.errors import InputError
from lcb_rb.progress import bar
from recode_models.arguments import read_options
from recode_models.failures import TrainingError
from recode_models.launch import is_main
from recode_models.progress import EarlyStop, MetricsLog, StepBar
from recode_models.reward_model.base_model import messages, switch_dropout_off
from recode_models.reward_model.data import PairSet
from recode_models.reward_model.evaluating import exact_metrics, two_columns
from recode_models.reward_model.objective import ScoreCollator, ScoreTrainer
from recode_models.reward_model.recipe import VALIDATION, RewardRecipe
from recode_models.trainers import adapters, known_warnings, resumable

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REMEMBERED_PAIRS = 16
"""Pairs whose scores the saved model must reproduce."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a finished training has in memory."""

    loss: float
    """Mean of the logged training losses: the trainer's own mean forgets what preceded a resume."""
    log: list[dict[str, Any]]
    """Everything that was logged."""
    remembered: list[tuple[float, float]]
    """Scores of the first pairs, by the model in memory."""


def training_arguments(recipe: RewardRecipe, checkpoints: Path, *, validates: bool) -> RewardConfig:
    """Returns TRL's configuration.

    Args:
        recipe: With TRL's fields, and ours that decide some of them.
        checkpoints: Directory for the run.
        validates: Whether there is a validation split.

    Raises:
        InputError: TRL does not know a field, refuses its value, or would keep the worst checkpoint.
    """
    fields = {**_defaults(recipe), **read_options(RewardConfig, recipe.training)}
    if fields.get("load_best_model_at_end"):
        metric = fields.get("metric_for_best_model") or f"{VALIDATION}_accuracy"
        _refuse_selection(metric, validates)
        if fields.get("greater_is_better") not in (None, not metric.endswith("loss")):
            raise InputError(f"recipe, field 'training': greater_is_better would keep the worst {metric}; leave it out")
        fields["metric_for_best_model"] = metric
    try:
        with known_warnings():
            return RewardConfig(output_dir=str(checkpoints), seed=recipe.seed, **fields)
    except (TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"recipe, field 'training': {why}; see TRL's RewardConfig") from error


def _defaults(recipe: RewardRecipe) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "report_to": "none",
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,  # it would put the mean in the place of NaN
        "log_level_replica": "error",
        "ddp_find_unused_parameters": False,  # there are none
        "restore_callback_states_from_checkpoint": True,
        "remove_unused_columns": recipe.objective != "score",
    }
    if recipe.group_by_length:
        fields["train_sampling_strategy"] = "sequential"  # the order is that of the data
    if recipe.early_stopping_patience:
        when = recipe.training.get("eval_strategy", "epoch")
        fields |= {"eval_strategy": when, "save_strategy": when, "load_best_model_at_end": True}
    return fields


def _refuse_selection(metric: str, validates: bool) -> None:
    """Refuses to choose the checkpoint by pairs that are there to judge the result."""
    if not metric.removeprefix("eval_").startswith(f"{VALIDATION}_"):
        fix = f"use {VALIDATION}_accuracy or {VALIDATION}_loss"
        raise InputError(f"recipe, field 'training': metric_for_best_model {metric} is not of the validation; {fix}")
    if not validates:
        raise InputError("the pairs have no validation split to choose a checkpoint by; build them with one")


def build_trainer(
    recipe: RewardRecipe,
    arguments: RewardConfig,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    train: PairSet,
    held_out: Sequence[PairSet],
) -> RewardTrainer:
    """Returns the trainer, ready to run; every pair is short enough.

    Raises:
        InputError: adapters are wanted where the launcher shards the model.
        MissingExtraError: adapters are wanted and peft is not installed.
    """
    if arguments.disable_dropout:
        switch_dropout_off(model)
    evaluates = arguments.eval_strategy != "no" and held_out
    kind = ScoreTrainer if recipe.objective == "score" else RewardTrainer
    with known_warnings():
        trainer = kind(
            model=model,
            args=arguments,
            train_dataset=_dataset([train]),
            eval_dataset=_dataset(held_out) if evaluates else None,
            processing_class=tokenizer,
            compute_metrics=exact_metrics(held_out, recipe.objective) if evaluates else None,
            preprocess_logits_for_metrics=two_columns,
            # else the head is neither trained nor saved
            peft_config=adapters(recipe.lora, arguments, task_type="SEQ_CLS", modules_to_save=["score"]),
        )
    if recipe.objective == "score":
        trainer.data_collator = ScoreCollator(trainer.data_collator)
    if len(trainer.train_dataset) != len(train.pairs):
        raise TrainingError(f"TRL kept {len(trainer.train_dataset)} of {len(train.pairs)} pairs; use trl 1.16")
    return trainer


def _dataset(sets: Sequence[PairSet]) -> Dataset:
    return Dataset.from_list(
        [
            {
                "prompt": messages(pair.problem, "")[:1],
                "chosen": messages("", pair.chosen_reasoning)[1:],
                "rejected": messages("", pair.rejected_reasoning)[1:],
                "chosen_score": chosen,
                "rejected_score": rejected,
            }
            for part in sets
            for pair, (chosen, rejected) in zip(part.pairs, part.targets, strict=True)
        ]
    )


def run(trainer: RewardTrainer, recipe: RewardRecipe, stage: Path) -> Run:
    """Trains, from the last checkpoint if there is one, and returns what the model in memory says.

    Raises:
        TrainingError: a loss or a score is not a number.
    """
    steps = _steps(trainer)
    last = resumable(Path(trainer.args.output_dir), steps)
    with bar("training", steps if is_main() else 0) as advance, known_warnings():
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(StepBar(advance))
        trainer.add_callback(MetricsLog(stage))
        if recipe.early_stopping_patience:
            trainer.add_callback(EarlyStop(recipe.early_stopping_patience))
        loss = trainer.train(resume_from_checkpoint=str(last) if last else None).training_loss
    if not math.isfinite(loss):
        raise TrainingError(f"the training loss is {loss}; lower training.learning_rate")
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    trainer.compute_metrics = None  # it expects the held-out pairs
    first = trainer.train_dataset.select(range(min(REMEMBERED_PAIRS, len(trainer.train_dataset))))
    remembered = [(float(row[0]), float(row[1])) for row in trainer.predict(first).predictions]
    return Run(fmean(losses) if losses else loss, list(trainer.state.log_history), remembered)


def _steps(trainer: RewardTrainer) -> int:
    args = trainer.args
    if args.max_steps > 0:
        return int(args.max_steps)
    per_epoch: int = math.ceil(len(trainer.get_train_dataloader()) / args.gradient_accumulation_steps)
    epochs: float = args.num_train_epochs
    return math.ceil(epochs * per_epoch)
