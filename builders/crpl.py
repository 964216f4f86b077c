"""`recode build crpl`: from accepted samples to a directory of rewritten pairs that reward models are trained on."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from builders import inputs as sources
from builders.card import count_table, drop_table, input_table, refuse_foreign, render_card
from builders.filters import nothing_left
from builders.inputs import Inputs, Material
from builders.lcb_rb import command
from builders.rewriting import Rewritten, build_degraded
from lcb_rb.cards import CARD
from lcb_rb.errors import InputError
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import Result
from lcb_rb.writing import staged_directory

REWRITERS = ("rules",)


def build(inputs: Inputs, out: Path, *, rewriter: str = "rules", seed: int = 0) -> Rewritten:
    """Builds the dataset directory and returns what went into it.

    Raises:
        InputError: unknown rewriter, a wrong input, no pair, or samples must be run and the isolation does not suffice.
    """
    if rewriter not in REWRITERS:
        raise InputError(f"--rewriter {rewriter!r} is not known; choose one of {', '.join(REWRITERS)}")
    refuse_foreign(out, "crpl")
    material = sources.read(inputs)
    with staged_directory(out, CARD) as stage:
        results = sources.grade(material, inputs, stage)
        built = build_degraded(material.samples, material.problems, results, inputs.selection, seed)
        if not built.pairs:
            raise nothing_left(built.drops)
        for split, pairs in built.splits.items():
            write_pairs(pairs, stage, split)
        (stage / CARD).write_text(_card(inputs, built, material, results, seed), encoding="utf-8")
    return built


def _card(inputs: Inputs, built: Rewritten, material: Material, results: Mapping[str, Result], seed: int) -> str:
    edits = [edit for pair in built.pairs for edit in pair.edits]
    longer = Counter(
        "equal" if difference == 0 else "longer" if difference > 0 else "shorter"
        for difference in (len(pair.chosen_reasoning) - len(pair.rejected_reasoning) for pair in built.pairs)
    )
    fields = {
        "rules": count_table("dimension: rule", (f"{edit.dimension}: {edit.rule}" for edit in edits)),
        "lengths": ", ".join(f"{name} in {count}" for name, count in sorted(longer.items())),
        "n_samples": str(built.n_samples),
        "n_used": str(built.n_used),
        "n_pairs": str(len(built.pairs)),
        "grades": sources.describe_grades(material.samples, results),
        "inputs": input_table(material.files),
        "drops": drop_table(built.drops),
        "command": command("crpl", inputs, "--seed", str(seed)),
    }
    return render_card("crpl", "CRPL pairs", built.splits, fields)
