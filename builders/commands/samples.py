"""`recode build samples`: ask a model for many answers to each problem."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lcb_rb.options import AsJson, Engine, WeakIsolation

if TYPE_CHECKING:
    from builders.sampling import Sampled
    from builders.sampling_recipe import SamplesRecipe

ASKING = "Instead of the recipe's"
"""Panel of the help for options that a recipe has, too."""


def samples(
    problems: Annotated[list[Path], typer.Option(help="Files of problems; `starter` for the embedded set.")],
    model: Annotated[str, typer.Option(help="Its name at the endpoint; vllm:NAME runs it in this process.")],
    out: Annotated[Path, typer.Option(help="File for the samples (JSON Lines).")],
    more_problems: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="More files of problems, after --problems.", show_default=False),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible endpoint.", show_default="Hugging Face's providers")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="YAML file: n, temperature, prices...", show_default="samples")
    ] = None,
    n: Annotated[int | None, typer.Option("-n", min=1, help="Samples of each problem.", rich_help_panel=ASKING)] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="Of the sampling.", rich_help_panel=ASKING)] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of an answer.", rich_help_panel=ASKING)
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every draw.", rich_help_panel=ASKING)] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Requests at a time.", rich_help_panel=ASKING)] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Directory of replies that were paid for.", show_default="$RECODE_CACHE or ~/.cache/recode/replies"
        ),
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Where programs are graded: here, or on a Ray cluster.")] = "local",
    no_grade: Annotated[bool, typer.Option("--no-grade", help="Run no program: no sample gets a grade.")] = False,
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Ask a model for reasonings and programs, and grade them; what is paid for is never asked again."""
    from builders.sampling import Grading, build
    from builders.sampling_recipe import samples_recipe
    from lcb_rb.execution.engines import Setup
    from lcb_rb.inference import place_of
    from lcb_rb.progress import emit
    from lcb_rb.schema import Isolation

    place = place_of(model, base_url)
    options = {"n": n, "temperature": temperature, "max_tokens": max_tokens, "seed": seed, "concurrency": concurrency}
    chosen = samples_recipe(recipe or "samples", **options)
    least = Isolation.RLIMITS_ONLY if allow_weak_isolation else Isolation.NO_NAMESPACES
    grading = None if no_grade else Grading(Setup(least=least), engine)
    found = build([*problems, *(more_problems or [])], place, out, chosen, cache=cache, grading=grading)
    emit({**_result(found, chosen), "out": str(out)}, _text(found, chosen, out), as_json=as_json)


def _result(found: "Sampled", recipe: "SamplesRecipe") -> dict[str, Any]:
    return {
        "samples": found.samples,
        "problems": found.problems,
        "passed": found.passed,
        "ungraded": dict(found.ungraded.most_common()),
        "pass_at_1": found.passes.model_dump(mode="json") if found.passes else None,
        "failed": dict(found.missing.most_common()),
        "spent": found.spent.as_dict(recipe.prices),
    }


def _text(found: "Sampled", recipe: "SamplesRecipe", out: Path) -> str:
    lines = [f"{found.samples} samples of {found.problems} problems -> {out}"]
    if found.passes:
        interval = found.passes.interval
        within = f" [{interval.low:.3f}, {interval.high:.3f}]" if interval else ""
        counts = f"{found.passes.n_samples} graded samples of {found.passes.n_problems} problems"
        lines.append(f"pass@1 {found.passes.value:.3f}{within} over {counts}")
    lines += [f"{count} without a grade: {reason}" for reason, count in found.ungraded.most_common()]
    withheld = found.missing - found.spent.failed
    lines += [f"{count} answers are no sample: {reason}" for reason, count in withheld.most_common()]
    return "\n".join([*lines, found.spent.as_text(recipe.prices)])
