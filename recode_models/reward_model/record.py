"""What a training leaves beside the model: the record, the metrics and the plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcb_rb import __version__
from lcb_rb.schema import Report
from lcb_rb.writing import dump_json
from recode_models.progress import shown
from recode_models.records import versions
from recode_models.reward_model.charts import draw
from recode_models.reward_model.data import Data
from recode_models.reward_model.recipe import RewardRecipe

if TYPE_CHECKING:
    from recode_models.reward_model.train import Trained


def write_record(
    path: Path,
    recipe: RewardRecipe,
    data: Data,
    trained: "Trained",
    log: Sequence[dict[str, Any]],
    base: str | None,
) -> None:
    """Writes the record and the plots.

    Args:
        path: Of the record; the plots go beside it.
        recipe: What was asked for.
        data: What it was done with.
        trained: What came out, measured.
        log: Everything that was logged.
        base: Revision of the model that it started from.
    """
    examined = trained.examined
    assert examined
    place = data.train.place
    record = {
        "package_version": __version__,
        "versions": versions(lora=recipe.lora is not None),
        "recipe": recipe.model_dump(mode="json"),
        "base_revision": base,
        "data": place.name,
        "data_config": place.config,
        "data_revision": place.revision,
        "pairs_given": trained.given,
        "pairs_kept": trained.kept,
        "pairs_overlapping": data.overlapping,
        "training_loss": trained.loss,
        "validation": trained.validation.model_dump(mode="json") if trained.validation else None,
        "results": {name: _result(report) for name, report in examined.reports.items()},
        "calibration": examined.scale.model_dump(mode="json") if examined.scale else None,
        "style_probe": examined.style.model_dump(mode="json"),
    }
    path.write_text(dump_json(record) + "\n", encoding="utf-8")
    lines = [line for entry in log if (line := shown(entry))]
    draw(lines, {name: _margins(report) for name, report in examined.reports.items()}, path.parent)


def _result(report: Report) -> dict[str, Any]:
    kept = report.model_dump(mode="json", include={"overall", "by_kind", "by_dimension", "notes"})
    return {"data": report.provenance.data, "data_revision": report.provenance.data_revision, **kept}


def _margins(report: Report) -> list[float]:
    found = [(score.chosen, score.rejected) for score in report.scores]
    return [chosen - rejected for chosen, rejected in found if chosen is not None and rejected is not None]
