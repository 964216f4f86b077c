"""What a policy training leaves beside the model: the record, the tables of steps, the curves."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcb_rb import __version__
from lcb_rb.schema import Isolation
from lcb_rb.scorers.base import Scorer
from lcb_rb.writing import dump_json
from recode_models.policy.callbacks import SAMPLES, TIMINGS
from recode_models.policy.charts import draw
from recode_models.policy.data import PolicyData
from recode_models.policy.recipe import PolicyRecipe
from recode_models.progress import shown
from recode_models.records import RECORD, versions

if TYPE_CHECKING:
    from recode_models.policy.trainer import Measured, Run


def write_record(
    stage: Path,
    recipe: PolicyRecipe,
    data: PolicyData,
    scorer: Scorer | None,
    isolation: Isolation,
    found: "Run",
    base: str | None,
) -> None:
    """Writes the record and the curves.

    Args:
        stage: Directory of the policy.
        recipe: What was asked for.
        data: What it was done with.
        scorer: The reward model.
        isolation: How completions were shut in.
        found: What came out.
        base: Revision of the model that it started from.
    """
    process = {"name": _name(recipe), "revision": scorer.revision, "notes": scorer.notes} if scorer else None
    record = {
        "package_version": __version__,
        "versions": versions(lora=recipe.lora is not None),
        "recipe": recipe.model_dump(mode="json"),
        "base_revision": base,
        "data": data.record(),
        "process": process,
        "isolation": isolation.value,
        "steps": found.steps,
        "kept_step": found.best_step or found.steps,
        "before": measurement(found.before),
        "after": measurement(found.after),
        "alarms": sorted({name for entry in found.log for name in entry if name.startswith("alarm/")}),
    }
    (stage / RECORD).write_text(dump_json(record) + "\n", encoding="utf-8")
    draw([line for entry in found.log if (line := shown(entry))], stage)


def _name(recipe: PolicyRecipe) -> str:
    """Returns the reward model's name as the recipe has it, without the folders of this machine."""
    assert recipe.process
    named = Path(recipe.process.model)
    return named.resolve().name if named.is_dir() else recipe.process.model


def measurement(found: "Measured | None") -> dict[str, Any] | None:
    """Returns a measurement as JSON."""
    if found is None:
        return None
    return {"pass_rate": found.passes.model_dump(mode="json"), "process": found.process, "length": found.length}


def keep_tables(checkpoints: Path, stage: Path) -> None:
    """Copies the tables of steps, which lie beside the checkpoints so that a resumed run goes on with them."""
    for name in (SAMPLES, TIMINGS):
        if (checkpoints / name).is_file():
            shutil.copyfile(checkpoints / name, stage / name)


def summary(found: "Run", out: Path) -> str:
    """Returns what the command prints."""
    kept = f", step {found.best_step} is kept" if found.best_step else ""
    lines = [f"trained for {found.steps} steps{kept} -> {out}"]
    for name, one in (("before", found.before), ("after", found.after)):
        if one:
            interval = one.passes.interval
            told = f" ({interval.low:.3f}-{interval.high:.3f})" if interval else ""
            process = "" if one.process is None else f", process {one.process:.3f}"
            lines.append(
                f"{name:6} pass@1 {one.passes.value:.3f}{told} on {one.passes.n_problems} held-out problems{process}, "
                f"{one.length:.0f} tokens"
            )
    alarms = sorted({name.removeprefix("alarm/") for entry in found.log for name in entry if name.startswith("alarm/")})
    return "\n".join([*lines, f"alarms: {', '.join(alarms)}"] if alarms else lines)
