"""`recode build crpl`: from accepted samples to a directory of rewritten pairs that reward models are trained on."""

from functools import partial
from pathlib import Path

from builders import pipeline
from builders.build_card import build_fields
from builders.card import count_table, refuse_foreign, render_card
from builders.command_line import command
from builders.evidence import judged, of_rewritten
from builders.inputs import Grader, Inputs
from builders.pipeline import Built, Run
from builders.recipe import CrplRecipe, crpl_recipe
from builders.rewriting import rewrite_unit
from builders.splitting import validation_problems
from lcb_rb.cards import CARD
from lcb_rb.pairs import schema_of
from lcb_rb.writing import staged_directory

VALIDATION_SHARE = 0.15
"""Of the problems."""


def build(inputs: Inputs, out: Path, recipe: CrplRecipe | None = None) -> Built:
    """Builds the dataset directory and returns what went into it; a killed build goes on where it was.

    Raises:
        InputError: a wrong input, no pair, or samples must be run and the isolation does not suffice.
        AuditError: the pairs can be told apart without reading.
        EndpointError: the model that rewrites cannot be reached.
    """
    recipe = recipe or crpl_recipe()
    refuse_foreign(out, "crpl")
    with staged_directory(out, CARD) as stage, Grader(inputs) as grader:
        run = pipeline.start(inputs, recipe, stage, grader)
        candidates = run.collect("crpl", partial(of_rewritten, run, recipe), rewrite_unit, partial(judged, run, recipe))
        choice = run.choose(candidates)
        held_out = validation_problems(run.shards, run.problems_of(candidates, choice), VALIDATION_SHARE)
        splits = run.write(candidates, choice, lambda pair: "validation" if pair.problem_id in held_out else "train")
        drops = candidates.drops
        drops["unbalanced"] += choice.dropped
        built = Built(splits, candidates.tally, drops, choice, schema_of(candidates.columns), run.spent)
        (stage / CARD).write_text(_card(run, recipe, built), encoding="utf-8")
    return built


def _card(run: Run, recipe: CrplRecipe, built: Built) -> str:
    lengths = built.facts.of("length")
    fields = {
        **build_fields(run, built, command("crpl", run.inputs, recipe)),
        "rules": count_table("dimension: rule", built.facts.of("rule")),
        "kinds": count_table("kind", built.facts.of("kind")),
        "rewriters": count_table("rewriter", built.facts.of("rewriter")),
        "lengths": ", ".join(f"{name} in {count}" for name, count in sorted(lengths.items())),
        "n_used": str(built.tally["used"]),
        "n_pairs": str(built.facts.n),
    }
    return render_card("crpl", "CRPL pairs", built.splits, built.columns, fields)
