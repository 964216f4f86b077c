"""Readers of problems and samples; the format of a file is recognised from its content."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import InputError, input_error
from lcb_rb.reading import is_json_array, read_json_array, read_json_lines
from lcb_rb.schema import Problem, Sample
from lcb_rb.sources import completions, evalplus, humaneval, leetcode, livecodebench, mbpp, ours
from lcb_rb.sources.evalplus import Suite
from lcb_rb.sources.records import Generations, Row

STARTER = "starter"
"""Name that stands for the embedded starter set wherever a file of problems or samples is asked for."""

__all__ = ["FORMATS", "STARTER", "Generations", "Suite", "read_problems", "read_samples"]

Known = Mapping[str, Problem]
Found = tuple[list[Sample], Problem | None]
"""Samples of a row, and its problem where the row describes it."""


@dataclass(frozen=True, slots=True)
class Format:
    """How rows of one format are recognised and read."""

    is_problem: Callable[[Row], bool]
    problem: Callable[[Row, Suite], Problem]
    is_sample: Callable[[Row], bool]
    samples: Callable[[Row, Known], Found]


def _completion(row: Row, known: Known) -> Found:
    return [completions.sample(row, known)], None


def _leetcode(row: Row, known: Known) -> Found:
    if leetcode.is_problem(row):
        return [leetcode.sample(row)], leetcode.problem(row)
    return _completion(row, known)


def _result(row: Row, known: Known) -> Found:
    return livecodebench.samples(row), livecodebench.problem_of_result(row)


def _ours(row: Row, known: Known) -> Found:
    return [ours.sample(row)], None


def _one_suite(problem: Callable[[Row], Problem]) -> Callable[[Row, Suite], Problem]:
    return lambda row, suite: problem(row)


def _any(row: Row) -> bool:
    return True


FORMATS: dict[str, Format] = {
    "leetcode": Format(leetcode.is_problem, _one_suite(leetcode.problem), leetcode.is_problem, _leetcode),
    "livecodebench": Format(
        livecodebench.is_problem, _one_suite(livecodebench.problem), livecodebench.is_result, _result
    ),
    "evalplus": Format(evalplus.is_problem, evalplus.problem, completions.is_sample, _completion),
    "mbpp": Format(mbpp.is_problem, _one_suite(mbpp.problem), completions.is_sample, _completion),
    "humaneval": Format(humaneval.is_problem, _one_suite(humaneval.problem), completions.is_sample, _completion),
    "ours": Format(_any, _one_suite(ours.problem), _any, _ours),
}
"""Formats by name, in the order in which a row is tried: the first that recognises it reads it."""


def read_problems(paths: Iterable[Path], tests: Suite = "plus", form: str | None = None) -> dict[str, Problem]:
    """Returns the problems of the files by id, sorted by id.

    Args:
        paths: files of any known formats.
        tests: which suite of EvalPlus's two to take; other formats have one.
        form: a name in FORMATS; None to recognise each row.

    Raises:
        InputError: a file cannot be read, a record is malformed, an id comes twice, or the format is unknown.
    """
    problems: dict[str, Problem] = {}
    given = _format(form)
    for path in _resolve(paths, "problems.jsonl"):
        for row in _rows(path):
            reader = given or next(known for known in FORMATS.values() if known.is_problem(row))
            problem = reader.problem(row, tests)
            if problem.id in problems:
                what = f"problem {problem.id!r} comes twice"
                raise input_error(path, what, "keep one of them", line=row.line, field="id")
            problems[problem.id] = problem
    return dict(sorted(problems.items()))


def read_samples(paths: Iterable[Path], known: Known | None = None, form: str | None = None) -> Generations:
    """Returns the samples of the files, sorted by id, and the problems that came with them.

    Args:
        paths: files of any known formats.
        known: problems by id; a sample that is a completion of its problem's prompt needs it.
        form: a name in FORMATS; None to recognise each row.

    Raises:
        InputError: a file cannot be read, a record is malformed, an id comes twice, or the format is unknown.
    """
    samples: dict[str, Sample] = {}
    problems: dict[str, Problem] = {}
    files: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    given = _format(form)
    for path in _resolve(paths, "samples.jsonl"):
        for row in _rows(path):
            reader = given or next(other for other in FORMATS.values() if other.is_sample(row))
            found, problem = reader.samples(row, known or {})
            for sample in found:
                _add(samples, sample, row, copies)
            files[path.name] += len(found)
            if problem and problems.setdefault(problem.id, problem) != problem:
                what = f"problem {problem.id!r} is described otherwise in another file"
                raise input_error(path, what, "build from files of one release", line=row.line)
    return Generations(dict(sorted(problems.items())), [samples[key] for key in sorted(samples)], dict(files))


def _format(name: str | None) -> Format | None:
    if name is not None and name not in FORMATS:
        raise InputError(f"--format {name!r} is not known; choose among {', '.join(FORMATS)}, or leave it out")
    return FORMATS[name] if name else None


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
