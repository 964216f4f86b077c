"""Where the problems of a policy come from: files, the Hub, the starter set, the micro-problems; each pinned."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.columns import read_problem_rows
from lcb_rb.errors import InputError
from lcb_rb.pairs import data_revision, pair_files
from lcb_rb.reading import SUFFIXES
from lcb_rb.schema import AnswerTests, AssertTests, Problem, UnittestTests
from lcb_rb.sources import STARTER, read_problems
from lcb_rb.starter import DIRECTORY
from recode_models.policy.recipe import MICRO

CONFIG = "problems"
"""Part of a dataset that `recode build release` writes."""

_FILES = (".json", ".jsonl", *SUFFIXES)
"""Endings of files; a name with one of them is no id on the Hub."""


@dataclass(frozen=True, slots=True)
class Source:
    """Problems that were read together."""

    name: str
    """Of the file or directory, without its folder; the id on the Hub; `starter` or `micro`."""
    revision: str
    """Content hash (sha256), or the commit on the Hub."""
    problems: list[Problem]
    """In any order."""


def read_source(name: str) -> Source:
    """Returns the problems of one name.

    Args:
        name: A file of any known format, a directory or `owner/name[@revision]` on the Hub that `recode build release`
            made, `starter`, or `micro`.

    Raises:
        InputError: no such file, directory or dataset, or it holds something else than problems.
        HubError: neither the Hub nor the cache has it.
    """
    from lcb_rb.hub.fetch import fetch_pairs, is_repo_id

    path = Path(name)
    if name == MICRO and not path.exists():
        return _micro()
    if is_repo_id(name) and path.suffix not in _FILES:
        fetched = fetch_pairs(name, CONFIG)
        found = read_problem_rows(pair_files(fetched.directory, None, CONFIG))
        return Source(fetched.repo_id, fetched.commit, found)
    if path.is_dir():
        files = pair_files(path, None, CONFIG)
        return Source(path.resolve().name, data_revision(files), read_problem_rows(files))
    embedded = name == STARTER and not path.exists()
    problems = list(read_problems([path]).values())
    return Source(path.name, data_revision([DIRECTORY / "problems.jsonl" if embedded else path]), problems)


def joined(sources: Sequence[Source]) -> list[Problem]:
    """Returns the problems of all sources, sorted by id.

    Raises:
        InputError: an id comes twice.
    """
    places: dict[str, str] = {}
    for source in sources:
        for problem in source.problems:
            if problem.id in places:
                both = " and ".join(dict.fromkeys([places[problem.id], source.name]))
                raise InputError(f"{both}: problem {problem.id!r} comes twice; keep one of them")
            places[problem.id] = source.name
    return sorted((problem for source in sources for problem in source.problems), key=lambda problem: problem.id)


def gradable(problems: Sequence[Problem]) -> tuple[list[Problem], dict[str, int]]:
    """Returns the problems whose tests the executor can run, and the counts of the others.

    Raises:
        InputError: there is none.
    """
    if not problems:
        raise InputError("no problems given; name some under `data.problems` of the recipe, or on the command line")
    tested = [problem for problem in problems if problem.tests]
    usable = [problem for problem in tested if _can_run(problem)]
    if not usable:
        raise InputError(f"none of {len(problems)} problems has tests that can be run; give problems with tests")
    return usable, {"without_tests": len(problems) - len(tested), "not_gradable": len(tested) - len(usable)}


def _can_run(problem: Problem) -> bool:
    tests = problem.tests
    if isinstance(tests, UnittestTests):
        return problem.reference_solution is not None  # which guards them
    if isinstance(tests, AssertTests):
        return problem.entry_point is not None
    return not isinstance(tests, AnswerTests)


def _micro() -> Source:
    from recode_models.policy import micro

    problems = micro.problems()
    return Source(MICRO, _digest(problems), problems)


def _digest(problems: Iterable[Problem]) -> str:
    text = "\n".join(problem.model_dump_json() for problem in problems)
    return hashlib.sha256(text.encode()).hexdigest()
