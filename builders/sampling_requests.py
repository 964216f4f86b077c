"""What a model is asked for each sample: a prompt made of the problem, and a seed of its own."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from builders.sampling_recipe import SamplesRecipe
from lcb_rb.inference import ChatRequest, Message
from lcb_rb.schema import Problem
from lcb_rb.tasks import statement_of, task_of
from lcb_rb.templates import fill

PROMPT = Path(__file__).parent / "prompts" / "sample.txt"
SEED_BITS = 31
"""Of a request's seed; some endpoints refuse larger ones."""


@dataclass(frozen=True)
class Asking:
    """How problems become requests."""

    recipe: SamplesRecipe
    """Temperature, seed and so on."""

    @cached_property
    def template(self) -> str:
        """Text of the prompt, with fields."""
        return PROMPT.read_text(encoding="utf-8")

    @cached_property
    def prompt_sha256(self) -> str:
        """Of the template."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    def requests(self, problem: Problem) -> list[ChatRequest]:
        """Returns a request for every sample of a problem; more samples leave the first ones as they are."""
        content = fill(self.template, {"statement": statement_of(problem), "task": task_of(problem)})
        message = Message(role="user", content=content.strip())
        recipe = self.recipe
        return [
            ChatRequest(messages=(message,), max_tokens=recipe.max_tokens, temperature=recipe.temperature, seed=each)
            for each in seeds(recipe.seed, problem.id, recipe.n)
        ]

    def all_requests(self, problems: Iterable[Problem]) -> Iterator[ChatRequest]:
        """Yields the requests of all problems, one problem after the other."""
        for problem in problems:
            yield from self.requests(problem)


def seeds(seed: int, problem_id: str, n: int) -> list[int]:
    """Returns n different seeds; each is drawn from (seed, problem, number of the sample), anew where it came before.

    Args:
        seed: Of the run.
        problem_id: Of the problem.
        n: How many.
    """
    found: dict[int, None] = {}
    for number in range(n):
        draw = 0
        while (value := _seed(seed, problem_id, number, draw)) in found:
            draw += 1
        found[value] = None
    return list(found)


def _seed(seed: int, problem_id: str, number: int, draw: int) -> int:
    digest = hashlib.sha256(f"{seed}\0{problem_id}\0{number}\0{draw}".encode()).digest()
    return int.from_bytes(digest[:4]) >> (32 - SEED_BITS)
