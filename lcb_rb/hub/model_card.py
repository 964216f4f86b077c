"""The card of a reward model and its results, from the record of its training and the reports of its scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml
from pydantic import ValidationError

from lcb_rb import __version__
from lcb_rb.errors import input_error
from lcb_rb.hub.cards import CARD
from lcb_rb.hub.files import Files
from lcb_rb.schema import Accuracy, PairKind, Report
from lcb_rb.tables import COMMIT_CHARS
from lcb_rb.templates import fill

RECORD = "recode.json"
"""What `recode train reward` says of a model."""

REPORTS = "reports"
"""Folder of what `recode score --out` wrote of it."""

RESULTS = ".eval_results/lcb-rb.yaml"
"""Where the Hub looks for a model's results on benchmarks."""

BENCHMARK = "recode/lcb-rb"
TASK = "lcb-rb"


def model_files(directory: Path, files: Files, repo_id: str, made: Path) -> Files:
    """Returns the card and the results of a model, as files in `made`; a card of its own is left as it is.

    Args:
        directory: Of the model, as `recode train reward` leaves it.
        files: What is in it.
        repo_id: Where it will be published.
        made: Directory for what is made.

    Raises:
        InputError: the record or a report cannot be read.
    """
    reports = [
        _report(path) for name, path in files.items() if name.startswith(f"{REPORTS}/") and name.endswith(".json")
    ]
    texts = {}
    if CARD not in files and RECORD in files:
        texts[CARD] = render_card(repo_id, _record(files[RECORD]), reports)
    natural = [report for report in reports if PairKind.NATURAL.value in report.by_kind]
    if natural and RESULTS not in files:
        texts[RESULTS] = yaml.safe_dump(
            eval_result_entries_to_yaml([_entry(report) for report in natural]), sort_keys=False
        )
    for name, text in texts.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    return {name: made / name for name in texts}


def render_card(repo_id: str, record: Mapping[str, Any], reports: Sequence[Report]) -> str:
    """Returns the card: data, recipe, versions and results of a model.

    Args:
        repo_id: Where it will be published.
        record: Of its training.
        reports: Of its scores.
    """
    recipe, versions = record["recipe"], record.get("versions", {})
    validation = Accuracy.model_validate(record["validation"]) if record.get("validation") else None
    rows = [("validation split of the training data", record["data_revision"][:16], validation)] if validation else []
    rows += [
        (f"{report.provenance.data}: {kind}", report.provenance.data_revision[:16], accuracy)
        for report in reports
        for kind, accuracy in report.by_kind.items()
    ]
    fields = {
        "metadata": _metadata(repo_id, recipe, reports),
        "repo_id": repo_id,
        "name": repo_id.partition("/")[2],
        "base": recipe["model"].get("id") or "random weights",
        "pairs": str(record["pairs_kept"]),
        "given": str(record["pairs_given"]),
        "kinds": ", ".join(recipe["kinds"]),
        "data_revision": record["data_revision"],
        "recipe": yaml.safe_dump(recipe, sort_keys=False).strip(),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()) or "not recorded",
        "version": record["package_version"],
        "publisher": __version__,
        "results": _result_table(rows),
    }
    return fill((Path(__file__).parent / "model_card.md").read_text(encoding="utf-8"), fields)


def _metadata(repo_id: str, recipe: Mapping[str, Any], reports: Sequence[Report]) -> str:
    base = recipe["model"].get("id")
    data = ModelCardData(
        model_name=repo_id.partition("/")[2],
        license="other" if base else "apache-2.0",
        license_name="as-base-model" if base else None,
        base_model=base,
        library_name="transformers",
        pipeline_tag="text-classification",
        language="en",
        tags=["reward-model", "process-reward", "code", "reasoning", "crpl", "lcb-rb", "trl"],
        datasets=sorted({_dataset(report)[0] for report in reports}) or None,
        eval_results=[_legacy(report) for report in reports if report.overall.accuracy is not None] or None,
    )
    return str(data.to_yaml()).strip()


def _legacy(report: Report) -> EvalResult:
    """Returns a result as the card's `model-index` has it."""
    dataset, revision = _dataset(report)
    return EvalResult(
        task_type="text-classification",
        task_name="preference between reasonings",
        dataset_type=dataset,
        dataset_name="LCB-RB",
        dataset_revision=revision,
        metric_type="accuracy",
        metric_name="pairwise accuracy",
        metric_value=report.overall.accuracy,
    )


def _entry(report: Report) -> EvalResultEntry:
    """Returns a result as the Hub's benchmarks have it: of the natural pairs alone."""
    found = report.by_kind[PairKind.NATURAL.value]
    dataset, revision = _dataset(report)
    counts = f"{found.n} pairs, {found.n_ties} ties, {found.n_unscored} unscored"
    notes = f"{_interval(found)}; {counts}; lcb-rb {report.provenance.package_version}"
    if revision is None:
        notes += f"; scored on a local copy, sha256 {report.provenance.data_revision}"
    return EvalResultEntry(
        dataset_id=dataset, task_id=TASK, value=found.accuracy, dataset_revision=revision, notes=notes
    )


def _dataset(report: Report) -> tuple[str, str | None]:
    """Returns the dataset on the Hub that a report is about, and its commit; none for a local copy."""
    revision = report.provenance.data_revision
    if len(revision) != COMMIT_CHARS:
        return BENCHMARK, None
    return "/".join(report.provenance.data.split("/")[:2]), revision


def _result_table(rows: Sequence[tuple[str, str, Accuracy]]) -> str:
    lines = ["| pairs | revision | n | ties | unscored | accuracy | 95 % interval | strict |", "|---|---|" + "--:|" * 6]
    for name, revision, found in rows:
        cells = (
            found.n,
            found.n_ties,
            found.n_unscored,
            _number(found.accuracy),
            _interval(found),
            _number(found.strict_accuracy),
        )
        lines.append(f"| {name} | {revision} | " + " | ".join(map(str, cells)) + " |")
    return (
        "\n".join(lines)
        if rows
        else "None yet: `recode score DIR --pairs recode/lcb-rb --out DIR/reports/lcb-rb.json`."
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(found: Accuracy) -> str:
    return f"{found.interval.low:.3f}-{found.interval.high:.3f}" if found.interval else "-"


def _record(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("recipe", "package_version", "data_revision", "pairs_kept", "pairs_given"):
            record[name]
    except (ValueError, KeyError, TypeError) as error:
        raise input_error(path, f"is no record of `recode train reward` ({error})", "train the model again") from error
    return record


def _report(path: Path) -> Report:
    try:
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise input_error(path, "is no report of `recode score`", "score the model again") from error
