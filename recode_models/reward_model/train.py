"""`recode train reward`: recipe -> pairs -> RewardTrainer -> a directory that `recode score` takes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb import __version__
from lcb_rb.errors import InputError, MissingExtraError
from lcb_rb.pairs import DEFAULT
from lcb_rb.schema import Accuracy
from recode_models.failures import TrainingError
from recode_models.launch import is_main, processes, say, shared_stage, stage_of
from recode_models.places import require_free
from recode_models.records import RECORD, base_revision
from recode_models.resuming import Parts, claim, deciding, hashed, journal, recipe_parts
from recode_models.reward_model.base_model import lengths, load_base, positions
from recode_models.reward_model.data import Data, PairSet, chosen, fitting, order_by_length, read_data, shortest
from recode_models.reward_model.recipe import VALIDATION, RewardRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from recode_models.reward_model.examine import Examined


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run gave."""

    given: int
    """Pairs of the wanted kinds in the training split, of problems that are not held out."""
    kept: int
    """Pairs that are short enough."""
    loss: float
    """Mean training loss."""
    examined: "Examined | None"
    """What was measured of the model; None in processes other than the main one."""

    @property
    def validation(self) -> Accuracy | None:
        """Exact accuracy on the validation split; None without one."""
        report = self.examined.reports.get(VALIDATION) if self.examined else None
        return report.overall if report else None


def train(recipe: RewardRecipe, pairs: str | Path, out: Path, config: str = DEFAULT) -> Trained:
    """Trains a reward model and saves it with its tokenizer; a killed run goes on from its last checkpoint.

    Args:
        recipe: Everything that decides the run but the data.
        pairs: Directory of pairs with a train split, or id of a dataset on the Hub.
        out: Directory for the model.
        config: Part of the pairs.

    Raises:
        InputError: pairs, model or a training option are wrong, problems are held out, too many pairs are too long, or
            `out` holds what must not be lost.
        TrainingError: the loss is not a number, or the saved model is not the trained one.
        MissingExtraError: trl is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    require_free(out, "reward model", [recipe.model.id, pairs, *(entry.pairs for entry in recipe.evaluation)])
    data = read_data(recipe, pairs, config, out.resolve().with_name(f"{out.resolve().name}.overlap.jsonl"))
    try:
        from recode_models.reward_model.record import write_record
        from recode_models.reward_model.trainer import build_trainer, run, training_arguments
        from recode_models.trainers import prepare, save
    except ImportError as error:
        raise MissingExtraError(error.name or "trl", "models") from error
    prepare(recipe.cpu_threads)
    model, tokenizer = load_base(recipe, data.train.pairs)
    base = base_revision(recipe.model, model)
    parts = _parts(recipe, data, base)
    checkpoints = journal(stage_of(out), "checkpoints", parts)
    arguments = training_arguments(recipe, checkpoints, validates=data.validation is not None)
    short = _short_enough(recipe, data, tokenizer, shortest(arguments.max_length, positions(model)))
    if arguments.load_best_model_at_end and short.validation is None:
        raise InputError("no validation pair is short enough to choose a checkpoint by; raise training.max_length")
    if recipe.group_by_length:
        short = _grouped(short, arguments.per_device_train_batch_size, recipe.seed)
    with shared_stage(out, RECORD, arguments.distributed_state.wait_for_everyone) as stage:
        trainer = build_trainer(recipe, arguments, model, tokenizer, short.train, short.held_out)
        claim(checkpoints, parts)
        done = run(trainer, recipe, stage)
        save(trainer, tokenizer, stage)
        trained = Trained(len(data.train.pairs), len(short.train.pairs), done.loss, None)
        if is_main():
            whole = replace(data, train=short.train)
            trained = replace(trained, examined=_examined(stage, whole, done.remembered, recipe.seed))
            write_record(stage / RECORD, recipe, data, trained, done.log, base)
    return trained


def _examined(stage: Path, data: Data, remembered: Sequence[tuple[float, float]], seed: int) -> "Examined":
    """Returns what the saved model is worth; what fails here must not cost the checkpoints of a training that is done.

    Raises:
        TrainingError: the saved model is not the trained one, or it cannot be run.
    """
    from recode_models.reward_model.examine import examine

    try:
        return examine(stage, data, remembered, seed)
    except InputError as error:
        raise TrainingError(f"trained, but not measured: {error}; run it again, the training is kept") from error


def _short_enough(
    recipe: RewardRecipe, data: Data, tokenizer: "PreTrainedTokenizerBase", max_length: int | None
) -> Data:
    """Returns the pairs that the trainer may see; of the held-out ones the others are left to the final measuring."""

    def short(found: PairSet) -> PairSet:
        kept = fitting(found, lengths(tokenizer, found.pairs), max_length)
        if found is data.train or len(kept.pairs) < len(found.pairs):
            title = "training" if found is data.train else found.name
            say(f"{title} pairs: {len(found.pairs)} given, {len(kept.pairs)} kept (max_length {max_length})")
        return kept

    given, kept = data.train, short(data.train)
    lost = 1 - len(kept.pairs) / len(given.pairs)
    if lost > recipe.max_dropped_share:
        raise InputError(
            f"{len(given.pairs) - len(kept.pairs)} of {len(given.pairs)} pairs are longer than max_length {max_length} "
            f"tokens; raise training.max_length (up to the model's positions), or allow the loss with "
            f"max_dropped_share: {lost:.3f}"
        )
    held_out = [fitted for found in data.held_out if (fitted := short(found)).pairs]
    return replace(data, train=kept, held_out=held_out)


def _grouped(data: Data, batch: int, seed: int) -> Data:
    """Returns the data with the training pairs in batches of like length, by characters."""
    texts = [(pair.problem, pair.chosen_reasoning, pair.rejected_reasoning) for pair in data.train.pairs]
    longest = [len(problem) + max(len(one), len(other)) for problem, one, other in texts]
    return replace(data, train=chosen(data.train, order_by_length(longest, batch, seed)))


def _parts(recipe: RewardRecipe, data: Data, base: str | None) -> Parts:
    """Returns what decides the trained model, part by part."""
    told = recipe.model_dump(mode="json", exclude={"cpu_threads", "max_dropped_share"})
    told["training"] = deciding(told["training"])
    places = [found.place for found in (data.train, *data.held_out)]
    facts = {
        "version of lcb-rb": __version__,
        "pairs": [[place.name, place.config, place.revision] for place in places],
        "base model": base,
        "number of processes": processes(),
    }
    return recipe_parts(told) | hashed(facts)
