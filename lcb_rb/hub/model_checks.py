"""What is checked of a model before it is published: weights in safetensors only, and no code."""

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lcb_rb.cards import CARD, ModelCard, understood
from lcb_rb.errors import input_error
from lcb_rb.hub.files import Files

PICKLES = (".bin", ".ckpt", ".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
"""Suffixes of files that run code when they are loaded, or may."""

_INDEX = ".safetensors.index.json"
_PROTOCOL_0 = (b"c__builtin__\n", b"cbuiltins\n", b"cos\n", b"cposix\n", b"(lp0\n", b"(dp0\n", b"ccopy_reg\n")
"""How pickles start that are text and call or build something."""


class _Tensor(BaseModel):
    """An entry of a safetensors header."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Index(BaseModel):
    """Which shard holds which tensor."""

    weight_map: dict[str, str]


_HEADER: TypeAdapter[dict[str, _Tensor]] = TypeAdapter(dict[str, _Tensor])


def check_model(files: Files, fields: dict[str, Any]) -> None:
    """Refuses a model that could not be loaded, or not without running code.

    Raises:
        InputError: the card, a file that holds code, or weights that are missing or damaged.
    """
    understood(ModelCard, fields, files[CARD])
    for name, path in files.items():
        if name.lower().endswith(".py"):
            raise input_error(path, "is code; models are loaded without any", "remove it")
    config = files.get("config.json", files[CARD].parent / "config.json")
    for path in (config, *(files[name] for name in ("tokenizer_config.json",) if name in files)):
        if _object(path).get("auto_map"):
            raise input_error(path, "names code to run", "use a model of transformers", field="auto_map")
    if not any("/" not in name and name.endswith(".safetensors") for name in files):
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
        if any(suffix.lower() in PICKLES for suffix in path.suffixes) or _is_pickle(path):
            fix = "remove it; weights are saved as safetensors"
            raise input_error(path, "is a pickle, which can run code when it is loaded", fix)


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(16)
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    return start.startswith(_PROTOCOL_0) or (start.startswith(b"PK\x03\x04") and _holds_pickle(path))


def _holds_pickle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(Path(name).suffix.lower() in PICKLES for name in archive.namelist())
    except zipfile.BadZipFile:
        return b"data.pkl" in path.read_bytes()[: 2**16]


def _object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise input_error(path, "is missing", "save the model with save_pretrained")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
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
        header.pop("__metadata__", None)
        tensors = _HEADER.validate_python(header, strict=False)
    except (struct.error, ValueError, AttributeError, RecursionError, ValidationError) as error:
        raise input_error(path, "is no safetensors file", "save the model again") from error
    if size != 8 + length + max((tensor.data_offsets[1] for tensor in tensors.values()), default=0):
        raise input_error(path, f"has {size} bytes, not what its header says", "save the model again")


def _check_index(path: Path) -> None:
    shards = set(understood(_Index, _object(path), path, "save the model again").weight_map.values())
    missing = sorted(name for name in shards if not (path.parent / name).is_file())
    if missing:
        raise input_error(path, f"names {missing[0]}, which is missing", "save the model again")
