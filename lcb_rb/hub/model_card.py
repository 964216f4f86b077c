"""The card of a reward model and its results, from the record of its training and the reports of its scores."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml
from pydantic import BaseModel, ConfigDict, Field

from lcb_rb import __version__
from lcb_rb.cards import CARD, understood
from lcb_rb.compare import read_report
from lcb_rb.errors import input_error
from lcb_rb.hub.files import Files
from lcb_rb.hub.model_sections import Probe, behaviour
from lcb_rb.pairs import DEFAULT
from lcb_rb.schema import Accuracy, PairKind, Report
from lcb_rb.scorers.calibrated import RewardScale
from lcb_rb.scorers.loading import content_hash
from lcb_rb.tables import COMMIT_CHARS
from lcb_rb.templates import fill

RECORD = "recode.json"
"""What `recode train reward` says of a model."""

REPORTS = "reports"
"""Folder of what `recode score --out` wrote of it."""

RESULTS = ".eval_results/lcb-rb.yaml"
"""Where the Hub looks for a model's results on benchmarks."""

TASK, SPLIT = "lcb-rb", "test"


class Record(BaseModel):
    """What `recode train reward` says of a model; more is passed over."""

    model_config = ConfigDict(frozen=True)

    package_version: str
    versions: dict[str, str] = Field(default_factory=dict)
    recipe: dict[str, Any]
    data_revision: str
    pairs_given: int
    pairs_kept: int
    validation: Accuracy | None = None
    style_probe: Probe | None = None
    calibration: RewardScale | None = None

    @property
    def base(self) -> str | None:
        """Id of the model that the training started from; None for random weights."""
        model = self.recipe.get("model")
        found = model.get("id") if isinstance(model, dict) else None
        return found if isinstance(found, str) else None


def model_files(directory: Path, files: Files, repo_id: str, made: Path) -> Files:
    """Returns the card, the results and the reports of a model, as files in `made`; a card of its own is left as it is.

    Args:
        directory: Of the model, as `recode train reward` leaves it.
        files: What is in it.
        repo_id: Where it will be published.
        made: Directory for what is made.

    Raises:
        InputError: the record or a report cannot be read, or a report is of another model.
    """
    paths = [name for name in files if name.startswith(f"{REPORTS}/") and name.endswith(".json")]
    reports = {name: _report(files[name], directory, repo_id) for name in paths}
    texts = {name: report.model_dump_json(indent=1) + "\n" for name, report in reports.items()}
    if CARD not in files and RECORD in files:
        texts[CARD] = render_card(repo_id, _record(files[RECORD]), list(reports.values()), files)
    entries = [_entry(report, repo_id) for report in reports.values() if benchmark_of(report)]
    if entries and RESULTS not in files:
        texts[RESULTS] = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False)
    for name, text in texts.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    return {name: made / name for name in texts}


def benchmark_of(report: Report) -> str | None:
    """Returns the dataset on the Hub whose natural pairs a report is about; None for local pairs and other parts."""
    owner, _, rest = report.provenance.data.partition("/")
    name, _, part = rest.partition("/")
    natural = PairKind.NATURAL.value in report.by_kind and part in ("", SPLIT)
    at_commit = len(report.provenance.data_revision) == COMMIT_CHARS
    return f"{owner}/{name}" if natural and at_commit and report.overall.accuracy is not None else None


def render_card(repo_id: str, record: Record, reports: Sequence[Report], files: Iterable[str] = ()) -> str:
    """Returns the card: data, recipe, versions and results of a model.

    Args:
        repo_id: Where it will be published.
        record: Of its training.
        reports: Of its scores.
        files: Names of what is published with it.
    """
    rows = [("validation split of the training data", record.data_revision[:16], record.validation)]
    rows += [
        (f"{report.provenance.data}: {kind}", report.provenance.data_revision[:16], accuracy)
        for report in reports
        for kind, accuracy in report.by_kind.items()
    ]
    fields = {
        "metadata": _metadata(repo_id, record, reports),
        "repo_id": repo_id,
        "name": repo_id.partition("/")[2],
        "base": record.base or "random weights",
        "pairs": str(record.pairs_kept),
        "given": str(record.pairs_given),
        "kinds": ", ".join(map(str, record.recipe.get("kinds") or ["all"])),
        "data_revision": record.data_revision,
        "recipe": yaml.safe_dump(record.recipe, sort_keys=False).strip(),
        "behaviour": behaviour(record.style_probe, record.calibration, files),
        "versions": ", ".join(f"{name} {version}" for name, version in record.versions.items()) or "not recorded",
        "version": record.package_version,
        "publisher": __version__,
        "results": _result_table([(name, revision, found) for name, revision, found in rows if found]),
    }
    return fill((Path(__file__).parent / "model_card.md").read_text(encoding="utf-8"), fields)


def _metadata(repo_id: str, record: Record, reports: Sequence[Report]) -> str:
    measured = [report for report in reports if benchmark_of(report)]
    data = ModelCardData(
        model_name=repo_id.partition("/")[2],
        license="other" if record.base else "apache-2.0",
        license_name="as-base-model" if record.base else None,
        base_model=record.base,
        library_name="transformers",
        pipeline_tag="text-classification",
        language="en",
        tags=["reward-model", "process-reward", "code", "reasoning", "crpl", "lcb-rb", "trl"],
        datasets=sorted({str(benchmark_of(report)) for report in measured}) or None,
        eval_results=[_legacy(report) for report in measured] or None,
    )
    return str(data.to_yaml()).strip()


def _legacy(report: Report) -> EvalResult:
    """Returns a result as the card's `model-index` has it."""
    return EvalResult(
        task_type="text-classification",
        task_name="preference between reasonings",
        dataset_type=str(benchmark_of(report)),
        dataset_name="LCB-RB, natural pairs",
        dataset_config=DEFAULT,
        dataset_split=SPLIT,
        dataset_revision=report.provenance.data_revision,
        metric_type="accuracy",
        metric_name="pairwise accuracy",
        metric_value=report.by_kind[PairKind.NATURAL.value].accuracy,
    )


def _entry(report: Report, repo_id: str) -> EvalResultEntry:
    """Returns a result as the Hub's benchmarks have it."""
    found, told = report.by_kind[PairKind.NATURAL.value], report.provenance
    counts = f"{found.n} pairs, {found.n_ties} ties, {found.n_unscored} unscored"
    notes = f"95 % interval {_interval(found)}; {counts}; lcb-rb {told.package_version}"
    if told.scorer == repo_id:
        notes += f"; scored at commit {told.scorer_revision} of this repository"
    return EvalResultEntry(
        dataset_id=str(benchmark_of(report)),
        task_id=TASK,
        value=found.accuracy,
        dataset_revision=told.data_revision,
        notes=notes,
    )


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


def _record(path: Path) -> Record:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise input_error(path, f"is no JSON ({error})", "train the model again") from error
    return understood(Record, fields, path, "train the model again")


def _report(path: Path, directory: Path, repo_id: str) -> Report:
    """Returns a report on this very model; without the local paths of whoever made it."""
    report = read_report(path)
    told = report.provenance
    if told.scorer != repo_id and told.scorer_revision != content_hash(directory):
        what = f"is about another model ({told.scorer}, {told.scorer_revision[:23]})"
        raise input_error(path, what, f"score this one: recode score {directory.name} --pairs ... --out {path.name}")
    named = {"data": _bare(told.data), "scorer": _bare(told.scorer), "command": _bare(told.command)}
    return report.model_copy(update={"provenance": told.model_copy(update=named)})


def _bare(words: str) -> str:
    """Returns words with absolute paths cut down to their last name."""
    return " ".join(Path(word).name if word.startswith(("/", "~", "./", "../")) else word for word in words.split(" "))
