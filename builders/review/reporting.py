"""What reviewers said, as text for a terminal and for a card."""

from builders.review.merging import Merged, Reviewer
from lcb_rb.metrics import Agreement
from lcb_rb.schema import Interval
from lcb_rb.tables import text_table

SHOWN = 20
"""Disagreements that a terminal shows; --json has all."""

HEAD = ("reviewer", "answered", "better side", "equal", "other side", "cannot judge", "with the label", "95 % interval")
"""Columns of `reviewer_rows`."""


def merged_text(merged: Merged) -> str:
    """Returns the report of a merge."""
    lines = [text_table(HEAD, reviewer_rows(merged)), agreement_line(merged.agreement)]
    if merged.disagreements:
        lines.append(f"{len(merged.disagreements)} pairs on which they differ:")
        for found in merged.disagreements[:SHOWN]:
            lines.append(f"  {found.pair}: {', '.join(f'{name} {vote}' for name, vote in found.votes.items())}")
        if len(merged.disagreements) > SHOWN:
            lines.append(f"  and {len(merged.disagreements) - SHOWN} more: --json names all")
    dropped = ", ".join(f"{reason} {count}" for reason, count in merged.drops.items()) or "none"
    lines.append(
        f"confirmed by at least {merged.confirmations}: {len(merged.confirmed)} pairs; not confirmed: {dropped}"
    )
    return "\n".join(lines)


def reviewer_rows(merged: Merged) -> list[tuple[str, ...]]:
    """Returns a row a reviewer, of the columns HEAD."""
    return [_row(reviewer) for reviewer in merged.reviewers]


def agreement_line(agreement: Agreement | None) -> str:
    """Returns the kappa of all reviewers with what it rests on."""
    if agreement is None:
        return "kappa: needs two reviewers"
    name = "Cohen's kappa" if agreement.raters == 2 else f"Fleiss' kappa of {agreement.raters} reviewers"
    shared = agreement.n - agreement.n_left_out
    basis = f"{shared} pairs over {agreement.n_problems} problems"
    if agreement.n_left_out:
        basis += f"; {agreement.n_left_out} more have fewer than two verdicts"
    if agreement.kappa is None:
        return f"{name}: undefined, {agreement.undefined} ({basis})"
    bounds = _bounds(agreement.interval)
    return (
        f"{name}: {agreement.kappa:.3f}, 95 % interval {bounds} (agreement {agreement.observed:.3f}, "
        f"by chance {agreement.expected:.3f}; {basis})"
    )


def _row(reviewer: Reviewer) -> tuple[str, ...]:
    votes, label = reviewer.votes, reviewer.label
    return (
        reviewer.name,
        str(sum(votes.values())),
        *(str(votes[vote]) for vote in ("chosen", "equal", "rejected", "unsure")),
        "-" if label.accuracy is None else f"{label.accuracy:.3f}",
        _bounds(label.interval),
    )


def _bounds(interval: Interval | None) -> str:
    return f"[{interval.low:.3f}, {interval.high:.3f}]" if interval else "none"
