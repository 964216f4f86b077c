"""The problems of anything that has some: files of problems or samples, and datasets of pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.decontamination import SHOWN, Offender, reason_counts, ways_of
from lcb_rb.hub.fetch import is_repo_id
from lcb_rb.reading import is_json_array, read_json_array, read_json_lines
from lcb_rb.schema import PreferencePair, Problem
from lcb_rb.scoring import read_source
from lcb_rb.sources import FORMATS, STARTER, completions, evalplus, livecodebench, resolve
from lcb_rb.sources.records import Row
from lcb_rb.tables import text_table

_STARTER_CODE = "\n\nStarter code:\n"
"""What `lcb_rb.pairs.problem_text` puts between statement and starter code."""


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """Problems, some of which may be known by id only: their statement is ""."""

    name: str
    """File, directory, or id on the Hub."""
    problems: dict[str, Problem]
    """By id, sorted."""

    @property
    def dates(self) -> str:
        """First and last day, and how many problems have none."""
        days = sorted(problem.date for problem in self.problems.values() if problem.date)
        undated = len(self.problems) - len(days)
        span = f"{days[0]} to {days[-1]}" if days else "no dates"
        return f"{span}, {undated} undated" if days and undated else span

    @property
    def n_unknown(self) -> int:
        """Problems of which only the id is known."""
        return sum(not problem.statement for problem in self.problems.values())


def read_set(place: str) -> ProblemSet:
    """Returns the problems of a file of problems or samples, a directory of pairs, or a dataset of pairs on the Hub.

    Raises:
        InputError: there is none, or a row is not what it should be.
        HubError: neither the Hub nor the cache has the dataset.
    """
    path = Path(place)
    if path.is_dir() or (is_repo_id(place) and not path.exists()):
        source = read_source(place)
        return ProblemSet(source.name, _by_id(map(_of_pair, source.pairs)))
    (file,) = resolve([path], "problems.jsonl")
    rows = read_json_array(file) if is_json_array(file) else read_json_lines(file, evalplus.may_hold_nan)
    found = _by_id(_of_row(Row(file, line, fields)) for line, fields in rows)
    return ProblemSet(STARTER if file != path else place, found)


def overlap_summary(left: ProblemSet, right: ProblemSet, found: Sequence[Offender]) -> dict[str, Any]:
    """Returns what two sets share, as JSON has it."""
    sets = [
        {"name": one.name, "problems": len(one.problems), "dates": one.dates, "known_by_id_only": one.n_unknown}
        for one in (left, right)
    ]
    return {
        "a": sets[0],
        "b": sets[1],
        "shared": len({one.problem_id for one in found}),
        "by": reason_counts(found),
        "offenders": [one.model_dump(mode="json") for one in found],
    }


def overlap_text(left: ProblemSet, right: ProblemSet, found: Sequence[Offender]) -> str:
    """Returns the same for a terminal: sets, counts and the first problems."""
    lines = []
    for letter, one in (("A", left), ("B", right)):
        unknown = f", {one.n_unknown} known by id only" if one.n_unknown else ""
        lines.append(f"{letter}: {one.name}, {len(one.problems)} problems{unknown}; {one.dates}")
    shared = len({one.problem_id for one in found})
    ways = ", ".join(f"{reason} {count}" for reason, count in reason_counts(found).items())
    lines.append(f"{shared} problems of A may not be used beside B{ways and f': {ways}'}")
    couples = ways_of(found)
    if couples:
        rows = [(problem, place if other == "-" else other, how) for (problem, place, other), how in couples[:SHOWN]]
        lines += ["", text_table(("problem of A", "of B", "found by"), rows)]
    if len(couples) > SHOWN:
        lines.append(f"... and {len(couples) - SHOWN} more; --out FILE lists all")
    return "\n".join(lines)


def _by_id(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Returns each problem once: as it is first described, or else by its id only."""
    found: dict[str, Problem] = {}
    for problem in problems:
        if problem.id not in found or (problem.statement and not found[problem.id].statement):
            found[problem.id] = problem
    return dict(sorted(found.items()))


def _of_row(row: Row) -> Problem:
    if livecodebench.is_result(row):
        return livecodebench.problem_of_result(row)
    if livecodebench.is_sample(row):
        return _named(row.text("question_id"))
    if "problem_id" in row.fields:
        return _named(row.text("problem_id"))
    name, reader = next((name, known) for name, known in FORMATS.items() if known.is_problem(row))
    if name == "ours" and completions.is_sample(row):
        number = row.fields["task_id"]  # MBPP's own ids are numbers
        return _named(f"Mbpp/{number}" if type(number) is int else row.text("task_id"))
    return reader.problem(row, "plus")


def _of_pair(pair: PreferencePair) -> Problem:
    statement, _, starter = pair.problem.partition(_STARTER_CODE)
    return Problem(id=pair.problem_id, source=pair.source, statement=statement, starter_code=starter, date=pair.date)


def _named(problem_id: str) -> Problem:
    return Problem(id=problem_id, source="", statement="")
