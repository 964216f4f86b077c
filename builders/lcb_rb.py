"""`recode build lcb-rb`: from sample files to a directory of pairs of real samples that `load_dataset` loads."""

from collections import Counter
from functools import partial
from pathlib import Path

from builders import pipeline
from builders.build_card import build_fields
from builders.card import count_table, refuse_foreign, render_card
from builders.command_line import command
from builders.evidence import of_natural
from builders.inputs import Grader, Inputs
from builders.natural import pair_unit
from builders.pipeline import Built, Run
from builders.recipe import NaturalRecipe, natural_recipe
from lcb_rb.cards import CARD
from lcb_rb.pairs import schema_of
from lcb_rb.writing import staged_directory


def build(inputs: Inputs, out: Path, recipe: NaturalRecipe | None = None) -> Built:
    """Builds the dataset directory and returns what went into it; a killed build goes on where it was.

    Raises:
        InputError: an input is wrong, no pair comes out, or samples must be run and the isolation does not suffice.
        AuditError: the pairs can be told apart without reading.
    """
    recipe = recipe or natural_recipe()
    refuse_foreign(out, "lcb-rb")
    with staged_directory(out, CARD) as stage, Grader(inputs) as grader:
        run = pipeline.start(inputs, recipe, stage, grader)
        candidates = run.collect("lcb-rb", partial(of_natural, run, recipe), pair_unit)
        choice = run.choose(candidates)
        splits = run.write(candidates, choice, lambda pair: "test")
        drops = candidates.drops + Counter(unbalanced=2 * choice.dropped)
        built = Built(splits, candidates.tally, drops, choice, schema_of(candidates.columns), run.spent)
        (stage / CARD).write_text(_card(run, recipe, built), encoding="utf-8")
    return built


def _card(run: Run, recipe: NaturalRecipe, built: Built) -> str:
    facts = built.splits["test"]
    lengths = facts.of("length")
    longer = lengths["longer"] + lengths["equal"] / 2
    fields = {
        **build_fields(run, built, command("lcb-rb", run.inputs, recipe)),
        "longer": f"{longer:g}",
        "longer_share": f"{longer / facts.n:.3f}",
        "n_pairs": str(facts.n),
        "n_after": str(facts.of("place")["after"]),
        "n_used": str(2 * facts.n),
        "kinds": count_table("kind", facts.of("kind")),
        "models": count_table("better / worse model", facts.of("models")),
    }
    return render_card("lcb_rb", "LCB-RB", built.splits, built.columns, fields)
