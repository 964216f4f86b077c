"""Processes that score the same pairs together, as `accelerate launch` and torchrun start them.

Batches are planned over all texts, then dealt whole. Dealing problems out would make other batches, and so other last
bits, for every number of processes; and a journal would be of no use to a run with another number.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from lcb_rb.errors import InputError, RecodeError

PATIENCE = timedelta(days=30)
"""How long the slowest process is waited for; one that has ended is noticed at once, by its connection."""

FSDP = "FSDP_CPU_RAM_EFFICIENT_LOADING"
"""Environment variable by which accelerate tells transformers to load weights in one process only."""

Scores = list[float | None]
"""Of one batch, in its order."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of how many processes this one is."""

    rank: int = 0
    """0 writes the report and speaks for all."""
    size: int = 1

    def own(self, count: int) -> range:
        """Returns which of so many batches are this process's; in turn, since they are sorted by length."""
        return range(self.rank, count, self.size)

    def gathered(self, own: Mapping[int, Scores]) -> dict[int, Scores]:
        """Returns the scores of all processes by number of the batch, in every process.

        Raises:
            RecodeError: another process has ended.
        """
        if self.size == 1:
            return dict(own)
        import torch.distributed as dist

        everyone: list[Mapping[int, Scores]] = [{} for _ in range(self.size)]
        try:
            dist.all_gather_object(everyone, own)
        except RuntimeError as error:  # what gloo raises when a connection breaks
            raise RecodeError(
                f"process {self.rank} of {self.size}: another process has ended, and has said why; "
                f"the same command run again goes on where this one was"
            ) from error
        return {number: scores for part in everyone for number, scores in part.items()}

    def wait(self) -> None:
        """Returns when all processes have come here."""
        self.gathered({})


@contextmanager
def joined() -> Iterator[Ranks]:
    """Yields the place of this process among those that were launched; alone where none were.

    Raises:
        InputError: the launcher has not said where the processes meet.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    import torch.distributed as dist

    try:
        dist.init_process_group("gloo", timeout=PATIENCE)
    except ValueError as error:
        raise InputError(f"WORLD_SIZE is {size}, but {error}; start it by accelerate launch or torchrun") from error
    try:
        yield Ranks(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


@contextmanager
def unsharded() -> Iterator[None]:
    """Lets every process load all weights of a model, as one that only scores needs them.

    A training with FSDP or ZeRO-3 makes transformers load the policy's weights in one process only, or in parts; a
    reward model that is loaded beside it would be without weights in all others.
    """
    from transformers.integrations import deepspeed

    ram_efficient, zero = os.environ.pop(FSDP, None), deepspeed._hf_deepspeed_config_weak_ref
    deepspeed.unset_hf_deepspeed_config()
    try:
        yield
    finally:
        deepspeed._hf_deepspeed_config_weak_ref = zero
        if ram_efficient is not None:
            os.environ[FSDP] = ram_efficient


def local_device(kind: str, count: int) -> int:
    """Returns which of the devices of this machine is this process's.

    Args:
        kind: What they are, for the message.
        count: How many there are.

    Raises:
        InputError: more processes than devices.
    """
    index = int(os.environ.get("LOCAL_RANK", "0"))
    if index >= count:
        raise InputError(f"process {index} of this machine has no {kind}: it has {count}; start at most {count}")
    return index
