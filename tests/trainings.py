"""Pairs that a tiny model learns in a second, and the recipe to do so."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from factories import make_pair
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import Dimension, PairKind, PreferencePair

RECIPE: dict[str, Any] = {
    "model": {
        "config": {
            "model_type": "qwen2",
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
        },
        "vocab_size": 300,
    },
    "training": {
        "max_steps": 30,
        "per_device_train_batch_size": 8,
        "learning_rate": 0.01,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "save_steps": 5,
    },
}


def statement(name: str) -> str:
    """A text that shares no five words with another one's."""
    return " ".join(hashlib.sha256(f"{name}{i}".encode()).hexdigest()[:3] for i in range(12))


def pair(index: int, **fields: Any) -> PreferencePair:
    """Proof over guess."""
    known = {
        "problem_id": f"p{index}",
        "problem": statement(f"p{index}"),
        "chosen_reasoning": f"Case {index}: the sum is proved step by step. Every term is there.",
        "rejected_reasoning": f"Case {index}: the sum is a wild guess, no more. Who knows.",
        "kind": PairKind.DEGRADED,
        "dimension": Dimension.LOGICAL_RIGOR,
    }
    return make_pair(f"p{index}/x", **{**known, **fields})


def make_data(directory: Path, *, held_out: int = 8) -> Path:
    """32 pairs to train on, and a validation split of other problems."""
    write_pairs([pair(i) for i in range(32)], directory, "train")
    if held_out:
        write_pairs([pair(i) for i in range(32, 32 + held_out)], directory, "validation")
    return directory


def recipe_file(path: Path, **changes: Any) -> Path:
    """The recipe with other fields, as a file."""
    path.write_text(yaml.safe_dump(RECIPE | changes), encoding="utf-8")
    return path


def training(**changes: Any) -> dict[str, Any]:
    """The recipe's `training` with other fields."""
    return {**RECIPE["training"], **changes}
