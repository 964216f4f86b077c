"""Reports as text for a terminal or a README."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lcb_rb.schema import Accuracy, PassAtK, Provenance, Report

if TYPE_CHECKING:
    from lcb_rb.execution.doctor import Sandbox
    from lcb_rb.execution.verdicts import Graded, SlowProblem
    from lcb_rb.hub.publish import Published

HEAD = ("n", "problems", "ties", "unscored", "accuracy", "95 % interval", "strict")
"""Columns after the name, as `accuracy_cells` fills them."""

COMMIT_CHARS = 40
"""Length of a commit's name; a sha256 has 64."""

FEW_PROBLEMS = 20
"""Below this many clusters a percentile bootstrap covers the truth less often than it says."""


def report_table(report: Report) -> str:
    """Returns the table of one report: overall, then every group with its own interval."""
    groups = {"all": report.overall}
    for title, members in (
        ("kind", report.by_kind),
        ("difficulty", report.by_difficulty),
        ("dimension", report.by_dimension),
    ):
        groups |= {f"{title} {name}": accuracy for name, accuracy in members.items()}
    lines = [text_table(("", *HEAD), [(name, *accuracy_cells(accuracy)) for name, accuracy in groups.items()])]
    provenance = report.provenance
    lines += [
        f"scorer {provenance.scorer} ({provenance.scorer_revision})",
        f"pairs {provenance.data} ({data_version(provenance)}), {report.overall.n_problems} problems",
        *(f"note: {note}" for note in notes_of(report)),
    ]
    return "\n".join(lines)


def data_version(provenance: Provenance) -> str:
    """Returns which data it was: the commit of a Hub dataset, or the start of the hash of a directory's files."""
    revision = provenance.data_revision
    return f"commit {revision}" if len(revision) == COMMIT_CHARS else f"sha256 {revision[:16]}"


def comparison_table(reports: Sequence[Report]) -> str:
    """Returns one line a report, best first."""
    ranked = ranked_reports(reports)
    rows = [(report.provenance.scorer, *accuracy_cells(report.overall)) for report in ranked]
    notes = dict.fromkeys(f"note: {note}" for report in ranked for note in notes_of(report))
    return "\n".join([text_table(("scorer", *HEAD), rows), *notes])


def ranked_reports(reports: Sequence[Report]) -> list[Report]:
    """Returns the reports, best first; equal ones by name."""
    return sorted(reports, key=lambda report: (-(report.overall.accuracy or 0.0), report.provenance.scorer))


def notes_of(report: Report) -> list[str]:
    """Returns what a reader must know beside the numbers."""
    if report.overall.n_problems >= FEW_PROBLEMS:
        return report.notes
    return [*report.notes, f"only {report.overall.n_problems} problems: intervals are too narrow below {FEW_PROBLEMS}"]


def accuracy_cells(accuracy: Accuracy) -> tuple[str, ...]:
    """Returns the cells after the name, in the order of HEAD."""
    interval = accuracy.interval
    return (
        str(accuracy.n),
        str(accuracy.n_problems),
        str(accuracy.n_ties),
        str(accuracy.n_unscored),
        _number(accuracy.accuracy),
        f"{interval.low:.3f}-{interval.high:.3f}" if interval else "-",
        _number(accuracy.strict_accuracy),
    )


def pass_line(found: PassAtK) -> str:
    """Returns pass@k with its interval and what it rests on."""
    interval = f" (95 % {found.interval.low:.3f}-{found.interval.high:.3f})" if found.interval else ""
    basis = f"{found.n_samples} samples of {found.n_problems} problems, {found.n_ungraded} ungraded"
    return f"pass@{found.k} {found.value:.3f}{interval}, {basis}"


def graded_text(graded: "Graded") -> str:
    """Returns verdicts, pass@k, what the verdicts rest on, and the slowest problems."""
    basis = f"isolation {_counted(graded.isolation)}; method {_counted(graded.methods)}"
    lines = [*(f"{count:6d} {verdict}" for verdict, count in graded.verdicts.items()), *map(pass_line, graded.passes)]
    return "\n".join([*lines, basis, *([slow_table(graded.slowest)] if graded.slowest else [])])


def slow_table(slowest: "Sequence[SlowProblem]") -> str:
    """Returns one line a problem."""
    rows = [
        (slow.problem_id, str(slow.samples), f"{slow.cpu_s:.2f}", f"{slow.max_cpu_s:.2f}", str(slow.time_limits))
        for slow in slowest
    ]
    return text_table(("slowest problems", "samples", "CPU s", "longest", "time limits"), rows)


def sandbox_text(found: "Sandbox") -> str:
    """Returns one line a layer and fact, and the level."""
    lines = {
        name: f"{'active' if layer.active else 'NOT ACTIVE'}: {layer.detail}" for name, layer in found.layers.items()
    }
    level = f"{found.level.value}" if found.level else "none"
    if not found.safe:
        level += "; use a container without secrets and pass --allow-weak-isolation" if found.level else ""
    width = max(map(len, [*lines, *found.facts]))
    return "\n".join(f"{name:{width}}  {text}" for name, text in {**lines, **found.facts, "level": level}.items())


def published_text(published: "Published") -> str:
    """Returns what was published, where."""
    lines = [f"uploaded {name}" for name in published.uploaded] + [f"removed {name}" for name in published.removed]
    lines += [] if lines else ["nothing changed: every file is there"]
    lines += [f"tag {published.tag}"] if published.tag else []
    lines += [f"pull request {published.pull_request}"] if published.pull_request else []
    return "\n".join([*lines, f"commit {published.commit}", published.url])


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns aligned columns, the first to the left and the others to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _counted(counts: Mapping[str, int]) -> str:
    """Returns the only name, or every name with its count."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} {count}" for name, count in counts.items())
