"""What a test says to the server beside the Hub's own interface: the faults to make, and what was asked so far."""

import re
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

Action = Literal["drop", "status", "lose_response", "hold"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What shall happen to some requests; hands itself on with one request less to do.

    `drop` cuts the connection before anything is done, `lose_response` after the work, `status` answers in place of
    the work, `hold` waits first.
    """

    action: Action = "drop"
    method: str = ".*"
    """Regular expression found in the method."""
    path: str = ".*"
    """Regular expression found in the path, which is percent-encoded and has no query."""
    times: int = 1
    """How many matching requests."""
    skip: int = 0
    """How many matching requests pass before."""
    status: int = 503
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 0
    """For `drop`: how many bytes of the body are read first."""
    seconds: float = 0.0
    """For `hold`."""

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise ValueError(f"action {self.action!r}: choose one of {', '.join(get_args(Action))}")

    def matches(self, method: str, path: str) -> bool:
        return bool(self.times and re.search(self.method, method) and re.search(self.path, path))

    def counted(self) -> "Rule":
        return replace(self, skip=self.skip - 1) if self.skip else replace(self, times=self.times - 1)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was answered or cut."""

    method: str
    path: str
    """Percent-encoded, without the query."""
    query: str
    status: int
    """0: the connection was cut."""
    fault: str | None
    """The action of the rule that hit it."""
    time: float
    """Seconds since the epoch."""
    duration_ms: int
    agent: str
    """The start of the `User-Agent`."""
    authorized: bool
    """Whether a token was sent."""
    host: str


class Control:
    """The rules in force and the requests so far; used by the event loop alone."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.seen: list[Seen] = []

    def fired(self, method: str, path: str) -> list[Rule]:
        """The rules that hit a request: every `hold`, then the first fault, which hides the request from later ones."""
        hit: list[Rule] = []
        faulty = False
        for place, rule in enumerate(self.rules):
            if not rule.matches(method, path) or (faulty and rule.action != "hold"):
                continue
            self.rules[place] = rule.counted()
            if not rule.skip:
                hit.append(rule)
                faulty = faulty or rule.action != "hold"
        return sorted(hit, key=lambda rule: rule.action != "hold")
