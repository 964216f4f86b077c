"""Parts of a reward model's card: what it pays for style, its calibration, and the plots of its training."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from lcb_rb.scorers.calibrated import RewardScale

PLOTS = {
    "plots/loss.png": "Loss",
    "plots/accuracy.png": "Accuracy",
    "plots/margins.png": "Score of chosen minus score of rejected, held-out pairs",
}
"""Files that `recode train reward` draws, and what they show."""


class Cell(BaseModel):
    """Mean reward of right or wrong reasonings in one style; more is passed over."""

    model_config = ConfigDict(frozen=True)

    reasoning: str
    style: str
    n: int
    mean: float | None


class Probe(BaseModel):
    """The style probe of a training's record; more is passed over."""

    model_config = ConfigDict(frozen=True)

    source: str
    calibrated: bool
    cells: list[Cell]
    n: int
    style_beats_substance: float | None


def behaviour(probe: Probe | None, scale: RewardScale | None, files: Iterable[str]) -> str:
    """Returns the sections that there is something for, each followed by a blank line; empty for none.

    Args:
        probe: From the record.
        scale: From the record.
        files: Names of the model's files.
    """
    known = set(files)
    plots = [f"![{title}]({name})" for name, title in PLOTS.items() if name in known]
    parts = [_probe(probe)] if probe else []
    parts += [_scale(scale)] if scale else []
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
