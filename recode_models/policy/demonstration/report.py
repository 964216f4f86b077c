"""From the outcomes of all runs to a table, a plot and JSON."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from lcb_rb.schema import Record
from recode_models.policy.demonstration.bases import Base
from recode_models.policy.demonstration.prediction import prefers_hack
from recode_models.policy.demonstration.runs import ARMS, Arm, Outcome
from recode_models.policy.demonstration.statistics import Mean, mean_of
from recode_models.policy.demonstration.tasks import ABOUT, Setting

COLLAPSED = 0.1
"""A fall of the pass rate by so much below the taught policy's counts as the hack."""


class Row(Record):
    """An arm, over its seeds."""

    setting: Setting
    arm: str
    weight: float
    pass_rate: Mean
    process: Mean
    length: Mean
    work: Mean
    """Share of completions with real work."""


class Forecast(Record):
    """What the rule says of a plain sum, and what came."""

    setting: Setting
    seed: int
    weight: float
    threshold: float | None
    """Process weight above which the rule prefers the hack; None where no weight does."""
    predicted: bool
    before: float
    """Pass rate of the taught policy."""
    after: float
    hacked: bool
    """Whether the pass rate fell by more than 0.1."""


class Gain(Record):
    """Hidden pass rate of an arm minus that of outcome only, seed by seed."""

    arm: str
    difference: Mean


def rows(outcomes: Sequence[Outcome], bases: Sequence[Base]) -> list[Row]:
    """Returns a row for each setting: the taught policy, and every arm and weight."""
    groups: dict[tuple[Setting, str, float], list[Any]] = {}
    for base in bases:
        groups.setdefault((base.setting, "before", 0.0), []).append(base.measured)
    for one in outcomes:
        weight = 0.0 if one.job.arm == "outcome only" else one.job.weight
        groups.setdefault((one.job.setting, one.job.arm, weight), []).append(one.measured)
    fields = ("pass_rate", "process", "length", "work")
    return [
        Row(
            setting=setting,
            arm=arm,
            weight=weight,
            **{name: mean_of([getattr(one, name) for one in found]) for name in fields},
        )
        for (setting, arm, weight), found in groups.items()
    ]


def forecasts(outcomes: Iterable[Outcome], bases: Sequence[Base]) -> list[Forecast]:
    """Returns the rule's word on every plain sum, beside what came."""
    known = {(base.setting, base.seed): base.measured for base in bases}
    found = []
    for one in outcomes:
        before = known[one.job.setting, one.job.seed]
        if one.job.arm != "plain sum" or before.ways is None:
            continue
        found.append(
            Forecast(
                setting=one.job.setting,
                seed=one.job.seed,
                weight=one.job.weight,
                threshold=before.ways.threshold,
                predicted=prefers_hack(before.ways, one.job.weight),
                before=before.pass_rate,
                after=one.measured.pass_rate,
                hacked=one.measured.pass_rate < before.pass_rate - COLLAPSED,
            )
        )
    return sorted(found, key=lambda one: (one.setting, one.weight, one.seed))


def gains(outcomes: Iterable[Outcome], setting: Setting) -> list[Gain]:
    """Returns what the arms add to outcome only, in pairs of one seed."""
    rates: dict[Arm, dict[int, float]] = {}
    for one in outcomes:
        if one.job.setting == setting and one.job.weight == 1.0:
            rates.setdefault(one.job.arm, {})[one.job.seed] = one.measured.pass_rate
    plain = rates.pop("outcome only", {})
    return [
        Gain(arm=arm, difference=mean_of([found[seed] - plain[seed] for seed in sorted(found.keys() & plain.keys())]))
        for arm, found in rates.items()
        if found.keys() & plain.keys()
    ]


def markdown(found: Mapping[str, Any], outcomes: Sequence[Outcome], bases: Sequence[Base]) -> str:
    """Returns the report.

    Args:
        found: Command, machine and times.
        outcomes: Of all runs.
        bases: Of all settings and seeds.
    """
    lines = ["# The gate, on a CPU", "", f"`{found['command']}`: {found['told']}", ""]
    lines += ["Means over seeds with 95 % t intervals; pass rate, process score and length are of the last policy, on"]
    lines += ["200 held-out problems, four sampled completions each, run on all tests.", ""]
    for setting in dict.fromkeys(base.setting for base in bases):
        lines += [
            f"## {setting.capitalize()}",
            "",
            ABOUT[setting],
            "",
            *_table(row for row in rows(outcomes, bases) if row.setting == setting),
        ]
        lines += [
            f"{gain.arm} minus outcome only, pass rate, {_seeds(gain.difference.n)}: {gain.difference}  "
            for gain in gains(outcomes, setting)
        ]
        lines += [""]
    lines += ["## When the plain sum hacks", "", *_forecasts(forecasts(outcomes, bases)), ""]
    return "\n".join(lines)


def _table(found: Iterable[Row]) -> list[str]:
    lines = [
        "| arm | weight | seeds | pass rate | process score | tokens | real work |",
        "|---|--:|--:|---|---|---|---|",
    ]
    for row in found:
        cells = [row.arm, f"{row.weight:g}", str(row.pass_rate.n), *map(str, (row.pass_rate, row.process))]
        lines.append("| " + " | ".join([*cells, f"{row.length.value:.1f}", f"{row.work.value:.2f}"]) + " |")
    return [*lines, ""]


def _forecasts(found: Sequence[Forecast]) -> list[str]:
    head = "| base | weight | seed | rule's threshold | rule says hack | pass rate before | after | hacked |"
    lines = [head, "|---|--:|--:|--:|---|--:|--:|---|"]
    for one in found:
        threshold = "none" if one.threshold is None else f"{one.threshold:.2f}"
        cells = [one.setting, f"{one.weight:g}", str(one.seed), threshold, _yes(one.predicted)]
        lines.append("| " + " | ".join([*cells, f"{one.before:.3f}", f"{one.after:.3f}", _yes(one.hacked)]) + " |")
    right = sum(one.predicted == one.hacked for one in found)
    return [*lines, "", f"The rule was right in {right} of {len(found)} runs."]


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def draw(outcomes: Sequence[Outcome], setting: Setting, path: Path) -> None:
    """Writes the curves of a setting: pass rate and process score of every arm, mean over seeds."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for index, (name, title) in enumerate((("pass_rate", "pass rate"), ("process", "process score"))):
        axes = figure.add_subplot(1, 2, index + 1, title=title, xlabel="step", ylim=(0, 1))
        axes.grid(alpha=0.3)
        for arm in ARMS:
            found = [one.curves[name] for one in outcomes if _drawn(one, setting, arm)]
            if found:
                axes.plot(range(1, len(found[0]) + 1), _smoothed(found), label=arm)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _drawn(one: Outcome, setting: Setting, arm: Arm) -> bool:
    return one.job.setting == setting and one.job.arm == arm and one.job.weight == 1.0


def _smoothed(curves: Sequence[Sequence[float | None]], window: int = 5) -> list[float]:
    """Returns the mean over seeds, and over the last five steps."""
    columns = [[value for value in column if value is not None] for column in zip(*curves, strict=True)]
    means = [fmean(column) if column else float("nan") for column in columns]
    return [fmean(means[max(0, i - window + 1) : i + 1]) for i in range(len(means))]
