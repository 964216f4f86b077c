"""One progress bar for a trainer, in place of its own prints."""

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback


class StepBar(TrainerCallback):  # type: ignore[misc]
    """Moves a bar on with every optimiser step; a resumed run starts where it was."""

    def __init__(self, advance: Callable[[], None]) -> None:
        self._advance = advance

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Counts the steps of the checkpoint."""
        for _ in range(state.global_step):
            self._advance()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Counts one step."""
        self._advance()
