"""The logits of classifiers for padded texts, the same as for each text alone."""

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import Linear

from lcb_rb.errors import InputError
from lcb_rb.scorers.loading import Loaded, stands_alone
from lcb_rb.scorers.padding import Trial, mask_of, padded
from lcb_rb.scorers.texts import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def token_head(model: "PreTrainedModel") -> Linear | None:
    """Returns the head that a decoder applies to each token; None for encoders, which pool in their own way."""
    found = getattr(model, "score", None)  # how transformers names the head of every decoder
    return found if isinstance(found, Linear) else None


class Head:
    """The logits of a classifier for padded texts."""

    def __init__(self, loaded: Loaded) -> None:
        """Finds out how the model has to be run.

        Raises:
            InputError: the adapter's pooling is none for this model.
        """
        self._model = loaded.model
        config = self._model.config.get_text_config()
        self._trial = Trial(config.vocab_size, loaded.device, self._model.dtype)
        self._fill: int = config.pad_token_id or 0
        decoder = token_head(self._model)
        self._last: Linear | None = None
        self._pooling = loaded.adapter.pooling
        if decoder is not None and self._pooling != "own":
            config.pad_token_id = None  # so that the model's own head, too, reads the last token of a single text
            self._last = copy.deepcopy(decoder).float()
            self._last = self._last if self._pooling or self._trial.agree(self._run, self._own) else None
        self._masked = self._last is None or not self._trial.is_independent(self._run, masked=False)
        odd = decoder is not None and self._last is None
        self.alone = odd or stands_alone(loaded)
        self.alone = self.alone or (self._masked and not self._trial.is_independent(self._run, masked=True))
        self._refuse_pooling()

    def _refuse_pooling(self) -> None:
        place = f"pooling {self._pooling} of the --adapter file: {type(self._model).__name__}"
        if self._last is None and self._pooling not in (None, "own"):
            raise InputError(f"{place} pools in a way of its own; give own, or leave the key out")
        if self._pooling == "first" and not self._masked:  # what stands behind the first token leaves it as it is
            raise InputError(f"{place} reads from left to right, its first token sees nothing; give last or mean")

    def plain(self, text: Tokens) -> Tensor:
        """Returns the logits (labels,) that the model itself has for a text alone, without anything of ours."""
        ids, lengths = padded([text], self._fill, self._trial.device)
        return self._own(ids, lengths, masked=True)[0]

    def logits(self, batch: list[Tokens]) -> Tensor:
        """Returns the logits (N, labels) in float32."""
        ids, lengths = padded(batch, self._fill, self._trial.device)
        return self._run(ids, lengths, masked=self._masked)

    def _run(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        if self._last is None:
            return self._own(ids, lengths, masked=masked)
        with torch.inference_mode():
            mask = mask_of(lengths, ids.shape[1]) if masked else None
            hidden = self._model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
            found: Tensor = self._last(self._pooled(hidden, lengths))
            return found

    def _pooled(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Returns what the head is applied to, (N, D) in float32."""
        if self._pooling == "first":
            return hidden[:, 0].float()
        if self._pooling == "mean":
            real = mask_of(lengths, hidden.shape[1])[:, :, None]
            return (hidden.float() * real).sum(1) / lengths[:, None]
        return hidden[torch.arange(len(lengths), device=hidden.device), lengths - 1].float()

    def _own(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        """Returns what the model's own head says."""
        with torch.inference_mode():
            mask = mask_of(lengths, ids.shape[1]) if masked else None
            found: Tensor = self._model(input_ids=ids, attention_mask=mask).logits.float()
            return found
