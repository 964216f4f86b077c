"""`recode build lcb-rb`: from sample files to a directory that `load_dataset` loads."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builders import filters
from builders.card import count_table, drop_table, input_table, render_card
from builders.natural import Built, Selection, build_pairs
from lcb_rb.errors import InputError
from lcb_rb.execution import Limits, require_isolation
from lcb_rb.execution.journal import grade_samples
from lcb_rb.pairs import write_pairs
from lcb_rb.progress import bar
from lcb_rb.schema import Isolation, Problem, Result, Sample
from lcb_rb.sources import Generations, read_problems, read_samples
from lcb_rb.writing import staged_directory

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Request:
    """What to build, and from what."""

    samples: Sequence[Path]
    """Files of samples."""
    out: Path
    """Directory to make."""
    problems: Sequence[Path] = ()
    """Files of problems with tests, for samples without a stored grade."""
    selection: Selection = Selection()
    """What may be paired."""
    least_isolation: Isolation = Isolation.NO_NAMESPACES
    """Refuse to run code below this level."""
    limits: Limits = Limits()
    """For the code that is run."""
    workers: int | None = None
    """Graders at a time; the number of CPUs when None."""


def build(request: Request) -> Built:
    """Builds the dataset directory and returns what went into it.

    Raises:
        InputError: an input is wrong, no pair comes out, or samples must be run and the isolation does not suffice.
    """
    generations = read_samples(request.samples)
    problems = {**generations.problems, **(read_problems(request.problems) if request.problems else {})}
    ungraded = [sample for sample in generations.samples if _needs_grading(sample, problems)]
    if ungraded:
        require_isolation(request.least_isolation)
    with staged_directory(request.out, CARD) as stage:
        with bar("grading", len(ungraded)) as advance:
            results = grade_samples(
                ungraded,
                problems,
                stage / "verdicts.journal",
                workers=request.workers,
                limits=request.limits,
                advance=advance,
            )
        built = build_pairs(generations.samples, problems, results, request.selection)
        if not built.pairs:
            raise InputError(f"no pair can be built: {describe_drops(built.drops)}")
        write_pairs(built.pairs, stage, "test")
        (stage / CARD).write_text(_card(request, built, generations, results), encoding="utf-8")
    return built


def describe_drops(drops: Mapping[str, int]) -> str:
    """Returns the reasons with their counts in one line."""
    return ", ".join(f"{reason} {count}" for reason, count in sorted(drops.items()) if count) or "no samples"


def _needs_grading(sample: Sample, problems: Mapping[str, Problem]) -> bool:
    problem = problems.get(sample.problem_id)
    return sample.passed is None and problem is not None and problem.tests is not None


def _card(
    request: Request, built: Built, generations: Generations, results: Mapping[str, Result]
) -> str:
    pairs = built.pairs
    longer = sum(_longer_wins(len(pair.chosen_reasoning), len(pair.rejected_reasoning)) for pair in pairs)
    fields = {
        "longer": f"{longer:g}",
        "longer_share": f"{longer / len(pairs):.3f}",
        "n_pairs": str(len(pairs)),
        "n_after": str(built.n_after),
        "n_samples": str(built.n_samples),
        "n_used": str(2 * len(pairs)),
        "grades": _grades(generations.samples, results),
        "models": count_table("better / worse model", (f"{p.chosen_model} / {p.rejected_model}" for p in pairs)),
        "inputs": input_table(generations.files),
        "drops": drop_table(built.drops),
        "command": command(request),
    }
    return render_card("lcb_rb", "LCB-RB", {"test": pairs}, fields)


def command(request: Request) -> str:
    """Returns the command line that builds the same pairs, with bare file names."""
    words = ["recode", "build", "lcb-rb"]
    words += ["--samples", *sorted(path.name for path in request.samples)]
    words += [word for name in sorted(path.name for path in request.problems) for word in ("--problems", name)]
    words += ["--min-reasoning-chars", str(request.selection.min_reasoning_chars), "--out", "DIR"]
    return shlex.join(words)


def _longer_wins(chosen: int, rejected: int) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)


def _grades(samples: Sequence[Sample], results: Mapping[str, Result]) -> str:
    stored = sum(sample.passed is not None and sample.id not in results for sample in samples)
    levels = ", ".join(sorted({result.isolation for result in results.values()}))
    own = f" (isolation {levels})" if results else ""
    return f"Grades: {stored} as stored in the input, {len(results)} from running the code{own}."

