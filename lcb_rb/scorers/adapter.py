"""A small YAML file that says how an odd model is read."""

import hashlib
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from lcb_rb.errors import InputError
from lcb_rb.schema import Record
from lcb_rb.scorers.base import Method

Pooling = Literal["last", "first", "mean", "own"]
"""What a head is applied to: the last or the first real token, the mean of them, or as the model itself does it."""
Label = Annotated[int, Field(ge=0)]
Digit = Annotated[int, Field(ge=0, le=9)]
Aggregate = Literal["min", "mean", "last", "product"]
"""What the score of a reasoning is of those of its steps."""

_OF_HEADS, _OF_JUDGES, _OF_STEPS = frozenset({"label", "pooling"}), frozenset({"judge"}), frozenset({"steps"})
MEANINGLESS: dict[Method, frozenset[str]] = {
    "head": _OF_JUDGES | _OF_STEPS,
    "loglik-mean": _OF_HEADS | _OF_JUDGES | _OF_STEPS,
    "loglik-sum": _OF_HEADS | _OF_JUDGES | _OF_STEPS,
    "dpo": _OF_HEADS | _OF_JUDGES | _OF_STEPS,
    "judge": _OF_HEADS | _OF_STEPS,
    "judge-pairs": _OF_HEADS | _OF_STEPS,
    "steps": _OF_JUDGES | {"pooling"},
}
"""Keys that a way of scoring does not read."""


class JudgeKeys(Record):
    """How a judge is asked."""

    prompt: Path | None = None
    """File with the prompt in place of ours, relative to the adapter; its fields are those of ours."""
    scale: tuple[Digit, Digit] = (0, 9)
    """Lowest and highest rating; of pointwise judges only."""
    max_tokens: int = Field(default=1024, ge=1)
    """Most tokens of an answer at an endpoint, thinking included."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale {list(self.scale)} does not rise")
        return self


class StepKeys(Record):
    """Where a step model is read."""

    separator: str | None = Field(default=None, min_length=1)
    """Text between two steps of a reasoning; without it blank lines."""
    step_token: str | None = Field(default=None, min_length=1)
    """Text written behind each step, where the model is read; without it the last token of the step itself is."""
    join: str = ""
    """Text between a step token and the next step."""
    good: str | None = Field(default=None, min_length=1)
    """Token whose probability is a step's score, of language models; with `bad`."""
    bad: str | None = Field(default=None, min_length=1)
    """Token that it is compared with."""
    aggregate: Aggregate = "min"
    """What the score of a reasoning is of those of its steps."""

    @model_validator(mode="after")
    def _belong(self) -> Self:
        if (self.good is None) != (self.bad is None):
            raise ValueError("good and bad belong together")
        if self.join and self.step_token is None:
            raise ValueError("join stands behind a step_token; give one")
        return self


class Adapter(Record):
    """What a model's own files do not say, or say wrongly; None leaves it to them."""

    template: str | None = None
    """Chat template (jinja) in place of the tokenizer's; it sees `messages`: a user's and an assistant's."""
    pooling: Pooling | None = None
    """What the head of a decoder is applied to; without it the last real token, as long as the model does so too."""
    label: Label | tuple[Label, Label] | None = None
    """Label whose logit is the score, or [a, b]: logit a minus logit b."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Type of the weights; without it bfloat16 on a GPU, float32 on a CPU."""
    max_tokens: int | None = Field(default=None, ge=2)
    """Longest text that is read, tokens; at most the model's context."""
    judge: JudgeKeys | None = None
    """For --as judge and judge-pairs."""
    steps: StepKeys | None = None
    """For --as steps."""


def read_adapter(path: Path, method: Method) -> Adapter:
    """Returns the adapter in a file.

    Raises:
        InputError: no such file, not YAML, or an unknown or wrong key, or one that the method does not read.
    """
    adapter = _read(path)
    for key in sorted(MEANINGLESS[method] & adapter.model_fields_set):
        if getattr(adapter, key) is not None:
            raise InputError(f"{path}: `{key}` has no meaning with --as {method}; remove it")
    return adapter


def _read(path: Path) -> Adapter:
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
        nested = _NESTED.get(place)
        if nested and len(first["loc"]) > 1:
            place += f".{first['loc'][1]}"
        known = ", ".join((nested or Adapter).model_fields)
        raise InputError(f"{path}, key {place!r}: {first['msg']}; the keys are {known}") from error


_NESTED: dict[str, type[Record]] = {"judge": JudgeKeys, "steps": StepKeys}


def adapter_note(path: Path, adapter: Adapter) -> str:
    """Returns what a reader of the scores must know: which file, and what it sets."""
    digest = hashlib.sha256(adapter.model_dump_json().encode()).hexdigest()
    fields = adapter.model_dump(mode="json", exclude_none=True)
    told = [name if name == "template" else f"{name} {value}" for name, value in fields.items()]
    return f"adapter {path.name} (sha256 {digest[:16]}): {', '.join(told) or 'sets nothing'}"
