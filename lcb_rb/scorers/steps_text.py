"""The steps of a reasoning, and the tokens at which a step model is read."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from lcb_rb.scorers.adapter import StepKeys
from lcb_rb.scorers.base import Item
from lcb_rb.scorers.texts import TextReader, Tokens

_BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class StepTokens(Tokens):
    """A text, and where its steps end."""

    spots: tuple[int, ...] = ()
    """Token of every step at which its score is read, in order."""


def steps_of(reasoning: str, keys: StepKeys) -> list[str]:
    """Returns the steps, without white space around them: what stands between separators and is not blank."""
    parts = reasoning.split(keys.separator) if keys.separator else _BLANK_LINES.split(reasoning)
    return [part.strip() for part in parts if part.strip()]


def written(reasoning: str, keys: StepKeys) -> tuple[str, list[int]]:
    """Returns the reasoning as a step model reads it, and behind which character each step is read.

    With a step token, every step is followed by it, and `join` stands between; without, the reasoning stays as it is.
    """
    steps, ends, text = steps_of(reasoning, keys), [], ""
    if keys.step_token is None:
        at = 0
        for step in steps:
            at = reasoning.index(step, at) + len(step)
            ends.append(at)
        return reasoning, ends
    for step in steps:
        text += (keys.join if text else "") + step + keys.step_token
        ends.append(len(text))
    return text, ends


@dataclass(frozen=True, slots=True)
class StepReader(TextReader):
    """Turns items into tokens whose steps are marked; needs a fast tokenizer."""

    keys: StepKeys = field(default_factory=StepKeys)
    """How steps are told apart."""

    def read(self, items: Sequence[Item]) -> list[Tokens | None]:
        """Returns the tokens of every item; None where there is no step, or too many tokens to be scored.

        Raises:
            InputError: a text does not fit, or has a token that the model does not know.
        """
        placed = [(at, found) for at, item in enumerate(items) if (found := self._placed(item))]
        read = self._marked([found for _, found in placed])
        with_steps = [items[at] for at, _ in placed]
        self._refuse_unknown(with_steps, [tokens.ids for tokens in read])
        self._refuse(with_steps, read)
        fitted: list[Tokens | None] = [None] * len(items)
        for (at, _), tokens in zip(placed, read, strict=True):
            fitted[at] = self._fitted(tokens)
        return fitted

    def _placed(self, item: Item) -> tuple[str, list[int]] | None:
        """Returns the whole text and where its steps end; None without steps, or where the template rewrites them."""
        reasoning, ends = written(item.reasoning, self.keys)
        if not ends:
            return None
        text = self._text(Item(item.key, item.problem, reasoning), reasoning=True)
        if (start := text.rfind(reasoning)) >= 0:
            return text, [start + end for end in ends]
        kept = reasoning.strip()  # templates trim
        if (start := text.rfind(kept)) < 0:
            return None
        before = len(reasoning) - len(reasoning.lstrip())
        return text, [start + min(end - before, len(kept)) for end in ends]

    def _marked(self, placed: Sequence[tuple[str, list[int]]]) -> list[StepTokens]:
        if not placed:
            return []
        found = self.tokenizer(
            [text for text, _ in placed],
            add_special_tokens=not self.tokenizer.chat_template,
            padding=False,
            truncation=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        each = zip(found["input_ids"], found["offset_mapping"], placed, strict=True)
        return [StepTokens(tuple(ids), spots=_spots(offsets, ends)) for ids, offsets, (_, ends) in each]


def _spots(offsets: Sequence[tuple[int, int]], ends: Sequence[int]) -> tuple[int, ...]:
    """Returns the last token that begins at or before the last character of each step."""
    real = [at for at, (low, high) in enumerate(offsets) if high > low]  # added special tokens have no characters
    starts = [offsets[at][0] for at in real]
    return tuple(real[max(bisect_right(starts, end - 1) - 1, 0)] for end in ends)
