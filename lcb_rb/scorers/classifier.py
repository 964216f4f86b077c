"""Reward models with a head: any directory that `AutoModelForSequenceClassification` loads."""

from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb.errors import InputError
from lcb_rb.scorers.adapter import Label
from lcb_rb.scorers.base import ModelOptions
from lcb_rb.scorers.batched import BatchedScorer
from lcb_rb.scorers.loading import Place, budget_of, identity_of, load
from lcb_rb.scorers.texts import TextReader, Tokens

if TYPE_CHECKING:
    from transformers import PretrainedConfig

AFTER_TRAINING = ModelOptions(over_long="unscored")
"""A long training must not end in an error about one text of its validation."""


class ClassifierScorer(BatchedScorer):
    """Scores by the head's value at the last token of decoders, and as the model's own head does in encoders.

    How far the model can be trusted in batches is tried on it, not looked up: a decoder runs without mask where no
    text feels what is right of it, others with a mask, and what feels its neighbours even so runs alone.
    """

    def __init__(
        self,
        directory: Path,
        *,
        name: str | None = None,
        revision: str | None = None,
        options: ModelOptions = AFTER_TRAINING,
    ) -> None:
        """Loads model and tokenizer; code from the directory is never run.

        Args:
            directory: As `save_pretrained` writes it.
            name: For the report; the directory's when None.
            revision: For the report; a hash of the directory's content when None.
            options: How the model is read.

        Raises:
            InputError: the directory holds no such model, or it has three labels or more and no adapter chooses.
            MissingExtraError: torch or transformers is not installed.
        """
        loaded = load("AutoModelForSequenceClassification", Place(directory, name or str(directory), revision), options)
        from lcb_rb.scorers.heads import Head  # needs torch, which `load` has found

        self._label, notes = label_of(loaded.model.config, loaded.adapter.label, directory)
        self._head = Head(loaded)
        self.name = name or str(directory)
        self.revision = loaded.revision
        self.notes = [*loaded.notes, *notes]
        self.identity = identity_of(loaded, options, str(self._label))
        vocab = loaded.model.get_input_embeddings().num_embeddings
        self.reader = TextReader(loaded.tokenizer, loaded.context, options.over_long, vocab)
        self.loaded = loaded
        self.batch_tokens = 0 if self._head.alone else budget_of(loaded, options)

    def forward(self, batch: list[Tokens]) -> list[float]:
        """Returns the score of each text of a batch."""
        logits = self._head.logits(batch)
        minus = logits[:, self._label[1]] if len(self._label) > 1 else 0.0
        found: list[float] = (logits[:, self._label[0]] - minus).tolist()
        return found

    def plain(self, text: Tokens) -> float:
        """Returns the score of a text alone, by the model's own forward."""
        logits = self._head.plain(text).tolist()
        return float(logits[self._label[0]] - (logits[self._label[1]] if len(self._label) > 1 else 0.0))


def label_of(
    config: "PretrainedConfig", chosen: Label | tuple[Label, Label] | None, directory: Path
) -> tuple[tuple[int, ...], list[str]]:
    """Returns the label that is the score, or the two whose difference it is, and what to say of it.

    Args:
        config: Of the model.
        chosen: By an adapter; None leaves it to the model.
        directory: Of the model, for the message.

    Raises:
        InputError: there is no such label, or no telling which is the score.
    """
    if chosen is not None:
        label = (chosen,) if isinstance(chosen, int) else tuple(chosen)
        if max(label) >= config.num_labels:
            raise InputError(f"{directory}: no label {max(label)} among {config.num_labels}; mend `label` in --adapter")
        return label, []
    if config.num_labels == 1:
        return (0,), []
    if config.num_labels == 2:
        low, high = (config.id2label[index] for index in (0, 1))
        return (1, 0), [f"two labels: the score is the logit of {high} minus that of {low}"]
    fix = "choose one, or the difference of two, by `label` in an --adapter file"
    raise InputError(f"{directory}: {config.num_labels} labels; a reward model has one or two; {fix}")
