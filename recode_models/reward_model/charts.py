"""Plots of a training: loss, accuracy, and how far apart the two sides of held-out pairs are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

FOLDER = "plots"


def draw(log: Sequence[Mapping[str, float]], margins: Mapping[str, Sequence[float]], directory: Path) -> list[Path]:
    """Writes the plots that there are numbers for and returns their files.

    Args:
        log: Lines of metrics.jsonl.
        margins: Chosen minus rejected score of every pair, by set.
        directory: Where the folder of plots is made.
    """
    folder = directory / FOLDER
    folder.mkdir(exist_ok=True)
    curves = {name: _curves(log, name) for name in ("loss", "accuracy")}
    made = [_lines(found, name, folder / f"{name}.png") for name, found in curves.items() if found]
    return [*made, _histogram(margins, folder / "margins.png")] if margins else made


def _curves(log: Sequence[Mapping[str, float]], what: str) -> dict[str, tuple[list[float], list[float]]]:
    """Returns steps and values: of the training batches, and of each set as a whole, not of its parts."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    sets = {name[5:-7] for line in log for name in line if name.startswith("eval_") and name.endswith("_margin")}
    for key, label in [(what, "training batches"), *((f"eval_{name}_{what}", name) for name in sorted(sets))]:
        points = [(line["step"], line[key]) for line in log if key in line]
        if points:
            found[label] = ([step for step, _ in points], [value for _, value in points])
    return found


def _lines(curves: Mapping[str, tuple[list[float], list[float]]], what: str, path: Path) -> Path:
    figure, axes = _axes("optimiser step", what)
    for label, (steps, values) in curves.items():
        axes.plot(steps, values, label=label, marker="o" if len(steps) < 30 else None, markersize=3)
    if what == "accuracy":
        axes.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    return _saved(figure, axes, path)


def _histogram(margins: Mapping[str, Sequence[float]], path: Path) -> Path:
    figure, axes = _axes("score of chosen - score of rejected", "pairs")
    for label, values in margins.items():
        axes.hist(values, bins=30, alpha=0.6, label=f"{label} ({len(values)})")
    axes.axvline(0.0, color="black", linewidth=0.8)
    return _saved(figure, axes, path)


def _axes(across: str, up: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6, 3.5), layout="constrained")  # no pyplot: it would choose a window system
    axes = figure.add_subplot()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    return figure, axes


def _saved(figure: Figure, axes: Any, path: Path) -> Path:
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120, metadata={"Software": None})  # the same bytes with every version's name
    return path
