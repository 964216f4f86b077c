"""What requests have cost: counted as they are settled, summed over as many calls as one likes."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lcb_rb.inference.chat import Failure, Reply

REASONS = 50
"""Different reasons that are told apart; servers may write the length of the prompt into each."""
OTHER = "other reasons"


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost, in any currency."""

    prompt: float | None = None
    """Of prompts; None when unknown."""
    completion: float | None = None
    """Of answers; None when unknown."""


@dataclass(slots=True)
class Tokens:
    """Tokens of several replies."""

    prompt: int = 0
    """Of their prompts."""
    completion: int = 0
    """Of the answers, thinking included."""

    def add(self, reply: Reply) -> None:
        """Adds those of a reply."""
        prompt, completion = reply.tokens
        self.prompt += prompt
        self.completion += completion

    def cost(self, prices: Prices) -> float | None:
        """Returns what they cost; None when a price is not known."""
        if prices.prompt is None or prices.completion is None:
            return None
        return round((self.prompt * prices.prompt + self.completion * prices.completion) / 1e6, 6)


@dataclass(slots=True)
class Spent:
    """What was asked and what it took; replies that were there already are told apart from those paid for now."""

    answered: int = 0
    """Requests that were answered now."""
    known: int = 0
    """Requests whose reply was there already."""
    attempts: int = 0
    """Times that something was sent."""
    refused: int = 0
    """Failures that a repetition would meet again."""
    untold: int = 0
    """Replies that do not say their tokens; they are missing in sums and costs."""
    failed: Counter[str] = field(default_factory=Counter)
    """Requests without an answer, by reason; the refused ones are among them."""
    paid: Tokens = field(default_factory=Tokens)
    """Tokens of what was answered now."""
    total: Tokens = field(default_factory=Tokens)
    """Tokens of all replies, those that were there already included."""
    wall_s: float = 0.0
    """Time that the calls took, seconds."""

    @property
    def requests(self) -> int:
        """All that were settled."""
        return self.answered + self.known + self.failed.total()

    def note(self, found: Reply | Failure, *, known: bool = False) -> None:
        """Counts what came of a request.

        Args:
            found: It.
            known: Whether it was there already.
        """
        if not known:
            self.attempts += found.attempts
        if isinstance(found, Failure):
            self.failed[found.reason if found.reason in self.failed or len(self.failed) < REASONS else OTHER] += 1
            self.refused += found.refused
            return
        self.known += known
        self.answered += not known
        self.untold += found.tokens == (0, 0)
        self.total.add(found)
        if not known:
            self.paid.add(found)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Adds the time of the block."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.wall_s += time.monotonic() - start

    def as_dict(self, prices: Prices | None = None) -> dict[str, Any]:
        """Returns everything as JSON."""
        known = prices or Prices()
        return {
            "requests": self.requests,
            "answered": self.answered,
            "from_cache": self.known,
            "attempts": self.attempts,
            "failed": dict(self.failed.most_common()),
            "refused": self.refused,
            "without_usage": self.untold,
            "prompt_tokens": self.paid.prompt,
            "completion_tokens": self.paid.completion,
            "cost": self.paid.cost(known),
            "total_prompt_tokens": self.total.prompt,
            "total_completion_tokens": self.total.completion,
            "total_cost": self.total.cost(known),
            "wall_s": round(self.wall_s, 3),
        }

    def as_text(self, prices: Prices | None = None) -> str:
        """Returns it in two or three lines."""
        known = prices or Prices()
        now = _told(self.paid, known)
        lines = [f"{self.answered} requests answered now: {now}"]
        lines += [f"{self.known} replies were there already; with them: {_told(self.total, known)}"] * bool(self.known)
        lines += [f"{self.untold} replies do not say their tokens"] * bool(self.untold)
        if self.failed:
            reasons = "; ".join(f"{count} x {reason}" for reason, count in self.failed.most_common())
            lines.append(f"{self.failed.total()} requests failed: {reasons}")
        return "\n".join(lines)


def _told(tokens: Tokens, prices: Prices) -> str:
    cost = tokens.cost(prices)
    said = f"{tokens.prompt} tokens of prompts, {tokens.completion} of answers"
    return said if cost is None else f"{said}, cost {cost:g}"
