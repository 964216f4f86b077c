"""Reports on a model as its card and the Hub's benchmarks have them."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, EvalResultEntry

from lcb_rb.compare import read_report
from lcb_rb.errors import input_error
from lcb_rb.hub.model_records import bare, is_commit
from lcb_rb.pairs import DEFAULT
from lcb_rb.schema import Accuracy, Interval, PairKind, Report
from lcb_rb.scorers.loading import content_hash

TASK, SPLIT = "lcb-rb", "test"

Row = tuple[str, str, Accuracy]
"""What was measured on, its revision, and the result."""


def benchmark_of(report: Report) -> str | None:
    """Returns the dataset on the Hub whose natural pairs a report is about; None for local pairs and other parts."""
    owner, _, rest = report.provenance.data.partition("/")
    name, _, part = rest.partition("/")
    natural = PairKind.NATURAL.value in report.by_kind and part in ("", SPLIT)
    at_commit = is_commit(report.provenance.data_revision)
    return f"{owner}/{name}" if natural and at_commit and report.overall.accuracy is not None else None


def model_index(report: Report) -> EvalResult:
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


def benchmark_entry(report: Report, repo_id: str) -> EvalResultEntry:
    """Returns a result as the Hub's benchmarks have it."""
    found, told = report.by_kind[PairKind.NATURAL.value], report.provenance
    counts = f"{found.n} pairs, {found.n_ties} ties, {found.n_unscored} unscored"
    notes = f"95 % interval {interval_text(found.interval)}; {counts}; lcb-rb {told.package_version}"
    if told.scorer == repo_id:
        notes += f"; scored at commit {told.scorer_revision} of this repository"
    return EvalResultEntry(
        dataset_id=str(benchmark_of(report)),
        task_id=TASK,
        value=found.accuracy,
        dataset_revision=told.data_revision,
        notes=notes,
    )


def report_rows(reports: Sequence[Report]) -> list[Row]:
    """Returns the rows of reports on pairs, one a kind."""
    return [
        (f"{report.provenance.data}: {kind}", report.provenance.data_revision[:16], accuracy)
        for report in reports
        for kind, accuracy in report.by_kind.items()
    ]


def accuracy_table(rows: Sequence[Row]) -> str:
    """Returns a table of accuracies on pairs."""
    lines = ["| pairs | revision | n | ties | unscored | accuracy | 95 % interval | strict |", "|---|---|" + "--:|" * 6]
    for name, revision, found in rows:
        cells = (
            found.n,
            found.n_ties,
            found.n_unscored,
            number_text(found.accuracy),
            interval_text(found.interval),
            number_text(found.strict_accuracy),
        )
        lines.append(f"| {name} | {revision} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def number_text(value: float | None) -> str:
    """Returns a share as tables have it."""
    return "-" if value is None else f"{value:.3f}"


def interval_text(found: Interval | None) -> str:
    """Returns an interval as tables have it."""
    return f"{found.low:.3f}-{found.high:.3f}" if found else "-"


def own_report(path: Path, directory: Path, repo_id: str) -> Report:
    """Returns a report on this very model; without the local paths of whoever made it.

    Raises:
        InputError: it cannot be read, or is about another model.
    """
    report = read_report(path)
    told = report.provenance
    if told.scorer != repo_id and told.scorer_revision != content_hash(directory):
        what = f"is about another model ({told.scorer}, {told.scorer_revision[:23]})"
        raise input_error(path, what, f"score this one: recode score {directory.name} --pairs ... --out {path.name}")
    named = {"data": bare(told.data), "scorer": bare(told.scorer), "command": bare(told.command)}
    return report.model_copy(update={"provenance": told.model_copy(update=named)})
