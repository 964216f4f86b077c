"""Which samples may enter a pair: each filter returns Keep or Drop with a reason that is counted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from builders.gates.reasons import GATE_REASONS
from lcb_rb.errors import InputError
from lcb_rb.parsing import code_blocks, prose
from lcb_rb.schema import Problem, Result, Sample, Verdict
from lcb_rb.window import Window

_SEVERAL_ANSWERS = re.compile(
    r"\b(print|output|return|report)(ing)? any (one )?(of|valid|such|solution|answer|sequence)\b"
    r"|\bmultiple\b[^.]{0,80}\bany\b|\bany( one)? of (them|these)\b[^.]{0,40}\b(accepted|correct)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Keep:
    """The item stays."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The item leaves."""

    reason: str
    """A word for the drop table."""


DEFAULT_MIN_CHARS = 200


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples may be used."""

    min_reasoning_chars: int = DEFAULT_MIN_CHARS
    """Prose of the reasoning, code blocks not counted."""
    window: Window = field(default_factory=Window)
    """Days of the problems."""
    excluded: frozenset[str] = frozenset()
    """Problem ids that must not occur."""


REASONS = {
    "no_problem": "its problem is not in the input",
    "excluded_problem": "its problem is in --exclude-problems, or nearly",
    "outside_window": "its problem's date is unknown or outside --window",
    "ungraded": "the grader failed, or there is neither a stored grade nor a test",
    "no_code": "the completion holds no code",
    "code_left_out": "the graded code is not the one the model gave as its solution (extraction took another block)",
    "float_tolerance": "stored as failed for a difference below 1e-6 in a decimal",
    "several_answers": "stored as failed although the statement admits several right answers",
    "short_reasoning": "reasoning shorter than --min-reasoning-chars, code blocks not counted",
    "same_reasoning": "another sample of the problem has the same reasoning, or nearly, and the same outcome",
    "contradicting_twin": "the same reasoning, or nearly, led once to accepted and once to failing code",
    "not_accepted": "only accepted samples are rewritten",
    "no_variant": "no rule finds a place, or the model gave no variant",
    "no_accepted": "no sample of the problem is accepted",
    "no_failed": "no sample of the problem failed",
    "no_partner": "the problem has more samples of this outcome than of the other",
    "refuted_reasoning": "accepted, but the reasoning is known to be wrong, and nothing sound is left to pair it with",
    "refuted_variant": "meant to be better, but a numeric claim in it is wrong",
    "unbalanced": "left out so that form, words and authors give nothing away",
    **GATE_REASONS,
}
"""Every reason, and what it means."""


def of_problem(problem: Problem | None, selection: Selection) -> Keep | Drop:
    """Filters by the sample's problem."""
    if problem is None:
        return Drop("no_problem")
    if problem.id in selection.excluded:
        return Drop("excluded_problem")
    return Keep() if problem.date in selection.window else Drop("outside_window")


def of_grade(sample: Sample, result: Result | None) -> Keep | Drop:
    """Filters by what is known about the sample's code."""
    if not sample.code.strip() or (result and result.verdict is Verdict.NO_CODE):
        return Drop("no_code")
    return Keep() if passed(sample, result) is not None else Drop("ungraded")


def of_sample(sample: Sample, problem: Problem | None, result: Result | None, selection: Selection) -> Keep | Drop:
    """Filters by all of the above and below, in the order of REASONS."""
    about_problem = of_problem(problem, selection)
    if isinstance(about_problem, Drop) or problem is None:
        return about_problem
    graded = of_grade(sample, result)
    if isinstance(graded, Drop):
        return graded
    if result is None and sample.passed is False:
        stored = of_stored_failure(problem, sample)
        if isinstance(stored, Drop):
            return stored
    return of_reasoning(sample, selection.min_reasoning_chars)


def of_stored_failure(problem: Problem, sample: Sample) -> Keep | Drop:
    """Filters failures that say something about the benchmark's grader rather than about the code."""
    if _code_left_out(problem, sample):
        return Drop("code_left_out")
    if _decimals_agree(str(sample.metadata.get("error_message", ""))):
        return Drop("float_tolerance")
    return Drop("several_answers") if _SEVERAL_ANSWERS.search(problem.statement) else Keep()


def of_reasoning(sample: Sample, min_chars: int) -> Keep | Drop:
    """Filters by the length of the reasoning's prose."""
    return Keep() if len(prose(sample.reasoning)) >= min_chars else Drop("short_reasoning")


def passed(sample: Sample, result: Result | None) -> bool | None:
    """Returns the outcome: our own grade where there is one, else the stored one, else None."""
    return result.passed if result else sample.passed


def _code_left_out(problem: Problem, sample: Sample) -> bool:
    asked = re.search(r"(class|def) \w+", problem.starter_code)
    if not asked or asked[0] in sample.code:
        return False
    return any(asked[0] in block.body for block in code_blocks(sample.completion or ""))


def _decimals_agree(message: str) -> bool:
    left, sign, right = message.rpartition(" != ")
    if not sign or "." not in right:
        return False
    try:
        got, expected = float(left.split()[-1]), float(right)
    except (ValueError, IndexError):
        return False
    return abs(got - expected) <= 1e-6 * max(1.0, abs(expected))


def nothing_left(drops: Mapping[str, int]) -> InputError:
    """Returns the error for a build that no sample survived, with the most frequent reason spelt out."""
    if not drops:
        return InputError("no pair can be built: there are no samples; name other files")
    most = max(sorted(drops), key=lambda reason: drops[reason])
    return InputError(f"no pair can be built ({describe_drops(drops)}); most often {REASONS[most]}")


def describe_drops(drops: Mapping[str, int]) -> str:
    """Returns the reasons with their counts in one line."""
    return ", ".join(f"{reason} {count}" for reason, count in sorted(drops.items()) if count) or "nothing"
