"""What recipes of reward models and of policies share: the model, its adapters and the trainer's options."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from lcb_rb.schema import Record

_OURS = {"seed": "give seed at the top of the recipe", "output_dir": "give --out"}
_SWITCHES: dict[str, dict[bool, str]] = {
    **{f"{what}_strategy": {False: "no"} for what in ("eval", "save", "logging")},
    "scale_rewards": {True: "group", False: "none"},
}
"""Trainer options that are words, where YAML makes false of the word `no`, and TRL takes true and false for them."""


def _in_words(training: dict[str, Any]) -> dict[str, Any]:
    for name, fix in _OURS.items():
        if name in training:
            raise ValueError(f"{name} is not for the trainer's options: {fix}")
    switches = {name: value for name, value in training.items() if isinstance(value, bool)}
    return training | {name: _SWITCHES.get(name, {}).get(value, value) for name, value in switches.items()}


TrainingOptions = Annotated[dict[str, Any], AfterValidator(_in_words)]
"""Fields of a TRL config; `arguments.read_options` reads their values."""


class ModelRecipe(Record):
    """What is trained: an existing model, or a new small one."""

    id: str | None = None
    """Directory or Hub id of the model to start from."""
    revision: str | None = None
    """Commit or tag on the Hub."""
    config: dict[str, Any] | None = None
    """Fields of a transformers config with `model_type`, for a model with random weights."""
    vocab_size: int = Field(default=4096, ge=300)
    """Tokens of the tokenizer that is trained on the data, with `config` only."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights, with `id` only; `training.bf16` computes in bfloat16 beside float32 weights."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "ModelRecipe":
        if (self.id is None) == (self.config is None):
            raise ValueError("give either id or config")
        if self.config is not None and "model_type" not in self.config:
            raise ValueError("config needs a model_type")
        return self


class LoraRecipe(Record):
    """Low-rank adapters on the model's layers; the head is always trained whole. Merged when the training ends."""

    r: int = Field(default=32, ge=1)
    """Rank."""
    alpha: int = Field(default=64, ge=1)
    """Scale: an adapter counts alpha / r."""
    target_modules: str | list[str] = "all-linear"
    """Layers that get one, as peft names them."""
