"""What is logged of a batch of completions: rates, process scores, groups, signs of a hack."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from recode_models.policy.rewards import Parts, Rule

RUN = 4
"""Tokens in a row that count as repeated when they come again."""


@dataclass(frozen=True, slots=True)
class Rewarded:
    """One completion, and what it was given."""

    problem_id: str
    parts: Parts
    """Its process is known although the gate is closed where it was scored for the log."""
    signal: float | None
    """What TRL got."""
    verdict: str
    tokens: Sequence[int]


def batch_metrics(batch: Sequence[Rewarded], rule: Rule, group: int) -> dict[str, float]:
    """Returns the metrics of a batch of whole groups; one that is not defined for it is left out.

    Process scores are those of well-formed completions; the others have no reasoning to score.

    Args:
        batch: In groups, one after another.
        rule: Gate, mode and weights.
        group: Completions of one prompt.
    """
    parts = [one.parts for one in batch]
    outcomes = [one.outcome for one in parts if one.outcome is not None]
    scored = [(one.outcome, one.process) for one in parts if one.format and one.process is not None]
    accepted = [process for outcome, process in scored if outcome == 1]
    failed = [process for outcome, process in scored if outcome == 0]
    lengths = [len(one.tokens) for one in batch]
    found: dict[str, float | None] = {
        "pass_rate": _mean(outcomes),
        "format_rate": _mean(one.format for one in parts),
        "gate_open": _mean(opening for one in parts if (opening := rule.opening(one)) is not None),
        "process_accepted": _mean(accepted),
        "process_failed": _mean(failed),
        "process_all": _overall(parts, rule),
        "reward": _mean(reward for one in parts if (reward := rule.reward(one)) is not None),
        "ungraded": _mean(one.outcome is None for one in parts),
        "unscored": _mean(one.outcome is not None and rule.reward(one) is None for one in parts),
        "punished_accepted": _punished(batch, group),
        "length": _mean(lengths),
        "repeated": _mean(repeated(one.tokens) for one in batch),
        **_groups(parts, group),
    }
    return {f"cg/{name}": float(value) for name, value in found.items() if value is not None}


def repeated(tokens: Sequence[int]) -> float:
    """Returns the share of runs of four tokens that came before in the same text; 0 for shorter texts."""
    runs = [tuple(tokens[i : i + RUN]) for i in range(len(tokens) - RUN + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return fmean(known) if known else None


def _overall(parts: Sequence[Parts], rule: Rule) -> float | None:
    """Returns the mean process score over completions, as if all had been scored.

    Behind a closed gate only a few are: their mean stands for all of those.
    """
    formed = [one for one in parts if one.format and one.outcome is not None]
    counted = [bool(rule.process_weight and rule.opening(one)) for one in formed]
    total = 0.0
    for paid in set(counted):
        members = [one for one, open_ in zip(formed, counted, strict=True) if open_ is paid]
        mean = _mean(one.process for one in members if one.process is not None)
        if mean is None:
            return None
        total += mean * len(members) / len(formed)
    return total if formed else None


def _groups(parts: Sequence[Parts], group: int) -> dict[str, float | None]:
    """Returns the shares of groups in which all, none or some completions are right; ungraded ones do not count."""
    rates = []
    for start in range(0, len(parts), group):
        known = [one.outcome for one in parts[start : start + group] if one.outcome is not None]
        rates += [fmean(known)] if known else []
    return {
        "groups_right": _mean(rate == 1 for rate in rates),
        "groups_wrong": _mean(rate == 0 for rate in rates),
        "groups_mixed": _mean(0 < rate < 1 for rate in rates),
    }


def _punished(batch: Sequence[Rewarded], group: int) -> float | None:
    """Returns the share of accepted completions whose signal is below the mean of their group."""
    below: list[bool] = []
    for start in range(0, len(batch), group):
        members = [(one.signal, one.parts.outcome) for one in batch[start : start + group] if one.signal is not None]
        mean = fmean(signal for signal, _ in members) if members else 0.0
        below += [signal < mean - 1e-9 for signal, outcome in members if outcome == 1]
    return _mean(below)
