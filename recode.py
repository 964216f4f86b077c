"""The `recode` command: puts the packages' sub-commands together."""

import sys

import typer

import builders.commands
import lcb_rb.commands
from lcb_rb.errors import RecodeError

app = typer.Typer(
    name="recode",
    help="Reasoning-process rewards for code: build, score, train, rank.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lcb_rb.commands.app)
app.add_typer(builders.commands.app, name="build")


def main() -> None:
    """Runs the command; an error that a user can act on becomes one line and an exit code."""
    try:
        app()
    except RecodeError as error:
        sys.stderr.write(f"recode: {error}\n")
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
