"""What is checked of a model before it is published: weights in safetensors only, and no code."""

import json
import struct
from pathlib import Path
from typing import Any

from lcb_rb.errors import input_error
from lcb_rb.hub.cards import CARD, require
from lcb_rb.hub.files import Files

PICKLES = frozenset((".bin", ".ckpt", ".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".pyt", ".npy", ".npz"))
"""Suffixes of files that run code when they are loaded, or may."""

_INDEX = ".safetensors.index.json"


def check_model(files: Files, card: dict[str, Any]) -> None:
    """Refuses a model that could not be loaded, or not without running code.

    Raises:
        InputError: the card, a file that holds code, or weights that are missing or damaged.
    """
    require(card, ("license",), files[CARD])
    directory = files[CARD].parent
    for name, path in files.items():
        if name.endswith(".py"):
            raise input_error(path, "is code; models are loaded without any", "remove it")
    config = files.get("config.json", directory / "config.json")
    if _object(config).get("auto_map"):
        raise input_error(config, "names code to run", "use a model of transformers", field="auto_map")
    if not any(name.endswith(".safetensors") for name in files):
        raise input_error(config.parent, "holds no .safetensors weights", "save it with save_pretrained")
    for name, path in files.items():
        if name.endswith(".safetensors"):
            _check_weights(path)
        elif name.endswith(_INDEX):
            _check_index(path)


def refuse_pickles(files: Files) -> None:
    """Refuses pickles, of any name; no kind of repository needs one.

    Raises:
        InputError: the first of them.
    """
    for path in files.values():
        if path.suffix.lower() in PICKLES or _is_pickle(path):
            fix = "remove it; weights are saved as safetensors"
            raise input_error(path, "is a pickle, which can run code when it is loaded", fix)


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(4)
        if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            return True
        return start == b"PK\x03\x04" and b"data.pkl" in stream.read(2**10)


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise input_error(path, "is missing", "save the model with save_pretrained")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise input_error(path, f"is no JSON ({error})", "save the model again") from error
    if not isinstance(value, dict):
        raise input_error(path, "is no JSON object", "save the model again")
    return value


def _check_weights(path: Path) -> None:
    """Compares a file's length with what its header says."""
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, size)))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise input_error(path, "is no safetensors file", "save the model again") from error
    if size != 8 + length + max(ends, default=0):
        raise input_error(path, f"has {size} bytes, not what its header says", "save the model again")


def _check_index(path: Path) -> None:
    shards = set(_object(path).get("weight_map", {}).values())
    missing = sorted(name for name in shards if not (path.parent / str(name)).is_file())
    if missing:
        raise input_error(path, f"names {missing[0]}, which is missing", "save the model again")
