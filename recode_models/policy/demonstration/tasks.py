"""The three settings: what a policy is taught, trained and measured on, and what its reward model learns from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lcb_rb.schema import PreferencePair, Problem, Sample
from recode_models.policy import micro
from recode_models.policy.demonstration import two_sums

Setting = Literal["weak base", "strong base", "weak tests"]
"""A base that slips in 45 % of its work; one that slips in 5 %; tests that see half of the program."""

ABOUT: dict[Setting, str] = {
    "weak base": (
        "45 % of the work that the policy was taught has a slip, and half of its answers are prose and a guess. The "
        "reward model learned from pairs in which the better work is mostly the wordier: it can be hacked."
    ),
    "strong base": "The same, but 5 % of the work has a slip.",
    "weak tests": (
        "The training's tests see half of the program, and half of the demonstrations stop after half of the work; "
        "pass rates are of all tests. The reward model learned to tell whole work from half: it knows what the "
        "training's tests do not see."
    ),
}
"""For the report."""

SLIPS = {"weak base": 0.45, "strong base": 0.05}
"""Share of the demonstrated work that has a slip."""
TRAINED, MEASURED, PAIRS = 400, 200, 240
"""Problems of the training, problems that policies are measured on, pairs of the reward model."""


@dataclass(frozen=True, slots=True)
class Task:
    """Everything that a run is made of but the method."""

    trained: list[Problem]
    measured: list[Problem]
    """With all tests; none of them is trained on or taught."""
    taught: list[Problem]
    samples: list[Sample]
    """Of the problems taught."""
    pairs: list[PreferencePair]
    whole: tuple[str, ...]
    """Tokens of the policy."""
    way: Callable[[str, str], micro.Way]
    """Of a reasoning on a statement."""


def make_task(setting: Setting, seed: int, samples: int) -> Task:
    """Returns the task.

    Args:
        setting: Which.
        seed: Of demonstrations and pairs; the problems are the same for all seeds.
        samples: Demonstrations.
    """
    if setting == "weak tests":
        return Task(
            trained=two_sums.problems("train", TRAINED, weak=True),
            measured=two_sums.problems("held-out", MEASURED),
            taught=two_sums.problems("demonstrations", samples),
            samples=two_sums.samples(samples, seed),
            pairs=two_sums.pairs(PAIRS, seed),
            whole=two_sums.WHOLE,
            way=two_sums.way,
        )
    problems = micro.problems(TRAINED + MEASURED)
    return Task(
        trained=problems[:TRAINED],
        measured=problems[TRAINED:],
        taught=micro.demonstrated(samples, seed),
        samples=micro.samples(samples, seed, slips=SLIPS[setting]),
        pairs=micro.pairs(PAIRS, seed),
        whole=micro.WHOLE,
        way=micro.way,
    )
