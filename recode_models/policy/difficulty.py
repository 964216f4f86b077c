"""How hard problems are for the policy: the filter by pass rate, and the order in which they come."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from lcb_rb.errors import InputError
from lcb_rb.reading import read_json_lines
from lcb_rb.schema import Problem
from lcb_rb.sources.records import Row
from recode_models.policy.recipe import DataRecipe

LEVELS = ("easy", "medium", "hard")
"""Stated difficulties, the easiest first; whatever else is stated comes after them."""

Order = Literal["shuffled", "easy-first"]


def pass_rates(files: Iterable[Path]) -> dict[str, float]:
    """Returns the share of passed among the graded samples of each problem that has one; UNGRADED ones do not count.

    Args:
        files: Of `recode grade`.

    Raises:
        InputError: a file cannot be read, a row is no verdict, or a sample comes twice.
    """
    outcomes: dict[str, list[bool]] = {}
    seen: set[str] = set()
    for path in files:
        for line, fields in read_json_lines(path):
            row = Row(path, line, fields)
            if (sample_id := row.text("id")) in seen:
                raise row.error("id", f"sample {sample_id!r} comes twice", "keep one verdict")
            seen.add(sample_id)
            if "passed" not in fields:
                raise row.error("passed", "is missing", "give a file that `recode grade` wrote")
            passed = row.optional("passed", bool)
            if passed is not None:
                outcomes.setdefault(row.text("problem_id"), []).append(passed)
    return {problem_id: sum(found) / len(found) for problem_id, found in outcomes.items()}


def learnable(
    problems: Sequence[Problem], rates: Mapping[str, float], recipe: DataRecipe
) -> tuple[list[Problem], dict[str, int]]:
    """Returns the problems that are solved neither too rarely nor too often to learn from, and counts.

    Args:
        problems: To be trained on; those without a pass rate are kept.
        rates: Pass rates by problem id, where known.
        recipe: Says what is too rarely and too often.

    Raises:
        InputError: no problem has a rate although there are verdicts, or none is left.
    """
    if not recipe.verdicts:
        return [*problems], {"too_rarely_solved": 0, "too_often_solved": 0, "rate_unknown": 0}
    files = ", ".join(Path(name).name for name in recipe.verdicts)
    known = {problem.id: rates[problem.id] for problem in problems if problem.id in rates}
    if not known:
        what = f"{files}: no graded sample of any of {len(problems)} training problems"
        raise InputError(f"{what}; give verdicts on samples of these problems, or leave out `data.verdicts`")
    low, high = recipe.solved
    rarely = {name for name, rate in known.items() if rate <= low}
    often = {name for name, rate in known.items() if rate >= high} - rarely
    kept = [problem for problem in problems if problem.id not in rarely | often]
    if not kept:
        what = f"{files}: of {len(problems)} training problems {len(rarely)} are solved at most {low:.0%} of the time"
        fix = "widen `data.solved`, leave out `data.verdicts`, or give other problems"
        raise InputError(f"{what} and {len(often)} at least {high:.0%}; {fix}")
    unknown = sum(problem.id not in rates for problem in kept)
    return kept, {"too_rarely_solved": len(rarely), "too_often_solved": len(often), "rate_unknown": unknown}


def order(
    problems: Sequence[Problem], epochs: int, seed: int, how: Order, rates: Mapping[str, float] | None = None
) -> list[Problem]:
    """Returns the problems of all epochs, one after the other; the same whatever their order was.

    Every epoch has each problem once and an order of its own, by hashes of seed, epoch and problem. So whoever knows
    the step knows what comes next.

    Args:
        problems: Of one epoch.
        epochs: How many.
        seed: Of the order.
        how: `easy-first` begins each epoch with the problems that are solved most often, then come those without a
            pass rate by their stated difficulty; only what is equally hard is shuffled.
        rates: Pass rates by problem id, where known.
    """
    found: list[Problem] = []
    for epoch in range(epochs):
        drawn = sorted(problems, key=lambda problem: _draw(seed, epoch, problem.id))
        found += drawn if how == "shuffled" else sorted(drawn, key=lambda problem: _hardness(problem, rates or {}))
    return found


def _draw(seed: int, epoch: int, problem_id: str) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{problem_id}".encode()).digest()


def _hardness(problem: Problem, rates: Mapping[str, float]) -> tuple[bool, float, int]:
    rate = rates.get(problem.id)
    stated = (problem.difficulty or "").lower()
    return (rate is None, -(rate or 0.0), LEVELS.index(stated) if stated in LEVELS else len(LEVELS))
