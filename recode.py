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

INTERRUPTED = 130
"""What typer returns after Ctrl-C."""

DEMO_MEANING = (
    "What this shows: the whole way runs, on real verdicts. What it does not: a good reward model. The model is tiny, "
    "starts from random weights and has seen only rule-made flaws, so on natural pairs it is expected to guess, and "
    "with so few problems an interval that contains 0.5 says nothing either way. The second table tests flaws of the "
    "kind it was trained on, in other problems; compare it there with length and with tfidf, a bag of words: neither "
    "can reason."
)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for everything that is made.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(min=0, help="Of every draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Run the main job on the embedded starter set, offline: grade, build, train, score, page."""
    from lcb_rb.progress import emit, say
    from lcb_rb.writing import write_text
    from leaderboard.page import render_page

    say("1/5 grading the starter set")
    _demo_grade(out)
    say("2/5 building pairs: half of the problems for LCB-RB, the other half for training")
    n_natural, n_degraded = _demo_build(out, seed)
    say("3/5 training a small reward model from random weights")
    _demo_train(out, seed)
    say("4/5 scoring")
    sections = {
        f"LCB-RB: {n_natural} natural pairs": _demo_score(out, "lcb-rb", seed),
        f"Rule-made flaws in the same problems: {n_degraded} pairs": _demo_score(out, "crpl-held-out", seed),
    }
    say("5/5 page")
    write_text(out / "index.html", render_page("recode demo", DEMO_MEANING, sections))
    emit(_demo_summary(sections, out), _demo_text(sections, out), as_json=as_json)


app.add_typer(lcb_rb.commands.app)
app.add_typer(builders.commands.tools)
app.add_typer(builders.commands.app, name="build")
app.add_typer(recode_models.commands.app, name="train")


def main() -> None:
    """Runs the command; an error that a user can act on becomes one line and an exit code."""
    try:
        code = app(standalone_mode=False)
    except (RecodeError, typer.TyperException) as error:
        message = " ".join(_message(error).splitlines())
        if message:  # none where typer has printed the help instead
            sys.stderr.write(f"recode: {message}\n")
        raise SystemExit(error.exit_code) from error
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        sys.stderr.write("recode: interrupted; run it again to go on\n")
    raise SystemExit(1 if code == INTERRUPTED else code)


def _message(error: RecodeError | typer.TyperException) -> str:
    if isinstance(error, RecodeError):
        return str(error)
    message = error.format_message().removesuffix(".")
    return message and f"{message}; see --help"


def _demo_grade(out: Path) -> None:
    """Grades the starter set; its code is our own, so rlimits suffice, and it is quick."""
    from lcb_rb.execution import Limits
    from lcb_rb.execution.engines import Setup
    from lcb_rb.execution.verdicts import grade_files
    from lcb_rb.schema import Isolation
    from lcb_rb.sources import STARTER

    starter = [Path(STARTER)]
    grade_files(starter, starter, out / "verdicts.jsonl", Setup(limits=Limits(cpu_s=2.0), least=Isolation.RLIMITS_ONLY))


def _demo_build(out: Path, seed: int) -> tuple[int, int]:
    """Builds LCB-RB and CRPL pairs from half of the problems, CRPL pairs for training from the others."""
    from builders import crpl, lcb_rb
    from builders.recipe import crpl_recipe

    held_out, training = _demo_inputs(out)
    recipe = crpl_recipe(seed=seed, places=1)
    natural = lcb_rb.build(held_out, out / "lcb-rb")
    degraded = crpl.build(held_out, out / "crpl-held-out", recipe)
    crpl.build(training, out / "crpl", recipe)
    return natural.facts.n, degraded.facts.n


def _demo_inputs(out: Path) -> "list[Inputs]":
    """Returns the inputs of the two halves of the starter problems, split by a hash of their ids."""
    from builders.inputs import Inputs
    from lcb_rb.sources import STARTER, read_problems
    from lcb_rb.writing import write_text

    problems = read_problems([Path(STARTER)])
    ids = sorted(problems, key=lambda problem_id: hashlib.sha256(problem_id.encode()).hexdigest())
    inputs = []
    for name, half in (("held-out", ids[: len(ids) // 2]), ("training", ids[len(ids) // 2 :])):
        path = out / f"problems-{name}.jsonl"
        write_text(path, "".join(problems[problem_id].model_dump_json() + "\n" for problem_id in sorted(half)))
        inputs.append(Inputs([Path(STARTER)], problems=[path], verdicts=[out / "verdicts.jsonl"]))
    return inputs


def _demo_train(out: Path, seed: int) -> None:
    from recode_models.reward_model.recipe import load_recipe
    from recode_models.reward_model.train import train

    recipe = load_recipe("starter-cpu").model_copy(update={"seed": seed})
    train(recipe, out / "crpl", out / "reward-model")


def _demo_score(out: Path, data: str, seed: int) -> "list[Report]":
    """Returns the reports of the trained model and the baselines on one dataset, and writes them."""
    from lcb_rb.scoring import score_model
    from lcb_rb.writing import write_text

    reports = []
    for name in ("length", "shorter", "random", "tfidf", str(out / "reward-model")):
        fit_on = out / "crpl" if name == "tfidf" else None
        fitted = f" --fit-on {fit_on}" if fit_on else ""
        command = f"recode score {name} --pairs {out / data}{fitted} --seed {seed}"
        report = score_model(name, out / data, fit_on=fit_on, seed=seed, command=command)
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
