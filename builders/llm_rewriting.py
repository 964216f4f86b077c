"""Better and worse variants of a reasoning, written by a language model; what is no usable answer is counted."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from builders.filters import Drop
from builders.gates.limits import GateLimits, fits
from builders.llm_edits import edits_between
from builders.llm_prompts import DIRECTIONS, RewritePrompts, encodable
from lcb_rb.inference import ChatRequest, Endpoint, Failure, Message, Reply, Store, asked
from lcb_rb.inference.client import CONCURRENCY, TIMEOUT_S
from lcb_rb.inference.spending import Spent
from lcb_rb.schema import Dimension, Direction, Problem, Record, Sample, Variant

_REWRITE = re.compile(r"<rewrite>(?P<text>.*)</rewrite>", re.DOTALL)


class RewriteOptions(Record):
    """How a model is asked; a recipe names what differs."""

    temperature: float = Field(default=0.7, ge=0)
    """0 for the likeliest tokens."""
    max_tokens: int = Field(default=4096, ge=1)
    """Most tokens of an answer, its thinking included."""
    seed: int = 0
    """From which each request's own seed is drawn."""
    concurrency: int = Field(default=CONCURRENCY, ge=1)
    """Requests at a time."""
    timeout_s: float = Field(default=TIMEOUT_S, gt=0)
    """Longest wait for one answer, seconds."""


@dataclass(frozen=True, slots=True)
class Task:
    """One variant that is wanted."""

    sample: Sample
    problem: Problem
    dimension: Dimension
    direction: Direction


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a task."""

    task: Task
    outcome: Variant | Drop


@dataclass(frozen=True, slots=True)
class Rewrites:
    """What a model made of some samples."""

    attempts: list[Attempt]
    """In the order of samples, dimensions and directions."""
    n_repaired: int
    """Variants that were asked for once more, for their length."""

    @property
    def variants(self) -> list[Variant]:
        """What can be used."""
        return [attempt.outcome for attempt in self.attempts if isinstance(attempt.outcome, Variant)]

    @property
    def drops(self) -> Counter[str]:
        """Why the others cannot."""
        return Counter(attempt.outcome.reason for attempt in self.attempts if isinstance(attempt.outcome, Drop))


class LlmRewriter:
    """Asks for one better and one worse variant per sample and dimension."""

    def __init__(
        self,
        place: Endpoint,
        replies: Store,
        prompts: RewritePrompts,
        options: RewriteOptions = RewriteOptions(),  # noqa: B008
        limits: GateLimits = GateLimits(),  # noqa: B008
        spent: Spent | None = None,
    ) -> None:
        """Keeps what is asked.

        Args:
            place: Model and address.
            replies: Where replies are found and kept.
            prompts: What is asked of the model.
            options: How it is asked.
            limits: Of the length.
            spent: Where requests are counted.
        """
        self._spent = spent
        self._place, self._replies, self._prompts = place, replies, prompts
        self._options, self._limits = options, limits
        self.name = f"{place.model} prompt {prompts.digest}"

    def rewrite(
        self,
        samples: Sequence[Sample],
        problems: Mapping[str, Problem],
        dimensions: Sequence[Dimension] = tuple(Dimension),
        advance: Callable[[], None] = lambda: None,
    ) -> Rewrites:
        """Returns the variants of some thousands of samples at most, and why others are missing.

        A variant that is too long or too short, beside the original or beside its counterpart, is asked for once more.

        Args:
            samples: Accepted samples.
            problems: By id.
            dimensions: Sides of quality to change.
            advance: Called once for every variant that is wanted, when the first answer is there.

        Raises:
            InputError: the key is refused, or the model is unknown.
            EndpointError: the endpoint cannot be reached, or it fails again and again; what was answered is kept.
        """
        tasks = [
            Task(sample, problems[sample.problem_id], dimension, direction)
            for sample in samples
            for dimension in dimensions
            for direction in DIRECTIONS
        ]
        requests = [self.request(task) for task in tasks]
        found = [read_rewrite(each) for each in self._asked(requests, advance)]
        wrong = [at for at in range(len(tasks)) if self._is_wrong(at, tasks, found)]
        repairs = self._asked([self._repair(tasks[at], requests[at], str(found[at])) for at in wrong], lambda: None)
        for at, reply in zip(wrong, repairs, strict=True):
            found[at] = self._better(tasks[at], str(found[at]), read_rewrite(reply))
        return Rewrites([self._attempt(*each) for each in zip(tasks, found, strict=True)], len(wrong))

    def request(self, task: Task) -> ChatRequest:
        """Returns the request for a variant."""
        sample, problem = task.sample, task.problem
        content = self._prompts.rewriting(task.direction, task.dimension, problem.statement, sample.reasoning)
        return ChatRequest(
            messages=(Message(role="user", content=content),),
            max_tokens=self._options.max_tokens,
            temperature=self._options.temperature,
            seed=_seed(self._options.seed, sample.id, task.dimension, task.direction),
        )

    def _asked(self, requests: Sequence[ChatRequest], advance: Callable[[], None]) -> list[Reply | Failure]:
        options = self._options
        return asked(
            self._place,
            requests,
            self._replies,
            advance,
            concurrency=options.concurrency,
            timeout_s=options.timeout_s,
            spent=self._spent,
        )

    def _is_wrong(self, at: int, tasks: Sequence[Task], found: Sequence[str | Drop]) -> bool:
        """Returns whether a text does not fit its original, or is the one that makes two counterparts misfit."""
        text, other = found[at], found[at ^ 1]  # counterparts are neighbours
        size = len(tasks[at].sample.reasoning)
        if isinstance(text, Drop):
            return False
        if not fits(text, tasks[at].sample.reasoning, self._limits):
            return True
        if isinstance(other, Drop) or not fits(other, tasks[at].sample.reasoning, self._limits):
            return False
        away, others = abs(len(text) - size), abs(len(other) - size)
        return not fits(text, other, self._limits) and (away, at % 2) > (others, (at + 1) % 2)

    def _repair(self, task: Task, request: ChatRequest, text: str) -> ChatRequest:
        size, limits = len(task.sample.reasoning), self._limits
        again = self._prompts.of_length(
            len(text), size, round(size * (1 + limits.min_ratio) / 2), round(size * (1 + limits.max_ratio) / 2)
        )
        answer = Message(role="assistant", content=f"<rewrite>\n{text}\n</rewrite>")
        return request.model_copy(update={"messages": (*request.messages, answer, Message(role="user", content=again))})

    def _better(self, task: Task, first: str, second: str | Drop) -> str | Drop:
        """Returns the second text when it fits, else the first when it does, else why there is none."""
        fitting = [
            text
            for text in (second, first)
            if isinstance(text, str) and fits(text, task.sample.reasoning, self._limits)
        ]
        return fitting[0] if fitting else Drop("length_ratio")

    def _attempt(self, task: Task, found: str | Drop) -> Attempt:
        if isinstance(found, Drop):
            return Attempt(task, found)
        variant = Variant(
            sample_id=task.sample.id,
            reasoning=found,
            direction=task.direction,
            dimension=task.dimension,
            edits=edits_between(task.sample.reasoning, found, task.dimension),
            rewriter=self.name,
        )
        return Attempt(task, variant)


def read_rewrite(found: Reply | Failure) -> str | Drop:
    """Returns the text between the markers, or why there is none."""
    if isinstance(found, Failure):
        return Drop("rewrite_unanswered")
    if found.refusal or found.finish_reason == "content_filter":
        return Drop("rewrite_refused")
    if found.finish_reason == "length":
        return Drop("rewrite_cut")
    match = _REWRITE.search(found.text.rpartition("</think>")[2])
    text = encodable(match["text"].strip()) if match else ""
    return Drop("rewrite_unparsed") if not text or "<rewrite>" in text or "</rewrite>" in text else text


def _seed(*parts: object) -> int:
    """Returns a number that any endpoint takes, which depends on all parts."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") >> 1
