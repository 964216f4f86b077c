"""Reports as text for a terminal or a README."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lcb_rb.schema import Accuracy, Interval, PassAtK, Provenance, Report

if TYPE_CHECKING:
    from lcb_rb.compare import Comparison
    from lcb_rb.execution.doctor import Sandbox
    from lcb_rb.execution.verdicts import Graded, SlowProblem
    from lcb_rb.hub.publish import Published
    from lcb_rb.metrics import PairedAccuracy
    from lcb_rb.scorers.diagnosis import Diagnosis

HEAD = ("n", "problems", "ties", "unscored", "accuracy", "95 % interval", "strict")
"""Columns after the name, as `accuracy_cells` fills them."""

COMMIT_CHARS = 40
"""Length of a commit's name; a sha256 has 64."""

PAIRED_HEAD = (
    *("n", "problems", "unscored", "ties A", "ties B", "A", "B", "A - B", "95 % interval"),
    *("only A", "only B", "McNemar p"),
)
"""Columns of a comparison after the name, as `_paired_cells` fills them."""

FEW_PROBLEMS = 20
"""Below this many clusters a percentile bootstrap covers the truth less often than it says."""


def report_table(report: Report) -> str:
    """Returns the table of one report: overall, every group with its own interval, and the baselines.

    A baseline's own table says nothing about length and calibration: it does not read.
    """
    rows = [(name, *accuracy_cells(accuracy)) for name, accuracy in _groups(report).items()]
    provenance = report.provenance
    lines = [
        text_table(("", *HEAD), rows),
        *(_length_and_calibration(report) if report.baselines else []),
        f"scorer {provenance.scorer} ({provenance.scorer_revision})",
        f"pairs {provenance.data} ({data_version(provenance)}), {report.overall.n_problems} problems",
        *(f"note: {note}" for note in notes_of(report)),
    ]
    return "\n".join(lines)


def _groups(report: Report) -> dict[str, Accuracy]:
    """Returns the rows of a report by name; groups by length carry the gap in % of the longer reasoning."""
    gaps = {
        f"{number}: {100 * group.low:.1f}-{100 * group.high:.1f} %": group.accuracy
        for number, group in enumerate(report.by_length_gap, start=1)
    }
    parts = {
        "kind": report.by_kind,
        "difficulty": report.by_difficulty,
        "platform": report.by_platform if len(report.by_platform) > 1 else {},
        "dimension": report.by_dimension,
        "length gap": gaps if report.baselines else {},
        "baseline": report.baselines,
    }
    named = {f"{title} {name}": found for title, members in parts.items() for name, found in members.items()}
    return {"all": report.overall, **named}


def _length_and_calibration(report: Report) -> list[str]:
    lines = []
    if found := report.length_correlation:
        lines.append(
            f"margin and length: correlation {_number(found.value)}{_bracketed(found.interval)}, {found.n} scored pairs"
        )
    if calibration := report.calibration:
        lines.append(
            f"sigmoid of the margin: calibration error {calibration.ece:.3f}{_bracketed(calibration.interval)}, "
            f"{calibration.n} scored pairs; meaningful for logits only"
        )
    return lines


def compared_text(found: "Comparison") -> str:
    """Returns the table of a comparison, overall and by group, and what it is about."""
    groups = {"all": found.overall}
    for title, members in (("kind", found.by_kind), ("dimension", found.by_dimension)):
        groups |= {f"{title} {name}": paired for name, paired in members.items()}
    lines = [text_table(("", *PAIRED_HEAD), [(name, *_paired_cells(paired)) for name, paired in groups.items()])]
    for side, provenance in (("A", found.provenance_a), ("B", found.provenance_b)):
        lines.append(
            f"{side}: scorer {provenance.scorer} ({provenance.scorer_revision}), "
            f"pairs {provenance.data} ({data_version(provenance)}), lcb-rb {provenance.package_version}"
        )
    lines.append(f"bootstrap over problems, seed {found.seed}")
    return "\n".join([*lines, *(f"note: {note}" for note in [*found.notes, *_few(found.overall.n_problems)])])


def _paired_cells(paired: "PairedAccuracy") -> tuple[str, ...]:
    interval = paired.interval
    return (
        str(paired.n),
        str(paired.n_problems),
        str(paired.n_unscored),
        str(paired.n_ties_a),
        str(paired.n_ties_b),
        _number(paired.accuracy_a),
        _number(paired.accuracy_b),
        "-" if paired.difference is None else f"{paired.difference:+.3f}",
        f"{interval.low:+.3f} to {interval.high:+.3f}" if interval else "-",
        str(paired.only_a),
        str(paired.only_b),
        "-" if paired.p_value is None else f"{paired.p_value:.2g}",
    )


def data_version(provenance: Provenance) -> str:
    """Returns which data it was: the commit of a Hub dataset, or the start of the hash of a directory's files."""
    revision = provenance.data_revision
    return f"commit {revision}" if len(revision) == COMMIT_CHARS else f"sha256 {revision[:16]}"


def comparison_table(reports: Sequence[Report]) -> str:
    """Returns one line a report, best first, and below them the baselines that are not among the reports."""
    ranked = ranked_reports(reports)
    rows = [(report.provenance.scorer, *accuracy_cells(report.overall)) for report in ranked]
    rows += [(f"baseline {name}", *accuracy_cells(accuracy)) for name, accuracy in baselines_beside(ranked).items()]
    notes = dict.fromkeys(f"note: {note}" for report in ranked for note in notes_of(report))
    return "\n".join([text_table(("scorer", *HEAD), rows), *notes])


def ranked_reports(reports: Sequence[Report]) -> list[Report]:
    """Returns the reports, best first; equal ones by name."""
    return sorted(reports, key=lambda report: (-(report.overall.accuracy or 0.0), report.provenance.scorer))


def baselines_beside(reports: Sequence[Report]) -> dict[str, Accuracy]:
    """Returns the baselines on the pairs of the first report that has them, less those with a report of their own."""
    scorers = {report.provenance.scorer for report in reports}
    found = next((report.baselines for report in reports if report.baselines), {})
    return {name: accuracy for name, accuracy in found.items() if name not in scorers}


def notes_of(report: Report) -> list[str]:
    """Returns what a reader must know beside the numbers."""
    return [*report.notes, *_few(report.overall.n_problems)]


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


def diagnosis_text(found: "Diagnosis") -> str:
    """Returns one line a check, and whether the model can be scored."""
    failed = [name for name, check in found.checks.items() if check.status == "fails"]
    lines = {"model": found.model, "texts": found.data} | {
        name: f"{_STATUS[check.status]}: {check.detail}{check.fix and '; '}{check.fix}"
        for name, check in found.checks.items()
    }
    lines["result"] = f"cannot be scored like this: {', '.join(failed)}" if failed else "can be scored"
    width = max(map(len, lines))
    return "\n".join(f"{name:{width}}  {text}" for name, text in lines.items())


_STATUS = {"ok": "ok", "warning": "WARNING", "fails": "FAILS"}


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


def _few(n_problems: int) -> list[str]:
    few = n_problems < FEW_PROBLEMS
    return [f"only {n_problems} problems: intervals are too narrow below {FEW_PROBLEMS}"] if few else []


def _bracketed(interval: Interval | None) -> str:
    return f" (95 % {interval.low:.3f} to {interval.high:.3f})" if interval else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _counted(counts: Mapping[str, int]) -> str:
    """Returns the only name, or every name with its count."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{name} {count}" for name, count in counts.items())
