"""Which problems are evaluation problems, under another name or in other words, so that nobody trains on them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args

from builders.card import table
from lcb_rb.overlap import near_duplicates, shared_runs
from lcb_rb.schema import Problem, Record
from lcb_rb.window import Window

RUNS_THRESHOLD = 0.35
"""Share of common runs of 13 words from which two statements are one problem. Between LeetCodeDataset's train problems
and LiveCodeBench, different problems with one story reach 0.31, and one problem in two versions has 0.38 and more."""
SIGNATURE_RUNS = 2
"""Common runs from which two statements that ask for the same function with the same arguments are one problem. On the
same data that finds 8 reworded problems, and no other."""
SHOWN = 20
"""Problems that a table names."""

Reason = Literal["id", "date", "runs", "near_duplicate", "signature", "reasoning"]
"""Why a problem may not be used: one id; a day in the window; common runs of 13 words; nearly one text; one signature
and common runs; a reasoning that repeats the statement."""

_SIGNATURE = re.compile(r"def\s+(?P<signature>\w+\s*\([^\n]*\))\s*(?:->|:\s*$)", re.MULTILINE)


class Offender(Record):
    """A problem that is in an evaluation set, and how that is seen."""

    problem_id: str
    """The problem."""
    evaluation: str
    """Name of the evaluation set, or the window."""
    evaluation_id: str | None
    """Problem there; None for a window."""
    reason: Reason
    """How it was found; a problem found in several ways comes several times."""
    similarity: float
    """From 0 to 1: share of common runs, similarity of the texts, or 1."""


def offenders(
    problems: Mapping[str, Problem],
    evaluation: Sequence[tuple[str, Mapping[str, Problem]]],
    *,
    window: Window | None = None,
    reasonings: Mapping[str, Sequence[str]] | None = None,
    runs_threshold: float = RUNS_THRESHOLD,
) -> list[Offender]:
    """Returns which problems are evaluation problems, each once for each way in which it is found, sorted.

    Args:
        problems: That are to be used, by id; those whose statement is unknown ("") are compared by id only.
        evaluation: Sets by name.
        window: Days of problems that may not be used; a problem without a date is in no window.
        reasonings: Texts that go with problems, by problem id: they may not repeat statements of evaluation problems.
        runs_threshold: Least share of common runs of 13 words.

    Raises:
        MissingExtraError: datasketch is not installed.
    """
    found = [*_dated(problems, window)] if window else []
    for name, known in evaluation:
        found += _by_id(problems, known, name)
        found += _by_text(problems, known, name, runs_threshold)
        found += _by_reasoning(reasonings or {}, known, name, runs_threshold)
    reasons = get_args(Reason)
    return sorted(
        found, key=lambda one: (one.problem_id, one.evaluation, one.evaluation_id or "", reasons.index(one.reason))
    )


def listing(found: Iterable[Offender]) -> str:
    """Returns the JSON Lines of all."""
    return "".join(one.model_dump_json() + "\n" for one in found)


def offender_table(found: Sequence[Offender]) -> str:
    """Returns markdown: how many problems each evaluation set shares, by reason, and the first twenty of them."""
    if not found:
        return "No problem is in an evaluation set."
    counts = table(("evaluation", "found by", "problems"), _counts(found))
    couples = ways_of(found)
    rows = [(problem, evaluation, other, how) for (problem, evaluation, other), how in couples[:SHOWN]]
    first = table(("problem", "evaluation", "its id there", "found by"), rows)
    more = f"\n\n... and {len(couples) - SHOWN} more" if len(couples) > SHOWN else ""
    return f"{counts}\n\n{first}{more}"


def reason_counts(found: Iterable[Offender]) -> dict[str, int]:
    """Returns how many problems were found in each way that found some."""
    problems: dict[str, set[str]] = {reason: set() for reason in get_args(Reason)}
    for one in found:
        problems[one.reason].add(one.problem_id)
    return {reason: len(ids) for reason, ids in problems.items() if ids}


def ways_of(found: Iterable[Offender]) -> list[tuple[tuple[str, str, str], str]]:
    """Returns each problem, with its evaluation set and its id there ("-" for a window), and how it was found."""
    ways: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in found:
        exact = one.reason in ("id", "date")
        how = one.reason if exact else f"{one.reason} {one.similarity:.2f}"
        ways[one.problem_id, one.evaluation, one.evaluation_id or "-"].append(how)
    return [(couple, ", ".join(how)) for couple, how in ways.items()]


def signature_of(problem: Problem) -> str | None:
    """Returns name and arguments of the function that a problem's starter code declares last, without blanks."""
    found = [match["signature"] for match in _SIGNATURE.finditer(problem.starter_code)]
    return "".join(found[-1].split()) if found else None


def _counts(found: Sequence[Offender]) -> list[tuple[str, str, str]]:
    """Returns how many problems were found, by evaluation set and reason, and in any way."""
    rows = []
    for name in sorted({one.evaluation for one in found}):
        members = [one for one in found if one.evaluation == name]
        counts = {**reason_counts(members), "any of them": len({one.problem_id for one in members})}
        rows += [(name, reason, str(count)) for reason, count in counts.items()]
    return rows


def _dated(problems: Mapping[str, Problem], window: Window) -> Iterator[Offender]:
    for key, problem in problems.items():
        if problem.date and problem.date in window:
            yield _offender(key, f"window {window}", None, "date")


def _by_id(problems: Mapping[str, Problem], known: Mapping[str, Problem], name: str) -> Iterator[Offender]:
    return (_offender(key, name, key, "id") for key in problems.keys() & known.keys())


def _by_text(
    problems: Mapping[str, Problem], known: Mapping[str, Problem], name: str, threshold: float
) -> Iterator[Offender]:
    left, right = _statements(problems), _statements(known)
    for match in near_duplicates(left, right):
        yield _offender(match.left, name, match.right, "near_duplicate", match.similarity)
    for shared in shared_runs(left, right):
        if shared.share >= threshold:
            yield _offender(shared.left, name, shared.right, "runs", shared.share)
        signature = signature_of(problems[shared.left])
        if shared.count >= SIGNATURE_RUNS and signature and signature == signature_of(known[shared.right]):
            yield _offender(shared.left, name, shared.right, "signature", shared.share)


def _by_reasoning(
    reasonings: Mapping[str, Sequence[str]], known: Mapping[str, Problem], name: str, threshold: float
) -> Iterator[Offender]:
    texts = {f"{key}\0{index}": text for key, found in reasonings.items() for index, text in enumerate(found)}
    best: dict[tuple[str, str], float] = {}
    for shared in shared_runs(texts, _statements(known)) if texts else []:
        couple = (shared.left.rpartition("\0")[0], shared.right)
        best[couple] = max(best.get(couple, 0.0), shared.share)
    for (key, other), share in best.items():
        if share >= threshold and key != other:
            yield _offender(key, name, other, "reasoning", share)


def _statements(problems: Mapping[str, Problem]) -> dict[str, str]:
    return {key: problem.statement for key, problem in problems.items() if problem.statement}


def _offender(
    problem_id: str, evaluation: str, evaluation_id: str | None, reason: Reason, similarity: float = 1.0
) -> Offender:
    return Offender(
        problem_id=problem_id,
        evaluation=evaluation,
        evaluation_id=evaluation_id,
        reason=reason,
        similarity=round(similarity, 4),
    )
