"""What a command shows while it works and when it is done: progress on stderr, the result on stdout."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Yields a function that moves the bar on by one; nothing is shown for an empty task."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=total == 0) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)


def say(message: str) -> None:
    """Prints one line for the person who waits, on stderr."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def emit(result: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Prints the result of a command on stdout: one JSON object, or the text."""
    output = json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text
    sys.stdout.write(output + "\n")
