"""`recode train ...`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lcb_rb.options import AsJson

app = typer.Typer(no_args_is_help=True, help="Train reward models and policies.")


@app.command("reward")
def reward(
    recipe: Annotated[str, typer.Argument(help="YAML file, or the name of a recipe of the package.")],
    pairs: Annotated[str, typer.Option(help="Directory of pairs with a train split, or owner/name[@revision].")],
    out: Annotated[Path, typer.Option(help="Directory for the model.")],
    config: Annotated[str, typer.Option(help="Part of the pairs, such as crpl.")] = "default",
    evaluate: Annotated[
        list[str] | None, typer.Option(help="More held-out pairs: directory or owner/name[@revision].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a reward model on preference pairs of reasonings (CRPL)."""
    from lcb_rb.progress import emit
    from recode_models.launch import is_main
    from recode_models.reward_model.recipe import evaluated_on, load_recipe
    from recode_models.reward_model.train import train

    trained = train(evaluated_on(load_recipe(recipe), evaluate or []), pairs, out, config)
    if not is_main() or not trained.examined:
        return
    text = f"trained on {trained.kept} of {trained.given} pairs, mean loss {trained.loss:.3f} -> {out}"
    found: dict[str, Any] = {}
    for name, report in trained.examined.reports.items():
        found[name] = report.overall.model_dump(mode="json")
        if report.overall.accuracy is not None:
            text += f"\n{name} accuracy {report.overall.accuracy:.3f} on {report.overall.n} pairs"
    style, scale = trained.examined.style, trained.examined.scale
    if style.style_beats_substance is not None:
        text += f"\nwrong but wordy or formatted beats right but terse: {style.style_beats_substance:.3f} of {style.n}"
    result = {
        "given": trained.given,
        "kept": trained.kept,
        "loss": trained.loss,
        "validation": found.get("validation"),
        "results": found,
        "calibration": scale.model_dump(mode="json") if scale else None,
        "style_beats_substance": style.style_beats_substance,
        "out": str(out),
    }
    emit(result, text, as_json=as_json)


@app.command("policy")
def policy(
    recipe: Annotated[str, typer.Argument(help="YAML file, or the name of a recipe of the package.")],
    out: Annotated[Path, typer.Option(help="Directory for the policy.")],
    problems: Annotated[
        list[str] | None, typer.Option(help="More problems with tests: file, or owner/name[@revision].")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Directory or id of the model to start from.")] = None,
    reward_model: Annotated[str | None, typer.Option(help="Directory or id of the reward model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train a policy whose reasoning is rewarded only when its code is right (CG-GRPO)."""
    from lcb_rb.progress import emit
    from recode_models.launch import is_main
    from recode_models.policy.recipe import changed, load_recipe
    from recode_models.policy.train import train

    found = train(changed(load_recipe(recipe), problems or [], model, reward_model), out)
    if not is_main():
        return
    from recode_models.policy.record import measurement, summary

    result = {
        "steps": found.steps,
        "kept_step": found.best_step or found.steps,
        "before": measurement(found.before),
        "after": measurement(found.after),
        "out": str(out),
    }
    emit(result, summary(found, out), as_json=as_json)
