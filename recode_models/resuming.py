"""What decides a run: a rerun goes on from the checkpoints of the same one only, and says where it does not."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lcb_rb.writing import dump_json, write_text
from recode_models.launch import is_main, say

PARTS = "parts.json"
"""Beside the checkpoints: what decides their run."""

Parts = dict[str, str]
"""A hash of each part that decides a run, by the name under which a person knows it."""

_ASIDE = (
    *("log_", "logging_", "report_to", "run_name", "project", "trackio_", "disable_tqdm", "num_completions_to_print"),
    *("hub_", "push_to_hub", "save_total_limit", "vllm_server_", "vllm_group_port", "vllm_gpu_memory_"),
)
"""How names of trainer options begin that say what is told, kept or asked where, and decide nothing."""


def deciding(training: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of a trainer that decide the result."""
    return {name: value for name, value in training.items() if not name.startswith(_ASIDE)}


def recipe_parts(fields: Mapping[str, Any]) -> Parts:
    """Returns the parts of a recipe, by field."""
    return hashed({f"recipe field {name}": value for name, value in fields.items()})


def hashed(parts: Mapping[str, Any]) -> Parts:
    """Returns a hash of each part.

    Args:
        parts: Values that JSON has; what is None or empty is left out.
    """
    told = {name: json.dumps(value, sort_keys=True) for name, value in parts.items() if value not in (None, [], {})}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in told.items()}


def journal(stage: Path, what: str, parts: Parts) -> Path:
    """Returns the directory in a stage that belongs to these parts and to no others."""
    told = dump_json(sorted(parts.items()))
    return stage / f"{what}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.journal"


def claim(checkpoints: Path, parts: Parts) -> None:
    """Writes down whose checkpoints these are; where a run starts anew, says why those of an earlier one do not count.

    Args:
        checkpoints: Of `journal`.
        parts: Of this run.
    """
    if not is_main():
        return
    if not _started(checkpoints):
        for other in sorted(checkpoints.parent.glob(f"{checkpoints.name.partition('-')[0]}-*.journal")):
            if _started(other):
                why = ", ".join(_changed(other, parts))
                say(f"{other}: its checkpoints are not taken up, changed: {why}; they are kept until a run ends well")
    write_text(checkpoints / PARTS, dump_json(parts) + "\n")


def _started(checkpoints: Path) -> bool:
    return any(checkpoints.glob("checkpoint-*"))


def _changed(other: Path, parts: Parts) -> list[str]:
    try:
        known = json.loads((other / PARTS).read_text(encoding="utf-8"))
        return sorted(name for name in {*known, *parts} if known.get(name) != parts.get(name))
    except (OSError, ValueError, AttributeError, TypeError):
        return ["the recipe, the data or the number of processes"]
