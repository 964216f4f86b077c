"""Several processes of one run, as `accelerate launch` and `torchrun` start them: one of them writes and speaks."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lcb_rb import progress
from lcb_rb.errors import InputError
from lcb_rb.writing import staged_directory


def is_main() -> bool:
    """Returns whether this process is the one that writes."""
    return os.environ.get("RANK", "0") == "0"


def processes() -> int:
    """Returns how many processes the run has, over all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def say(message: str) -> None:
    """Prints one line for the person who waits, once for all processes."""
    if is_main():
        progress.say(message)


def stage_of(out: Path) -> Path:
    """Returns the directory in which `staged_directory` builds another."""
    out = out.resolve()
    return out.with_name(f".{out.name}.partial")


@contextmanager
def shared_stage(out: Path, marker: str, wait: Callable[[], None]) -> Iterator[Path]:
    """Yields the stage of a directory to every process; the main one holds it and puts it in place.

    Checkpoints in it are lost only when the block ends well.

    Args:
        out: What is made.
        marker: The file that says who built it.
        wait: Returns when all processes have called it.

    Raises:
        InputError: `out` cannot be made, or not all processes see it.
    """
    if is_main():
        with staged_directory(out, marker, keeps_work=True) as stage:
            wait()
            yield stage
    else:
        wait()
        stage = stage_of(out)
        if not stage.is_dir():
            raise InputError(f"{stage} is not seen by process {os.environ['RANK']}; all machines must share its disk")
        yield stage
