"""pass@k of candidate programs: what the `evaluate` module pass_at_k returns."""

import json
import operator
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from lcb_rb.errors import InputError
from lcb_rb.execution import Limits, grade_many
from lcb_rb.metrics.pairwise import is_missing
from lcb_rb.metrics.passes import problem_passes, summarise_passes
from lcb_rb.schema import Problem, Result, TestSuite, Verdict
from lcb_rb.sources import code_eval

DEFAULT_KS = (1, 10, 100)
"""Samples drawn when the caller does not say, as in code_eval."""

Grader = Callable[[Iterable[tuple[Problem, str]]], Iterable[Result]]
"""From (problem, program) items to their results in order."""

_SUITE: TypeAdapter[TestSuite] = TypeAdapter(TestSuite)
_WORDS = {Verdict.ACCEPTED: "passed", Verdict.TIME_LIMIT: "timed out"}


class CandidateGrades(NamedTuple):
    """The two values that code_eval returns; for `evaluate.combine`, which merges dicts, a dict of the first."""

    scores: dict[str, Any]
    """pass@k by "pass@1"..., intervals and counts; plain data."""
    per_candidate: dict[int, list[tuple[int, dict[str, Any]]]]
    """By number of the problem: (number of the candidate, its result)."""

    def keys(self) -> KeysView[str]:
        """Returns the names of the scores."""
        return self.scores.keys()

    def items(self) -> ItemsView[str, Any]:
        """Returns the scores by name."""
        return self.scores.items()


def grade_candidates(
    predictions: Sequence[Sequence[str | None]],
    references: Sequence[str | Problem | None],
    k: Sequence[int] | None = None,
    *,
    num_workers: int | None = None,
    timeout: float = 3.0,
    grader: Grader | None = None,
) -> CandidateGrades:
    """Returns pass@k with intervals, counts and errors, and the result of every candidate.

    What could not be graded (a reference that cannot be used, a missing candidate, a failure of the instrument) is left
    out of every mean and counted. A problem that has too few graded candidates for a k is unscored for that k.

    Args:
        predictions: Candidate programs of every problem; None or NaN where one is missing.
        references: Test code, tests or Problem as JSON, or a Problem; one for every problem.
        k: Samples drawn. When None, those of 1, 10, 100 that every problem was given enough candidates for.
        num_workers: Candidates graded at a time; the executor's default when None.
        timeout: CPU time of a test of kind stdin or call, and of all of a test code, seconds.
        grader: Runs the candidates; the isolated executor when None.

    Raises:
        ValueError: no problems, a problem without candidates or with too few for k, differing lengths, a k below 1.
        InputError: the machine reaches no level of isolation that protects it.
    """
    programs, texts = program_lists(predictions), reference_texts(references)
    if not programs:
        raise ValueError("no problems")
    if len(programs) != len(texts):
        raise ValueError(f"candidates of {len(programs)} problems but {len(texts)} references")
    problems = [_problem_or_error(text, str(index)) for index, text in enumerate(texts)]
    ks = _checked_ks(k, programs, problems)

    def isolated(items: Iterable[tuple[Problem, str]]) -> Iterable[Result]:
        return grade_many(items, workers=num_workers, limits=Limits(cpu_s=timeout))

    results = iter(list((grader or isolated)(_items(problems, programs))))
    details = [
        [_detail(problem, program, results) for program in found]
        for problem, found in zip(problems, programs, strict=True)
    ]
    errors = [str(problem) for problem in problems if isinstance(problem, InputError)]
    per_candidate = {
        task: [(number, {"task_id": task, "completion_id": number, **detail}) for number, detail in enumerate(found)]
        for task, found in enumerate(details)
    }
    return CandidateGrades({**_statistics(problems, details, ks), "errors": errors}, per_candidate)


def program_lists(predictions: Sequence[Sequence[str | None]], first: int = 0) -> list[list[str | None]]:
    """Returns the candidates of every problem as lists, None for what is missing.

    Args:
        predictions: Candidate programs of every problem.
        first: Number of the first problem, for errors.

    Raises:
        ValueError: a problem without candidates, or a candidate that is no text.
    """
    lists: list[list[str | None]] = []
    for index, candidates in enumerate(predictions, first):
        if isinstance(candidates, str):
            raise ValueError(f"problem {index}: predictions must hold a list of programs, not one text; put it in [ ]")
        found = [] if is_missing(candidates) else [None if is_missing(item) else item for item in candidates]
        if not found:
            raise ValueError(f"problem {index} has no candidates; leave it out of predictions and references")
        wrong = next((item for item in found if item is not None and not isinstance(item, str)), None)
        if wrong is not None:
            raise ValueError(f"problem {index}: a candidate is a {type(wrong).__name__}; give the program as text")
        lists.append(found)
    return lists


def reference_texts(references: Sequence[str | Problem | None], first: int = 0) -> list[str]:
    """Returns every reference as text, empty for what is missing.

    Args:
        references: Test code, JSON, or a Problem.
        first: Number of the first problem, for errors.

    Raises:
        ValueError: a reference is something else.
    """
    texts = []
    for index, reference in enumerate(references, first):
        text = reference.model_dump_json() if isinstance(reference, Problem) else reference
        if not isinstance(text, str) and not is_missing(text):
            raise ValueError(f"reference {index} is a {type(text).__name__}; give test code, JSON text or a Problem")
        texts.append(text if isinstance(text, str) else "")
    return texts


def _problem_or_error(reference: str, problem_id: str) -> Problem | InputError:
    """Returns the problem of a reference; the error is kept, since the other problems can still be graded."""
    if not reference:
        return InputError(f"reference {problem_id}: it is missing; give test code, or a problem as JSON")
    try:
        fields = json.loads(reference)
    except (ValueError, RecursionError):
        fields = None
    try:
        if not isinstance(fields, dict):
            return code_eval.problem(reference, problem_id)
        if "kind" in fields:
            return Problem(id=problem_id, source="tests", statement="", tests=_SUITE.validate_python(fields))
        return Problem.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return InputError(f"reference {problem_id}: field {place!r}: {first['msg']}; see docs/formats.md")
    except InputError as error:
        return error


def _checked_ks(
    k: Sequence[int] | None, programs: Sequence[Sequence[str | None]], problems: Sequence[Problem | InputError]
) -> list[int]:
    if k is None:
        return [number for number in DEFAULT_KS if number <= min(map(len, programs))]
    ks = [operator.index(number) for number in k]
    if min(ks, default=1) < 1:
        raise ValueError(f"k must be 1 or more, not {min(ks)}")
    most = max(ks, default=1)
    for index, (found, problem) in enumerate(zip(programs, problems, strict=True)):
        if len(found) < most:
            known = problem.id if isinstance(problem, Problem) else str(index)
            name = f"problem {index}" if known == str(index) else f"problem {index} ({known!r})"
            raise ValueError(
                f"{name}: pass@{most} needs {most} candidates, there are {len(found)}; "
                f"give more candidates, or take {most} out of k"
            )
    return ks


def _items(
    problems: Sequence[Problem | InputError], programs: Sequence[Sequence[str | None]]
) -> Iterator[tuple[Problem, str]]:
    for problem, found in zip(problems, programs, strict=True):
        if isinstance(problem, Problem):
            yield from ((problem, program) for program in found if program is not None)


def _detail(problem: Problem | InputError, program: str | None, results: Iterator[Result]) -> dict[str, Any]:
    """Returns what is known of one candidate; takes the next result if the candidate was run."""
    reason = str(problem) if isinstance(problem, InputError) else "no candidate was given"
    if isinstance(problem, InputError) or program is None:
        return {"passed": None, "result": f"ungraded: {reason}", "verdict": "UNGRADED", "message": reason}
    result = next(results)
    return {"passed": result.passed, "result": _words(result), **result.model_dump(mode="json")}


def _words(result: Result) -> str:
    """Returns the finding in code_eval's words."""
    if result.verdict in _WORDS:
        return _WORDS[result.verdict]
    return f"{'ungraded' if result.passed is None else 'failed'}: {result.message or result.verdict.value}"


def _statistics(
    problems: Sequence[Problem | InputError], details: Sequence[Sequence[dict[str, Any]]], ks: Sequence[int]
) -> dict[str, Any]:
    outcomes = {str(index): [detail["passed"] for detail in found] for index, found in enumerate(details)}
    passes = problem_passes(outcomes, ks)
    summaries = {}
    for k in ks:
        usable = {found.problem_id: outcomes[found.problem_id] for found in passes if k in found.pass_at_k}
        summaries[f"pass@{k}"] = summarise_passes(usable, k) if usable else None
    counts = {name: found.n_problems if found else 0 for name, found in summaries.items()}
    return {
        **{name: found.value if found else None for name, found in summaries.items()},
        "intervals": {
            name: found.interval.model_dump() if found and found.interval else None for name, found in summaries.items()
        },
        "n_problems": counts,
        "n_unscored": {name: len(problems) - count for name, count in counts.items()},
        "n_samples": sum(found.n for found in passes),
        "n_ungraded": sum(found.n_ungraded for found in passes),
        "problems": [
            {
                "problem_id": problem.id if isinstance(problem, Problem) else found.problem_id,
                **found.model_dump(include={"n", "c", "n_ungraded"}),
                **{f"pass@{k}": found.pass_at_k.get(k) for k in ks},
            }
            for problem, found in zip(problems, passes, strict=True)
        ],
    }
