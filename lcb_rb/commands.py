"""`recode score`, `recode compare`, `recode grade`, `recode publish` and `recode doctor`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from lcb_rb.errors import InputError
from lcb_rb.options import AsJson, Engine, MoreSamples, RepoType, Suite, WeakIsolation

app = typer.Typer()

FORMATS = "Of all files: ours, humaneval, mbpp, evalplus, livecodebench, mapcoder or leetcode."
RARE = "Rarely needed"
"""Panel of the help for options that change what a verdict means."""
MODELS = "Models"
"""Panel of the help for options that baselines do not have."""
Method = Literal["head", "loglik-mean", "loglik-sum", "dpo", "judge", "judge-pairs", "steps"]
"""As `lcb_rb.scorers.base.Method`; repeated here so that the command's help loads no scorer."""
Truncate = Literal["middle", "left"]
"""Ways to cut a text, of `lcb_rb.scorers.base.OverLong`."""

AsMethod = Annotated[
    Method, typer.Option("--as", help="Score by its head, by likelihood, by asking it.", rich_help_panel=MODELS)
]
Reference = Annotated[
    str | None, typer.Option(help="What dpo compares with: a directory or id.", rich_help_panel=MODELS)
]
Truncated = Annotated[
    Truncate | None,
    typer.Option(help="Cut texts that are too long.", show_default="an error", rich_help_panel=MODELS),
]
AdapterFile = Annotated[
    Path | None, typer.Option(help="YAML: template, pooling, label, dtype...", rich_help_panel=MODELS)
]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Load weights that can hold code.", rich_help_panel=MODELS)
]


@app.command()
def score(
    model: Annotated[
        str,
        typer.Argument(
            help="length, shorter, random, tfidf, a model (a directory, or its id on the Hub) or a file of scores."
        ),
    ],
    pairs: Annotated[str, typer.Option(help="Directory of pairs, or id of a dataset on the Hub; id@REVISION pins it.")],
    config: Annotated[str, typer.Option(help="Part of the dataset.")] = "default",
    split: Annotated[str | None, typer.Option(help="One split of them.", show_default="all")] = None,
    out: Annotated[Path | None, typer.Option(help="File for the report (JSON).")] = None,
    fit_on: Annotated[Path | None, typer.Option(help="Directory of pairs that tfidf learns from.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap, of random scorers and of judges.")] = 0,
    method: AsMethod = "head",
    base_url: Annotated[
        str | None,
        typer.Option(help="OpenAI-compatible endpoint of a judge; MODEL is its name there.", rich_help_panel=MODELS),
    ] = None,
    reference: Reference = None,
    truncate: Truncated = None,
    adapter: AdapterFile = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Measure how often a reward model prefers the better reasoning."""
    from lcb_rb.progress import emit
    from lcb_rb.scorers import ModelOptions
    from lcb_rb.scorers.journal import parts
    from lcb_rb.scorers.sharding import joined
    from lcb_rb.scoring import score_model
    from lcb_rb.tables import report_table
    from lcb_rb.writing import require_writable, write_text

    if out:
        require_writable(out)
    command = " ".join(["recode", *sys.argv[1:]])
    options = ModelOptions(
        method=method,
        reference=reference,
        over_long=truncate or "error",
        adapter=adapter,
        allow_pickle=allow_pickle,
        base_url=base_url,
    )
    journal = out.with_name(f".{out.name}.journal") if out else None
    with joined() as ranks:
        report = score_model(
            model,
            pairs,
            config=config,
            split=split,
            fit_on=fit_on,
            seed=seed,
            command=command,
            options=options,
            journal=journal,
            ranks=ranks,
        )
    if ranks.rank:
        return
    if out and journal:
        write_text(out, report.model_dump_json(indent=1) + "\n")
        if not (base_url and report.overall.n_unscored):  # answers that lack are asked again, the others not
            for part in parts(journal):
                part.unlink()
    summary = report.model_dump(mode="json", exclude={"scores"})
    emit(summary, report_table(report), as_json=as_json)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Report that `recode score --out` wrote.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Report of another one on the same pairs.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure how far two reward models are apart, pair by pair."""
    from lcb_rb.compare import compare_reports
    from lcb_rb.progress import emit
    from lcb_rb.tables import compared_text

    found = compare_reports(first, second, seed=seed, command=" ".join(["recode", *sys.argv[1:]]))
    emit(found.model_dump(mode="json"), compared_text(found), as_json=as_json)


@app.command()
def grade(
    problems: Annotated[list[Path], typer.Option(help="Files of problems; `starter` for the embedded set.")],
    samples: Annotated[list[Path], typer.Option(help="Files of samples; `starter` for the embedded set.")],
    out: Annotated[Path, typer.Option(help="File for the verdicts (JSON Lines).")],
    more_samples: MoreSamples = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Graders at a time on a machine.", show_default="1.5 a CPU")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="This machine, or the nodes of a Ray cluster.")] = "local",
    tests: Annotated[Suite, typer.Option(help="Which tests of EvalPlus's files.")] = "plus",
    form: Annotated[str | None, typer.Option("--format", help=FORMATS, show_default="recognised")] = None,
    time_limit_s: Annotated[
        float, typer.Option(min=0.1, help="CPU time of one test, seconds.", rich_help_panel=RARE)
    ] = 6.0,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Allow ten times the reference's time, if less.", rich_help_panel=RARE)
    ] = False,
    trust_tests: Annotated[
        bool,
        typer.Option("--trust-tests", help="Believe unittest tests that nothing guards.", rich_help_panel=RARE),
    ] = False,
    allow_weak_isolation: WeakIsolation = False,
    as_json: AsJson = False,
) -> None:
    """Run the samples' code on the problems' tests and write the verdicts."""
    from dataclasses import asdict

    from lcb_rb.execution import Limits
    from lcb_rb.execution.engines import Setup
    from lcb_rb.execution.verdicts import grade_files
    from lcb_rb.progress import emit
    from lcb_rb.schema import Isolation
    from lcb_rb.tables import graded_text

    setup = Setup(
        workers=workers,
        limits=Limits(cpu_s=time_limit_s),
        least=Isolation.RLIMITS_ONLY if allow_weak_isolation else Isolation.NO_NAMESPACES,
        calibrate=calibrate,
        trust_tests=trust_tests,
    )
    files = [*samples, *(more_samples or [])]
    graded = grade_files(problems, files, out, setup, engine=engine, tests=tests, form=form)
    result = {
        "samples": sum(graded.verdicts.values()),
        "verdicts": graded.verdicts,
        "pass_at_k": [found.model_dump(mode="json") for found in graded.passes],
        "slowest": [asdict(slow) for slow in graded.slowest],
        "isolation": graded.isolation,
        "methods": graded.methods,
        "out": str(out),
    }
    emit(result, graded_text(graded), as_json=as_json)


@app.command()
def publish(
    directory: Annotated[Path, typer.Argument(help="Dataset, model or Space, with its card README.md.")],
    repo_id: Annotated[str, typer.Argument(help="Repository on the Hub, as owner/name.")],
    kind: Annotated[RepoType, typer.Option("--type", help="What it is.")],
    private: Annotated[bool, typer.Option("--private", help="Make the repository private if it is new.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, made if it is new.", show_default="main")] = None,
    tag: Annotated[str | None, typer.Option(help="Version to give the revision, such as v1.0.0.")] = None,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Propose it as a pull request.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a directory on the Hub in one commit: checked before, read back after."""
    from dataclasses import asdict

    from lcb_rb.hub.publish import publish as publish_directory
    from lcb_rb.hub.remote import Target
    from lcb_rb.progress import emit
    from lcb_rb.tables import published_text

    target = Target(repo_id, kind, revision=revision, private=private, tag=tag, create_pr=create_pr)
    published = publish_directory(directory, target)
    emit(asdict(published), published_text(published), as_json=as_json)


@app.command()
def doctor(
    model: Annotated[str | None, typer.Argument(help="A reward model: a directory, or its id on the Hub.")] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Whether untrusted code can be graded here.")] = False,
    pairs: Annotated[
        str | None,
        typer.Option(help="What would be scored, as in recode score.", show_default="the starter set"),
    ] = None,
    method: AsMethod = "head",
    reference: Reference = None,
    truncate: Truncated = None,
    adapter: AdapterFile = None,
    allow_pickle: AllowPickle = False,
    as_json: AsJson = False,
) -> None:
    """Say what works with a reward model, or of this machine's sandbox, and what does not, and why."""
    from dataclasses import asdict

    from lcb_rb.progress import emit
    from lcb_rb.scorers import ModelOptions
    from lcb_rb.tables import diagnosis_text, sandbox_text

    options = ModelOptions(
        method=method, reference=reference, over_long=truncate or "error", adapter=adapter, allow_pickle=allow_pickle
    )
    if model is None and sandbox and pairs is None and options == ModelOptions():
        from lcb_rb.execution.doctor import examine

        found = examine()
        emit({**asdict(found), "safe": found.safe}, sandbox_text(found), as_json=as_json)
        raise typer.Exit(0 if found.safe else 1)
    if model is None or sandbox:
        raise InputError("doctor looks at one thing; run: recode doctor MODEL, or: recode doctor --sandbox")
    from lcb_rb.scorers.doctor import examine_model

    seen = examine_model(model, pairs, options)
    emit({**asdict(seen), "sound": seen.sound}, diagnosis_text(seen), as_json=as_json)
    raise typer.Exit(0 if seen.sound else 1)
