"""The fields that the cards of `recode build lcb-rb` and `recode build crpl` share."""

import yaml

from builders.audit.tables import audit_table
from builders.card import drop_table, input_table
from builders.decontamination import offender_table
from builders.evidence import agreement_text
from builders.inputs import describe_grades
from builders.pipeline import Built, Run, told


def build_fields(run: Run, built: Built, command: str) -> dict[str, str]:
    """Returns the fields that the cards of both builds have.

    Args:
        run: The build.
        built: What it made.
        command: What makes the same again.
    """
    recipe = run.recipe
    return {
        "audit": audit_table(built.choice.after, recipe.audit.allow, recipe.audit.limit),
        "audit_before": told(built.choice.before, built.choice.after),
        "command": command,
        "drops": drop_table(built.drops),
        "grades": describe_grades(built.tally),
        "inputs": input_table(run.shards.index),
        "judges": agreement_text(run, recipe),
        "n_samples": str(built.tally["samples"]),
        "offenders": offender_table(run.offenders),
        "recipe": yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False).strip(),
    }
