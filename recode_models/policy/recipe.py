"""The recipe of a policy: a YAML file, checked before anything is loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lcb_rb.recipes import changed_recipe, read_recipe
from lcb_rb.schema import Record
from recode_models.policy.rewards import SCALES, Gate, Mode, Rule
from recode_models.recipe import LoraRecipe, ModelRecipe, TrainingOptions

RECIPES = Path(__file__).parents[1] / "recipes" / "policy"

MICRO = "micro"
"""Stands for the problems, samples and reward model of the demonstration, wherever a recipe asks for such."""


class DataRecipe(Record):
    """Which problems, and in which order."""

    problems: list[str] = Field(default_factory=list)
    """Files of problems with tests, `starter`, `micro`, or datasets on the Hub; the command line adds to them."""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """Share of the problems by which the policy is measured while it trains, chosen by their ids."""
    evaluation: list[str] = Field(default_factory=list)
    """Problems, as above, that may not be trained on: what the policy will be evaluated on."""
    window: str | None = "2024-10-01:"
    """Days, START:END, whose problems may not be trained on: LiveCodeBench's test window of the paper."""
    overlap: Literal["refuse", "drop"] = "refuse"
    """What becomes of training problems that are in `evaluation`, by id or nearly the same words, or in `window`."""
    verdicts: list[str] = Field(default_factory=list)
    """Files of `recode grade` on samples of the policy: how often it solves each problem."""
    solved: tuple[float, float] = (0.0, 1.0)
    """Problems solved at most or at least so often are left out; where `verdicts` know nothing, a problem is kept."""
    order: Literal["shuffled", "easy-first"] = "shuffled"
    """Anew in every epoch; easy-first goes by `verdicts`, then by the difficulty that the problem states."""
    max_prompt_tokens: int | None = Field(default=None, ge=1)
    """Problems with longer prompts are left out, and counted; none are when None."""
    prompt: Path | None = None
    """File, or the name of one of the package's, with {{statement}}, and {{task}} or {{starter_code}}."""

    @model_validator(mode="after")
    def _some_between(self) -> "DataRecipe":
        low, high = self.solved
        if not 0 <= low < high <= 1:
            raise ValueError(f"solved is two shares from 0 to 1, the lower one first, not {low:g} and {high:g}")
        return self


class ProcessRecipe(Record):
    """The reward model, and where it runs."""

    model: str
    """Directory, id on the Hub, or a baseline such as `length`."""
    mu: float | None = None
    """Score that becomes the process reward 1/2; the model's own calibration when None."""
    sigma: float | None = Field(default=None, gt=0)
    """Scores one unit apart; given with `mu`."""
    device: str | None = None
    """Such as `cuda:1` or `cpu`; that of the policy when None."""
    endpoint: str | None = None
    """Server that has the model loaded, as `vllm serve MODEL --runner pooling --convert classify` is; its address."""
    max_tokens: int | None = Field(default=None, ge=16)
    """Longer texts are cut in the middle; the model's own limit when None."""
    watched: int = Field(default=8, ge=0)
    """Completions a batch that did not pass and are scored all the same, for the log."""
    waves: int = Field(default=2, ge=1)
    """Parts of a batch; one is scored while the next ones are still being graded."""

    @model_validator(mode="after")
    def _both(self) -> "ProcessRecipe":
        if (self.mu is None) != (self.sigma is None):
            raise ValueError("give both mu and sigma, or neither")
        if self.endpoint and self.device:
            raise ValueError("device is where a local model runs; leave it out beside endpoint")
        return self


class GradingRecipe(Record):
    """How completions are run."""

    workers: int | None = Field(default=None, ge=1)
    """Graders of this machine, over all its processes; its own choice when None."""
    cpu_s: float = Field(default=6.0, gt=0)
    """CPU time of one test, seconds."""
    calibrate: bool = False
    """Lower `cpu_s` to ten times what a problem's reference solution needs, and at least 0.5 s, where it has one."""
    deadline_s: float = Field(default=300.0, gt=0)
    """Wall time of one batch, seconds; what is not graded by then is ungraded."""
    max_ungraded_share: float = Field(default=0.05, ge=0, le=1)
    """Share of ungraded or unscored completions above which the run ends."""
    allow_weak_isolation: bool = False
    """Run where untrusted code can only be shut in weakly, as in a container without secrets."""


class AlarmRecipe(Record):
    """When the process is paid for something else than right code."""

    window: int = Field(default=10, ge=2)
    """Steps that are compared with as many before them."""
    process_up: float = Field(default=0.05, gt=0)
    """Rise of the mean process score over all completions, and"""
    pass_down: float = Field(default=0.05, gt=0)
    """fall of the pass rate that together ring."""
    length_factor: float = Field(default=2.0, gt=1)
    """Growth of the mean length, in either direction, that rings, compared with the first window."""
    repeated: float = Field(default=0.5, gt=0, le=1)
    """Share of repeated runs of four words that rings."""
    stop: bool = False
    """End the run when the first of these, the hack itself, rings; else only warn."""


class WarmStart(Record):
    """Supervised steps before the first reward, for a model with random weights."""

    samples: str
    """File of samples with completions, which are learned, or `micro`; only those of training problems are."""
    epochs: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    batch_size: int = Field(default=32, ge=1)
    least_pass_rate: float = Field(default=0.0, ge=0, le=1)
    """On held-out problems, below which the run ends: a policy that solves nothing learns only style."""


class PolicyRecipe(Record):
    """Everything that decides a run, except where it goes."""

    seed: int = 0
    """Of initial weights, of the order of the data and of sampling."""
    cpu_threads: int | None = Field(default=None, ge=1)
    """Threads of torch on a CPU; its own choice when None."""
    model: ModelRecipe
    """The policy before the training."""
    lora: LoraRecipe | None = None
    """Train adapters only; all weights when None."""
    warm_start: WarmStart | None = None
    """Supervised steps first."""
    data: DataRecipe = DataRecipe()
    process: ProcessRecipe | None = None
    """None rewards format and outcome only."""
    gate: Gate = "strict"
    """When the process counts."""
    mode: Mode = "grpo"
    """How rewards become advantages."""
    format_weight: float = Field(default=1.0, ge=0)
    process_weight: float = Field(default=1.0, ge=0)
    grading: GradingRecipe = GradingRecipe()
    alarm: AlarmRecipe = AlarmRecipe()
    training: TrainingOptions = Field(default_factory=dict)
    """Fields of TRL's GRPOConfig."""

    @property
    def rule(self) -> Rule:
        """Gate, mode and weights."""
        weight = self.process_weight if self.process else 0.0
        return Rule(self.gate, self.mode, self.format_weight, weight)

    @model_validator(mode="after")
    def _consistent(self) -> "PolicyRecipe":
        scale = self.training.get("scale_rewards")
        if self.mode != "grpo" and scale not in (None, SCALES[self.mode]):
            raise ValueError(f"scale_rewards {scale} with mode {self.mode}, which needs {SCALES[self.mode]}; remove it")
        if self.mode == "papo" and self.gate != "strict":
            raise ValueError("papo normalises the process among correct completions; set gate: strict")
        return self


def changed(recipe: PolicyRecipe, problems: Sequence[str], model: str | None, reward_model: str | None) -> PolicyRecipe:
    """Returns the recipe with more problems, another model to start from, or another reward model.

    Raises:
        InputError: what results is no recipe.
    """
    fields = recipe.model_dump()
    fields["data"]["problems"] += problems
    if model:
        fields["model"] |= {"id": model, "revision": None, "config": None}
        fields["warm_start"] = None
    if reward_model:
        fields["process"] = {**(fields["process"] or {}), "model": reward_model, "mu": None, "sigma": None}
    return changed_recipe(PolicyRecipe, fields, "recipe with options")


def load_recipe(name: str) -> PolicyRecipe:
    """Returns the recipe in a file, or the one of that name that comes with the package.

    Raises:
        InputError: no such recipe, not YAML, or an unknown or wrong field.
    """
    return read_recipe(name, RECIPES, PolicyRecipe)
