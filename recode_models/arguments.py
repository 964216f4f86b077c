"""Options of a TRL trainer as a recipe gives them, read by the types that TRL declares for them and does not check."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import fields
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lcb_rb.errors import InputError

_COUNTS = {
    *("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps", "num_generations"),
    *("steps_per_generation", "generation_batch_size", "num_iterations", "max_completion_length"),
}
"""Are 1 or more; TRL divides by most of them."""

_NAMES = {bool: "switch (true or false)", int: "whole number", float: "number", str: "text", dict: "mapping"}


def read_options(
    kind: type[Any], given: Mapping[str, Any], choices: Mapping[str, Collection[str]] | None = None
) -> dict[str, Any]:
    """Returns the options of a recipe, each of the type of its field; a number may have been written as text, "1e-3".

    Args:
        kind: TRL's dataclass of options, such as GRPOConfig.
        given: As the recipe has them.
        choices: What some options may be, besides those of which the dataclass says it.

    Raises:
        InputError: an option is unknown, or its value is none that it can have.
    """
    hints = get_type_hints(kind)
    known = {field.name: field.metadata.get("choices") for field in fields(kind)} | dict(choices or {})
    found = {}
    for name, value in given.items():
        if name not in hints:
            raise _refused(f"{name} is unknown; see TRL's {kind.__name__}")
        found[name] = _read(name, value, _kinds(hints[name]))
        allowed = known.get(name)
        if allowed and found[name] is not None and found[name] not in allowed:
            raise _refused(f"{name} {_shown(value)} is none of {', '.join(allowed)}")
        if name in _COUNTS and found[name] is not None and found[name] < 1:
            raise _refused(f"{name} {_shown(value)} is less than 1")
    return found


def _kinds(hint: Any) -> tuple[type, ...]:
    """Returns the types that an annotation allows: `list[str] | None` is list or None; object is what has no check."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    found: list[Any] = []
    for part in parts:
        found += map(type, get_args(part)) if get_origin(part) is Literal else [get_origin(part) or part]
    return tuple(kind if isinstance(kind, type) and kind is not Any else object for kind in found)


def _read(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    fits = _is_one(value, kinds)
    found = value if fits else _number(value, kinds)
    if (found is None and not fits) or (isinstance(found, float) and not math.isfinite(found)):
        named = [kind for kind in kinds if kind is not NoneType and not issubclass(kind, Enum)]
        words = " or ".join(_NAMES.get(kind, kind.__name__) for kind in named)
        fix = "; put it in quotes" if str in kinds and isinstance(value, int | float) else ""
        raise _refused(f"{name} {_shown(value)} is no {words}{fix}")
    return found


def _is_one(value: Any, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):  # an int to Python
        return bool in kinds or object in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


def _number(value: Any, kinds: tuple[type, ...]) -> bool | int | float | None:
    """Returns the number or switch that a value of another type stands for; None if it stands for none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if bool in kinds and value in (0, 1):
        return bool(value)
    if float in kinds:
        return number
    return int(number) if int in kinds and number.is_integer() else None


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _refused(what: str) -> InputError:
    return InputError(f"recipe, field 'training': {what}")
