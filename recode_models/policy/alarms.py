"""Signs that a policy is paid for something else than right code, read off its metrics."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from recode_models.policy.recipe import AlarmRecipe

HACK, LENGTH, REPEATED = "hack", "length", "repeated"


def alarms(history: Sequence[Mapping[str, Any]], recipe: AlarmRecipe) -> dict[str, str]:
    """Returns what rings after the last entry, with the numbers that made it ring.

    Args:
        history: What was logged so far, in order.
        recipe: Windows and limits.
    """
    steps = [entry for entry in history if "cg/pass_rate" in entry]
    now, before = steps[-recipe.window :], steps[-2 * recipe.window : -recipe.window]
    found = {}
    if len(before) == recipe.window:
        process, passed = _change("cg/process_all", before, now), _change("cg/pass_rate", before, now)
        if process and passed and _rise(process) >= recipe.process_up and -_rise(passed) >= recipe.pass_down:
            found[HACK] = f"process score {_told(process)} while pass rate {_told(passed)}"
    length = _change("cg/length", steps[: recipe.window], now)
    if len(steps) > recipe.window and length and min(length) * recipe.length_factor < max(length):
        found[LENGTH] = f"mean length {_told(length)} tokens since the start"
    repeated = _mean("cg/repeated", now)
    if repeated is not None and len(now) == recipe.window and repeated >= recipe.repeated:
        found[REPEATED] = f"{repeated:.0%} of runs of four tokens are repetitions"
    return found


def _change(
    name: str, before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> tuple[float, float] | None:
    first, second = _mean(name, before), _mean(name, now)
    return None if first is None or second is None else (first, second)


def _mean(name: str, entries: Sequence[Mapping[str, Any]]) -> float | None:
    known = [float(entry[name]) for entry in entries if entry.get(name) is not None]
    return fmean(known) if known else None


def _rise(change: tuple[float, float]) -> float:
    return change[1] - change[0]


def _told(change: tuple[float, float]) -> str:
    return f"{change[0]:.3g} -> {change[1]:.3g}"
