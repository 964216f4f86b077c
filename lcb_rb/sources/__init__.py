"""Readers of problems and samples; the format of a file is recognised from its content."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lcb_rb.errors import InputError, input_error
from lcb_rb.reading import is_json_array, read_json_array, read_json_lines
from lcb_rb.schema import Problem, Sample
from lcb_rb.sources import livecodebench, ours
from lcb_rb.sources.records import Generations, Row

STARTER = "starter"
"""Name that stands for the embedded starter set wherever a file of problems or samples is asked for."""

__all__ = ["STARTER", "Generations", "read_problems", "read_samples"]


def read_problems(paths: Iterable[Path]) -> dict[str, Problem]:
    """Returns the problems of the files by id, sorted by id.

    Raises:
        InputError: a file cannot be read, a record is malformed, or an id comes twice.
    """
    problems: dict[str, Problem] = {}
    for path in _resolve(paths, "problems.jsonl"):
        for row in _rows(path):
            make = livecodebench.problem if livecodebench.is_problem(row) else ours.problem
            problem = make(row)
            if problem.id in problems:
                what = f"problem {problem.id!r} comes twice"
                raise input_error(path, what, "keep one of them", line=row.line, field="id")
            problems[problem.id] = problem
    return dict(sorted(problems.items()))


def read_samples(paths: Iterable[Path]) -> Generations:
    """Returns the samples of the files, sorted by id, and the problems that came with them.

    Raises:
        InputError: a file cannot be read, a record is malformed, or an id comes twice.
    """
    samples: dict[str, Sample] = {}
    problems: dict[str, Problem] = {}
    files: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    for path in _resolve(paths, "samples.jsonl"):
        for row in _rows(path):
            found = livecodebench.samples(row) if livecodebench.is_result(row) else [ours.sample(row)]
            for sample in found:
                _add(samples, sample, row, copies)
            files[path.name] += len(found)
            if livecodebench.is_result(row):
                problem = livecodebench.problem_of_result(row)
                if problems.setdefault(problem.id, problem) != problem:
                    what = f"problem {problem.id!r} is described otherwise in another file"
                    raise input_error(path, what, "build from files of one release", line=row.line)
    return Generations(dict(sorted(problems.items())), [samples[key] for key in sorted(samples)], dict(files))


def _add(samples: dict[str, Sample], sample: Sample, row: Row, copies: Counter[str]) -> None:
    """Adds a sample; equal texts without an id of their own are numbered, a given id must be new."""
    if sample.id in samples and not livecodebench.is_result(row) and row.fields.get("id") is None:
        copies[sample.id] += 1
        sample = sample.model_copy(update={"id": f"{sample.id}-{copies[sample.id] + 1}"})
    if sample.id in samples:
        what = f"sample {sample.id!r} comes twice"
        raise input_error(row.path, what, "keep one of them, or rename the file", line=row.line)
    samples[sample.id] = sample


def _rows(path: Path) -> Iterable[Row]:
    read = read_json_array if is_json_array(path) else read_json_lines
    return (Row(path, line, fields) for line, fields in read(path))


def _resolve(paths: Iterable[Path], embedded: str) -> list[Path]:
    """Returns the paths sorted by name, with the starter set's file in place of its name."""
    from lcb_rb.starter import DIRECTORY

    found = [DIRECTORY / embedded if str(path) == STARTER and not path.exists() else path for path in paths]
    if not found:
        raise InputError("no file given; name at least one")
    return sorted(found)
