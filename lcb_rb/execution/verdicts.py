"""`recode grade`: from files of problems and samples to a file of verdicts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import GradingError, InputError
from lcb_rb.execution.engines import Setup, open_engine
from lcb_rb.execution.journal import grade_samples
from lcb_rb.metrics import summarise_passes
from lcb_rb.progress import bar
from lcb_rb.reading import read_json_lines
from lcb_rb.schema import PassAtK, Problem, Result, Sample, Verdict
from lcb_rb.sources import Suite, read_problems, read_samples
from lcb_rb.sources.records import Row
from lcb_rb.writing import dump_json, write_text

KS = (1, 5, 10)
"""Values of k for which pass@k is given, where every problem has enough samples."""

SLOWEST = 5
"""Problems that are named because their samples took the most CPU time."""


@dataclass(frozen=True, slots=True)
class SlowProblem:
    """What the samples of one problem took."""

    problem_id: str
    """Problem."""
    samples: int
    """Samples that were run."""
    cpu_s: float
    """CPU time of all of them, seconds."""
    max_cpu_s: float
    """CPU time of the slowest one, seconds."""
    time_limits: int
    """Samples that ran into the time limit."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What grading files gave."""

    verdicts: dict[str, int]
    """How often each verdict came."""
    passes: list[PassAtK]
    """pass@k for every k that each problem has graded samples for; a problem without any is left out."""
    slowest: list[SlowProblem]
    """Problems whose samples took the most CPU time, the slowest first."""
    isolation: dict[str, int]
    """Samples judged at each level of isolation; the ungraded are left out here and below."""
    methods: dict[str, int]
    """Samples judged by each method (`Result.method`)."""


def grade_files(
    problems: Iterable[Path],
    samples: Iterable[Path],
    out: Path,
    setup: Setup | None = None,
    *,
    engine: str = "local",
    tests: Suite = "plus",
    form: str | None = None,
) -> Graded:
    """Writes one verdict row a sample, sorted by id, and returns what they say together.

    A killed run goes on from its journal `.OUT.journal`, which is removed at the end.

    Args:
        problems: Files of problems.
        samples: Files of samples.
        out: File for the verdicts.
        setup: How samples are graded; the defaults when None.
        engine: A name in `engines.ENGINES`.
        tests: Which of EvalPlus's two suites to take.
        form: A name in `sources.FORMATS` for all files; None to recognise each row.

    Raises:
        InputError: an input is wrong, a sample's problem is not given, or the isolation does not suffice.
        GradingError: not one sample could be graded; their rows are written all the same.
    """
    known = read_problems(problems, tests, form)
    found = _of_known(read_samples(samples, known, form).samples, known)
    with open_engine(engine, setup or Setup()) as grader:
        journal = _journal(out)
        with bar("grading", len(found)) as advance:
            results = grade_samples(found, known, journal, grader, advance)
    write_text(out, "".join(dump_json(row) + "\n" for row in _rows(found, results)))
    journal.unlink()
    _require_one_graded(results.values(), out)
    return summarise(found, results)


def summarise(samples: Sequence[Sample], results: Mapping[str, Result]) -> Graded:
    """Returns what the results, by sample id, say together."""
    judged = [results[sample.id] for sample in samples if results[sample.id].passed is not None]
    return Graded(
        verdicts=_counts(results[sample.id].verdict.value for sample in samples),
        passes=_passes(samples, results),
        slowest=_slowest(samples, results),
        isolation=_counts(result.isolation.value for result in judged),
        methods=_counts(result.method for result in judged),
    )


def _of_known(samples: list[Sample], known: Mapping[str, Problem]) -> list[Sample]:
    lost = next((sample for sample in samples if sample.problem_id not in known), None)
    if lost:
        raise InputError(f"sample {lost.id}: problem {lost.problem_id!r} is not given; add its file to --problems")
    return samples


def _require_one_graded(results: Iterable[Result], out: Path) -> None:
    """Raises GradingError with the commonest reason when all are ungraded."""
    reasons: Counter[str] = Counter()
    for result in results:
        if result.verdict is not Verdict.UNGRADED:
            return
        reasons[result.message] += 1
    reason, count = reasons.most_common(1)[0]
    total = reasons.total()
    raise GradingError(f"not one of {total} samples could be graded; {count} of them: {reason}; all reasons: {out}")


def _journal(out: Path) -> Path:
    """Returns the journal of a file of verdicts; that both can be written is found out before the work, not after."""
    try:
        if out.is_dir():
            raise InputError(f"{out}: is a directory; name a file with --out")
        journal = out.with_name(f".{out.name}.journal")
        journal.parent.mkdir(parents=True, exist_ok=True)
        journal.touch()
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    return journal


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A row of a file that `grade_files` wrote."""

    sample_id: str
    """Sample."""
    problem_id: str
    """Its problem."""
    result: Result
    """What grading gave."""


def iter_verdicts(paths: Iterable[Path]) -> Iterator[VerdictRow]:
    """Yields the rows of files that `grade_files` wrote; of all only the ids are remembered.

    Raises:
        InputError: a file cannot be read, a row is malformed, or a sample comes twice.
    """
    seen: set[str] = set()
    for path in paths:
        for line, fields in read_json_lines(path):
            row = Row(path, line, fields)
            sample_id = row.text("id")
            if sample_id in seen:
                raise row.error("id", f"sample {sample_id!r} comes twice", "keep one verdict")
            seen.add(sample_id)
            known = {name: value for name, value in fields.items() if name in Result.model_fields}
            yield VerdictRow(sample_id, row.text("problem_id"), row.build(Result, **known))


def read_verdicts(paths: Iterable[Path]) -> dict[str, Result]:
    """Returns the results in files that `grade_files` wrote, by sample id; errors as `iter_verdicts`."""
    return {row.sample_id: row.result for row in iter_verdicts(paths)}


def _passes(samples: Sequence[Sample], results: Mapping[str, Result]) -> list[PassAtK]:
    outcomes: dict[str, list[bool | None]] = {}
    for sample in samples:
        outcomes.setdefault(sample.problem_id, []).append(results[sample.id].passed)
    n_ungraded = sum(found.count(None) for found in outcomes.values())
    graded = {name: found for name, found in outcomes.items() if found.count(None) < len(found)}
    fewest = min((len(found) - found.count(None) for found in graded.values()), default=0)
    passes = [summarise_passes(graded, k) for k in KS if k <= fewest]
    return [found.model_copy(update={"n_ungraded": n_ungraded}) for found in passes]


def _slowest(samples: Sequence[Sample], results: Mapping[str, Result]) -> list[SlowProblem]:
    run: dict[str, list[Result]] = {}
    for sample in samples:
        if results[sample.id].cpu_s > 0:
            run.setdefault(sample.problem_id, []).append(results[sample.id])
    slow = [
        SlowProblem(
            problem_id=name,
            samples=len(found),
            cpu_s=round(sum(result.cpu_s for result in found), 4),
            max_cpu_s=max(result.cpu_s for result in found),
            time_limits=sum(result.verdict is Verdict.TIME_LIMIT for result in found),
        )
        for name, found in run.items()
    ]
    return sorted(slow, key=lambda found: (-found.cpu_s, found.problem_id))[:SLOWEST]


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _rows(samples: Sequence[Sample], results: Mapping[str, Result]) -> Iterable[dict[str, object]]:
    for sample in samples:
        result = results[sample.id]
        yield {
            "id": sample.id,
            "problem_id": sample.problem_id,
            "model": sample.model,
            "passed": result.passed,
            **result.model_dump(mode="json"),
        }
