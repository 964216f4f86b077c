"""`recode build samples`: many answers of one model to each problem, kept as they come, then graded and written.

Two passes: the first asks until every reply is in the cache, the second reads the replies of a few problems at a time.
So memory holds neither all requests nor all replies, and a killed run has nothing to put in order.
"""

import contextlib
import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from builders.sampling_recipe import SamplesRecipe
from builders.sampling_requests import Asking
from builders.sampling_rows import Chunk, failure_of, graded, row_of, samples_of
from lcb_rb.errors import EndpointError, GradingError, InputError
from lcb_rb.execution.engines import Engine, Setup, open_engine
from lcb_rb.inference import Cache, Endpoint, Failure, Spent, Store, stream
from lcb_rb.metrics import summarise_passes
from lcb_rb.progress import bar
from lcb_rb.schema import PassAtK, Problem
from lcb_rb.sources import read_problems
from lcb_rb.writing import dump_json, require_writable

CHUNK = 1_000
"""Samples that are in memory at a time; at least those of one problem."""


@dataclass(frozen=True, slots=True)
class Grading:
    """How samples are graded."""

    setup: Setup = field(default_factory=Setup)
    """Limits and isolation."""
    engine: str = "local"
    """A name in `lcb_rb.execution.engines.ENGINES`."""


@dataclass(slots=True)
class Sampled:
    """What came of it."""

    problems: int = 0
    """That were given."""
    samples: int = 0
    """Rows."""
    passed: int = 0
    """Of them, those whose program passes."""
    missing: Counter[str] = field(default_factory=Counter)
    """Requests that gave no row, by reason."""
    ungraded: Counter[str] = field(default_factory=Counter)
    """Rows without a grade, by reason."""
    outcomes: dict[str, list[bool | None]] = field(default_factory=dict)
    """Of every problem with tests: passed or not, None where the grader failed."""
    spent: Spent = field(default_factory=Spent)
    """What the requests cost."""
    passes: PassAtK | None = None
    """pass@1 over the problems with a grade; None where there is none."""


def build(
    files: Sequence[Path],
    place: Endpoint,
    out: Path,
    recipe: SamplesRecipe,
    *,
    cache: Path | None = None,
    grading: Grading | None = None,
) -> Sampled:
    """Writes the samples, sorted by problem and number, and returns what they say together.

    Args:
        files: Files of problems.
        place: The model.
        out: File of samples in our format.
        recipe: How it is asked.
        cache: Directory of the replies; the user's own when None.
        grading: How programs are run; None to leave them without a grade.

    Raises:
        InputError: an input is wrong, the endpoint refuses the key, the model or every request, or the isolation does
            not suffice.
        EndpointError: no request was answered; what was answered before stays in the cache.
        GradingError: not one sample could be graded; the rows are written all the same.
    """
    problems = list(read_problems(files).values())
    require_writable(out)
    if grading:  # before anything is paid for
        with open_engine(grading.engine, grading.setup):
            pass
    store, asking, found = Cache(cache), Asking(recipe), Sampled(problems=len(problems))
    with _work(out) as work:
        _ask(problems, place, asking, store, found)
        opened = open_engine(grading.engine, grading.setup) if grading else nullcontext()
        with opened as engine:
            _write(problems, place, asking, store, engine, work, found)
        (work / "rows").replace(out)
        if not found.missing:  # else the next run asks for what is missing, and need not grade the others again
            shutil.rmtree(work)
    return _summarised(found, out)


def _ask(problems: Sequence[Problem], place: Endpoint, asking: Asking, store: Store, found: Sampled) -> None:
    """Asks until every reply that can be had is in the store; memory holds none of them."""
    recipe = asking.recipe
    answers = stream(
        place,
        asking.all_requests(problems),
        store,
        concurrency=recipe.concurrency,
        timeout_s=recipe.timeout_s,
        spent=found.spent,
    )
    total, refused = len(problems) * recipe.n, 0
    with bar("asking", total) as advance, closing(answers):
        for _, answer in answers:
            advance()
            if reason := failure_of(answer):
                found.missing[reason] += 1
                refused += isinstance(answer, Failure) and answer.refused
    _require_one(found.missing, total, refused, place)


def _require_one(missing: Counter[str], total: int, refused: int, place: Endpoint) -> None:
    if missing.total() < total:
        return
    reason, count = missing.most_common(1)[0]
    where = f"{place.model} at {place.host}"
    if refused == total:
        raise InputError(f"{where}: every request is refused ({reason}); mend what it names")
    raise EndpointError(
        f"{where}: none of {total} requests gave a sample; {count} of them: {reason}; run it again later"
    )


def _write(
    problems: Sequence[Problem],
    place: Endpoint,
    asking: Asking,
    store: Store,
    engine: Engine | None,
    work: Path,
    found: Sampled,
) -> None:
    """Writes the rows of all replies into a file of the work, and counts them."""
    total = found.spent.requests - found.missing.total()
    with bar("grading", total if engine else 0) as advance, (work / "rows").open("w", encoding="utf-8") as stream:
        for chunk in _chunks(problems, asking.recipe.n):
            samples = samples_of(chunk, asking, place, store)
            journal = work / f"{chunk.number:06}.journal"
            results = graded(chunk, samples, journal, engine, advance) if engine else {}
            for sample in samples:
                result = results.get(sample.id)
                stream.write(dump_json(row_of(sample, result)) + "\n")
                found.samples += 1
                if result:
                    found.passed += result.passed is True
                    found.outcomes.setdefault(sample.problem_id, []).append(result.passed)
                    found.ungraded.update([result.message] * (result.passed is None))
        stream.flush()
        os.fsync(stream.fileno())


def _chunks(problems: Sequence[Problem], n: int) -> Iterator[Chunk]:
    size = max(1, CHUNK // n)
    for number, start in enumerate(range(0, len(problems), size)):
        yield Chunk(number, problems[start : start + size])


def _summarised(found: Sampled, out: Path) -> Sampled:
    """Returns it with pass@1.

    Raises:
        GradingError: not one sample could be graded.
    """
    known = {name: outcomes for name, outcomes in found.outcomes.items() if outcomes.count(None) < len(outcomes)}
    if known:
        found.passes = summarise_passes(known, 1)
    elif found.ungraded:
        reason, count = found.ungraded.most_common(1)[0]
        total = found.ungraded.total()
        raise GradingError(f"not one of {total} samples could be graded; {count} of them: {reason}; they are in {out}")
    return found


@contextmanager
def _work(out: Path) -> Iterator[Path]:
    """Yields the directory beside the file in which verdicts outlive a kill; it is left where there are some.

    Raises:
        InputError: another process is at it, or it cannot be made.
    """
    work = out.with_name(f".{out.name}.work")
    try:
        work.mkdir(parents=True, exist_ok=True)
        handle = os.open(work, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield work
    except BlockingIOError as error:
        raise InputError(f"{out}: another recode process is writing it; wait for it to end") from error
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):  # it holds verdicts, or is gone
            work.rmdir()
