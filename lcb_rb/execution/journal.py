"""Grading many samples so that a killed run goes on where it was: every result is appended to a journal."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from lcb_rb.execution.grading import grade_many
from lcb_rb.execution.kinds import Limits
from lcb_rb.schema import Problem, Record, Result, Sample, Verdict


class Entry(Record):
    """One line of the journal."""

    key: str
    """`grading_key` of the work."""
    result: Result
    """What came out."""


def grading_key(problem: Problem, code: str, limits: Limits) -> str:
    """Returns the sha256 of everything that a verdict depends on."""
    tests = problem.tests.model_dump(mode="json") if problem.tests else None
    limits_ = [limits.cpu_s, limits.wall_factor, limits.memory_mb, limits.output_mb]
    work = [tests, problem.prompt, problem.entry_point, code, limits_]
    return hashlib.sha256(json.dumps(work).encode()).hexdigest()


def grade_samples(
    samples: Iterable[Sample],
    problems: Mapping[str, Problem],
    journal: Path,
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Result]:
    """Returns the results by sample id; equal work is done once, work found in the journal not at all.

    Args:
        samples: Samples whose problems are all in `problems`.
        problems: By id.
        journal: File of finished work; made when missing. A torn last line is passed over, UNGRADED work is done again.
        workers: As in `grade_many`.
        limits: As in `grade_many`.
        advance: Called once for every sample that is settled.
    """
    limits = limits or Limits()
    keys = {sample.id: (grading_key(problems[sample.problem_id], sample.code, limits), sample) for sample in samples}
    known = _read(journal)
    missing = {key: sample for key, sample in keys.values() if key not in known}
    for _ in range(len(keys) - len(missing)):
        advance()
    work = ((problems[sample.problem_id], sample.code) for sample in missing.values())
    order, lock = list(missing), threading.Lock()
    with journal.open("a", encoding="utf-8") as stream:
        stream.write("\n")  # ends a line that a kill has torn

        def settled(index: int, result: Result) -> None:
            with lock:
                known[order[index]] = result
                stream.write(Entry(key=order[index], result=result).model_dump_json() + "\n")
                stream.flush()

        for _ in grade_many(work, workers, limits, settled):
            advance()
    return {sample_id: known[key] for sample_id, (key, _) in keys.items()}


def _read(journal: Path) -> dict[str, Result]:
    known: dict[str, Result] = {}
    if not journal.exists():
        return known
    for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            continue  # blank, or torn by a kill: the work is done again
        if entry.result.verdict is not Verdict.UNGRADED:
            known[entry.key] = entry.result
    return known
