"""What is seen of a running training: one bar, a file of metrics, and the end of one that diverged."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback

from lcb_rb.writing import dump_json, write_text
from recode_models.failures import TrainingError

METRICS = "metrics.jsonl"
"""One line for each step at which something was logged."""

_LEFT_OUT = (
    "_runtime",
    "step_time",
    "_preparation_time",
    "_per_second",
    "train_loss",
    "total_flos",
    "eval_accuracy",
    "eval_margin",
    "eval_loss",
)
"""Ends of names of timings, and of means over batches for which exact ones stand beside."""


class StepBar(TrainerCallback):  # type: ignore[misc]
    """Moves a bar on with every optimiser step; a resumed run starts where it was."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self._advance = advance

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Counts the steps of the checkpoint."""
        for _ in range(state.global_step):
            self._advance()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Counts one step."""
        self._advance()


class MetricsLog(TrainerCallback):  # type: ignore[misc]
    """Writes what was logged so far; the checkpoint that a run goes on from holds it too. Stops where loss is NaN."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / METRICS

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Writes the file anew."""
        last = state.log_history[-1]
        for name in ("loss", "grad_norm"):
            if not math.isfinite(float(last.get(name, 0.0))):
                fix = "lower training.learning_rate, or raise training.warmup_steps"
                raise TrainingError(f"step {last['step']}: {name} is {last[name]}; {fix}")
        if state.is_world_process_zero:
            lines = [dump_json(line) + "\n" for entry in state.log_history if len(line := shown(entry)) > 1]
            write_text(self._path, "".join(lines))


class EarlyStop(EarlyStoppingCallback):  # type: ignore[misc]
    """Stops a run that goes on from a checkpoint at which it had been stopped, too."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Looks at the counter of the checkpoint."""
        super().on_train_begin(args, state, control, **kwargs)
        if self.early_stopping_patience_counter >= self.early_stopping_patience:
            control.should_training_stop = True


def shown(entry: Mapping[str, Any]) -> dict[str, float]:
    """Returns the numbers of a log entry that are the same in every run: step, epoch, the others by name."""
    kept = {name: value for name, value in entry.items() if not name.endswith(_LEFT_OUT)}
    if len(kept) <= 2:  # step and epoch alone
        return {}
    return {"step": kept.pop("step"), "epoch": kept.pop("epoch", 0.0), **dict(sorted(kept.items()))}
