"""`recode build ...`."""

from pathlib import Path
from typing import Annotated

import typer

from lcb_rb.options import AsJson, WeakIsolation, parse_window

app = typer.Typer(no_args_is_help=True, help="Make datasets of preference pairs.")

Samples = Annotated[list[Path], typer.Option(help="Files of samples; `starter` for the embedded set.")]
MoreSamples = Annotated[list[Path] | None, typer.Argument(help="More files of samples.", show_default=False)]
Problems = Annotated[list[Path], typer.Option(help="Files of problems with tests, for samples without a grade.")]
Out = Annotated[Path, typer.Option(help="Directory to make.")]
MinChars = Annotated[int, typer.Option(min=0, help="Shortest reasoning, code blocks not counted.")]
Excluded = Annotated[list[Path], typer.Option(help="Files of problems that must not occur.")]


@app.command("lcb-rb")
def lcb_rb(
    samples: Samples,
    out: Out,
    more_samples: MoreSamples = None,
    problems: Problems = [],  # noqa: B006 - typer copies it
    min_reasoning_chars: MinChars = 200,
    window: Annotated[str, typer.Option(help="Days of the problems, as 2024-10-01: or 2024-10-01:2025-01-31.")] = ":",
    exclude_problems: Excluded = [],  # noqa: B006
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Make natural preference pairs: accepted against failed samples of the same problem."""
    from builders.lcb_rb import Request, build, describe_drops
    from builders.natural import Selection
    from lcb_rb.progress import emit
    from lcb_rb.schema import Isolation
    from lcb_rb.sources import read_problems

    excluded = frozenset(read_problems(exclude_problems)) if exclude_problems else frozenset()
    request = Request(
        samples=[*samples, *(more_samples or [])],
        out=out,
        problems=problems,
        selection=Selection(min_reasoning_chars, parse_window(window), excluded),
        least_isolation=Isolation.RLIMITS_ONLY if allow_weak_isolation else Isolation.NO_NAMESPACES,
    )
    built = build(request)
    counts = {"pairs": len(built.pairs), "problems": built.n_problems, "samples": built.n_samples}
    text = (
        f"{len(built.pairs)} pairs over {built.n_problems} problems from {built.n_samples} samples -> {out}\n"
        f"not used: {describe_drops(built.drops)}"
    )
    emit({**counts, "drops": dict(sorted(built.drops.items())), "out": str(out)}, text, as_json=as_json)
