"""`recode build ...`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lcb_rb.options import AsJson, MoreSamples, WeakIsolation, parse_window

if TYPE_CHECKING:
    from builders.filters import Selection
    from builders.inputs import Inputs
    from lcb_rb.schema import PreferencePair

app = typer.Typer(no_args_is_help=True, help="Make datasets of preference pairs.")

Samples = Annotated[list[Path], typer.Option(help="Files of samples; `starter` for the embedded set.")]
Problems = Annotated[list[Path], typer.Option(help="Files of problems with tests, for samples without a grade.")]
Verdicts = Annotated[list[Path], typer.Option(help="Files that `recode grade` wrote: no sample in them is run again.")]
Out = Annotated[Path, typer.Option(help="Directory to make.")]
MinChars = Annotated[int, typer.Option(min=0, help="Shortest reasoning, code blocks not counted.")]
Excluded = Annotated[list[Path], typer.Option(help="Files of problems that must not occur.")]


Window = Annotated[str, typer.Option(help="Days of the problems, as 2024-10-01: or 2024-10-01:2025-01-31.")]


@app.command("lcb-rb")
def lcb_rb(
    samples: Samples,
    out: Out,
    more_samples: MoreSamples = None,
    problems: Problems = [],  # noqa: B006 - typer copies it
    verdicts: Verdicts = [],  # noqa: B006
    min_reasoning_chars: MinChars = 200,
    window: Window = ":",
    exclude_problems: Excluded = [],  # noqa: B006
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Make natural preference pairs: accepted against failed samples of the same problem."""
    from builders.lcb_rb import build

    files = [*samples, *(more_samples or [])]
    selection = _selection(min_reasoning_chars, window, exclude_problems)
    inputs = _inputs(files, problems, verdicts, selection, exclude_problems, allow_weak_isolation)
    built = build(inputs, out)
    _report(built.pairs, built.n_samples, built.drops, out, as_json)


@app.command("crpl")
def crpl(
    samples: Samples,
    out: Out,
    more_samples: MoreSamples = None,
    problems: Problems = [],  # noqa: B006
    verdicts: Verdicts = [],  # noqa: B006
    min_reasoning_chars: MinChars = 200,
    rewriter: Annotated[str, typer.Option(help="Who rewrites: rules.")] = "rules",
    seed: Annotated[int, typer.Option(min=0, help="Of the places that the rules choose.")] = 0,
    window: Window = ":",
    exclude_problems: Excluded = [],  # noqa: B006
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Make training pairs: accepted reasonings against degraded variants of them."""
    from builders.crpl import build

    files = [*samples, *(more_samples or [])]
    selection = _selection(min_reasoning_chars, window, exclude_problems)
    inputs = _inputs(files, problems, verdicts, selection, exclude_problems, allow_weak_isolation)
    built = build(inputs, out, rewriter=rewriter, seed=seed)
    _report(built.pairs, built.n_samples, built.drops, out, as_json)


@app.command("release")
def release(
    pairs: Annotated[Path, typer.Option(help="Directory that `recode build lcb-rb` made.")],
    crpl: Annotated[Path, typer.Option(help="Directory that `recode build crpl` made.")],
    problems: Annotated[list[Path], typer.Option(help="Files of problems; `starter` for the embedded set.")],
    samples: Samples,
    out: Out,
    more_samples: MoreSamples = None,
    verdicts: Verdicts = [],  # noqa: B006
    repo_id: Annotated[str, typer.Option(help="Where it will be published, for the card.")] = "recode/lcb-rb",
    version: Annotated[str, typer.Option("--tag", help="Version that it will be given, for the card.")] = "v1.0.0",
    as_json: AsJson = False,
) -> None:
    """Put pairs, training pairs, problems and samples together as one dataset repository."""
    from builders.release import Parts, build
    from lcb_rb.progress import emit

    configs = build(Parts(pairs, crpl, problems, [*samples, *(more_samples or [])], verdicts, repo_id, version), out)
    rows = {name: config.counts for name, config in configs.items()}
    lines = [f"{name} {split}: {count} rows" for name, counts in rows.items() for split, count in counts.items()]
    emit({"configs": rows, "out": str(out)}, "\n".join([*lines, f"-> {out}"]), as_json=as_json)


def _selection(min_chars: int, window: str, excluded: list[Path]) -> "Selection":
    from builders.filters import Selection
    from lcb_rb.sources import read_problems

    ids = frozenset(read_problems(excluded)) if excluded else frozenset()
    return Selection(min_chars, parse_window(window), ids)


def _inputs(
    samples: list[Path],
    problems: list[Path],
    verdicts: list[Path],
    selection: "Selection",
    excluded: list[Path],
    weak: bool,
) -> "Inputs":
    from builders.inputs import Inputs
    from lcb_rb.schema import Isolation

    least = Isolation.RLIMITS_ONLY if weak else Isolation.NO_NAMESPACES
    return Inputs(samples, problems, verdicts, selection, excluded, least)


def _report(
    pairs: Sequence["PreferencePair"], n_samples: int, drops: Mapping[str, int], out: Path, as_json: bool
) -> None:
    from builders.filters import describe_drops
    from lcb_rb.progress import emit

    n_problems = len({pair.problem_id for pair in pairs})
    text = (
        f"{len(pairs)} pairs over {n_problems} problems from {n_samples} samples -> {out}\n"
        f"not used: {describe_drops(drops)}"
    )
    counts = {
        "pairs": len(pairs),
        "problems": n_problems,
        "samples": n_samples,
        "drops": dict(sorted(drops.items())),
    }
    emit({**counts, "out": str(out)}, text, as_json=as_json)
