"""Where a training may put its directory: neither over what it reads, nor over a model of the other kind."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from lcb_rb.errors import InputError
from recode_models.launch import say
from recode_models.records import RECORD

Kind = Literal["policy", "reward model"]
_FIELDS: dict[Kind, str] = {"policy": "kept_step", "reward model": "pairs_given"}
"""What only the record of such a model has."""


def require_free(out: Path, kind: Kind, inputs: Iterable[str | Path | None]) -> None:
    """Refuses an `out` whose replacement would destroy what is there, and says that an older model is replaced.

    Args:
        out: Directory for the model.
        kind: Of the model.
        inputs: What the run reads; names that are no files are passed over.

    Raises:
        InputError: `out` is or holds one of the inputs, or it is a model of the other kind.
    """
    place = _found(out)
    if place is None:
        return
    for name in inputs:
        read = _found(name) if name else None
        if read and place in (read, *read.parents):
            raise InputError(f"{out}: this run reads {name}, which its result would replace; choose another --out")
    there = _kind(place)
    if there and there != kind:
        raise InputError(f"{out}: holds a {there}, which a {kind} would replace; choose another --out or remove it")
    if there:
        say(f"{out}: holds an older {there}, which is replaced when this run ends well")


def _found(name: str | Path) -> Path | None:
    try:
        return Path(name).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links in a circle, before Python 3.13
        return None


def _kind(place: Path) -> Kind | None:
    """Returns what the record in a directory is of; None without a record of ours."""
    try:
        record = json.loads((place / RECORD).read_text(encoding="utf-8"))
        return next((kind for kind, field in _FIELDS.items() if field in record), None)
    except (OSError, ValueError, TypeError):
        return None
