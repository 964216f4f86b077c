"""`recode grade`: from files of problems and samples to a file of verdicts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.execution.executor import Executor
from lcb_rb.execution.grading import require_isolation
from lcb_rb.execution.journal import grade_samples
from lcb_rb.execution.limits import Limits
from lcb_rb.metrics import summarise_passes
from lcb_rb.progress import bar
from lcb_rb.reading import read_json_lines
from lcb_rb.schema import Isolation, PassAtK, Result, Sample
from lcb_rb.sources import Suite, read_problems, read_samples
from lcb_rb.sources.records import Row
from lcb_rb.writing import dump_json, write_text

KS = (1, 5, 10)
"""Values of k for which pass@k is given, where every problem has enough samples."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What grading files gave."""

    verdicts: dict[str, int]
    """How often each verdict came."""
    passes: list[PassAtK]
    """pass@k for every k that each problem has graded samples for."""


def grade_files(
    problems: Iterable[Path],
    samples: Iterable[Path],
    out: Path,
    *,
    workers: int | None = None,
    least_isolation: Isolation = Isolation.NO_NAMESPACES,
    tests: Suite = "plus",
    limits: Limits | None = None,
) -> Graded:
    """Writes one verdict row a sample, sorted by id, and returns the verdicts' counts and pass@k.

    A killed run goes on from its journal `.OUT.journal`, which is removed at the end.

    Raises:
        InputError: an input is wrong, a sample's problem is not given, or the isolation does not suffice.
    """
    known = read_problems(problems, tests)
    found = read_samples(samples, known).samples
    lost = next((sample for sample in found if sample.problem_id not in known), None)
    if lost:
        raise InputError(f"sample {lost.id}: problem {lost.problem_id!r} is not given; add its file to --problems")
    require_isolation(least_isolation)
    journal = _journal(out)
    with Executor(workers, limits=limits, least=least_isolation) as executor, bar("grading", len(found)) as advance:
        results = grade_samples(found, known, journal, executor, advance)
    write_text(out, "".join(dump_json(row) + "\n" for row in _rows(found, results)))
    journal.unlink()
    verdicts = Counter(result.verdict.value for result in results.values())
    return Graded(dict(sorted(verdicts.items())), _passes(found, results))


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


def read_verdicts(paths: Iterable[Path]) -> dict[str, Result]:
    """Returns the results in files that `grade_files` wrote, by sample id.

    Raises:
        InputError: a file cannot be read, a row is malformed, or a sample comes twice.
    """
    results: dict[str, Result] = {}
    for path in paths:
        for line, fields in read_json_lines(path):
            row = Row(path, line, fields)
            sample_id = row.text("id")
            if sample_id in results:
                raise row.error("id", f"sample {sample_id!r} comes twice", "keep one verdict")
            known = {name: value for name, value in fields.items() if name in Result.model_fields}
            results[sample_id] = row.build(Result, **known)
    return results


def _passes(samples: Sequence[Sample], results: Mapping[str, Result]) -> list[PassAtK]:
    outcomes: dict[str, list[bool | None]] = {}
    for sample in samples:
        outcomes.setdefault(sample.problem_id, []).append(results[sample.id].passed)
    fewest = min(sum(passed is not None for passed in found) for found in outcomes.values())
    return [summarise_passes(outcomes, k) for k in KS if k <= fewest]


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
