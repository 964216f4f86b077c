"""What every build starts from: files of samples, problems and verdicts, and a grade for each sample."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from builders import filters
from builders.filters import Keep, Selection
from builders.shards import Material
from lcb_rb.errors import GradingError
from lcb_rb.execution import Limits
from lcb_rb.execution.engines import Engine, Setup, open_engine
from lcb_rb.execution.journal import grade_samples
from lcb_rb.schema import Isolation, Problem, Result, Sample


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files, and how their samples may be run."""

    samples: Sequence[Path]
    """Files of samples."""
    problems: Sequence[Path] = ()
    """Files of problems with tests, for samples without a stored grade."""
    verdicts: Sequence[Path] = ()
    """Files of `recode grade`; a sample in them is not run again."""
    selection: Selection = field(default_factory=Selection)
    """Which samples may be used."""
    excluded_files: Sequence[Path] = ()
    """Files of problems that must not occur, nor others in nearly their words."""
    least_isolation: Isolation = Isolation.NO_NAMESPACES
    """Refuse to run code below this level."""
    limits: Limits = field(default_factory=Limits)
    """For the code that is run."""
    workers: int | None = None
    """Graders at a time; one and a half for each CPU when None."""
    engine: str = "local"
    """Where the work is done: a name in `lcb_rb.execution.engines.ENGINES`."""
    cache: Path | None = None
    """Directory of replies of language models; the user's own when None."""


class Grader:
    """Runs samples that have no grade; started when the first of them comes."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._opened: AbstractContextManager[Engine] | None = None
        self._engine: Engine | None = None
        self._failed: Counter[str] = Counter()
        self._judged = 0

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._opened:
            self._opened.__exit__(None, None, None)

    @property
    def engine(self) -> Engine:
        """What runs the code.

        Raises:
            InputError: the isolation does not suffice.
        """
        if self._engine is None:
            inputs = self._inputs
            setup = Setup(workers=inputs.workers, limits=inputs.limits, least=inputs.least_isolation)
            self._opened = open_engine(inputs.engine, setup)
            self._engine = self._opened.__enter__()
        return self._engine

    def grade(self, material: Material, journal: Path, advance: Callable[[], None]) -> dict[str, Result]:
        """Returns all verdicts by sample id, given and own; a killed run goes on from the journal.

        Args:
            material: A unit.
            journal: File for its own verdicts.
            advance: Called once for every sample.
        """
        ungraded = [sample for sample in material.samples if _must_run(sample, material, self._inputs.selection)]
        for _ in range(len(material.samples) - len(ungraded)):
            advance()
        if not ungraded:
            return material.results
        own = grade_samples(ungraded, material.problems, journal, self.engine, advance)
        self._judged += sum(result.passed is not None for result in own.values())
        self._failed.update(result.message for result in own.values() if result.passed is None)
        return {**material.results, **own}

    def require_one_graded(self) -> None:
        """Refuses to call it a result when the instrument failed on every sample.

        Raises:
            GradingError: not one sample could be graded.
        """
        if self._failed and not self._judged:
            reason = self._failed.most_common(1)[0][0]
            raise GradingError(f"not one of {self._failed.total()} samples could be graded: {reason}")


def count_grades(samples: Iterable[Sample], results: Mapping[str, Result]) -> Counter[str]:
    """Returns how many grades were stored in the input, and how many come from a run at each level of isolation."""
    found: Counter[str] = Counter()
    for sample in samples:
        if sample.id in results:
            found[results[sample.id].isolation.value] += 1
        elif sample.passed is not None:
            found["stored"] += 1
    return found


def describe_grades(counts: Mapping[str, int]) -> str:
    """Returns where the grades come from, in one sentence."""
    levels = {level.value: counts.get(level.value, 0) for level in Isolation if counts.get(level.value)}
    level = f" (isolation {', '.join(sorted(levels))})" if levels else ""
    stored, own = counts.get("stored", 0), sum(levels.values())
    return f"Grades: {stored} as stored in the input, {own} from running the code{level}."


def _must_run(sample: Sample, material: Material, selection: Selection) -> bool:
    problem: Problem | None = material.problems.get(sample.problem_id)
    if sample.passed is not None or sample.id in material.results or problem is None or problem.tests is None:
        return False
    return isinstance(filters.of_problem(problem, selection), Keep)
