"""Problems that may not be trained on, and held-out problems that are as good as trained on."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.options import parse_window
from lcb_rb.overlap import near_duplicates
from lcb_rb.schema import Problem
from lcb_rb.window import Window
from recode_models.contamination import Shared, by_id, by_words, in_order, refuse_shared
from recode_models.policy.data_sources import Source
from recode_models.policy.recipe import DataRecipe

_FIX = "leave them out, or set `data.overlap: drop` in the recipe"


def not_evaluated(
    problems: Sequence[Problem], evaluation: Sequence[Source], recipe: DataRecipe, listing: Path
) -> tuple[list[Problem], dict[str, int]]:
    """Returns the problems that may be used, and counts.

    Args:
        problems: That are given.
        evaluation: Problems that may not be used, neither they nor others in nearly their words.
        recipe: Says in which days they may not be published, and whether such problems are refused.
        listing: File for a long list of refused problems.

    Raises:
        InputError: there are such problems and they are refused, or none is left.
    """
    window = _window(recipe.window)
    known, recent = _in_sets(problems, evaluation), _in_window(problems, window)
    names = ", ".join(recipe.problems)
    if recipe.overlap == "refuse":
        refuse_shared(in_order([*known, *recent]), names, listing, _FIX)
    ids, days = ({found.problem_id for found in part} for part in (known, recent))
    kept = [problem for problem in problems if problem.id not in ids | days]
    if not kept:
        what = f"{names}: all of {len(problems)} problems are in `data.evaluation` or in `data.window`"
        raise InputError(f"{what}; give other problems")
    undated = sum(problem.date is None for problem in kept) if window else 0
    return kept, {"in_evaluation": len(ids), "in_window": len(days - ids), "undated": undated}


def split(problems: Sequence[Problem], share: float) -> tuple[list[Problem], list[Problem], int]:
    """Returns training problems, held-out problems, and how many were moved from these to those.

    A hash of its id decides about each problem, so further problems move none, except that a held-out problem in
    nearly the words of a training problem is moved: it would measure what was learned by heart.

    Raises:
        InputError: there would be no training problem, or none held out although some should be.
    """
    chosen = {problem.id for problem in problems if _share(problem.id) < share}
    moved = _near_training(problems, chosen)
    train = [problem for problem in problems if problem.id not in chosen - moved]
    held_out = [problem for problem in problems if problem.id in chosen - moved]
    if not train:
        raise InputError(f"all of {len(problems)} problems are held out; lower `data.held_out`, or give more problems")
    if share and not held_out:
        what = f"none of {len(problems)} problems is held out"
        what += f", {len(moved)} are nearly the same as a training problem" if moved else ""
        raise InputError(f"{what}; raise `data.held_out`, give more problems, or set it to 0")
    return train, held_out, len(moved)


def _in_sets(problems: Sequence[Problem], evaluation: Sequence[Source]) -> list[Shared]:
    texts = {problem.id: problem.statement for problem in problems}
    found: list[Shared] = []
    for source in evaluation:
        others = {problem.id: problem.statement for problem in source.problems}
        found += [*by_id(texts, others, source.name), *by_words(texts, others, source.name)]
    return in_order(found)


def _in_window(problems: Sequence[Problem], window: Window | None) -> list[Shared]:
    """Returns the problems of those days; without a date a problem is in no window."""
    dated = [problem.id for problem in problems if window and problem.date and problem.date in window]
    return [Shared(name, f"window '{window}'", name, 1.0) for name in dated]


def _window(text: str | None) -> Window | None:
    try:
        return None if text is None else parse_window(text)
    except InputError as error:
        raise InputError(f"recipe, `data.window`: {error}".replace("--window ", "")) from error


def _near_training(problems: Sequence[Problem], held_out: set[str]) -> set[str]:
    """Returns the held-out problems like a training problem, those like such a one, and so on."""
    if not held_out:
        return set()
    texts = {problem.id: problem.statement for problem in problems}
    matches = near_duplicates({name: texts[name] for name in held_out}, texts)
    moved: set[str] = set()
    while further := {
        match.left
        for match in matches
        if match.left not in moved and (match.right in moved or match.right not in held_out)
    }:
        moved |= further
    return moved


def _share(problem_id: str) -> float:
    """Returns a number from 0 up to 1 that depends on the id alone."""
    return int.from_bytes(hashlib.sha256(f"held out/{problem_id}".encode()).digest()[:7]) / 2**56
