"""The command line that a card names: what builds the same pairs again from the same files."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from builders.inputs import Inputs
from builders.recipe import BuildRecipe
from lcb_rb.schema import Isolation


def command(name: str, inputs: Inputs, recipe: BuildRecipe, *options: str) -> str:
    """Returns the command line, with bare file names; what the recipe says beyond its defaults stands in the card."""
    selection = inputs.selection
    words = ["recode", "build", name, "--samples", *_names(inputs.samples)]
    words += _options("--problems", inputs.problems)
    words += _options("--verdicts", inputs.verdicts)
    words += ["--min-reasoning-chars", str(selection.min_reasoning_chars)]
    words += ["--window", str(selection.window)] if str(selection.window) != ":" else []
    words += _options("--exclude-problems", inputs.excluded_files)
    words += ["--allow-weak-isolation"] if inputs.least_isolation is Isolation.RLIMITS_ONLY else []
    words += ["--recipe", "RECIPE"] if recipe != type(recipe)() else []
    return shlex.join([*words, *options, "--out", "DIR"])


def _options(option: str, files: Sequence[Path]) -> Iterator[str]:
    for name in _names(files):
        yield from (option, name)


def _names(files: Sequence[Path]) -> list[str]:
    return sorted(path.name for path in files)
