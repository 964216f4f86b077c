"""Grading many samples so that a killed run goes on where it was: every result is appended to a journal."""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from lcb_rb import __version__
from lcb_rb.errors import InputError
from lcb_rb.execution.engines import Engine
from lcb_rb.execution.executor import as_work, normalised
from lcb_rb.schema import Problem, Record, Result, Sample, Verdict


class Entry(Record):
    """One line of the journal."""

    key: str
    """`grading_key` of the work."""
    result: Result
    """What came out."""


def grading_key(problem: Problem, code: str, engine: Engine) -> str:
    """Returns the sha256 of everything that a verdict depends on."""
    return _key(_work_key(problem), code, engine)


def grade_samples(
    samples: Iterable[Sample],
    problems: Mapping[str, Problem],
    journal: Path,
    engine: Engine,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Result]:
    """Returns the results by sample id; equal work is done once, work found in the journal not at all.

    Args:
        samples: Samples whose problems are all in `problems`.
        problems: By id.
        journal: File of finished work; made when missing. A torn last line is passed over, UNGRADED work is done again.
        engine: What grades.
        advance: Called once for every sample that is settled.

    Raises:
        InputError: another run is writing the journal.
    """
    samples = list(samples)
    works = {problem_id: _work_key(problems[problem_id]) for problem_id in {sample.problem_id for sample in samples}}
    keys = {sample.id: (_key(works[sample.problem_id], sample.code, engine), sample) for sample in samples}
    with journal.open("a+", encoding="utf-8") as stream:
        _lock(stream, journal)
        known = _read(journal)
        missing = {key: sample for key, sample in keys.values() if key not in known}
        for _ in range(len(keys) - len(missing)):
            advance()
        stream.write("\n")  # ends a line that a kill has torn
        order = list(missing)
        work = ((problems[sample.problem_id], sample.code) for sample in missing.values())
        for index, result in engine.grade_as_completed(work):
            known[order[index]] = result
            stream.write(Entry(key=order[index], result=result).model_dump_json() + "\n")
            stream.flush()
            advance()
    return {sample_id: known[key] for sample_id, (key, _) in keys.items()}


def _work_key(problem: Problem) -> str:
    """Returns what a verdict depends on in a problem; without tests, nothing does."""
    return as_work(problem).key if problem.tests else ""


def _key(work: str, code: str, engine: Engine) -> str:
    parts = [work, normalised(code), engine.limits.as_dict(), engine.level.value, dict(engine.options)]
    return hashlib.sha256(json.dumps([__version__, *parts]).encode()).hexdigest()


def _lock(stream: TextIO, journal: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(f"{journal}: another run is grading into it; wait for it or choose another --out") from error


def _read(journal: Path) -> dict[str, Result]:
    known: dict[str, Result] = {}
    if not journal.exists():
        return known
    for line in journal.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            continue  # blank, or torn by a kill: the work is done again
        if entry.result.verdict is not Verdict.UNGRADED:
            known[entry.key] = entry.result
    return known
