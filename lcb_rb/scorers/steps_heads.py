"""What step models say at single tokens of padded texts, the same as for each text alone."""

import copy
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Linear

from lcb_rb.errors import InputError
from lcb_rb.scorers.likelihoods import CausalModel
from lcb_rb.scorers.loading import Loaded, stands_alone
from lcb_rb.scorers.padding import Trial, mask_of, padded
from lcb_rb.scorers.steps_text import StepTokens


class StepModel(Protocol):
    """A model that is read at the spots of texts."""

    alone: bool
    """Whether a text may have no neighbours."""

    def logits(self, batch: list[StepTokens]) -> list[Tensor]:
        """Returns the values (S, K) at the spots of every text, in float32."""

    def plain(self, text: StepTokens) -> Tensor:
        """Returns them for a text alone, by the model's own forward."""


class NextToken:
    """How likely the bad and the good token are behind each spot, as logarithms."""

    def __init__(self, loaded: Loaded, name: str, bad: int, good: int) -> None:
        """Finds out how the model has to be run.

        Raises:
            InputError: it is no causal language model.
        """
        self._model, self._wanted = CausalModel(loaded, name), [bad, good]
        self._loaded = loaded
        self.alone = self._model.alone

    def logits(self, batch: list[StepTokens]) -> list[Tensor]:
        """Returns the two values at every spot."""
        return self._model.following(list(batch), [text.spots for text in batch], self._wanted)

    def plain(self, text: StepTokens) -> Tensor:
        """Returns the two values at every spot of a text alone."""
        return _own(self._loaded, text).log_softmax(-1)[list(text.spots)][:, self._wanted]


class LabelsOfTokens:
    """The logits of a head at each spot: of a token classifier, or of a decoder whose head reads any token."""

    def __init__(self, loaded: Loaded, name: str, *, of_tokens: bool) -> None:
        """Finds out how the model has to be run.

        Args:
            loaded: The model.
            name: For errors.
            of_tokens: Whether its own forward has logits at every token.

        Raises:
            InputError: its head reads whole texts only.
        """
        self._loaded = loaded
        head = getattr(loaded.model, "score", None)
        if not of_tokens and not isinstance(head, Linear):
            fix = "give a token classifier, or a decoder's sequence classifier"
            raise InputError(f"{name}: the head of {type(loaded.model).__name__} reads whole texts, not steps; {fix}")
        self._head = None if of_tokens or not isinstance(head, Linear) else copy.deepcopy(head).float()
        config = loaded.model.config.get_text_config()
        self._trial = Trial(config.vocab_size, loaded.device, loaded.model.dtype)
        self._fill: int = config.pad_token_id or 0
        self._masked = not self._trial.is_independent(self._run, masked=False)
        self.alone = stands_alone(loaded)
        self.alone = self.alone or (self._masked and not self._trial.is_independent(self._run, masked=True))

    def logits(self, batch: list[StepTokens]) -> list[Tensor]:
        """Returns the logits (S, labels) at every spot."""
        ids, lengths = padded(batch, self._fill, self._trial.device)
        found = self._run(ids, lengths, masked=self._masked)
        return [found[row, list(text.spots)] for row, text in enumerate(batch)]

    def plain(self, text: StepTokens) -> Tensor:
        """Returns the logits at every spot of a text alone."""
        if self._head is None:
            return _own(self._loaded, text)[list(text.spots)]
        ids, lengths = padded([text], self._fill, self._trial.device)
        return self._run(ids, lengths, masked=True)[0, list(text.spots)]

    def _run(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        """Returns the logits (N, T', labels) up to the last real token."""
        model = self._loaded.model
        with torch.inference_mode():
            mask = mask_of(lengths, ids.shape[1]) if masked else None
            if self._head is None:
                found: Tensor = model(input_ids=ids, attention_mask=mask).logits.float()
            else:
                found = self._head(model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state.float())
        return found[:, : int(lengths.max())]


def _own(loaded: Loaded, text: StepTokens) -> Tensor:
    with torch.inference_mode():
        found: Tensor = loaded.model(input_ids=torch.tensor([text.ids], device=loaded.device)).logits[0].float()
    return found
