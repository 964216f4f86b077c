"""The `recode` command: puts the packages' sub-commands together; only here do the packages meet."""

import hashlib
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import builders.commands
import lcb_rb.commands
import recode_models.commands
from lcb_rb.errors import RecodeError
from lcb_rb.options import AsJson

if TYPE_CHECKING:
    from builders.inputs import Inputs
    from lcb_rb.schema import Report

app = typer.Typer(
    name="recode",
    help="Reasoning-process rewards for code: build, score, train, rank.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DEMO_MEANING = (
    "What this shows: the whole way runs, on real verdicts. What it does not: a good reward model. The model is tiny, "
    "starts from random weights and has seen only rule-made flaws, so on natural pairs of other problems it is "
    "expected to guess, and with so few problems an interval that contains 0.5 says nothing either way. The second "
    "table tests flaws of the kind it was trained on; compare it there with tfidf, a bag of words, which cannot reason."
)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for everything that is made.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Run the main job on the embedded starter set, offline: grade, build, train, score, page."""
    from builders.crpl import build as build_crpl
    from builders.lcb_rb import build as build_lcb_rb
    from lcb_rb.progress import emit, say
    from lcb_rb.writing import write_text
    from leaderboard.page import render_page
    from recode_models.reward_model.recipe import load_recipe
    from recode_models.reward_model.train import train

    benchmark, training = _halves()
    say(f"1/5 LCB-RB: natural pairs from {len(benchmark)} problems")
    natural = build_lcb_rb(_starter_inputs(excluded=training), out / "lcb-rb")
    say(f"2/5 CRPL: degraded variants from the other {len(training)} problems")
    degraded = build_crpl(_starter_inputs(excluded=benchmark), out / "crpl", seed=seed)
    say(f"3/5 reward model: {len(degraded.splits['train'])} training pairs, random initial weights")
    train(load_recipe("starter-cpu"), out / "crpl", out / "reward-model")
    say("4/5 scoring")
    sections = {
        f"LCB-RB: {len(natural.pairs)} natural pairs": _score_all(out, "lcb-rb", None, seed),
        "CRPL validation: flaws made by the training rules, other problems": _score_all(
            out, "crpl", "validation", seed
        ),
    }
    say("5/5 page")
    write_text(out / "index.html", render_page("recode demo", DEMO_MEANING, sections))
    emit(_demo_summary(sections, out), _demo_text(sections, out), as_json=as_json)


app.add_typer(lcb_rb.commands.app)
app.add_typer(builders.commands.app, name="build")
app.add_typer(recode_models.commands.app, name="train")


def main() -> None:
    """Runs the command; an error that a user can act on becomes one line and an exit code."""
    try:
        app()
    except RecodeError as error:
        sys.stderr.write(f"recode: {error}\n")
        raise SystemExit(error.exit_code) from error


def _halves() -> tuple[frozenset[str], frozenset[str]]:
    """Returns the starter problems in two halves by a hash of their ids: for the benchmark and for training."""
    from lcb_rb.sources import STARTER, read_problems

    def key(problem_id: str) -> str:
        return hashlib.sha256(problem_id.encode()).hexdigest()

    ids = sorted(read_problems([Path(STARTER)]), key=key)
    return frozenset(ids[: len(ids) // 2]), frozenset(ids[len(ids) // 2 :])


def _starter_inputs(excluded: frozenset[str]) -> "Inputs":
    """Returns the starter set without some problems; its code is our own, so rlimits suffice, and it is quick."""
    from builders.filters import Selection
    from builders.inputs import Inputs
    from lcb_rb.execution import Limits
    from lcb_rb.schema import Isolation
    from lcb_rb.sources import STARTER

    return Inputs(
        samples=[Path(STARTER)],
        problems=[Path(STARTER)],
        selection=Selection(excluded=excluded),
        least_isolation=Isolation.RLIMITS_ONLY,
        limits=Limits(cpu_s=2.0),
    )


def _score_all(out: Path, data: str, split: str | None, seed: int) -> "list[Report]":
    """Returns the reports of the trained model and the baselines on one dataset, and writes them."""
    from lcb_rb.scoring import score_directory
    from lcb_rb.writing import write_text

    reports = []
    for name in ("length", "shorter", "random", "tfidf", str(out / "reward-model")):
        # the bag of words may not learn from the problems it is scored on: of CRPL it reads the train split only
        fit_on = (out / "crpl", "train") if name == "tfidf" else None
        report = score_directory(name, out / data, split=split, fit_on=fit_on, seed=seed, command="recode demo")
        write_text(out / "reports" / f"{data}.{Path(name).name}.json", report.model_dump_json(indent=1) + "\n")
        reports.append(report)
    return reports


def _demo_summary(sections: "dict[str, list[Report]]", out: Path) -> dict[str, object]:
    def rows(reports: "Iterable[Report]") -> dict[str, object]:
        return {report.provenance.scorer: report.overall.model_dump(mode="json") for report in reports}

    return {"tables": {heading: rows(reports) for heading, reports in sections.items()}, "out": str(out)}


def _demo_text(sections: "dict[str, list[Report]]", out: Path) -> str:
    from lcb_rb.tables import comparison_table

    tables = [f"{heading}\n{comparison_table(reports)}" for heading, reports in sections.items()]
    return "\n\n".join([*tables, textwrap.fill(DEMO_MEANING, 100), f"Page: {out / 'index.html'}"])


if __name__ == "__main__":
    main()
