"""The arms: one training each by `recode_models.policy.train`, measured and kept."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar

from lcb_rb.schema import Record
from lcb_rb.writing import dump_json, write_text
from recode_models.policy.demonstration.bases import Base, Settings, directory_of, prepare
from recode_models.policy.demonstration.measuring import MOST_TOKENS, Measured, measure
from recode_models.policy.demonstration.tasks import Setting, make_task
from recode_models.policy.recipe import PolicyRecipe

Arm = Literal["outcome only", "plain sum", "strict gate", "soft gate", "papo"]

ARMS: dict[Arm, dict[str, Any]] = {
    "outcome only": {"process_weight": 0.0},
    "plain sum": {"gate": "none"},
    "strict gate": {"gate": "strict"},
    "soft gate": {"gate": "soft"},
    "papo": {"mode": "papo"},
}
"""Fields of the recipe in which they differ."""

BATCH, GROUP = 64, 8
"""Completions of a step, and of a problem."""

_Job = TypeVar("_Job")
_Done = TypeVar("_Done")


class Job(Record):
    """One training."""

    setting: Setting
    arm: Arm
    seed: int
    settings: Settings = Settings()
    weight: float = 1.0
    """Of the process; has no meaning for outcome only."""

    @property
    def name(self) -> str:
        """What its directory is called."""
        return f"{self.setting}-{self.arm}-{self.weight:g}-{self.seed}".replace(" ", "-")


class Outcome(Record):
    """What a training came to."""

    job: Job
    measured: Measured
    """The last policy, on held-out problems."""
    curves: dict[str, list[float | None]]
    """Of each step's completions: pass_rate, process, length."""
    wall_s: float
    cpu_s: float
    """Of the training and the measuring, without graders."""


def recipe_of(job: Job, out: Path) -> PolicyRecipe:
    """Returns the recipe of an arm."""
    base = directory_of(out, job.setting, job.seed)
    fields: dict[str, Any] = {
        "seed": job.seed,
        "cpu_threads": 1,
        "model": {"id": str(base / "policy")},
        "data": {"problems": [str(base / "problems.jsonl")], "held_out": 0.0, "window": None, "prompt": "micro"},
        "process": {"model": str(base / "reward" / "model"), "device": "cpu", "watched": BATCH},  # all are scored
        "process_weight": job.weight,
        "grading": {"workers": 1},
        "training": {
            "max_steps": job.settings.steps,
            "num_generations": GROUP,
            "per_device_train_batch_size": BATCH,
            "max_completion_length": MOST_TOKENS,
            "learning_rate": 1e-3,
            "lr_scheduler_type": "constant",
            "beta": 0.0,
            "temperature": 1.0,
            "bf16": False,
            "use_cpu": True,
            "gradient_checkpointing": False,
            "save_strategy": "no",
        },
    }
    return PolicyRecipe.model_validate({**fields, **ARMS[job.arm]})


def run(job: Job, out: Path) -> Outcome:
    """Returns what an arm comes to, trained unless that is done; its base must be there."""
    done = out / "runs" / f"{job.name}.json"
    if done.is_file():
        known = Outcome.model_validate(json.loads(done.read_text(encoding="utf-8")))
        if known.job == job:
            return known
    from recode_models.policy.train import train

    wall, cpu = time.perf_counter(), time.process_time()
    trained = out / "runs" / job.name
    found = train(recipe_of(job, out), trained)
    base = directory_of(out, job.setting, job.seed)
    task = make_task(job.setting, job.seed, job.settings.samples)
    outcome = Outcome(
        job=job,
        measured=measure(trained, task, base / "reward" / "model", job.seed),
        curves=curves(found.log),
        wall_s=round(time.perf_counter() - wall, 1),
        cpu_s=round(time.process_time() - cpu, 1),
    )
    write_text(done, dump_json(outcome.model_dump(mode="json")) + "\n")
    shutil.rmtree(trained)
    return outcome


def curves(log: Sequence[dict[str, Any]]) -> dict[str, list[float | None]]:
    """Returns pass rate, process score and length of each step."""
    steps = [entry for entry in log if "cg/pass_rate" in entry]
    names = {"pass_rate": "cg/pass_rate", "process": "cg/process_all", "length": "cg/length"}
    return {name: [_rounded(entry.get(key)) for entry in steps] for name, key in names.items()}


def each(work: Callable[[_Job], _Done], jobs: Iterable[_Job], processes: int) -> list[_Done]:
    """Returns what each job gives, in order; with one process in this one.

    Every process uses one thread: for models of this size two are slower than one.
    """
    if processes == 1:
        _one_thread()
        return [work(job) for job in jobs]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        return list(pool.map(work, jobs))


class Worker:
    """Makes bases and runs of one directory; picklable."""

    def __init__(self, out: Path, settings: Settings) -> None:
        """Keeps where and how."""
        self._out, self._settings = out, settings

    def base(self, of: tuple[Setting, int]) -> Base:
        """Returns the base of a setting and a seed."""
        return prepare(self._out, *of, self._settings)

    def run(self, job: Job) -> Outcome:
        """Returns what a job comes to."""
        return run(job, self._out)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
