"""The rewards of CG-GRPO, as pure functions: format, outcome, process, the gate between them, and the advantages.

R = R_fmt + R_out + 1[R_out = 1] * R_proc ("ReCode", arXiv 2508.05170): the process counts only where all tests pass.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Gate = Literal["strict", "none", "soft"]
"""When the process counts: where all tests pass, always (the plain sum), or as much as the share of passed tests."""

Mode = Literal["grpo", "dr_grpo", "papo", "gdpo"]
"""How rewards become advantages."""

Scale = Literal["batch", "group", "none"]
"""What TRL divides centred rewards by: the standard deviation of the batch, of the group, or nothing."""

SCALES: dict[Mode, Scale] = {"grpo": "batch", "dr_grpo": "none", "papo": "none", "gdpo": "batch"}
"""TRL's `scale_rewards` for each mode; with grpo, "group" is the paper's."""

EPSILON = 1e-4
"""TRL adds it to each standard deviation."""

Values = list[float | None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is known of one completion; None is what could not be measured, never 0."""

    format: float
    """1 for `<think>...</think><answer>...</answer>`, else 0."""
    outcome: float | None
    """1 when all tests pass, else 0; None when ungraded."""
    process: float | None = None
    """Reward of the reasoning, from 0 to 1; None when it was not scored."""
    pass_rate: float | None = None
    """Share of passed tests, for the soft gate; None when it is not known."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How parts become what a group of completions is told apart by."""

    gate: Gate = "strict"
    mode: Mode = "grpo"
    format_weight: float = 1.0
    process_weight: float = 1.0
    """0 leaves the process out: outcome only."""

    def opening(self, parts: Parts) -> float | None:
        """Returns how far the gate is open, from 0 to 1; None where that is not known."""
        if self.gate == "none" or parts.outcome is None:
            return None if parts.outcome is None else 1.0
        return parts.outcome if self.gate == "strict" else parts.pass_rate

    def process(self, parts: Parts) -> float | None:
        """Returns the process term before its weight: 0 behind a closed gate, None where it could not be measured."""
        opening = self.opening(parts)
        if opening is None or (opening and parts.process is None):
            return None
        return opening * (parts.process or 0.0)

    def reward(self, parts: Parts) -> float | None:
        """Returns R_fmt + R_out + gate * R_proc; None where a part of it could not be measured."""
        if parts.outcome is None:
            return None
        base = self.format_weight * parts.format + parts.outcome
        if not self.process_weight:
            return base
        process = self.process(parts)
        return None if process is None else base + self.process_weight * process


def signals(parts: Sequence[Parts], rule: Rule, group: int) -> Values:
    """Returns the number a completion that TRL makes advantages of, with `SCALES[rule.mode]`.

    grpo and dr_grpo hand over the reward. papo (arXiv 2603.26535) and gdpo (arXiv 2601.05242) normalise parts of it on
    their own, so their signal is already centred: papo's is the advantage itself, gdpo's is divided by the batch's
    standard deviation.

    Args:
        parts: Of whole groups, one after another.
        rule: Gate, mode and weights.
        group: Completions of one prompt.

    Returns:
        One value a completion; None leaves it out of its group's statistics and gives it no advantage.
    """
    if len(parts) % group:
        raise ValueError(f"{len(parts)} completions are no whole groups of {group}")
    shape = {"papo": _papo, "gdpo": _gdpo}.get(rule.mode)
    if shape is None:
        return [rule.reward(one) for one in parts]
    starts = range(0, len(parts), group)
    return [value for start in starts for value in _known(parts[start : start + group], rule, shape)]


def advantages(values: Sequence[float | None], group: int, scale: Scale, epsilon: float = EPSILON) -> list[float]:
    """Returns the advantages that TRL makes of signals: centred in the group, over the standard deviation (n - 1).

    Args:
        values: Of whole groups, one after another; None is left out and gets 0.
        group: Completions of one prompt.
        scale: What is divided by.
        epsilon: Added to the standard deviation; the paper's formula has none.
    """
    found: list[float] = []
    for start in range(0, len(values), group):
        members = values[start : start + group]
        known = [value for value in members if value is not None]
        mean = math.fsum(known) / len(known) if known else 0.0
        spread = deviation(values if scale == "batch" else members) + epsilon
        divisor = 1.0 if scale == "none" else spread
        found += [0.0 if value is None or not divisor else (value - mean) / divisor for value in members]
    return found


def normalised(values: Sequence[float | None]) -> Values:
    """Returns (value - mean) / standard deviation over the known values; None stays None, fewer than two become 0."""
    scaled = advantages(values, len(values), "group")
    return [None if value is None else one for value, one in zip(values, scaled, strict=True)]


def deviation(values: Sequence[float | None]) -> float:
    """Returns the standard deviation (n - 1) of the known values; 0 for fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return 0.0
    mean = math.fsum(known) / len(known)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1))


def _known(parts: Sequence[Parts], rule: Rule, shape: Callable[[Sequence[Parts], Rule], Values]) -> Values:
    """Returns a group's signals; a completion without a reward is left out before anything is normalised."""
    kept = [one for one in parts if rule.reward(one) is not None]
    shaped = iter(shape(kept, rule))
    return [None if rule.reward(one) is None else next(shaped) for one in parts]


def _papo(group: Sequence[Parts], rule: Rule) -> Values:
    """A = A_out + A_proc, the process normalised among the correct completions of the group only."""
    base = normalised([rule.format_weight * one.format + (one.outcome or 0.0) for one in group])
    process = normalised([one.process if one.outcome == 1 else None for one in group])
    return [(a or 0.0) + rule.process_weight * (b or 0.0) for a, b in zip(base, process, strict=True)]


def _gdpo(group: Sequence[Parts], rule: Rule) -> Values:
    """Format, outcome and process each normalised on its own, then summed; behind the gate there is no process."""
    columns = (
        (rule.format_weight, normalised([one.format for one in group])),
        (1.0, normalised([one.outcome for one in group])),
        (rule.process_weight, normalised([rule.process(one) if rule.opening(one) else None for one in group])),
    )
    return [math.fsum(weight * (column[i] or 0.0) for weight, column in columns) for i in range(len(group))]
