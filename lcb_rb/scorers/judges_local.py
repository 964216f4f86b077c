"""Judges on this machine: one forward a prompt, and how likely each allowed answer is as the next token."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb.errors import InputError
from lcb_rb.scorers.base import Item, ModelOptions
from lcb_rb.scorers.batched import Store, batch_key, in_memory, plan
from lcb_rb.scorers.journal import opened
from lcb_rb.scorers.judges import Answer, weighed
from lcb_rb.scorers.judges_prompt import Question
from lcb_rb.scorers.loading import NO_TEMPLATE, Place, budget_of, identity_of, load
from lcb_rb.scorers.texts import TextReader, Tokens

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class _PromptReader(TextReader):
    """Reads the problem of an item as a prompt that waits for its answer."""

    def _text(self, item: Item, *, reasoning: bool) -> str:
        if not self.tokenizer.chat_template:
            return item.problem
        messages = [{"role": "user", "content": item.problem}]
        # Templates without that switch pass over it; with it, the next token is the answer and not a thought.
        return str(
            self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        )


class LocalOracle:
    """A causal language model; nothing is sampled."""

    def __init__(self, place: Place, options: ModelOptions) -> None:
        """Loads the model.

        Args:
            place: The model.
            options: How it is read.

        Raises:
            InputError: no causal language model.
            MissingExtraError: torch or transformers is not installed.
        """
        loaded = load("AutoModelForCausalLM", place, options)
        from lcb_rb.scorers.likelihoods import CausalModel  # needs torch, which `load` has found

        self._model = CausalModel(loaded, place.name)
        self._tokenizer = loaded.tokenizer
        self._reader = _PromptReader(loaded.tokenizer, loaded.context, "unscored", self._model.vocab)
        self._budget = 0 if self._model.alone else budget_of(loaded, options)
        self._identity = identity_of(loaded, options)
        self._store: Store | None = None
        self.name = place.name
        self.revision = loaded.revision
        self.notes = [note for note in loaded.notes if note != NO_TEMPLATE]
        if NO_TEMPLATE in loaded.notes:
            self.notes.append("no chat template: the prompt is read as plain text")
        self._words = _control_words(loaded.tokenizer.added_tokens_decoder.values())

    def safe(self, text: str) -> str:
        """Returns the text with a blank behind the first character of the tokenizer's control tokens."""
        return self._words.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text) if self._words else text

    def answers(
        self, questions: Sequence[Question], allowed: Sequence[str], advance: Callable[[], None]
    ) -> list[Answer]:
        """Returns an answer a question.

        Raises:
            InputError: a prompt does not fit into the model's context, or the model cannot say an answer in one token.
        """
        tokens = [_tokens_of(self._tokenizer, self._model.vocab, answer, self.name) for answer in allowed]
        places: dict[Tokens, list[int]] = {}
        for at, text in enumerate(self._read(questions)):
            places.setdefault(text, []).append(at)
        answers = [Answer({})] * len(questions)
        texts = list(places)
        for batch in plan([len(text.ids) for text in texts], self._budget):
            for text, answer in self._settled([texts[index] for index in batch], allowed, tokens):
                for at in places[text]:
                    answers[at] = answer
                    advance()
        return answers

    def told(self) -> list[str]:
        """Returns nothing: it costs nothing and does not fail."""
        return []

    @contextmanager
    def keeping(self, journal: Path) -> Iterator[None]:
        """Keeps the probabilities of finished batches in a file."""
        with opened(journal) as self._store:
            yield

    def _read(self, questions: Sequence[Question]) -> list[Tokens]:
        found = self._reader.read([Item(question.key, question.prompt, "") for question in questions])
        read = [tokens for tokens in found if tokens is not None]
        if len(read) < len(questions):
            key = next(question.key for question, tokens in zip(questions, found, strict=True) if tokens is None)
            count = f"{len(questions) - len(read)} of {len(questions)} prompts"
            what = f"{count} are longer than the {self._reader.context} tokens that the model reads"
            raise InputError(f"pair {key}: {what}; choose a model with a longer context, or drop such pairs")
        return read

    def _settled(
        self, batch: list[Tokens], allowed: Sequence[str], tokens: Sequence[Sequence[int]]
    ) -> Iterator[tuple[Tokens, Answer]]:
        """Yields the answers of a batch, from the store when they are there."""
        key = batch_key(f"{self._identity}{list(allowed)}", batch)
        flat = self._store.get(key) if self._store else None
        if flat is None:
            flat = in_memory(batch, lambda some: self._masses(some, tokens), self.name)
            if self._store:
                self._store.put(key, flat)
        for at, text in enumerate(batch):
            masses = flat[at * len(allowed) : (at + 1) * len(allowed)]
            yield (
                text,
                weighed({word: math.nan if mass is None else mass for word, mass in zip(allowed, masses, strict=True)}),
            )

    def _masses(self, batch: list[Tokens], tokens: Sequence[Sequence[int]]) -> list[float | None]:
        """Returns the probability of every answer after every text, one text after the other; None for NaN."""
        wanted = [token for some in tokens for token in some]
        found: list[float | None] = []
        for values in self._model.following(batch, [[len(text.ids) - 1] for text in batch], wanted):
            chances = iter(values[0].double().exp().tolist())
            sums = [sum(next(chances) for _ in some) for some in tokens]
            found += [value if math.isfinite(value) else None for value in sums]
        return found


def _control_words(tokens: "Iterable[AddedToken]") -> re.Pattern[str] | None:
    """Returns what finds the tokens that steer a chat, or None; added words and white space are left alone."""
    texts = {token.content for token in tokens if token.special or _is_tag(token.content)}
    found = sorted((text for text in texts if text.strip()), key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, found))) if found else None


def _is_tag(text: str) -> bool:
    return len(text) > 2 and (text[0], text[-1]) in {("<", ">"), ("[", "]")}


def _tokens_of(tokenizer: "PreTrainedTokenizerBase", vocab: int, answer: str, name: str) -> list[int]:
    """Returns every token that reads as the answer, with white space before or behind it or without.

    Raises:
        InputError: there is none.
    """
    known = range(min(len(tokenizer), vocab))
    texts = tokenizer.batch_decode([[token] for token in known])
    special = set(tokenizer.all_special_ids)
    found = [token for token, text in zip(known, texts, strict=True) if text.strip() == answer and token not in special]
    if not found:
        raise InputError(f"{name}: no token for the answer {answer!r}; choose another model for --as judge")
    return found
