"""The answers of one reviewer: a file of lines, each written through to the disk before the page goes on."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal, TextIO

from pydantic import Field, ValidationError

from builders.review.blind import Sheet
from lcb_rb.errors import InputError, input_error
from lcb_rb.journals import opened_lines
from lcb_rb.schema import Record

Choice = Literal["left", "right", "equal", "unsure"]
"""Which reasoning is the better one; equal: neither, or both are flawed alike; unsure: the reviewer cannot judge."""

Reason = Literal["false_claim", "gap", "incoherent", "missed_case", "wrong_approach", "too_slow", "other"]
"""What is wrong with the worse reasoning, or with both."""

REASONS: dict[Reason, str] = {
    "false_claim": "false claim",
    "gap": "gap or unproven step",
    "incoherent": "contradicts itself",
    "missed_case": "missed case",
    "wrong_approach": "approach cannot work",
    "too_slow": "too slow",
    "other": "other",
}
"""How the page says it, in the order of its keys."""

_NAME = re.compile(r"\w[\w .@+-]{0,63}")


class Judgement(Record):
    """What the page sends."""

    place: int = Field(ge=0)
    """Of the pair in the reviewer's order."""
    choice: Choice | None
    """None takes the answer back."""
    reasons: tuple[Reason, ...] = Field(default=(), max_length=7)
    """From the list."""
    note: str = Field(default="", max_length=4000)
    """In the reviewer's own words."""
    seconds: float = Field(default=0.0, ge=0)
    """For how long the pair was looked at."""


class Answer(Record):
    """One line of the file; the last one about a pair counts."""

    pair: str
    """Id."""
    choice: Choice | None
    """None: the answer was taken back."""
    reasons: tuple[Reason, ...]
    """From the list."""
    note: str
    """In the reviewer's own words."""
    seconds: float
    """For how long the pair was looked at."""
    left: str
    """`text_hash` of the reasoning on the left: what the choice means does not hang on how sides are drawn."""
    reviewer: str
    """Name."""
    seed: int
    """Of order and sides."""
    revision: str
    """Content hash of the dataset."""


class Book:
    """The answers that count, and the stream that takes more."""

    def __init__(self, stream: TextIO, answers: Iterable[Answer]) -> None:
        """Appends to the stream; `answers` is what its file holds."""
        self._stream, self._answers, self._lock = stream, _last(answers), Lock()

    def get(self, pair: str) -> Answer | None:
        """Returns the answer that counts."""
        return self._answers.get(pair)

    def put(self, answer: Answer) -> None:
        """Writes an answer through to the disk.

        Raises:
            OSError: the disk did not take it; nothing has changed.
        """
        with self._lock:  # two tabs may answer at once
            self._stream.write(answer.model_dump_json() + "\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
            if answer.choice is None:
                self._answers.pop(answer.pair, None)
            else:
                self._answers[answer.pair] = answer


@contextmanager
def opened(path: Path, sheet: Sheet) -> Iterator[Book]:
    """Yields a reviewer's answers; the file is made when missing, and removed again if it stays empty.

    Raises:
        InputError: it holds the answers of another reviewer, seed or dataset, or another process is writing it.
    """
    with opened_lines(path) as (stream, lines):
        answers = list(_parsed(lines))
        if not answers and any(line.strip() for line in lines):
            raise input_error(path, "holds no answers", "choose another --out")
        for answer in answers:
            _refuse_other(path, answer, {name: getattr(sheet, name) for name in ("reviewer", "seed", "revision")})
        yield Book(stream, answers)


def read_answers(path: Path, revision: str) -> tuple[str, dict[str, Answer]]:
    """Returns the name of the reviewer and the answers that count, by pair.

    Raises:
        InputError: the file cannot be read, holds no answers, those of several reviewers, or of another dataset.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise input_error(path, f"cannot be read ({error.strerror})", "name a file of `recode review`") from error
    answers = list(_parsed(lines))
    if not answers:
        raise input_error(path, "holds no answers", "name a file that `recode review` wrote")
    for answer in answers:
        _refuse_other(path, answer, {"reviewer": answers[0].reviewer, "revision": revision})
    return answers[0].reviewer, _last(answers)


def checked_name(name: str) -> str:
    """Returns a reviewer's name that can be part of a file name.

    Raises:
        InputError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"--reviewer {name!r}: letters, digits, spaces and .@+-_ only, 64 at most; choose another name"
        )
    return name


def _last(answers: Iterable[Answer]) -> dict[str, Answer]:
    by_pair = {answer.pair: answer for answer in answers}
    return {pair: answer for pair, answer in by_pair.items() if answer.choice is not None}


def _parsed(lines: Iterable[str]) -> Iterator[Answer]:
    for line in lines:
        try:
            yield Answer.model_validate_json(line)
        except ValidationError:
            continue  # blank, or torn by a kill: the page was not told that it was saved


def _refuse_other(path: Path, answer: Answer, expected: Mapping[str, str | int]) -> None:
    for field, value in expected.items():
        found = getattr(answer, field)
        if found != value:
            what = {
                "reviewer": f"holds answers of {found!r}, not of {value!r}",
                "seed": f"was begun with --seed {found}",
                "revision": "holds answers about other pairs: the dataset, its --config or its --split is another one",
            }[field]
            raise input_error(path, what, "choose another file, or repeat what it was begun with")
