"""Errors that a user can act on; the command turns each into one line and an exit code."""

from pathlib import Path


class RecodeError(Exception):
    """Base of the errors whose message is written for the user."""

    exit_code = 1


class InputError(RecodeError):
    """The request or its input was wrong: the message says what, where and what to do."""

    exit_code = 2


class MissingExtraError(InputError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'lcb-rb[{extra}]'")


class HubError(RecodeError):
    """The Hub, or the way to it, failed; the same command run again finishes the work."""


class EndpointError(RecodeError):
    """A model's endpoint, or the way to it, failed; the same command run again goes on."""


class GradingError(RecodeError):
    """The grading instrument itself failed; never a statement about the graded code."""


def input_error(
    path: Path | str, what: str, fix: str, *, line: int | None = None, field: str | None = None
) -> InputError:
    """Returns the error "file, line, field: what; what to do"."""
    place = str(path)
    if line is not None:
        place += f", line {line}"
    if field is not None:
        place += f", field {field!r}"
    return InputError(f"{place}: {what}; {fix}")
