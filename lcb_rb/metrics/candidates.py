"""pass@k of candidate programs: what the `evaluate` module pass_at_k returns."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from lcb_rb.errors import InputError
from lcb_rb.metrics.passes import problem_passes, summarise_passes
from lcb_rb.schema import Problem, Result
from lcb_rb.sources import code_eval

Grader = Callable[[Iterable[tuple[Problem, str]]], Iterable[Result]]
"""From (problem, program) items to their results in order."""


def grade_candidates(
    predictions: Sequence[Sequence[str]], references: Sequence[str], ks: Sequence[int], grader: Grader
) -> dict[str, Any]:
    """Returns pass@k, intervals, counts, results by problem and errors as plain data, ready for JSON.

    A problem whose reference cannot be used, and a sample on which the grader fails, are left out of every mean and
    counted; a k is left out when a problem was given fewer candidates.

    Args:
        predictions: Candidate programs of every problem.
        references: Test code or Problem as JSON, one for every problem.
        ks: Samples drawn.
        grader: Runs the candidates.

    Raises:
        ValueError: no problems, a problem without candidates, differing lengths, or a k below 1.
    """
    if len(predictions) != len(references):
        raise ValueError(f"candidates of {len(predictions)} problems but {len(references)} references")
    if not predictions or not all(predictions):
        raise ValueError("no problems, or one without candidates")
    if any(k < 1 for k in ks):
        raise ValueError(f"k must be 1 or more, not {min(ks)}")
    problems = [_problem_or_error(reference, str(index)) for index, reference in enumerate(references)]
    results = iter(grader(_items(problems, predictions)))
    details: list[list[dict[str, Any]]] = []
    for problem, programs in zip(problems, predictions, strict=True):
        if isinstance(problem, InputError):
            details.append([{"verdict": "UNGRADED", "passed": None, "message": str(problem)} for _ in programs])
        else:
            details.append([_detail(next(results)) for _ in programs])
    errors = [str(problem) for problem in problems if isinstance(problem, InputError)]
    return {**_statistics(details, [k for k in ks if k <= min(map(len, predictions))]), "errors": errors}


def _problem_or_error(reference: str, problem_id: str) -> Problem | InputError:
    """Returns the problem of a reference; the error is kept, since the other problems can still be graded."""
    try:
        fields = json.loads(reference)
    except (ValueError, RecursionError):
        fields = None
    try:
        if isinstance(fields, dict):
            return Problem.model_validate(fields)
        return code_eval.problem(reference, problem_id)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return InputError(f"reference {problem_id}: field {place!r}: {first['msg']}; see docs/formats.md")
    except InputError as error:
        return error


def _items(
    problems: Sequence[Problem | InputError], predictions: Sequence[Sequence[str]]
) -> Iterator[tuple[Problem, str]]:
    for problem, programs in zip(problems, predictions, strict=True):
        if isinstance(problem, Problem):
            yield from ((problem, program) for program in programs)


def _detail(result: Result) -> dict[str, Any]:
    return {"passed": result.passed, **result.model_dump(mode="json")}


def _statistics(details: Sequence[Sequence[dict[str, Any]]], ks: Sequence[int]) -> dict[str, Any]:
    outcomes = {str(index): [detail["passed"] for detail in found] for index, found in enumerate(details)}
    problems = problem_passes(outcomes, ks)
    summaries = {}
    for k in ks:
        usable = {problem.problem_id: outcomes[problem.problem_id] for problem in problems if k in problem.pass_at_k}
        summaries[f"pass@{k}"] = summarise_passes(usable, k) if usable else None
    return {
        **{name: found.value if found else None for name, found in summaries.items()},
        "intervals": {
            name: found.interval.model_dump() if found and found.interval else None for name, found in summaries.items()
        },
        "n_problems": {name: found.n_problems if found else 0 for name, found in summaries.items()},
        "n_samples": sum(problem.n for problem in problems),
        "n_ungraded": sum(problem.n_ungraded for problem in problems),
        "problems": [
            {**problem.model_dump(mode="json"), "results": list(found)}
            for problem, found in zip(problems, details, strict=True)
        ],
    }
