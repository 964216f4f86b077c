"""Readers of problems and samples; the format of a file is recognised from its content."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import InputError, input_error
from lcb_rb.reading import is_json_array, read_json_array, read_json_lines
from lcb_rb.schema import Problem, Sample
from lcb_rb.sources import completions, evalplus, humaneval, leetcode, livecodebench, mapcoder, mbpp, ours
from lcb_rb.sources.evalplus import Suite
from lcb_rb.sources.records import Generations, Row

STARTER = "starter"
"""Name that stands for the embedded starter set wherever a file of problems or samples is asked for."""

__all__ = [
    "FORMATS",
    "STARTER",
    "Generations",
    "Read",
    "Suite",
    "iter_samples",
    "read_problems",
    "read_samples",
    "resolve",
]

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


def _livecodebench(row: Row, known: Known) -> Found:
    if livecodebench.is_result(row):
        return livecodebench.samples(row), livecodebench.problem_of_result(row)
    return [livecodebench.sample(row)], None


def _mapcoder(row: Row, known: Known) -> Found:
    return [mapcoder.sample(row)], mapcoder.problem(row)


def _ours(row: Row, known: Known) -> Found:
    return [ours.sample(row)], None


def _one_suite(problem: Callable[[Row], Problem]) -> Callable[[Row, Suite], Problem]:
    return lambda row, suite: problem(row)


def _any(row: Row) -> bool:
    return True


FORMATS: dict[str, Format] = {
    "leetcode": Format(leetcode.is_problem, _one_suite(leetcode.problem), leetcode.is_problem, _leetcode),
    "livecodebench": Format(
        livecodebench.is_problem, _one_suite(livecodebench.problem), livecodebench.is_sample, _livecodebench
    ),
    "mapcoder": Format(mapcoder.is_sample, _one_suite(mapcoder.problem), mapcoder.is_sample, _mapcoder),
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
    for path in resolve(paths, "problems.jsonl"):
        for row in _rows(path):
            reader = given or next(known for known in FORMATS.values() if known.is_problem(row))
            problem = reader.problem(row, tests)
            if problem.id in problems:
                what = f"problem {problem.id!r} comes twice"
                raise input_error(path, what, "keep one of them", line=row.line, field="id")
            problems[problem.id] = problem
    return dict(sorted(problems.items()))


@dataclass(frozen=True, slots=True)
class Read:
    """A sample as it was met in a file."""

    sample: Sample
    """Itself."""
    problem: Problem | None
    """Its problem, where the row describes it."""
    file: str
    """Name of the file, without the directory."""


def iter_samples(paths: Iterable[Path], known: Known | None = None, form: str | None = None) -> Iterator[Read]:
    """Yields the samples of the files one by one, in the order of the files' names; of all only a hash is remembered.

    Args:
        paths: files of any known formats.
        known: problems by id; a sample that is a completion of its problem's prompt needs it.
        form: a name in FORMATS; None to recognise each row.

    Raises:
        InputError: a file cannot be read, a record is malformed, an id comes twice, a problem is described in two ways,
            or the format is unknown.
    """
    ids, problems = _Ids(), dict[str, bytes]()
    given = _format(form)
    for path in resolve(paths, "samples.jsonl"):
        for row in _rows(path):
            reader = given or next(other for other in FORMATS.values() if other.is_sample(row))
            found, problem = reader.samples(row, known or {})
            if problem and problems.setdefault(problem.id, _digest(problem)) != _digest(problem):
                what = f"problem {problem.id!r} is described otherwise in another file"
                raise input_error(path, what, "build from files of one release", line=row.line)
            for sample in found:
                yield Read(ids.distinct(sample, row), problem, path.name)


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
    for read in iter_samples(paths, known, form):
        samples[read.sample.id] = read.sample
        files[read.file] += 1
        if read.problem:
            problems[read.problem.id] = read.problem
    return Generations(dict(sorted(problems.items())), [samples[key] for key in sorted(samples)], dict(files))


def _format(name: str | None) -> Format | None:
    if name is not None and name not in FORMATS:
        raise InputError(f"--format {name!r} is not known; choose among {', '.join(FORMATS)}, or leave it out")
    return FORMATS[name] if name else None


class _Ids:
    """The ids met so far, as hashes of eight bytes."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._copies: Counter[str] = Counter()

    def distinct(self, sample: Sample, row: Row) -> Sample:
        """Returns the sample; equal texts without an id of their own are numbered, a given id must be new."""
        has_id = livecodebench.is_sample(row) or leetcode.is_problem(row) or row.fields.get("id") is not None
        if _hash(sample.id) in self._seen and not has_id:
            self._copies[sample.id] += 1
            sample = sample.model_copy(update={"id": f"{sample.id}-{self._copies[sample.id] + 1}"})
        if _hash(sample.id) in self._seen:
            what = f"sample {sample.id!r} comes twice"
            raise input_error(row.path, what, "keep one of them, or rename the file", line=row.line)
        self._seen.add(_hash(sample.id))
        return sample


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _digest(problem: Problem) -> bytes:
    return hashlib.sha256(problem.model_dump_json().encode()).digest()


def _rows(path: Path) -> Iterable[Row]:
    found = read_json_array(path) if is_json_array(path) else read_json_lines(path, evalplus.may_hold_nan)
    return (Row(path, line, fields) for line, fields in found)


def resolve(paths: Iterable[Path], embedded: str) -> list[Path]:
    """Returns the paths sorted by name, with the starter set's file in place of its name.

    Args:
        paths: files, or `starter`.
        embedded: name of the starter set's file.

    Raises:
        InputError: there are none.
    """
    from lcb_rb.starter import DIRECTORY

    found = [DIRECTORY / embedded if str(path) == STARTER and not path.exists() else path for path in paths]
    if not found:
        raise InputError("no file given; name at least one")
    return sorted(found)
