"""Options that several commands share, and how their texts are read."""

import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from lcb_rb.errors import InputError
from lcb_rb.window import Window

Engine = Literal["local", "ray"]
"""Names of `lcb_rb.execution.engines.ENGINES`."""
Suite = Literal["base", "plus"]
"""As `lcb_rb.sources.Suite`; repeated here so that the command's help loads no reader."""

RepoType = Literal["dataset", "model", "space"]
"""Kinds of repositories on the Hub."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
MoreSamples = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="More files of samples, after --samples.", show_default=False),
]
WeakIsolation = Annotated[bool, typer.Option("--allow-weak-isolation", help="Run code without a full sandbox.")]


def parse_window(text: str) -> Window:
    """Returns the days of "START:END", both included and both optional.

    Raises:
        InputError: not two dates around a colon.
    """
    start, colon, end = text.partition(":")
    try:
        days = [datetime.date.fromisoformat(part) if part else None for part in (start, end)]
    except ValueError as error:
        raise InputError(f"--window {text!r}: {error}; write it as 2024-10-01: or 2024-10-01:2025-01-31") from error
    if not colon:
        raise InputError(f"--window {text!r}: no colon; write it as 2024-10-01: or 2024-10-01:2025-01-31")
    window = Window(*days)
    if window.start and window.end and window.end < window.start:
        raise InputError(f"--window {text!r}: it ends before it starts; write it as 2024-10-01:2025-01-31")
    return window
