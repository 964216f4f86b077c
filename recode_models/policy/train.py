"""`recode train policy`: recipe -> problems -> GRPOTrainer with the gated reward -> a directory with the policy."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb import __version__
from lcb_rb.errors import InputError, MissingExtraError
from lcb_rb.execution import Executor, Limits
from lcb_rb.execution.executor import default_workers
from lcb_rb.schema import Isolation
from lcb_rb.scorers.base import Scorer
from recode_models.launch import is_main, processes, say, shared_stage, stage_of
from recode_models.places import require_free
from recode_models.policy.data import PolicyData, read_data
from recode_models.policy.data_prompt import messages_of
from recode_models.policy.deciding import base_parts, run_parts
from recode_models.policy.grading import BatchGrader
from recode_models.policy.process import open_process
from recode_models.policy.recipe import MICRO, PolicyRecipe
from recode_models.policy.reward_function import CGReward
from recode_models.records import RECORD, base_revision
from recode_models.resuming import claim, hashed, journal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import GRPOConfig

    from recode_models.policy.trainer import Run


def train(recipe: PolicyRecipe, out: Path) -> "Run":
    """Trains a policy and saves it with its tokenizer; a killed run goes on from its last checkpoint.

    Args:
        recipe: Everything that decides the run.
        out: Directory for the policy.

    Raises:
        InputError: problems, model, reward model or an option are wrong, problems are evaluated on too, or `out`
            holds what must not be lost.
        TrainingError: the loss is not a number, too much could not be graded, or the warm start missed its aim.
        MissingExtraError: trl is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    require_free(out, "policy", _inputs(recipe))
    data = read_data(recipe.data, recipe.seed, out.resolve().with_name(f"{out.resolve().name}.overlap.jsonl"))
    try:
        from recode_models.policy.trainer import refuse_split_groups, training_arguments
        from recode_models.trainers import prepare
    except ImportError as error:
        raise MissingExtraError(error.name or "trl", "models") from error
    prepare(recipe.cpu_threads)
    arguments = training_arguments(recipe, stage_of(out), measures=bool(data.held_out))
    refuse_split_groups(arguments)
    wait = arguments.distributed_state.wait_for_everyone
    with shared_stage(out, RECORD, wait) as stage:
        scorer = _scorer(recipe, stage)
        with _executor(recipe) as executor:
            return _trained(recipe, data, arguments, scorer, executor, stage)


def _trained(
    recipe: PolicyRecipe,
    data: PolicyData,
    arguments: "GRPOConfig",
    scorer: Scorer | None,
    executor: Executor,
    stage: Path,
) -> "Run":
    from recode_models.policy.base_policy import load_policy, prefilled, taught
    from recode_models.policy.record import keep_tables, write_record
    from recode_models.policy.trainer import build_trainer, prompts_wanted, rows, run
    from recode_models.trainers import save

    wait = arguments.distributed_state.wait_for_everyone
    given = taught(recipe, data)
    keep = journal(stage, "base", base_parts(recipe, data, given))
    model, tokenizer = load_policy(recipe, data, given, keep, wait)
    base = base_revision(recipe.model, model)
    data = _short_enough(recipe, data, tokenizer, model.config.get_text_config().max_position_embeddings, arguments)
    ask = {one.id: messages_of(one, data.prompt.template) for one in [*data.train, *data.held_out]}
    epochs = _epochs(recipe, prompts_wanted(arguments), len(data.train))
    parts = run_parts(recipe, data, epochs, keep.name if keep.is_dir() else str(base), scorer)
    arguments.output_dir = str(journal(stage, "checkpoints", parts))
    reward = CGReward(
        {one.id: one for one in [*data.train, *data.held_out]},
        recipe.rule,
        arguments.num_generations,
        BatchGrader(executor, recipe.grading.deadline_s, each_test=recipe.gate == "soft"),
        scorer,
        watched=recipe.process.watched if recipe.process else 0,
        waves=recipe.process.waves if recipe.process else 1,
        prefilled=prefilled(tokenizer, data),
        max_failed_share=recipe.grading.max_ungraded_share,
        seed=recipe.seed,
    )
    held_out = rows(data.held_out, ask, held_out=True) if data.held_out else None
    train_rows = rows(data.ordered(epochs), ask, held_out=False)
    trainer = build_trainer(recipe, arguments, model, tokenizer, reward, train_rows, held_out)
    claim(Path(arguments.output_dir), parts)
    found = run(trainer, recipe, reward, stage)
    save(trainer, tokenizer, stage)
    if is_main():
        keep_tables(Path(arguments.output_dir), stage)
        write_record(stage, recipe, data, scorer, executor.level, found, base)
    return found


def _inputs(recipe: PolicyRecipe) -> list[str | Path | None]:
    """Returns what the run reads, by file, directory or other name."""
    data = recipe.data
    models = [recipe.model.id, recipe.process.model if recipe.process else None]
    samples = recipe.warm_start.samples if recipe.warm_start else None
    return [*models, samples, data.prompt, *data.problems, *data.evaluation, *data.verdicts]


def _scorer(recipe: PolicyRecipe, stage: Path) -> Scorer | None:
    """Returns the reward model; that of the micro-problems is trained first."""
    if recipe.process is None:
        return None
    if recipe.process.model != MICRO or Path(MICRO).exists():
        return open_process(recipe.process)
    from recode_models.policy.micro import reward_model

    if processes() > 1:
        raise InputError(f"process.model {MICRO} is trained in one process; train it first and give its directory")
    directory = journal(stage, "micro", hashed({"version": __version__, "seed": recipe.seed}))
    return open_process(recipe.process.model_copy(update={"model": str(reward_model(directory, recipe.seed))}))


@contextmanager
def _executor(recipe: PolicyRecipe) -> Iterator[Executor]:
    """Yields this process's share of the machine's graders."""
    shares = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    workers = max((recipe.grading.workers or default_workers()) // shares, 1)
    least = Isolation.RLIMITS_ONLY if recipe.grading.allow_weak_isolation else Isolation.NO_NAMESPACES
    limits = Limits(cpu_s=recipe.grading.cpu_s)
    with Executor(workers, limits=limits, least=least, calibrate=recipe.grading.calibrate) as executor:
        yield executor


def _short_enough(
    recipe: PolicyRecipe,
    data: PolicyData,
    tokenizer: "PreTrainedTokenizerBase",
    positions: int | None,
    arguments: "GRPOConfig",
) -> PolicyData:
    """Returns the data without prompts that are too long, counted aloud."""
    from recode_models.policy.base_policy import fitting

    room = None if positions is None else positions - arguments.max_completion_length
    limit = recipe.data.max_prompt_tokens
    train, held_out = (fitting(part, tokenizer, data, limit, room) for part in (data.train, data.held_out))
    if not train or (data.held_out and not held_out):
        raise InputError(f"every prompt has more than {limit} tokens; raise data.max_prompt_tokens")
    short = data.without_long(train, held_out)
    if short.counts.prompt_too_long:
        say(f"left out {short.counts.prompt_too_long} problems whose prompt has more than {limit} tokens")
    return short


def _epochs(recipe: PolicyRecipe, prompts: int, problems: int) -> int:
    """Returns how often the problems are gone through: as told, or as often as `max_steps` needs."""
    if prompts:
        return -(-prompts // problems)
    epochs = recipe.training.get("num_train_epochs", 1)
    if not isinstance(epochs, int | float) or epochs < 1 or epochs != int(epochs):
        raise InputError(f"recipe, field 'training': num_train_epochs {epochs} is no whole number; or give max_steps")
    return int(epochs)
