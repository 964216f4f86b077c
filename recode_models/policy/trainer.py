"""TRL's GRPOTrainer as a recipe wants it, and its run."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from transformers import PrinterCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

from lcb_rb.errors import InputError
from lcb_rb.metrics import summarise_passes
from lcb_rb.progress import bar
from lcb_rb.schema import PassAtK, Problem
from lcb_rb.writing import dump_json, write_text
from recode_models.arguments import read_options
from recode_models.failures import TrainingError
from recode_models.launch import is_main
from recode_models.policy.callbacks import Alarm, Samples, Timings
from recode_models.policy.recipe import PolicyRecipe
from recode_models.policy.reward_function import Attempt, CGReward
from recode_models.policy.rewards import SCALES
from recode_models.progress import MetricsLog, StepBar
from recode_models.trainers import adapters, known_warnings, resumable

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BEFORE = "before.json"
"""Beside the checkpoints: what was measured before the training."""

PASS_RATE = "pass_rate"
"""The only metric that a checkpoint is chosen by: of held-out problems."""

_PASS_RATES = (PASS_RATE, f"eval_{PASS_RATE}")

_OF_THE_PROCESS = ("papo", "soft", "none")
"""Modes and gates that without a process are another one; gdpo still normalises format and outcome on their own."""

_OURS = {
    "shuffle_dataset": "the data is shuffled by us, so that a resumed run sees the same order",
    "reward_weights": "set format_weight and process_weight",
    "multi_objective_aggregation": "set mode",
    "greater_is_better": "the policy that solves most is kept",
}

_CHOICES = {
    "loss_type": ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"),
    "importance_sampling_level": ("token", "sequence"),
    "scale_rewards": ("group", "batch", "none"),
}
"""What TRL checks only in the first step."""


class PolicyTrainer(GRPOTrainer):  # type: ignore[misc]
    """GRPOTrainer that measures itself by how many completions on held-out problems pass, exactly."""

    def __init__(self, reward: CGReward, **fields: Any) -> None:
        """Builds TRL's trainer.

        Args:
            reward: The one reward function.
            **fields: As GRPOTrainer takes them.
        """
        super().__init__(reward_funcs=reward, **fields)
        self._reward = reward
        self.measured: Measured | None = None
        """What the last evaluation found."""

    def evaluate(self, *args: Any, **fields: Any) -> dict[str, float]:
        """Returns TRL's metrics, sampled at the training temperature, and the pass rate over problems."""
        self._reward.attempts.clear()
        metrics: dict[str, float] = super().evaluate(*args, **fields)
        self.measured = measured(_gathered(self._reward.attempts), self.args.seed)
        found = self.measured.metrics()
        self.log(found)
        return {**metrics, **found}


@dataclass(frozen=True, slots=True)
class Measured:
    """How a policy does on held-out problems."""

    passes: PassAtK
    """pass@1 over problems, with its interval."""
    process: float | None
    """Mean process score of its completions; None where none was scored."""
    length: float
    """Mean tokens of a completion."""

    def metrics(self) -> dict[str, float]:
        """Returns the metrics of an evaluation, by TRL's kind of names."""
        known = {PASS_RATE: self.passes.value, "process": self.process, "length": self.length}
        return {f"eval_{name}": value for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Run:
    """What a training gave."""

    steps: int
    """Optimiser steps."""
    best_step: int | None
    """Step whose policy is kept; None where the last one is."""
    before: Measured | None
    """On held-out problems before the first reward; None without such problems."""
    after: Measured | None
    """Likewise, of the kept policy, with new completions."""
    log: list[dict[str, Any]]
    """Everything that was logged."""


def measured(attempts: Sequence[Attempt], seed: int) -> Measured:
    """Returns what attempts on held-out problems say; each problem has the same weight, however often it was tried.

    Raises:
        TrainingError: no completion could be graded.
    """
    outcomes: dict[str, list[bool | None]] = {}
    for one in sorted(attempts, key=lambda one: one.problem_id):
        outcomes.setdefault(one.problem_id, []).append(one.passed)
    graded = {name: found for name, found in outcomes.items() if any(passed is not None for passed in found)}
    if not graded:
        raise TrainingError("no completion on held-out problems could be graded; see `recode doctor --sandbox`")
    process = [one.process for one in attempts if one.process is not None]
    passes = summarise_passes(graded, 1, seed=seed)
    ungraded = sum(one.passed is None for one in attempts)  # also where none of a problem could be graded
    return Measured(
        passes.model_copy(update={"n_ungraded": ungraded}),
        math.fsum(process) / len(process) if process else None,
        math.fsum(one.length for one in attempts) / len(attempts),
    )


def _gathered(attempts: Sequence[Attempt]) -> list[Attempt]:
    from accelerate.utils import gather_object

    found: list[Attempt] = gather_object(list(attempts))
    return found


def training_arguments(recipe: PolicyRecipe, checkpoints: Path, *, measures: bool) -> GRPOConfig:
    """Returns TRL's configuration.

    Args:
        recipe: With TRL's fields, and ours that decide some of them.
        checkpoints: Directory for the run.
        measures: Whether there are held-out problems.

    Raises:
        InputError: TRL does not know a field, refuses its value, or it is ours to set.
    """
    for name, fix in _OURS.items():
        if name in recipe.training:
            raise InputError(f"recipe, field 'training': {name} is not for the recipe: {fix}")
    _refuse_without_effect(recipe, measures=measures)
    given = read_options(GRPOConfig, recipe.training, _CHOICES)
    given.pop("num_train_epochs", None)  # it is read by us: every epoch is shuffled anew, in the data
    fields = {**_defaults(recipe, measures=measures), **given}
    if not measures:
        fields |= {"eval_strategy": "no", "load_best_model_at_end": False, "metric_for_best_model": None}
    try:
        with known_warnings():
            arguments = GRPOConfig(output_dir=str(checkpoints), seed=recipe.seed, num_train_epochs=1, **fields)
    except (TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"recipe, field 'training': {why}; see TRL's GRPOConfig") from error
    except ImportError as error:
        raise InputError(f"recipe, field 'training': {error}; install it, or leave the option out") from error
    _refuse_selection(arguments)
    return arguments


def _refuse_without_effect(recipe: PolicyRecipe, *, measures: bool) -> None:
    """Refuses what would be passed over in silence."""
    chosen = recipe.training.get("metric_for_best_model", PASS_RATE)
    if chosen not in _PASS_RATES:
        raise InputError(
            f"recipe, field 'training': metric_for_best_model {chosen or 'null, the loss,'} can be raised without "
            f"solving more; checkpoints are chosen by {PASS_RATE}, leave it out"
        )
    for name, value in {"mode": recipe.mode, "gate": recipe.gate}.items():
        if value in _OF_THE_PROCESS and recipe.process is None:
            fix = "give process or --reward-model, or leave it out"
            raise InputError(f"recipe, field {name!r}: {value} has no meaning without process; {fix}")
    if recipe.warm_start and recipe.warm_start.least_pass_rate and not measures:
        raise InputError(
            "recipe, field 'warm_start.least_pass_rate': there are no held-out problems to measure it on; "
            "raise data.held_out, or leave it out"
        )


def _refuse_selection(arguments: GRPOConfig) -> None:
    """Refuses to choose a checkpoint without its pass rate: transformers would go by the loss."""
    chooses = arguments.load_best_model_at_end or arguments.save_strategy == "best"
    if chooses and arguments.metric_for_best_model not in _PASS_RATES:
        raise InputError(
            "recipe, field 'training': there is no pass rate to choose a checkpoint by; leave out "
            "load_best_model_at_end and save_strategy best, or give eval_strategy, save_strategy and data.held_out"
        )


def _defaults(recipe: PolicyRecipe, *, measures: bool) -> dict[str, Any]:
    measured, kept = recipe.training.get("eval_strategy", "no"), recipe.training.get("save_strategy", "steps")
    chooses = measures and "no" not in (measured, kept)
    return {
        "report_to": "none",
        "disable_tqdm": True,
        "shuffle_dataset": False,
        "scale_rewards": SCALES[recipe.mode],
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # it would put the mean in the place of NaN
        "log_level_replica": "error",
        "ddp_find_unused_parameters": False,
        "restore_callback_states_from_checkpoint": True,
        "save_total_limit": 2,
        "load_best_model_at_end": chooses,
        "metric_for_best_model": PASS_RATE if chooses else None,
        "greater_is_better": True,
    }


def refuse_split_groups(arguments: GRPOConfig) -> None:
    """Refuses what would give a process a part of a group, or a resumed run other batches.

    Raises:
        InputError: the numbers of the recipe do not go together.
    """
    rows = arguments.per_device_train_batch_size * arguments.steps_per_generation
    if rows % arguments.num_generations:
        raise InputError(
            f"recipe, field 'training': each process has {rows} completions a generation, no whole groups of "
            f"{arguments.num_generations}; make per_device_train_batch_size * steps_per_generation a multiple of it"
        )
    best = arguments.save_strategy == "best"  # after any measurement
    name, strategy = ("eval_steps", "eval_strategy") if best else ("save_steps", "save_strategy")
    if getattr(arguments, strategy) != "steps":
        return
    steps = getattr(arguments, name)
    if 0 < steps < 1:
        raise InputError(
            f"recipe, field 'training': {name} {steps} is a share of the run, which may end within a generation, where "
            f"a resumed run could not go on; give it in steps"
        )
    cadence = arguments.steps_per_generation * arguments.num_iterations
    if steps * arguments.gradient_accumulation_steps % cadence:
        raise InputError(
            f"recipe, field 'training': {name} {steps} falls within a generation of {cadence} "
            f"batches, which a resumed run could not take up; choose a multiple"
        )


def prompts_wanted(arguments: GRPOConfig) -> int:
    """Returns how many prompts `max_steps` optimiser steps take, over all processes; 0 without max_steps."""
    if arguments.max_steps <= 0:
        return 0
    batches = arguments.max_steps * arguments.gradient_accumulation_steps
    generations = math.ceil(batches / (arguments.steps_per_generation * arguments.num_iterations))
    return int(generations * arguments.generation_batch_size // arguments.num_generations)


def rows(problems: Sequence[Problem], ask: Mapping[str, Any], *, held_out: bool) -> Dataset:
    """Returns prompts as TRL takes them, with the columns that the reward function reads.

    Args:
        problems: In the order of the training.
        ask: The messages of each problem, by its id.
        held_out: Whether they measure the policy.
    """
    return Dataset.from_list([{"prompt": ask[one.id], "problem_id": one.id, "held_out": held_out} for one in problems])


def build_trainer(
    recipe: PolicyRecipe,
    arguments: GRPOConfig,
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    reward: CGReward,
    train: Dataset,
    held_out: Dataset | None,
) -> PolicyTrainer:
    """Returns the trainer, ready to run.

    Raises:
        InputError: too few prompts for one generation, or adapters where the launcher shards the model.
        MissingExtraError: adapters are wanted and peft is not installed.
    """
    refuse_split_groups(arguments)
    wanted = arguments.generation_batch_size // arguments.num_generations
    if len(train) < wanted:
        raise InputError(
            f"{len(train)} prompts in all epochs, but one generation takes {wanted} "
            f"(generation_batch_size / num_generations); give more problems or epochs, or a smaller batch"
        )
    with known_warnings():
        return PolicyTrainer(
            reward,
            model=model,
            args=arguments,
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            peft_config=adapters(recipe.lora, arguments, task_type="CAUSAL_LM"),
        )


def run(trainer: PolicyTrainer, recipe: PolicyRecipe, reward: CGReward, stage: Path) -> Run:
    """Trains, from the last checkpoint if there is one; in the end the trainer has the best policy.

    Raises:
        TrainingError: a loss is not a number, too much could not be graded, or the policy solves too little to learn.
    """
    args = trainer.args
    trainer.remove_callback(PrinterCallback)
    steps = _steps(trainer)
    last = resumable(Path(args.output_dir), steps)
    before = _before(trainer, recipe)
    with bar("training", steps if is_main() else 0) as advance, known_warnings():
        ours = [StepBar(advance), Timings(reward), Samples(reward), Alarm(recipe.alarm), MetricsLog(stage)]
        trainer.callback_handler.callbacks[:0] = ours  # first, so that loggers get the times and alarms
        loss = trainer.train(resume_from_checkpoint=str(last) if last else None).training_loss
    if not math.isfinite(loss):
        raise TrainingError(f"the training loss is {loss}; lower training.learning_rate")
    trainer.remove_callback(MetricsLog)  # the last measurement is the record's
    log, n = list(trainer.state.log_history), int(trainer.state.global_step)
    best = trainer.state.best_global_step if args.load_best_model_at_end else None
    return Run(n, best, before, _measure(trainer), log)


def _before(trainer: PolicyTrainer, recipe: PolicyRecipe) -> Measured | None:
    """Returns what the policy does before the first reward, from the file of an earlier start if there was one."""
    path = Path(trainer.args.output_dir) / BEFORE
    known = path.is_file()
    trainer.accelerator.wait_for_everyone()  # before the main process writes it
    found = _read(path) if known else _measure(trainer)
    if is_main() and found and not known:
        write_text(path, dump_json(asdict(found) | {"passes": found.passes.model_dump(mode="json")}) + "\n")
    set_seed(
        trainer.args.seed + trainer.args.process_index
    )  # so that a run that finds the file samples what it would have
    least = recipe.warm_start.least_pass_rate if recipe.warm_start else 0.0
    if found and found.passes.value < least:
        raise TrainingError(
            f"after the warm start {found.passes.value:.3f} of completions on held-out problems pass, less than "
            f"{least}: there is too little to reward; give it more epochs or another seed"
        )
    return found


def _read(path: Path) -> Measured:
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Measured(**{**fields, "passes": PassAtK.model_validate(fields["passes"])})


def _measure(trainer: PolicyTrainer) -> Measured | None:
    if trainer.eval_dataset is None:
        return None
    with known_warnings():
        trainer.evaluate()
    return trainer.measured


def _steps(trainer: PolicyTrainer) -> int:
    args = trainer.args
    if args.max_steps > 0:
        return int(args.max_steps)
    return max(int(len(trainer.get_train_dataloader()) // args.gradient_accumulation_steps), 1)
