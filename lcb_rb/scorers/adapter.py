"""A small YAML file that says how an odd model is read."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from lcb_rb.errors import InputError
from lcb_rb.schema import Record

Label = Annotated[int, Field(ge=0)]


class Adapter(Record):
    """What a model's own files do not say, or say wrongly; None leaves it to them."""

    template: str | None = None
    """Chat template (jinja) in place of the tokenizer's; it sees `messages`: a user's and an assistant's."""
    label: Label | tuple[Label, Label] | None = None
    """Label whose logit is the score, or [a, b]: logit a minus logit b."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Type of the weights; without it bfloat16 on a GPU, float32 on a CPU."""
    max_tokens: int | None = Field(default=None, ge=2)
    """Longest text that is read, tokens; at most the model's context."""


def read_adapter(path: Path) -> Adapter:
    """Returns the adapter in a file.

    Raises:
        InputError: no such file, not YAML, or an unknown or wrong key.
    """
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Adapter.model_validate({} if fields is None else fields)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give --adapter a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}; mend the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = str(first["loc"][0]) if first["loc"] else "adapter"
        known = ", ".join(Adapter.model_fields)
        raise InputError(f"{path}, key {place!r}: {first['msg']}; the keys are {known}") from error


def adapter_note(path: Path, adapter: Adapter) -> str:
    """Returns what a reader of the scores must know: which file, and what it sets."""
    digest = hashlib.sha256(adapter.model_dump_json().encode()).hexdigest()
    fields = adapter.model_dump(exclude_none=True)
    told = [name if name == "template" else f"{name} {value}" for name, value in fields.items()]
    return f"adapter {path.name} (sha256 {digest[:16]}): {', '.join(told) or 'sets nothing'}"
