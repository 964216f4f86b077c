"""Samples, problems and verdicts on disk, dealt to files by a hash of the problem: memory holds a few at a time."""

import hashlib
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lcb_rb import __version__
from lcb_rb.execution.verdicts import iter_verdicts
from lcb_rb.reading import sha256_of
from lcb_rb.schema import Problem, Record, Result, Sample
from lcb_rb.sources import iter_samples, read_problems, resolve
from lcb_rb.writing import write_text

BUCKETS = 256
"""Files that samples are dealt to: a million samples of 4 KB make some 20 MB in each."""
UNIT = 1_000
"""Samples from which buckets make a unit of work; the last unit may be smaller."""
FLUSH_CHARS = 2**16
"""Text that waits in memory for each file."""

INDEX = "index.json"


class File(Record):
    """An input file."""

    name: str
    """Without the directory."""
    sha256: str
    """Of its bytes."""
    samples: int = 0
    """That it holds; 0 for files of other things."""


class Index(Record):
    """What was dealt."""

    samples: list[File]
    """Files of samples, sorted by name."""
    problems: list[File]
    """Files of problems."""
    verdicts: list[File]
    """Files of verdicts."""
    counts: dict[int, int]
    """Samples by bucket, of those that have any."""


@dataclass(frozen=True, slots=True)
class Material:
    """What belongs together: whole problems."""

    samples: list[Sample]
    """Sorted by id."""
    problems: dict[str, Problem]
    """Of the samples, by id."""
    results: dict[str, Result]
    """Verdicts by sample id."""


@dataclass(frozen=True, slots=True)
class Shards:
    """The dealt files."""

    directory: Path
    """Where they lie."""
    index: Index
    """What they hold."""

    @property
    def units(self) -> list[tuple[int, ...]]:
        """Buckets that are worked on together."""
        units: list[list[int]] = [[]]
        total = 0
        for bucket, count in sorted(self.index.counts.items()):
            if total >= UNIT:
                units.append([])
                total = 0
            units[-1].append(bucket)
            total += count
        return [tuple(unit) for unit in units if unit]

    def load(self, unit: Sequence[int]) -> Material:
        """Returns what the buckets of a unit hold."""
        samples = [Sample.model_validate_json(line) for line in self._lines(unit, "samples")]
        problems = [Problem.model_validate_json(line) for line in self._lines(unit, "problems")]
        verdicts = [json.loads(line) for line in self._lines(unit, "verdicts")]
        return Material(
            sorted(samples, key=lambda sample: sample.id),
            {problem.id: problem for problem in problems},
            {name: Result.model_validate(result) for name, result in verdicts},
        )

    def problems(self) -> Iterator[Problem]:
        """Yields all problems."""
        for bucket in range(BUCKETS):
            yield from (Problem.model_validate_json(line) for line in self._lines([bucket], "problems"))

    def _lines(self, unit: Iterable[int], what: str) -> Iterator[str]:
        for bucket in unit:
            path = _path(self.directory, bucket, what)
            if path.is_file():
                with path.open(encoding="utf-8") as stream:
                    yield from stream


def deal(samples: Sequence[Path], problems: Sequence[Path], verdicts: Sequence[Path], work: Path) -> Shards:
    """Returns the shards of the files; those that an earlier run dealt of the same files are used as they are.

    Args:
        samples: Files of samples.
        problems: Files of problems; what a file of samples says of a problem yields to them.
        verdicts: Files of `recode grade`.
        work: Directory for the shards.

    Raises:
        InputError: a file cannot be read, or something in it is wrong.
    """
    files = {
        "samples": _hashed(resolve(samples, "samples.jsonl")),
        "problems": _hashed(resolve(problems, "problems.jsonl")) if problems else [],
        "verdicts": _hashed(sorted(verdicts)),
    }
    key = hashlib.sha256(json.dumps([__version__, BUCKETS, [[dict(f) for f in v] for v in files.values()]]).encode())
    directory = work / f"shards-{key.hexdigest()[:16]}"
    index = directory / INDEX
    if not index.is_file():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        counted, counts = _deal(samples, problems, verdicts, directory)
        files["samples"] = [file.model_copy(update={"samples": counted[file.name]}) for file in files["samples"]]
        write_text(index, Index(**files, counts=counts).model_dump_json())
    return Shards(directory, Index.model_validate_json(index.read_text(encoding="utf-8")))


def _deal(
    samples: Sequence[Path], problems: Sequence[Path], verdicts: Sequence[Path], directory: Path
) -> tuple[Counter[str], Counter[int]]:
    """Returns how many samples each file gave, and each bucket took."""
    known = read_problems(problems) if problems else {}
    given = set(known)
    files: Counter[str] = Counter()
    counts: Counter[int] = Counter()
    with _Writer(directory, "problems") as out:
        for problem in known.values():
            out.put(problem.id, problem.model_dump_json())
        with _Writer(directory, "samples") as lines:
            for read in iter_samples(samples, known):
                files[read.file] += 1
                counts[bucket_of(read.sample.problem_id)] += 1
                lines.put(read.sample.problem_id, read.sample.model_dump_json())
                if read.problem and read.problem.id not in given:
                    given.add(read.problem.id)
                    out.put(read.problem.id, read.problem.model_dump_json())
    with _Writer(directory, "verdicts") as out:
        for row in iter_verdicts(verdicts):
            out.put(row.problem_id, json.dumps([row.sample_id, row.result.model_dump(mode="json")]))
    return files, counts


def bucket_of(problem_id: str) -> int:
    """Returns the bucket of a problem."""
    return hashlib.sha256(problem_id.encode("utf-8", "surrogatepass")).digest()[0] % BUCKETS


@dataclass(slots=True)
class _Writer:
    """Appends lines to the files of buckets, each opened only to be flushed into."""

    directory: Path
    what: str
    waiting: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    chars: Counter[int] = field(default_factory=Counter)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *exception: object) -> None:
        for bucket in list(self.waiting):
            self._flush(bucket)

    def put(self, problem_id: str, line: str) -> None:
        """Adds a line."""
        bucket = bucket_of(problem_id)
        self.waiting[bucket].append(line)
        self.chars[bucket] += len(line)
        if self.chars[bucket] > FLUSH_CHARS:
            self._flush(bucket)

    def _flush(self, bucket: int) -> None:
        lines = self.waiting.pop(bucket)
        self.chars[bucket] = 0
        with _path(self.directory, bucket, self.what).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)


def _path(directory: Path, bucket: int, what: str) -> Path:
    return directory / f"{bucket:03}.{what}.jsonl"


def _hashed(paths: Iterable[Path]) -> list[File]:
    return [File(name=path.name, sha256=sha256_of(path)) for path in paths]


def by_problem(samples: Iterable[Sample]) -> Mapping[str, list[Sample]]:
    """Returns the samples of each problem, in their order."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.problem_id].append(sample)
    return groups
