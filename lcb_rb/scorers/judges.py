"""Generative judges: a model is asked how good a reasoning is, or which of two is the better one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lcb_rb.scorers.adapter import JudgeKeys
from lcb_rb.scorers.base import Item
from lcb_rb.scorers.judges_prompt import PAIRWISE, POINTWISE, Prompt, Question, read_prompt


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judge says to one question."""

    chances: Mapping[str, float]
    """Probability of each allowed answer, 1 together; empty where there is no answer."""
    mass: float | None = None
    """What the allowed answers held of the whole probability; None where only the answer as written is known."""
    reason: str = ""
    """Why there is no answer."""


def weighed(masses: Mapping[str, float]) -> Answer:
    """Returns the answer that follows from the probabilities of the allowed answers among all others."""
    whole = sum(masses.values())
    if not whole > 0:  # NaN, too
        return Answer({}, reason="the allowed answers have no probability")
    return Answer({answer: mass / whole for answer, mass in masses.items()}, min(whole, 1.0))


class Oracle(Protocol):
    """Answers questions by one of a few words: an endpoint, or a model on this machine."""

    name: str
    """Model."""
    revision: str
    """Hash of its weights, or the parameters that decide its answers."""
    notes: list[str]
    """What a reader of the answers must know before the first of them."""

    def safe(self, text: str) -> str:
        """Returns a text of strangers such that no part of it is read as a control token."""

    def answers(
        self, questions: Sequence[Question], allowed: Sequence[str], advance: Callable[[], None]
    ) -> list[Answer]:
        """Returns an answer a question; calls `advance` once a question."""

    def told(self) -> list[str]:
        """Returns what to say about the questions asked last, such as what they cost."""

    def keeping(self, journal: Path) -> AbstractContextManager[None]:
        """Keeps the answers in a file for as long as it is open, and finds them there."""


class Judge:
    """What both judges share."""

    def __init__(self, oracle: Oracle, kind: str, keys: JudgeKeys, directory: Path) -> None:
        self._oracle = oracle
        self._prompt: Prompt = read_prompt(kind, directory / keys.prompt if keys.prompt else None)
        self.revision = oracle.revision
        self._facts = [*oracle.notes, f"prompt {kind.removesuffix('.txt')} ({self._prompt.digest})"]
        self.notes = list(self._facts)

    def keeping(self, journal: Path) -> AbstractContextManager[None]:
        """Keeps the answers in a file for as long as it is open, so that a killed run goes on where it was."""
        return self._oracle.keeping(journal)

    def _asked(self, key: str, untrusted: Mapping[str, str], ours: Mapping[str, str]) -> Question:
        safe = {name: self._oracle.safe(text) for name, text in untrusted.items()}
        return Question(key, self._prompt.filled(safe, ours))

    def _note(self, answers: Sequence[Answer], *more: str) -> None:
        self.notes = [*self._facts, *more, *_ways(answers), *self._oracle.told()]


class PointwiseJudge(Judge):
    """Scores a reasoning by a rating, its mean where the probability of every rating is known, from 0 to 1."""

    def __init__(self, oracle: Oracle, keys: JudgeKeys = JudgeKeys(), directory: Path = Path()) -> None:  # noqa: B008
        """Reads the prompt.

        Args:
            oracle: What is asked.
            keys: Prompt and scale.
            directory: Where a prompt of one's own lies.
        """
        super().__init__(oracle, POINTWISE, keys, directory)
        self.name = f"{oracle.name} (judge)"
        self._low, self._high = keys.scale
        self._facts.append(f"score: rating from {self._low} to {self._high}, mapped to 0 to 1")

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns one score an item, None where the judge gave no rating."""
        ends = {"low": str(self._low), "high": str(self._high)}
        questions = [
            self._asked(item.key, {"problem": item.problem, "reasoning": item.reasoning}, ends) for item in items
        ]
        allowed = [str(rating) for rating in range(self._low, self._high + 1)]
        answers = self._oracle.answers(questions, allowed, advance)
        self._note(answers)
        return [self._score(answer) for answer in answers]

    def _score(self, answer: Answer) -> float | None:
        if not answer.chances:
            return None
        mean = sum(int(rating) * chance for rating, chance in answer.chances.items())
        return (mean - self._low) / (self._high - self._low)


class PairwiseJudge(Judge):
    """Scores the sides of a pair by how far the judge prefers them, averaged over both orders; 1 together."""

    def __init__(self, oracle: Oracle, keys: JudgeKeys = JudgeKeys(), directory: Path = Path()) -> None:  # noqa: B008
        """Reads the prompt; the arguments are those of PointwiseJudge."""
        super().__init__(oracle, PAIRWISE, keys, directory)
        self.name = f"{oracle.name} (judge-pairs)"
        self._facts.append("score: preference over the other side, mean of both orders")

    def score_pairs(
        self, pairs: Sequence[tuple[Item, Item]], advance: Callable[[], None] = lambda: None
    ) -> list[tuple[float | None, float | None]]:
        """Returns the scores of the two sides of each pair, None where one of the two orders has no answer."""
        questions = [self._shown(*sides) for pair in pairs for sides in (pair, pair[::-1])]
        answers = self._oracle.answers(questions, ("A", "B"), advance)
        preferred = [(answers[2 * at], answers[2 * at + 1]) for at in range(len(pairs))]
        both = [(one.chances["A"], other.chances["A"]) for one, other in preferred if one.chances and other.chances]
        changed = sum(_sign(one - 0.5) != _sign(0.5 - other) for one, other in both)
        self._note(answers, f"{changed} of {len(both)} pairs are decided otherwise when the order is turned")
        return [_sides(one, other) for one, other in preferred]

    def _shown(self, first: Item, second: Item) -> Question:
        texts = {"problem": first.problem, "a": first.reasoning, "b": second.reasoning}
        return self._asked(first.key, texts, {})


def _sides(straight: Answer, turned: Answer) -> tuple[float | None, float | None]:
    if not straight.chances or not turned.chances:
        return None, None
    first, second = straight.chances["A"], turned.chances["A"]
    return (first + (1.0 - second)) / 2, (second + (1.0 - first)) / 2


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _ways(answers: Sequence[Answer]) -> list[str]:
    """Returns how the answers were read, and what became of those that could not be."""
    masses = [answer.mass for answer in answers if answer.mass is not None]
    missing = Counter(answer.reason for answer in answers if not answer.chances)
    written = len(answers) - len(masses) - missing.total()
    notes = [f"{len(masses)} of {len(answers)} answers are weighted by the probability of their tokens"] * bool(masses)
    notes += [f"{written} of {len(answers)} answers are taken as written, without probabilities"] * bool(written)
    low = sum(mass < 0.5 for mass in masses)
    notes += [f"the allowed answers hold less than half of the probability in {low} of {len(masses)}"] * bool(low)
    if missing:
        reason, count = min(missing.items(), key=lambda found: (-found[1], found[0]))
        notes.append(f"{missing.total()} of {len(answers)} answers are missing; most often ({count}): {reason}")
    return notes
