"""What a command shows while it works and when it is done: progress on stderr, the result on stdout."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class RateColumn(ProgressColumn):
    """How many are done in a second; in a minute where that is less than one."""

    def render(self, task: Task) -> Text:
        """Returns the text; nothing before the first is done."""
        rate = task.finished_speed or task.speed or 0.0
        return Text("" if not rate else f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min")


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Yields a function that moves the bar on by one; nothing is shown for an empty task.

    The bar stands on stderr and tells how many are done, how fast, how long it has taken and is likely to take still.
    """
    named = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    columns = (*named, RateColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=total == 0) as progress:
        task = progress.add_task(title, total=total)
        try:
            yield lambda: progress.advance(task)
        except BaseException:
            progress.live.transient = True  # what went wrong is told in a line of its own
            progress.console.quiet = not progress.console.is_terminal  # there, even the end of a bar is a line
            raise


def say(message: str) -> None:
    """Prints one line for the person who waits, on stderr."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def emit(result: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Prints the result of a command on stdout: one JSON object, or the text."""
    output = json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text
    sys.stdout.write(output + "\n")
