"""The curves of a policy training: is it the code that gets better, or only what is paid for it?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

FILE = "curves.png"

PANELS: tuple[tuple[str, dict[str, str]], ...] = (
    ("pass rate", {"cg/pass_rate": "training", "eval_pass_rate": "held-out problems", "cg/gate_open": "gate open"}),
    ("process score", {"cg/process_accepted": "accepted", "cg/process_failed": "failed", "cg/process_all": "all"}),
    ("share of groups", {"cg/groups_right": "all right", "cg/groups_mixed": "mixed", "cg/groups_wrong": "all wrong"}),
    ("tokens", {"cg/length": "mean length"}),
)
"""Title and curves of each panel, by the metric's name."""


def draw(log: Sequence[Mapping[str, float]], directory: Path) -> Path:
    """Writes the curves and returns their file.

    Args:
        log: Lines of metrics.jsonl.
        directory: Where the file goes.
    """
    figure = Figure(figsize=(10, 6), layout="constrained")  # no pyplot: it would choose a window system
    for index, (title, curves) in enumerate(PANELS):
        axes = figure.add_subplot(2, 2, index + 1, title=title, xlabel="optimiser step")
        axes.grid(alpha=0.3)
        for name, label in curves.items():
            _line(axes, log, name, label)
        if axes.lines:
            axes.legend(fontsize=8)
        _mark_alarms(axes, log)
    path = directory / FILE
    figure.savefig(path, dpi=120, metadata={"Software": None})  # the same bytes with every version's name
    return path


def _line(axes: Any, log: Sequence[Mapping[str, float]], name: str, label: str) -> None:
    points = [(line["step"], line[name]) for line in log if line.get(name) is not None]
    if points:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, label=label, marker="o" if len(points) < 30 else None, markersize=3)


def _mark_alarms(axes: Any, log: Sequence[Mapping[str, float]]) -> None:
    for line in log:
        if "alarm/hack" in line:
            axes.axvline(line["step"], color="red", alpha=0.15)
