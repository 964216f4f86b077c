"""`recode build lcb-rb`, `crpl` and `release`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lcb_rb.options import AsJson, Engine, MoreSamples, WeakIsolation, parse_window

if TYPE_CHECKING:
    from builders.filters import Selection
    from builders.inputs import Inputs
    from builders.pipeline import Built
    from builders.recipe import ModelAt


Samples = Annotated[list[Path], typer.Option(help="Files of samples; `starter` for the embedded set.")]
Problems = Annotated[list[Path], typer.Option(help="Files of problems with tests, for samples without a grade.")]
Verdicts = Annotated[list[Path], typer.Option(help="Files that `recode grade` wrote: no sample in them is run again.")]
Out = Annotated[Path, typer.Option(help="Directory to make.")]
MinChars = Annotated[int, typer.Option(min=0, help="Shortest reasoning, code blocks not counted.")]
Excluded = Annotated[list[Path], typer.Option(help="Files of problems that must not occur.")]


Rewriter = Literal["rules", "llm"]
"""As `builders.recipe.CrplRecipe.rewriter`; repeated here so that the command's help loads no builder."""
Where = Annotated[Engine, typer.Option(help="This machine, or a Ray cluster.")]
Cache = Annotated[
    Path | None,
    typer.Option(help="Directory of replies that were paid for.", show_default="$RECODE_CACHE or ~/.cache/recode"),
]
Window = Annotated[str, typer.Option(help="Days of the problems, as 2024-10-01: or 2024-10-01:2025-01-31.")]


RecipeFile = Annotated[str | None, typer.Option(help="YAML file with what else decides.", show_default="the defaults")]


def lcb_rb(
    samples: Samples,
    out: Out,
    more_samples: MoreSamples = None,
    problems: Problems = [],  # noqa: B006 - typer copies it
    verdicts: Verdicts = [],  # noqa: B006
    min_reasoning_chars: MinChars = 200,
    window: Window = ":",
    exclude_problems: Excluded = [],  # noqa: B006
    recipe: RecipeFile = None,
    engine: Where = "local",
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Make pairs of real samples of the same problem: accepted against failed, sound against refuted."""
    from builders.filters import Selection
    from builders.lcb_rb import build
    from builders.recipe import natural_recipe

    files = [*samples, *(more_samples or [])]
    selection = Selection(min_reasoning_chars, parse_window(window))
    inputs = _inputs(files, problems, verdicts, selection, exclude_problems, allow_weak_isolation, engine)
    _report(build(inputs, out, natural_recipe(recipe or "lcb-rb")), out, as_json)


def crpl(
    samples: Samples,
    out: Out,
    more_samples: MoreSamples = None,
    problems: Problems = [],  # noqa: B006
    verdicts: Verdicts = [],  # noqa: B006
    min_reasoning_chars: MinChars = 200,
    rewriter: Annotated[Rewriter | None, typer.Option(help="Who rewrites.", show_default="rules")] = None,
    model: Annotated[str | None, typer.Option(help="The model that rewrites, with --rewriter llm.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Its OpenAI-compatible endpoint.", show_default="Hugging Face's providers")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every draw.", show_default="0")] = None,
    window: Window = ":",
    exclude_problems: Excluded = [],  # noqa: B006
    recipe: RecipeFile = None,
    engine: Where = "local",
    cache: Cache = None,
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Make training pairs: accepted reasonings against optimized and degraded variants of them."""
    from builders.crpl import build
    from builders.filters import Selection
    from builders.recipe import crpl_recipe

    files = [*samples, *(more_samples or [])]
    selection = Selection(min_reasoning_chars, parse_window(window))
    inputs = _inputs(files, problems, verdicts, selection, exclude_problems, allow_weak_isolation, engine, cache)
    chosen = crpl_recipe(recipe or "crpl", rewriter=rewriter, model=model, base_url=base_url, seed=seed)
    _report(build(inputs, out, chosen), out, as_json, chosen.llm)


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


def _inputs(
    samples: list[Path],
    problems: list[Path],
    verdicts: list[Path],
    selection: "Selection",
    excluded: list[Path],
    weak: bool,
    engine: str,
    cache: Path | None = None,
) -> "Inputs":
    from builders.inputs import Inputs
    from lcb_rb.schema import Isolation

    least = Isolation.RLIMITS_ONLY if weak else Isolation.NO_NAMESPACES
    return Inputs(samples, problems, verdicts, selection, excluded, least, engine=engine, cache=cache)


def _report(built: "Built", out: Path, as_json: bool, model: "ModelAt | None" = None) -> None:
    from builders.filters import describe_drops
    from lcb_rb.inference.spending import Prices
    from lcb_rb.progress import emit

    facts, drops = built.facts, dict(sorted(built.drops.items()))
    text = (
        f"{facts.n} pairs over {len(facts.problems)} problems from {built.tally['samples']} samples -> {out}\n"
        f"not used: {describe_drops(drops)}"
    )
    prices = Prices(model.prompt_price, model.completion_price) if model else None
    if built.spent.requests:
        text += f"\n{built.spent.as_text(prices)}"
    counts = {
        "pairs": facts.n,
        "problems": len(facts.problems),
        "samples": built.tally["samples"],
        "drops": {reason: count for reason, count in drops.items() if count},
        "audit": built.choice.after.model_dump(mode="json"),
        "spent": built.spent.as_dict(prices) if built.spent.requests else None,
    }
    emit({**counts, "out": str(out)}, text, as_json=as_json)
