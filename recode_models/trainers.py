"""What trainings on TRL share: quiet libraries, adapters, the checkpoint to go on from, the saved model."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lcb_rb.errors import InputError, MissingExtraError
from recode_models.launch import is_main
from recode_models.recipe import LoraRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_KNOWN = (
    ".*gradient_checkpointing.* is deprecated",
    "Setting `save_embedding_layers` to `True`",  # in checkpoints, after a pad token was added
    "Could not find a config file in",  # the same question, offline
)


@contextmanager
def known_warnings() -> Iterator[None]:
    """Silences what a user could not mend: TRL 1.16 and peft 0.21 among themselves, and with transformers 5.23."""
    with warnings.catch_warnings():
        for message in _KNOWN:
            warnings.filterwarnings("ignore", message=message)
        yield


def prepare(cpu_threads: int | None) -> None:
    """Turns off the libraries' own progress bars, since ours shows the steps, and sets the threads of torch."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if cpu_threads:
        torch.set_num_threads(cpu_threads)


def adapters(recipe: LoraRecipe | None, arguments: Any, **fields: Any) -> Any:
    """Returns peft's configuration; None where all weights are trained.

    Args:
        recipe: Rank, scale and layers.
        arguments: Of the trainer.
        **fields: What else LoraConfig takes.

    Raises:
        InputError: the launcher shards the model.
        MissingExtraError: peft is not installed.
    """
    if recipe is None:
        return None
    if getattr(arguments.distributed_state, "distributed_type", "") == "FSDP":
        raise InputError("lora is not merged under FSDP; launch with a config of type MULTI_GPU, or leave lora out")
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise MissingExtraError("peft", "lora") from error
    return LoraConfig(r=recipe.r, lora_alpha=recipe.alpha, target_modules=recipe.target_modules, **fields)


def resumable(checkpoints: Path, last_step: int) -> Path | None:
    """Returns the newest whole checkpoint before the last step; None where there is none.

    From a checkpoint of the last step the trainer would go one step beyond it. What comes after the checkpoint before
    is done again, with the same result. The trainer's state is the last file of a checkpoint that is written.
    """
    found = [(step, path) for path in checkpoints.glob("checkpoint-*") if (step := _step(path)) is not None]
    return max(((step, path) for step, path in found if step < last_step), default=(0, None))[1]


def _step(checkpoint: Path) -> int | None:
    try:
        return int(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(trainer: Any, tokenizer: "PreTrainedTokenizerBase", stage: Path) -> None:
    """Saves model and tokenizer; adapters are merged. Every process must call it, one writes."""
    if trainer.is_fsdp_enabled:
        trainer.save_model(str(stage))  # gathers the shards
        (stage / "training_args.bin").unlink(missing_ok=True)  # a pickle
    elif is_main():
        model = trainer.accelerator.unwrap_model(trainer.model)
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()
        model.save_pretrained(stage)
    if is_main():
        tokenizer.save_pretrained(stage)
    if torch.cuda.is_available() and not trainer.is_fsdp_enabled:  # the saved model is measured on the same device
        trainer.optimizer = trainer.lr_scheduler = None
        trainer.model.to("cpu")
        torch.cuda.empty_cache()
