"""The logits of classifiers for padded texts, the same as for each text alone."""

import copy

import torch
from torch import Tensor
from torch.nn import Linear

from lcb_rb.scorers.loading import Loaded, stands_alone
from lcb_rb.scorers.padding import Trial, mask_of, padded
from lcb_rb.scorers.texts import Tokens


class Head:
    """The logits of a classifier for padded texts."""

    def __init__(self, loaded: Loaded) -> None:
        """Finds out how the model has to be run."""
        self._model = loaded.model
        config = self._model.config.get_text_config()
        self._trial = Trial(config.vocab_size, loaded.device, self._model.dtype)
        self._fill: int = config.pad_token_id or 0
        decoder = getattr(self._model, "score", None)  # how transformers names the head of every decoder
        self._last: Linear | None = None
        if isinstance(decoder, Linear):
            config.pad_token_id = None  # so that the model's own head, too, reads the last token of a single text
            self._last = copy.deepcopy(decoder).float()
            self._last = self._last if self._trial.agree(self._run, self._own) else None
        self._masked = self._last is None or not self._trial.is_independent(self._run, masked=False)
        odd = isinstance(decoder, Linear) and self._last is None
        self.alone = odd or stands_alone(loaded)
        self.alone = self.alone or (self._masked and not self._trial.is_independent(self._run, masked=True))

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
            rows = torch.arange(len(lengths), device=ids.device)
            found: Tensor = self._last(hidden[rows, lengths - 1].float())
            return found

    def _own(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        """Returns what the model's own head says."""
        with torch.inference_mode():
            mask = mask_of(lengths, ids.shape[1]) if masked else None
            found: Tensor = self._model(input_ids=ids, attention_mask=mask).logits.float()
            return found
