"""What is seen of a running policy training besides its metrics: where the time goes, alarms, samples."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from lcb_rb.writing import dump_json, write_text
from recode_models.launch import say
from recode_models.policy.alarms import HACK, alarms
from recode_models.policy.recipe import AlarmRecipe
from recode_models.policy.reward_function import CGReward

TIMINGS = "timings.jsonl"
"""Seconds of every step: kept apart from the metrics, which are the same in every run."""
SAMPLES = "samples.jsonl"
"""The telling completions of every step."""


class StepTable(TrainerCallback):  # type: ignore[misc]
    """Rows of steps in a file beside the checkpoints; a resumed run goes on with those of its checkpoint."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._path: Path | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Drops the rows of steps that will be done again, and what a kill left of a last one."""
        if not state.is_world_process_zero:
            return
        self._path = Path(args.output_dir) / self._name
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True) if self._path.is_file() else []
        whole = [line for line in lines if line.endswith("\n")]
        write_text(self._path, "".join(line for line in whole if json.loads(line)["step"] <= state.global_step))

    def add(self, step: int, row: Mapping[str, Any]) -> None:
        """Appends a row; in the main process only."""
        if self._path:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(dump_json({"step": step, **row}) + "\n")


class Timings(StepTable):
    """Splits the time of a step into generation, grading, scoring and update, and hands it to the loggers.

    What precedes a call of the reward function in a step is generation, what follows the last one the update. Where a
    step has several generations, updates between them count as generation.
    """

    def __init__(self, reward: CGReward) -> None:
        super().__init__(TIMINGS)
        self._reward = reward
        self._start = 0.0
        self._found: dict[str, float] = {}

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts the clock."""
        self._reward.spent.clear()
        self._start = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Splits the step."""
        end, spent = time.monotonic(), self._reward.spent
        rewarding = sum(one.all_s for one in spent)
        last = spent[-1].ended if spent else self._start
        self._found = {
            "time/generation_s": max(last - self._start - rewarding, 0.0),
            "time/grading_s": sum(one.grading_s for one in spent),
            "time/scoring_s": sum(one.scoring_s for one in spent),
            "time/reward_s": rewarding,
            "time/update_s": end - last,
            "time/step_s": end - self._start,
            "time/scored": float(sum(one.scored for one in spent)),
        }
        self.add(state.global_step, {name.removeprefix("time/"): round(at, 4) for name, at in self._found.items()})

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Adds the numbers to what loggers get."""
        if logs is None or not self._found or "loss" not in logs:
            return
        logs.update(self._found)


class Alarm(TrainerCallback):  # type: ignore[misc]
    """Warns of reward hacking, or ends the run; what rings stands in the metrics as `alarm/...`."""

    def __init__(self, recipe: AlarmRecipe) -> None:
        self._recipe = recipe
        self._told: set[str] = set()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Looks at the steps so far."""
        entry = state.log_history[-1]
        if "cg/pass_rate" not in entry:
            return
        found = alarms(state.log_history, self._recipe)
        for name, message in found.items():
            entry[f"alarm/{name}"] = 1.0
            if logs is not None:
                logs[f"alarm/{name}"] = 1.0
            if name not in self._told:
                say(f"step {entry['step']}: alarm {name}: {message}")
        self._told = set(found)
        if self._recipe.stop and HACK in found:
            say(f"step {entry['step']}: stopped by the alarm, as the recipe asks; look at {SAMPLES}")
            control.should_training_stop = True


class Samples(StepTable):
    """Keeps the telling completions of every step."""

    def __init__(self, reward: CGReward) -> None:
        super().__init__(SAMPLES)
        self._reward = reward

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Adds the last batch's."""
        shown, self._reward.shown = self._reward.shown, []
        for row in shown:
            self.add(state.global_step, row)
