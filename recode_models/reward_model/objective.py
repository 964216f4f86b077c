"""The "+Score" baseline: each reasoning's own score is learned, by squared error, in place of the order of a pair."""

from typing import Any

import torch
from torch import Tensor
from trl import RewardTrainer

TARGETS = "targets"


class ScoreCollator:
    """Adds the scores of both sides to a batch, chosen ones first, as TRL orders the texts."""

    def __init__(self, inner: Any) -> None:
        """Keeps TRL's collator."""
        self._inner = inner

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Returns the batch."""
        scores = [example[side] for side in ("chosen_score", "rejected_score") for example in examples]
        return {**self._inner(examples), TARGETS: torch.tensor(scores, dtype=torch.float32)}


class ScoreTrainer(RewardTrainer):  # type: ignore[misc]
    """TRL's trainer with the mean squared error between the head's output and the score."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        """Returns the loss; TRL's own is computed too, for its metrics, and left."""
        targets = inputs.pop(TARGETS)
        _, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        loss = torch.nn.functional.mse_loss(outputs.logits.squeeze(-1).float(), targets)
        return (loss, outputs) if return_outputs else loss
