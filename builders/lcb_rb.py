"""`recode build lcb-rb`: from sample files to a directory of natural pairs that `load_dataset` loads."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from builders import inputs as sources
from builders.card import count_table, drop_table, input_table, refuse_foreign, render_card
from builders.filters import nothing_left
from builders.inputs import Inputs, Material
from builders.natural import Built, build_pairs
from lcb_rb.cards import CARD
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import Isolation, Result
from lcb_rb.writing import staged_directory


def build(inputs: Inputs, out: Path) -> Built:
    """Builds the dataset directory and returns what went into it.

    Raises:
        InputError: an input is wrong, no pair comes out, or samples must be run and the isolation does not suffice.
    """
    refuse_foreign(out, "lcb-rb")
    material = sources.read(inputs)
    with staged_directory(out, CARD) as stage:
        results = sources.grade(material, inputs, stage)
        built = build_pairs(material.samples, material.problems, results, inputs.selection)
        if not built.pairs:
            raise nothing_left(built.drops)
        write_pairs(built.pairs, stage, "test")
        (stage / CARD).write_text(_card(inputs, built, material, results), encoding="utf-8")
    return built


def command(name: str, inputs: Inputs, *options: str) -> str:
    """Returns the command line that builds the same pairs, with bare file names."""
    selection = inputs.selection
    words = ["recode", "build", name, "--samples", *sorted(path.name for path in inputs.samples)]
    words += [word for file in sorted(path.name for path in inputs.problems) for word in ("--problems", file)]
    words += [word for file in sorted(path.name for path in inputs.verdicts) for word in ("--verdicts", file)]
    words += ["--min-reasoning-chars", str(selection.min_reasoning_chars)]
    words += ["--window", str(selection.window)] if str(selection.window) != ":" else []
    words += [
        word for file in sorted(path.name for path in inputs.excluded_files) for word in ("--exclude-problems", file)
    ]
    words += ["--allow-weak-isolation"] if inputs.least_isolation is Isolation.RLIMITS_ONLY else []
    return shlex.join([*words, *options, "--out", "DIR"])


def _card(inputs: Inputs, built: Built, material: Material, results: Mapping[str, Result]) -> str:
    pairs = built.pairs
    longer = sum(_longer_wins(len(pair.chosen_reasoning), len(pair.rejected_reasoning)) for pair in pairs)
    fields = {
        "longer": f"{longer:g}",
        "longer_share": f"{longer / len(pairs):.3f}",
        "n_pairs": str(len(pairs)),
        "n_after": str(built.n_after),
        "n_samples": str(built.n_samples),
        "n_used": str(2 * len(pairs)),
        "grades": sources.describe_grades(material.samples, results),
        "models": count_table("better / worse model", (f"{p.chosen_model} / {p.rejected_model}" for p in pairs)),
        "inputs": input_table(material.files),
        "drops": drop_table(built.drops),
        "command": command("lcb-rb", inputs),
    }
    return render_card("lcb_rb", "LCB-RB", {"test": pairs}, fields)


def _longer_wins(chosen: int, rejected: int) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)
