"""Readers of problems and samples; the format of a file is recognised from its content."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lcb_rb.errors import InputError, input_error
from lcb_rb.reading import is_json_array, read_json_array, read_json_lines
from lcb_rb.schema import Problem, Sample
from lcb_rb.sources import completions, evalplus, humaneval, leetcode, livecodebench, mbpp, ours
from lcb_rb.sources.evalplus import Suite
from lcb_rb.sources.records import Generations, Row

STARTER = "starter"
"""Name that stands for the embedded starter set wherever a file of problems or samples is asked for."""

__all__ = ["STARTER", "Generations", "Suite", "read_problems", "read_samples"]

_PROBLEMS: tuple[tuple[Callable[[Row], bool], Callable[[Row], Problem]], ...] = (
    (leetcode.is_problem, leetcode.problem),
    (livecodebench.is_problem, livecodebench.problem),
    (mbpp.is_problem, mbpp.problem),
    (humaneval.is_problem, humaneval.problem),
)


def read_problems(paths: Iterable[Path], tests: Suite = "plus") -> dict[str, Problem]:
    """Returns the problems of the files by id, sorted by id.

    Args:
        paths: files of any known formats.
        tests: which suite of EvalPlus's two to take; other formats have one.

    Raises:
        InputError: a file cannot be read, a record is malformed, or an id comes twice.
    """
    problems: dict[str, Problem] = {}
    for path in _resolve(paths, "problems.jsonl"):
        for row in _rows(path):
            problem = _problem(row, tests)
            if problem.id in problems:
                what = f"problem {problem.id!r} comes twice"
                raise input_error(path, what, "keep one of them", line=row.line, field="id")
            problems[problem.id] = problem
    return dict(sorted(problems.items()))


def read_samples(paths: Iterable[Path], known: Mapping[str, Problem] | None = None) -> Generations:
    """Returns the samples of the files, sorted by id, and the problems that came with them.

    Args:
        paths: files of any known formats.
        known: problems by id; a sample that is a completion of its problem's prompt needs it.

    Raises:
        InputError: a file cannot be read, a record is malformed, or an id comes twice.
    """
    samples: dict[str, Sample] = {}
    problems: dict[str, Problem] = {}
    files: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    for path in _resolve(paths, "samples.jsonl"):
        for row in _rows(path):
            found, problem = _samples(row, known or {})
            for sample in found:
                _add(samples, sample, row, copies)
            files[path.name] += len(found)
            if problem and problems.setdefault(problem.id, problem) != problem:
                what = f"problem {problem.id!r} is described otherwise in another file"
                raise input_error(path, what, "build from files of one release", line=row.line)
    return Generations(dict(sorted(problems.items())), [samples[key] for key in sorted(samples)], dict(files))


def _problem(row: Row, tests: Suite) -> Problem:
    if evalplus.is_problem(row):
        return evalplus.problem(row, tests)
    return next((make for is_mine, make in _PROBLEMS if is_mine(row)), ours.problem)(row)


def _samples(row: Row, known: Mapping[str, Problem]) -> tuple[list[Sample], Problem | None]:
    """Returns the samples of a row, and its problem where the row describes it."""
    if livecodebench.is_result(row):
        return livecodebench.samples(row), livecodebench.problem_of_result(row)
    if leetcode.is_problem(row):
        return [leetcode.sample(row)], leetcode.problem(row)
    return [completions.sample(row, known) if completions.is_sample(row) else ours.sample(row)], None


def _add(samples: dict[str, Sample], sample: Sample, row: Row, copies: Counter[str]) -> None:
    """Adds a sample; equal texts without an id of their own are numbered, a given id must be new."""
    has_id = livecodebench.is_result(row) or leetcode.is_problem(row) or row.fields.get("id") is not None
    if sample.id in samples and not has_id:
        copies[sample.id] += 1
        sample = sample.model_copy(update={"id": f"{sample.id}-{copies[sample.id] + 1}"})
    if sample.id in samples:
        what = f"sample {sample.id!r} comes twice"
        raise input_error(row.path, what, "keep one of them, or rename the file", line=row.line)
    samples[sample.id] = sample


def _rows(path: Path) -> Iterable[Row]:
    found = read_json_array(path) if is_json_array(path) else read_json_lines(path, evalplus.may_hold_nan)
    return (Row(path, line, fields) for line, fields in found)


def _resolve(paths: Iterable[Path], embedded: str) -> list[Path]:
    """Returns the paths sorted by name, with the starter set's file in place of its name."""
    from lcb_rb.starter import DIRECTORY

    found = [DIRECTORY / embedded if str(path) == STARTER and not path.exists() else path for path in paths]
    if not found:
        raise InputError("no file given; name at least one")
    return sorted(found)
