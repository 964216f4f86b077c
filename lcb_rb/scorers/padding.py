"""Right padding, and the proof by trial that what stands in it changes no score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lcb_rb.scorers.texts import Tokens

REAL, FILLED = 5, 3
"""Tokens of a trial, and those that follow as if they were padding."""
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}
"""By the type of the weights, relative to the largest value; the same shapes differ by less."""


class Run(Protocol):
    """What is read of a model at the real tokens of padded texts."""

    def __call__(self, ids: Tensor, lengths: Tensor, *, masked: bool) -> Tensor:
        """Returns it for tokens (N, T), of which the first `lengths` (N,) are real."""


def padded(batch: Sequence[Tokens], fill: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Returns the tokens (N, T), filled up on the right, and their lengths (N,)."""
    lengths = [len(tokens.ids) for tokens in batch]
    rows = [[*tokens.ids, *[fill] * (max(lengths) - len(tokens.ids))] for tokens in batch]
    return torch.tensor(rows, device=device), torch.tensor(lengths, device=device)


def mask_of(lengths: Tensor, width: int) -> Tensor:
    """Returns the attention mask (N, T): 1 at real tokens."""
    return (torch.arange(width, device=lengths.device)[None] < lengths[:, None]).long()


@dataclass(frozen=True, slots=True)
class Trial:
    """A few tokens on which a model is tried before it is trusted in batches."""

    vocab: int
    """Tokens that the model knows."""
    device: torch.device
    dtype: torch.dtype
    """Of its weights."""

    def agree(self, one: Run, other: Run) -> bool:
        """Returns whether two ways of reading a model give the same for a text alone."""
        ids, lengths = self._real(), torch.tensor([REAL], device=self.device)
        return self._same(one(ids, lengths, masked=False), other(ids, lengths, masked=False))

    def is_independent(self, run: Run, *, masked: bool) -> bool:
        """Returns whether a value stays when other tokens stand in the padding: same shapes, so only a leak shows."""
        lengths = torch.tensor([REAL], device=self.device)
        first, second = (run(self._followed_by(back), lengths, masked=masked) for back in (1, 2))
        return self._same(first, second)

    def _real(self) -> Tensor:
        return torch.arange(1, REAL + 1, device=self.device)[None] % self.vocab

    def _followed_by(self, back: int) -> Tensor:
        return torch.cat([self._real(), torch.full((1, FILLED), self.vocab - back, device=self.device)], 1)

    def _same(self, one: Tensor, other: Tensor) -> bool:
        tolerance = TOLERANCE.get(self.dtype, 1e-5)
        return bool((one - other).abs().max() <= tolerance * one.abs().max().clamp(min=1e-3))
