"""What the trainings say of a model in its directory, as far as its card needs it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from lcb_rb.cards import understood
from lcb_rb.errors import input_error
from lcb_rb.schema import Accuracy, Isolation, PassAtK
from lcb_rb.scorers.calibrated import RewardScale
from lcb_rb.tables import COMMIT_CHARS

RECORD = "recode.json"
"""What `recode train` says of a model."""

_FIX = "train the model again"
_ONLY_POLICIES = "kept_step"


class _Read(BaseModel):
    """Fields that the card needs; more are passed over."""

    model_config = ConfigDict(frozen=True)


class TrainingRecord(_Read):
    """What every training says."""

    package_version: str
    versions: dict[str, str] = Field(default_factory=dict)
    recipe: dict[str, Any]
    base_revision: str | None = None

    @property
    def base(self) -> str | None:
        """Name of the model that the training started from; None for random weights."""
        model = self.recipe.get("model")
        found = model.get("id") if isinstance(model, dict) else None
        return found if isinstance(found, str) else None

    @property
    def base_on_hub(self) -> str | None:
        """Id on the Hub of that model; None for one of another place."""
        base, revision = self.base, self.base_revision
        placed = base and base.count("/") == 1 and not base.startswith((".", "/", "~"))
        return base if placed and (revision is None or is_commit(revision)) else None


class Cell(_Read):
    """Mean reward of right or wrong reasonings in one style."""

    reasoning: str
    style: str
    n: int
    mean: float | None


class Probe(_Read):
    """The style probe of a reward model."""

    source: str
    calibrated: bool
    cells: list[Cell]
    n: int
    style_beats_substance: float | None


class RewardRecord(TrainingRecord):
    """What `recode train reward` says."""

    data: str | None = None
    data_revision: str
    pairs_given: int
    pairs_kept: int
    validation: Accuracy | None = None
    style_probe: Probe | None = None
    calibration: RewardScale | None = None


class Source(_Read):
    """Problems that were read together."""

    name: str
    revision: str
    problems: int


class Prompt(_Read):
    """What the policy was asked with."""

    name: str
    sha256: str
    template: str | None = None


class PolicyData(_Read):
    """What a policy was trained and measured on."""

    sources: list[Source]
    evaluation: list[Source] = Field(default_factory=list)
    counts: dict[str, int]
    prompt: Prompt


class Process(_Read):
    """The reward model of a policy."""

    name: str
    revision: str
    notes: list[str] = Field(default_factory=list)


class Measurement(_Read):
    """How a policy did on held-out problems."""

    pass_rate: PassAtK
    process: float | None
    length: float


class WarmStart(_Read):
    """Supervised steps before the first reward."""

    samples: str


class Window(_Read):
    """Days whose problems were not trained on."""

    window: str | None = None


class Sampling(_Read):
    """How completions were sampled; what the recipe leaves open is TRL's to choose."""

    max_completion_length: int | None = None
    temperature: float = 1.0


class PolicyRecipe(_Read):
    """What of the recipe of a policy the card puts into words."""

    gate: Literal["strict", "soft", "none"] = "strict"
    mode: str = "grpo"
    format_weight: float = 1.0
    process_weight: float = 1.0
    warm_start: WarmStart | None = None
    data: Window = Window()
    training: Sampling = Sampling()


class PolicyRecord(TrainingRecord):
    """What `recode train policy` says."""

    asked: PolicyRecipe = Field(validation_alias=AliasPath("recipe"))
    data: PolicyData
    process: Process | None
    isolation: Isolation
    steps: int
    kept_step: int
    before: Measurement | None
    after: Measurement | None
    alarms: list[str]


@dataclass(frozen=True, slots=True)
class Part:
    """What a card says of one kind of model."""

    body: str
    """Text below the title."""
    pipeline_tag: str
    """Task, as the Hub names it."""
    tags: list[str]
    """By which it is found."""
    datasets: list[str] = field(default_factory=list)
    """Ids on the Hub of what it was trained on."""


def read_fields(path: Path) -> Any:
    """Returns what stands in the record of a training.

    Raises:
        InputError: it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise input_error(path, f"is no JSON ({error})", _FIX) from error


def placeless(fields: Any) -> Any:
    """Returns the fields of a record; its recipe, which has names as they were given, without absolute paths."""
    if isinstance(fields, dict) and "recipe" in fields:
        return {**fields, "recipe": _bare(fields["recipe"])}
    return fields


def record_of(fields: Any, path: Path) -> RewardRecord | PolicyRecord:
    """Returns the record of a training.

    Raises:
        InputError: a field is missing or of the wrong kind.
    """
    if isinstance(fields, dict) and _ONLY_POLICIES in fields:
        return understood(PolicyRecord, fields, path, _FIX)
    return understood(RewardRecord, fields, path, _FIX)


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bare(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_bare(one) for one in value]
    return bare(value) if isinstance(value, str) else value


def bare(words: str) -> str:
    """Returns words with absolute paths cut down to their last name."""
    absolute = ("/", "~", "./", "../")
    return " ".join(Path(word).name or word if word.startswith(absolute) else word for word in words.split(" "))


def is_commit(revision: str) -> bool:
    """Returns whether a revision is a commit on the Hub; content hashes are longer."""
    return len(revision) == COMMIT_CHARS


def revision_text(revision: str) -> str:
    """Returns a revision as a card shows it: the whole commit, the start of a hash, or any other name."""
    if is_commit(revision):
        return f"commit `{revision}`"
    digest = revision.removeprefix("sha256:")
    return f"sha256 `{digest[:16]}`" if len(digest) > COMMIT_CHARS else f"`{revision}`"


def base_text(record: TrainingRecord) -> str:
    """Returns what the training started from."""
    if record.base is None:
        return "random weights"
    named = f"`{record.base}`"
    return f"{named} at {revision_text(record.base_revision)}" if record.base_revision else named
