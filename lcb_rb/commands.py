"""`recode score` and `recode grade`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lcb_rb.options import AsJson, MoreSamples, WeakIsolation

app = typer.Typer()


@app.command()
def score(
    model: Annotated[str, typer.Argument(help="length, shorter, random, tfidf, or a directory with a reward model.")],
    pairs: Annotated[Path, typer.Option(help="Directory of pairs.")],
    split: Annotated[str | None, typer.Option(help="One split of them.", show_default="all")] = None,
    out: Annotated[Path | None, typer.Option(help="File for the report (JSON).")] = None,
    fit_on: Annotated[Path | None, typer.Option(help="Directory of pairs that tfidf learns from.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap and of random scorers.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure how often a reward model prefers the better reasoning."""
    from lcb_rb.progress import emit
    from lcb_rb.scoring import score_directory
    from lcb_rb.tables import report_table
    from lcb_rb.writing import require_writable, write_text

    if out:
        require_writable(out)
    command = " ".join(["recode", *sys.argv[1:]])
    report = score_directory(model, pairs, split=split, fit_on=fit_on, seed=seed, command=command)
    if out:
        write_text(out, report.model_dump_json(indent=1) + "\n")
    summary = report.model_dump(mode="json", exclude={"scores"})
    emit(summary, report_table(report), as_json=as_json)


@app.command()
def grade(
    problems: Annotated[list[Path], typer.Option(help="Files of problems; `starter` for the embedded set.")],
    samples: Annotated[list[Path], typer.Option(help="Files of samples; `starter` for the embedded set.")],
    out: Annotated[Path, typer.Option(help="File for the verdicts (JSON Lines).")],
    more_samples: MoreSamples = None,
    time_limit_s: Annotated[float, typer.Option(min=0.1, help="CPU time of one test, seconds.")] = 6.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Graders at a time.", show_default="CPUs")] = None,
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Run the samples' code on the problems' tests and write the verdicts."""
    from lcb_rb.execution import Limits
    from lcb_rb.execution.verdicts import grade_files
    from lcb_rb.progress import emit
    from lcb_rb.schema import Isolation
    from lcb_rb.tables import pass_line

    least = Isolation.RLIMITS_ONLY if allow_weak_isolation else Isolation.NO_NAMESPACES
    files = [*samples, *(more_samples or [])]
    limits = Limits(cpu_s=time_limit_s)
    graded = grade_files(problems, files, out, workers=workers, least_isolation=least, limits=limits)
    lines = [f"{count:6d} {verdict}" for verdict, count in graded.verdicts.items()]
    passes = [found.model_dump(mode="json") for found in graded.passes]
    result = {"samples": sum(graded.verdicts.values()), "verdicts": graded.verdicts, "pass_at_k": passes}
    text = "\n".join([*lines, *map(pass_line, graded.passes)])
    emit({**result, "out": str(out)}, text, as_json=as_json)
