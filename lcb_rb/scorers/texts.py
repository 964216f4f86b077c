"""From items to tokens: the chat template, where the reasoning begins, and what becomes of texts that do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lcb_rb.errors import InputError
from lcb_rb.scorers.base import Item, OverLong

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


TOGETHER = 32
"""Texts that are tokenised at a time: what a tokenizer makes beside the tokens takes more than 100 bytes for each."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text as a model reads it."""

    ids: tuple[int, ...]
    """Tokens, special ones included."""
    start: int = 0
    """First token that the problem alone does not explain; 0 where only the whole text is scored."""
    cut: bool = False
    """Whether tokens were left out to fit."""


@dataclass(frozen=True, slots=True)
class TextReader:
    """Turns items into tokens."""

    tokenizer: "PreTrainedTokenizerBase"
    """With its chat template, if any."""
    context: int | None
    """Most tokens that the model reads; None without a limit."""
    over_long: OverLong
    """What becomes of longer texts."""
    vocab: int | None = None
    """Tokens that the model knows, when they are counted."""
    finds_start: bool = False
    """Whether the start of the reasoning is wanted, for likelihoods; then only the problem may be cut."""

    def read(self, items: Sequence[Item]) -> list[Tokens | None]:
        """Returns the tokens of every item; None where there are none, or too many to be scored.

        Raises:
            InputError: a text does not fit and may not be cut, or has a token that the model does not know.
        """
        whole = self._tokenised([self._text(item, reasoning=True) for item in items])
        self._refuse_unknown(items, whole)
        prompts = self._tokenised([self._text(item, reasoning=False) for item in items]) if self.finds_start else whole
        pairs = zip(whole, prompts, strict=True)
        read = [Tokens(ids, _start(ids, prompt) if self.finds_start else 0) for ids, prompt in pairs]
        self._refuse(items, read)
        return [self._fitted(tokens) for tokens in read]

    def _text(self, item: Item, *, reasoning: bool) -> str:
        if not self.tokenizer.chat_template:
            return f"{item.problem}\n\n{item.reasoning if reasoning else ''}"
        messages = [{"role": "user", "content": item.problem}]
        if reasoning:
            messages.append({"role": "assistant", "content": item.reasoning})
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=not reasoning))

    def _tokenised(self, texts: list[str]) -> list[tuple[int, ...]]:
        """Returns the tokens; a chat template writes the special ones itself."""
        special = not self.tokenizer.chat_template
        found: list[tuple[int, ...]] = []
        for start in range(0, len(texts), TOGETHER):
            some = texts[start : start + TOGETHER]
            read = self.tokenizer(some, add_special_tokens=special, padding=False, truncation=False, verbose=False)
            found += [tuple(ids) for ids in read["input_ids"]]
        return found

    def _refuse_unknown(self, items: Sequence[Item], whole: Sequence[tuple[int, ...]]) -> None:
        """Refuses tokens without an embedding, which on a GPU would end the process."""
        for item, ids in zip(items, whole, strict=True):
            highest = max(ids, default=0)
            if self.vocab is not None and highest >= self.vocab:
                token = self.tokenizer.convert_ids_to_tokens(highest)
                raise InputError(
                    f"pair {item.key}: token {token!r} is number {highest}, but the model knows {self.vocab}; "
                    f"its tokenizer is another model's, or was added to"
                )

    def _refuse(self, items: Sequence[Item], read: Sequence[Tokens]) -> None:
        """Refuses the texts that are too long, before any work."""
        if self.over_long == "unscored":
            return
        bad = [(item, tokens) for item, tokens in zip(items, read, strict=True) if not self._may_fit(tokens)]
        if not bad:
            return
        item, tokens = max(bad, key=lambda found: len(found[1].ids))
        fix = "raise the limit or drop the pair" if self.over_long != "error" else _FIX[self.finds_start]
        raise InputError(
            f"pair {item.key}: {len(tokens.ids)} tokens, but the model reads {self.context} "
            f"({len(bad)} of {len(items)} texts are too long); {fix}"
        )

    def _may_fit(self, tokens: Tokens) -> bool:
        excess = self._excess(tokens)
        if not excess or self.over_long == "error":
            return not excess
        return not self.finds_start or excess <= tokens.start - 1 - self._head(tokens)

    def _fitted(self, tokens: Tokens) -> Tokens | None:
        excess = self._excess(tokens)
        if not tokens.ids or (excess and self.over_long == "unscored") or len(tokens.ids) == tokens.start:
            return None
        if not excess:
            return tokens
        assert self.context
        first = (self.context + 1) // 2 if self.over_long == "middle" else self._head(tokens)
        ids = tokens.ids[:first] + tokens.ids[first + excess :]
        return Tokens(ids, max(tokens.start - excess, 0), cut=True)

    def _excess(self, tokens: Tokens) -> int:
        return max(len(tokens.ids) - self.context, 0) if self.context else 0

    def _head(self, tokens: Tokens) -> int:
        """Returns 1 where a special token opens the text, which is kept: heads of encoders read it."""
        return int(tokens.ids[0] in self.tokenizer.all_special_ids)


_FIX = {
    False: "cut it with --truncate middle or --truncate left, or choose a model with a longer context",
    True: "cut the problem with --truncate left, or choose a model with a longer context",
}


def _start(ids: Sequence[int], prompt: Sequence[int]) -> int:
    """Returns how many tokens the text shares with its prompt; at least one, since a first token has no likelihood."""
    shared = 0
    while shared < min(len(ids), len(prompt)) and ids[shared] == prompt[shared]:
        shared += 1
    return max(shared, 1)
