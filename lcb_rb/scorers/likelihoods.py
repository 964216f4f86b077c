"""Log-likelihoods of reasonings under causal language models, with logits at the needed positions only."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lcb_rb.errors import InputError
from lcb_rb.scorers.loading import Loaded, stands_alone
from lcb_rb.scorers.padding import Trial, padded
from lcb_rb.scorers.texts import Tokens

CHUNK_LOGITS = 2**25
"""Most logits at a time: 128 MiB in float32."""


class CausalModel:
    """The likelihood of tokens, given those before."""

    def __init__(self, loaded: Loaded, name: str) -> None:
        """Finds out how the model has to be run.

        Raises:
            InputError: it is no causal language model.
        """
        self._model = loaded.model
        config = self._model.config.get_text_config()
        self._trial = Trial(config.vocab_size, loaded.device, self._model.dtype)
        if self._model.config.is_encoder_decoder or not self._trial.is_independent(self._hidden, masked=False):
            raise InputError(f"{name}: not a causal language model; likelihoods need one")
        self.vocab: int = self._model.get_input_embeddings().num_embeddings
        self._plain = self._trial.agree(self._logits_of_hidden, self._own_logits)
        self.alone = stands_alone(loaded) or not self._plain

    def logprobs(self, batch: list[Tokens]) -> list[Tensor]:
        """Returns the log-likelihood of each token from `start` on, in float32, for every text."""
        ids, lengths = padded(batch, 0, self._trial.device)
        counts = [len(tokens.ids) - tokens.start for tokens in batch]
        targets = torch.cat([ids[row, tokens.start : len(tokens.ids)] for row, tokens in enumerate(batch)])
        states = self._hidden(ids, lengths, masked=False) if self._plain else self._own(ids)
        needed = [states[row, tokens.start - 1 : len(tokens.ids) - 1] for row, tokens in enumerate(batch)]
        with torch.inference_mode():
            found = self._of_targets(torch.cat(needed), targets)
        return list(torch.split(found, counts))

    def plain(self, text: Tokens) -> Tensor:
        """Returns what `logprobs` does for a text alone, by the model's own forward."""
        ids, _ = padded([text], 0, self._trial.device)
        logits = self._own(ids)[0, text.start - 1 : -1].float().log_softmax(-1)
        return logits.gather(1, ids[0, text.start :, None])[:, 0]

    def following(self, batch: list[Tokens], spots: Sequence[Sequence[int]], wanted: Sequence[int]) -> list[Tensor]:
        """Returns how likely each wanted token is behind each spot (S, W), as float32 logarithms, for every text."""
        ids, lengths = padded(batch, 0, self._trial.device)
        states = self._hidden(ids, lengths, masked=False) if self._plain else self._own(ids)
        needed = torch.cat([states[row, list(some)] for row, some in enumerate(spots)])
        with torch.inference_mode():
            parts = torch.split(needed, max(CHUNK_LOGITS // self._trial.vocab, 1))
            found = [logits[:, list(wanted)] - logits.logsumexp(1, keepdim=True) for logits in map(self._logits, parts)]
        return list(torch.split(torch.cat(found), [len(some) for some in spots]))

    def _of_targets(self, states: Tensor, targets: Tensor) -> Tensor:
        """Returns the log-likelihoods of targets (M,), from hidden states (M, D) or logits (M, V)."""
        rows = max(CHUNK_LOGITS // self._trial.vocab, 1)
        found = []
        for some, wanted in zip(torch.split(states, rows), torch.split(targets, rows), strict=True):
            logits = self._logits(some)
            found.append(logits.gather(1, wanted[:, None])[:, 0] - logits.logsumexp(1))
        return torch.cat(found)

    def _logits(self, states: Tensor) -> Tensor:
        logits: Tensor = (self._model.get_output_embeddings()(states) if self._plain else states).float()
        return logits

    def _hidden(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        """Returns the hidden states (N, T', D) of the real tokens of one text, or of all tokens of several."""
        with torch.inference_mode():
            found: Tensor = self._model.base_model(input_ids=ids).last_hidden_state
        return found[:, : int(lengths.max())]

    def _own(self, ids: Tensor) -> Tensor:
        with torch.inference_mode():
            found: Tensor = self._model(input_ids=ids).logits
        return found

    def _logits_of_hidden(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        with torch.inference_mode():
            found: Tensor = self._model.get_output_embeddings()(self._hidden(ids, lengths, masked=masked))
        return found

    def _own_logits(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        return self._own(ids)
