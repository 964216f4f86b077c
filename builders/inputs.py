"""What every build starts from: samples, their problems, and a grade for each sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builders import filters
from builders.filters import Keep, Selection
from lcb_rb.errors import GradingError
from lcb_rb.execution import Executor, Limits, require_isolation
from lcb_rb.execution.journal import grade_samples
from lcb_rb.execution.verdicts import read_verdicts
from lcb_rb.progress import bar
from lcb_rb.schema import Isolation, Problem, Result, Sample
from lcb_rb.sources import read_problems, read_samples


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
    """Where the selection's excluded problems were read, for the card."""
    least_isolation: Isolation = Isolation.NO_NAMESPACES
    """Refuse to run code below this level."""
    limits: Limits = field(default_factory=Limits)
    """For the code that is run."""
    workers: int | None = None
    """Graders at a time; the number of CPUs when None."""


@dataclass(frozen=True, slots=True)
class Material:
    """What was read; `grade` adds the results."""

    samples: list[Sample]
    problems: dict[str, Problem]
    results: dict[str, Result]
    """Verdicts that were given, by sample id."""
    ungraded: list[Sample]
    """Samples that may be used and must be run first."""
    files: dict[str, int]
    """Samples in each file."""


def read(inputs: Inputs) -> Material:
    """Returns the material of the files.

    Raises:
        InputError: an input is wrong, or samples must be run and the isolation does not suffice.
    """
    known = read_problems(inputs.problems) if inputs.problems else {}
    found = read_samples(inputs.samples, known)
    problems = {**found.problems, **known}
    results = read_verdicts(inputs.verdicts)
    ungraded = [
        sample
        for sample in found.samples
        if sample.id not in results and _must_run(sample, problems.get(sample.problem_id), inputs.selection)
    ]
    if ungraded:
        require_isolation(inputs.least_isolation)
    return Material(found.samples, problems, results, ungraded, found.files)


def grade(material: Material, inputs: Inputs, stage: Path) -> dict[str, Result]:
    """Returns all verdicts by sample id, given and own; a killed run goes on from the journal in the stage.

    Raises:
        GradingError: not one sample could be graded.
    """
    if not material.ungraded:
        return material.results
    executor = Executor(inputs.workers, limits=inputs.limits, least=inputs.least_isolation)
    with executor, bar("grading", len(material.ungraded)) as advance:
        results = grade_samples(material.ungraded, material.problems, stage / "verdicts.journal", executor, advance)
    failed = [result for result in results.values() if result.passed is None]
    if failed and len(failed) == len(results):
        raise GradingError(f"not one of {len(failed)} samples could be graded: {failed[0].message}")
    return {**material.results, **results}


def describe_grades(samples: Sequence[Sample], results: Mapping[str, Result]) -> str:
    """Returns where the grades come from, in one sentence."""
    stored = sum(sample.passed is not None and sample.id not in results for sample in samples)
    own = [results[sample.id] for sample in samples if sample.id in results]
    levels = ", ".join(sorted({result.isolation for result in own}))
    level = f" (isolation {levels})" if own else ""
    return f"Grades: {stored} as stored in the input, {len(own)} from running the code{level}."


def _must_run(sample: Sample, problem: Problem | None, selection: Selection) -> bool:
    usable = isinstance(filters.of_problem(problem, selection), Keep)
    return usable and sample.passed is None and problem is not None and problem.tests is not None
