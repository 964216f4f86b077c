"""`recode train ...`."""

from pathlib import Path
from typing import Annotated

import typer

from lcb_rb.options import AsJson

app = typer.Typer(no_args_is_help=True, help="Train reward models.")


@app.callback()
def _group() -> None:
    """Keeps `reward` a sub-command although it is the only one."""


@app.command("reward")
def reward(
    recipe: Annotated[str, typer.Argument(help="YAML file, or the name of a recipe of the package.")],
    pairs: Annotated[Path, typer.Option(help="Directory of pairs with a train split.")],
    out: Annotated[Path, typer.Option(help="Directory for the model.")],
    as_json: AsJson = False,
) -> None:
    """Train a reward model on preference pairs of reasonings (CRPL)."""
    from lcb_rb.progress import emit
    from recode_models.reward_model.recipe import load_recipe
    from recode_models.reward_model.train import train

    trained = train(load_recipe(recipe), pairs, out)
    text = f"trained on {trained.kept} of {trained.given} pairs, mean loss {trained.loss:.3f} -> {out}"
    validation = trained.validation
    if validation and validation.accuracy is not None:
        text += f"\nvalidation accuracy {validation.accuracy:.3f} on {validation.n} pairs"
    found = validation.model_dump(mode="json") if validation else None
    result = {
        "given": trained.given,
        "kept": trained.kept,
        "loss": trained.loss,
        "validation": found,
        "out": str(out),
    }
    emit(result, text, as_json=as_json)
