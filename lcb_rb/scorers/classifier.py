"""Reward models with a scalar head: any directory that `AutoModelForSequenceClassification` loads with one label."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from lcb_rb.errors import InputError, MissingExtraError
from lcb_rb.scorers.base import Item

DECISIVE = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt"})
"""Suffixes of files that decide a score."""


class ClassifierScorer:
    """Scores one text at a time, without padding, so that no score depends on its neighbours or on the pad token."""

    def __init__(self, directory: Path, *, name: str | None = None, revision: str | None = None) -> None:
        """Loads model and tokenizer; code from the directory is never run and weights must be safetensors.

        Args:
            directory: As `save_pretrained` writes it.
            name: For the report; the directory's when None.
            revision: For the report; a hash of the directory's content when None.

        Raises:
            InputError: the directory holds no such model.
            MissingExtraError: torch or transformers is not installed.
        """
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
            from transformers.utils import logging
        except ImportError as error:
            raise MissingExtraError("transformers", "models") from error
        self._torch = torch
        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(directory)
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                directory, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError, KeyError) as error:
            fix = "give a model saved by save_pretrained, with its tokenizer and safetensors weights"
            raise InputError(f"{directory}: {str(error).splitlines()[0]}; {fix}") from error
        if model.config.num_labels != 1:
            raise InputError(f"{directory}: {model.config.num_labels} labels; a reward model has one")
        untrained = sorted(loading["missing_keys"]) + sorted(str(key) for key in loading["mismatched_keys"])
        if untrained:
            raise InputError(f"{directory}: no weights for {untrained[0]}; give a model whose reward head was trained")
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = model.eval().to(self._device)
        self._model.config.pad_token_id = None  # one unpadded text a batch: the head reads the last token
        self._max_tokens = getattr(self._model.config, "max_position_embeddings", None)
        self.name = name or str(directory)
        self.revision = revision or _content_hash(directory)
        self.notes = [] if self._device == "cpu" else ["scored on cuda in float32"]
        if not self._tokenizer.chat_template:
            self.notes.append("no chat template: problem and reasoning joined by a blank line")

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns the head's value at the last token of every text; None for a text longer than the model's context."""
        scores: list[float | None] = []
        with self._torch.inference_mode():
            for item in items:
                scores.append(self._score_one(self._tokens(item)))
                advance()
        return scores

    def _tokens(self, item: Item) -> list[int]:
        if not self._tokenizer.chat_template:
            return list(self._tokenizer(f"{item.problem}\n\n{item.reasoning}")["input_ids"])
        messages = [
            {"role": "user", "content": item.problem},
            {"role": "assistant", "content": item.reasoning},
        ]
        text = self._tokenizer.apply_chat_template(messages, tokenize=False)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _score_one(self, tokens: list[int]) -> float | None:
        if not tokens or (self._max_tokens and len(tokens) > self._max_tokens):
            return None
        value = float(self._model(input_ids=self._torch.tensor([tokens], device=self._device)).logits[0, 0])
        return value if value == value else None


def _content_hash(directory: Path) -> str:
    """Returns a hash of everything that decides a score: weights, configuration, tokenizer, chat template."""
    digest = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        if path.suffix in DECISIVE and path.name != "recode.json":
            digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return f"sha256:{digest.hexdigest()}"
