"""What the card of a reward model says: results on pairs, what it pays for style, its calibration, its plots."""

from collections.abc import Collection, Sequence
from pathlib import Path

from lcb_rb.hub.model_records import Cell, Part, Probe, RewardRecord, base_text, is_commit
from lcb_rb.hub.model_results import accuracy_table, report_rows
from lcb_rb.schema import Report
from lcb_rb.scorers.calibrated import RewardScale
from lcb_rb.templates import fill

PLOTS = {
    "plots/loss.png": "Loss",
    "plots/accuracy.png": "Accuracy",
    "plots/margins.png": "Score of chosen minus score of rejected, held-out pairs",
}
"""Files that `recode train reward` draws, and what they show."""

TAGS = ["recode", "reward-model", "process-reward", "code", "reasoning", "crpl", "lcb-rb", "trl"]

NONE_YET = "None yet: `recode score DIR --pairs recode/lcb-rb --out DIR/reports/lcb-rb.json`."


def reward_part(repo_id: str, record: RewardRecord, reports: Sequence[Report], files: Collection[str]) -> Part:
    """Returns what the card says of a reward model.

    Args:
        repo_id: Where it will be published.
        record: Of its training.
        reports: Of its scores.
        files: Names of what is published with it.
    """
    rows = report_rows(reports)
    if record.validation:
        rows.insert(0, ("validation split of the training data", record.data_revision[:16], record.validation))
    fields = {
        "repo_id": repo_id,
        "version": record.package_version,
        "base": base_text(record),
        "pairs": str(record.pairs_kept),
        "given": str(record.pairs_given),
        "kinds": ", ".join(map(str, record.recipe.get("kinds") or ["all"])),
        "data_revision": record.data_revision,
        "results": accuracy_table(rows) if rows else NONE_YET,
        "behaviour": _behaviour(record, files),
    }
    body = fill((Path(__file__).parent / "reward_card.md").read_text(encoding="utf-8"), fields)
    trained_on = [record.data] if record.data and is_commit(record.data_revision) else []
    return Part(body, "text-classification", TAGS, trained_on)


def _behaviour(record: RewardRecord, files: Collection[str]) -> str:
    """Returns the sections that there is something for, each followed by a blank line; empty for none."""
    plots = [f"![{title}]({name})" for name, title in PLOTS.items() if name in files]
    parts = [_probe(record.style_probe)] if record.style_probe else []
    parts += [_scale(record.calibration)] if record.calibration else []
    parts += ["## Plots\n\n" + "\n\n".join(plots)] if plots else []
    return "".join(f"{part}\n\n" for part in parts)


def _probe(probe: Probe) -> str:
    means = {(cell.style, cell.reasoning): cell for cell in probe.cells}
    lines = ["| style | right reasoning | n | wrong reasoning | n |", "|---|--:|--:|--:|--:|"]
    for style in dict.fromkeys(cell.style for cell in probe.cells):
        row = [means.get((style, side)) for side in ("right", "wrong")]
        lines.append(f"| {style} | " + " | ".join(_cell(cell) for cell in row) + " |")
    unit = "calibrated score" if probe.calibrated else "sigmoid of the uncalibrated score"
    told = f"Mean {unit} of reasonings from {probe.source}, restyled by rules."
    if probe.style_beats_substance is not None:
        share = f"{probe.style_beats_substance:.3f} of {probe.n}"
        told += (
            f" A wrong reasoning, wordy or formatted, beats the right one of its pair, terse, in {share} comparisons."
        )
    return "\n".join(["## Style probe", "", told, "", *lines])


def _cell(cell: Cell | None) -> str:
    if cell is None or cell.mean is None:
        return "- | 0"
    return f"{cell.mean:.3f} | {cell.n}"


def _scale(scale: RewardScale) -> str:
    told = f"`sigmoid((score - {scale.mu:.4g}) / {scale.sigma:.4g})` is the process reward, from 0 to 1"
    return f"## Calibration\n\n{told}: mean and standard deviation on {scale.n} {scale.source}; also in `config.json`."
