"""`recode train reward`: recipe -> pairs -> RewardTrainer -> a directory that `recode score` takes."""

import hashlib
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcb_rb import __version__
from lcb_rb.errors import InputError, MissingExtraError
from lcb_rb.evaluation import score_pairs
from lcb_rb.pairs import data_revision, pair_files, read_pairs
from lcb_rb.progress import bar, say
from lcb_rb.schema import Accuracy, PreferencePair
from lcb_rb.scorers.classifier import ClassifierScorer
from lcb_rb.writing import dump_json, staged_directory
from recode_models.reward_model.recipe import RewardRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RECORD = "recode.json"
"""What made the model; also the sign that a directory was built by us."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run gave."""

    given: int
    """Pairs of the wanted kinds in the training split."""
    kept: int
    """Pairs that are short enough."""
    loss: float
    """Mean training loss."""
    validation: Accuracy | None
    """Exact accuracy on the validation split; None without one."""


def train(recipe: RewardRecipe, pairs: Path, out: Path) -> Trained:
    """Trains a reward model and saves it with its tokenizer; a killed run goes on from its last checkpoint.

    Raises:
        InputError: pairs, model or a training option are wrong, or too many pairs are too long.
        MissingExtraError: trl is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import torch
        from transformers import PrinterCallback
        from transformers.trainer_utils import get_last_checkpoint
        from trl import RewardConfig, RewardTrainer

        from recode_models.reward_model.progress import StepBar
    except ImportError as error:
        raise MissingExtraError("trl", "models") from error

    _silence_bars()
    if recipe.cpu_threads:
        torch.set_num_threads(recipe.cpu_threads)
    given = _read(pairs, "train", recipe)
    model, tokenizer = _model_and_tokenizer(recipe, given)
    with staged_directory(out, RECORD) as stage:
        checkpoints = stage / f"{_run_key(recipe, pairs)}.journal"
        config = _config(RewardConfig, recipe, checkpoints)
        kept = _short_enough(given, tokenizer, config.max_length)
        say(f"training pairs: {len(given)} given, {len(kept)} kept (max_length {config.max_length})")
        _refuse_loss(recipe, len(given), len(kept), config.max_length)
        trainer = RewardTrainer(model=model, args=config, train_dataset=_dataset(kept), processing_class=tokenizer)
        last = get_last_checkpoint(checkpoints) if checkpoints.is_dir() else None
        with bar("training", _steps(trainer)) as advance:
            trainer.remove_callback(PrinterCallback)
            trainer.add_callback(StepBar(advance))
            loss = trainer.train(resume_from_checkpoint=last).training_loss
        trainer.model.save_pretrained(stage)
        tokenizer.save_pretrained(stage)
        trained = Trained(len(given), len(kept), loss, _validate(stage, pairs, recipe))
        (stage / RECORD).write_text(_record(recipe, pairs, trained), encoding="utf-8")
    return trained


def _silence_bars() -> None:
    """Turns off the libraries' own progress bars; ours shows the steps."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()


def _steps(trainer: Any) -> int:
    args = trainer.args
    if args.max_steps > 0:
        return int(args.max_steps)
    per_epoch: int = math.ceil(len(trainer.get_train_dataloader()) / args.gradient_accumulation_steps)
    epochs: float = args.num_train_epochs
    return math.ceil(epochs * per_epoch)


def _validate(model: Path, pairs: Path, recipe: RewardRecipe) -> Accuracy | None:
    """Returns the accuracy of the saved model, loaded anew, on the validation split."""
    if not any(path.name.startswith("validation-") for path in pair_files(pairs)):
        return None
    held_out = _read(pairs, "validation", recipe)
    scorer = ClassifierScorer(model)
    with bar("validating", 2 * len(held_out)) as advance:
        report = score_pairs(
            scorer, held_out, data=str(pairs), data_revision="", command="", seed=recipe.seed, advance=advance
        )
    return report.overall


def _read(directory: Path, split: str, recipe: RewardRecipe) -> list[PreferencePair]:
    pairs = [pair for pair in read_pairs(directory, split) if pair.kind in recipe.kinds]
    if not pairs:
        raise InputError(f"{directory}: no {split} pair is of kind {', '.join(recipe.kinds)}; change `kinds`")
    return pairs


def _model_and_tokenizer(
    recipe: RewardRecipe, pairs: Sequence[PreferencePair]
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    from recode_models.reward_model.fresh import CHAT_TEMPLATE, make_model, train_tokenizer

    set_seed(recipe.seed)  # a head that the model comes without is drawn anew
    source = recipe.model
    if source.config is not None:
        texts = sorted({text for p in pairs for text in (p.problem, p.chosen_reasoning, p.rejected_reasoning)})
        tokenizer = train_tokenizer(texts, source.vocab_size)
        return make_model(source.config, tokenizer), tokenizer
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.id, revision=source.revision)
        model = AutoModelForSequenceClassification.from_pretrained(
            source.id, revision=source.revision, num_labels=1, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise InputError(f"model.id {source.id!r}: {str(error).splitlines()[0]}; check the id or directory") from error
    if not tokenizer.chat_template:
        say(f"{source.id} has no chat template; a plain one is used and saved with the model")
        tokenizer.chat_template = CHAT_TEMPLATE
    return model, tokenizer


def _config(make: Any, recipe: RewardRecipe, checkpoints: Path) -> Any:
    fields = {"report_to": "none", "disable_tqdm": True, **recipe.training}
    try:
        with warnings.catch_warnings():
            # TRL 1.16 itself sets the option that transformers 5.23 deprecates
            warnings.filterwarnings("ignore", message="`gradient_checkpointing` is deprecated", category=FutureWarning)
            return make(output_dir=str(checkpoints), seed=recipe.seed, **fields)
    except (TypeError, ValueError) as error:
        raise InputError(f"recipe, field 'training': {str(error).splitlines()[0]}; see TRL's RewardConfig") from error


def _short_enough(
    pairs: Sequence[PreferencePair], tokenizer: "PreTrainedTokenizerBase", max_length: int | None
) -> list[PreferencePair]:
    if max_length is None:
        return list(pairs)
    return [pair for pair in pairs if all(_tokens(tokenizer, pair, text) <= max_length for text in _texts(pair))]


def _texts(pair: PreferencePair) -> tuple[str, str]:
    return pair.chosen_reasoning, pair.rejected_reasoning


def _tokens(tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair, reasoning: str) -> int:
    text = tokenizer.apply_chat_template(_messages(pair.problem, reasoning), tokenize=False)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _messages(problem: str, reasoning: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": problem}, {"role": "assistant", "content": reasoning}]


def _refuse_loss(recipe: RewardRecipe, given: int, kept: int, max_length: int | None) -> None:
    lost = 1 - kept / given
    if lost > recipe.max_dropped_share:
        raise InputError(
            f"{given - kept} of {given} pairs are longer than max_length {max_length} tokens; raise "
            f"training.max_length, or allow the loss with max_dropped_share: {lost:.3f}"
        )


def _dataset(pairs: Sequence[PreferencePair]) -> Any:
    from datasets import Dataset

    rows = [
        {
            "prompt": _messages(pair.problem, "")[:1],
            "chosen": _messages("", pair.chosen_reasoning)[1:],
            "rejected": _messages("", pair.rejected_reasoning)[1:],
        }
        for pair in pairs
    ]
    return Dataset.from_list(rows)


def _run_key(recipe: RewardRecipe, pairs: Path) -> str:
    """Returns a name that another recipe or other data would change, so that no foreign checkpoint is taken up."""
    work = recipe.model_dump_json() + data_revision(pair_files(pairs))
    return f"checkpoints-{hashlib.sha256(work.encode()).hexdigest()[:16]}"


def _record(recipe: RewardRecipe, pairs: Path, trained: Trained) -> str:
    record = {
        "package_version": __version__,
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "accelerate")},
        "recipe": recipe.model_dump(mode="json"),
        "data_revision": data_revision(pair_files(pairs)),
        "pairs_given": trained.given,
        "pairs_kept": trained.kept,
        "training_loss": trained.loss,
        "validation": trained.validation.model_dump(mode="json") if trained.validation else None,
    }
    return dump_json(record) + "\n"
