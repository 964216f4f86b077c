"""`recode review`: people read pairs blind, and what their verdicts say together."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lcb_rb.errors import InputError
from lcb_rb.options import AsJson

if TYPE_CHECKING:
    from builders.review.merging import Merged

MERGING = "With --merge"
"""Panel of the help for what is done with finished files."""


def review(
    directory: Annotated[Path, typer.Argument(help="Directory of pairs.")],
    reviewer: Annotated[str | None, typer.Option(help="Who answers.", show_default="your login name")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File of the answers; with --merge, the directory to make.",
            show_default="DIRECTORY.reviews/REVIEWER.jsonl",
        ),
    ] = None,
    config: Annotated[str, typer.Option(help="Part of the dataset.")] = "default",
    split: Annotated[str | None, typer.Option(help="One split of it.", show_default="all")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Pairs to draw, the same for all reviewers.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every draw and of the bootstrap.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page.", show_default="a free one")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    merge: Annotated[
        list[Path],
        typer.Option(help="Files of answers, one a reviewer, to report on together.", rich_help_panel=MERGING),
    ] = [],  # noqa: B006 - typer copies it
    confirmations: Annotated[
        int,
        typer.Option(min=1, help="Reviewers who must confirm a pair of config reviewed.", rich_help_panel=MERGING),
    ] = 2,
    as_json: AsJson = False,
) -> None:
    """Read pairs blind on a local page and say which reasoning is better; --merge joins what reviewers said."""
    from lcb_rb.progress import emit

    if merge:
        if reviewer is not None or sample is not None or port or no_open:
            raise InputError("--merge reads finished files: leave out --reviewer, --sample, --port and --no-open")
        result, text = _merge(directory, merge, out, config, split, seed, confirmations)
    else:
        name = _name(reviewer)
        result, text = _sit(directory, name, out, config, split, sample, seed, port, not no_open)
    emit(result, text, as_json=as_json)


def _name(reviewer: str | None) -> str:
    from getpass import getuser

    from builders.review.answers import checked_name

    try:
        return checked_name(getuser() if reviewer is None else reviewer)
    except (OSError, KeyError) as error:  # KeyError: before Python 3.13
        raise InputError("your login name is unknown; give --reviewer NAME") from error


def _sit(
    directory: Path,
    reviewer: str,
    out: Path | None,
    config: str,
    split: str | None,
    sample: int | None,
    seed: int,
    port: int,
    opens: bool,
) -> tuple[dict[str, object], str]:
    from builders.review.blind import make_sheet
    from builders.review.session import default_path, sit
    from lcb_rb.pairs import data_revision, pair_files, read_pairs

    path = out or default_path(directory, reviewer)
    revision = data_revision(pair_files(directory, split, config))
    sheet = make_sheet(read_pairs(directory, split, config), reviewer, revision=revision, seed=seed, sample=sample)
    state = sit(sheet, path, port=port, opens=opens)
    text = f"{state['answered']} of {state['total']} pairs answered -> {path}"
    return {"answered": state["answered"], "pairs": state["total"], "out": str(path)}, text


def _merge(
    directory: Path,
    files: list[Path],
    out: Path | None,
    config: str,
    split: str | None,
    seed: int,
    confirmations: int,
) -> tuple[dict[str, object], str]:
    from builders.review.merging import merge
    from builders.review.reporting import merged_text
    from builders.review.reviewed import Reviewed, write_reviewed
    from lcb_rb.pairs import data_revision, pair_files, patterns_of, read_pairs

    revision = data_revision(pair_files(directory, split, config))
    named = [name for name in patterns_of(directory, config) if name and split in (None, name)]
    splits = {name: read_pairs(directory, name, config) for name in named} or {
        split or "train": read_pairs(directory, split, config)  # where no card names the splits
    }
    pairs = [pair for found in splits.values() for pair in found]
    merged = merge(pairs, files, revision=revision, confirmations=confirmations, seed=seed)
    text = merged_text(merged)
    if out:
        write_reviewed(Reviewed(directory, splits, merged, _words(directory, files, config, split, seed, merged)), out)
        text += f"\n-> {out}"
    return {**merged.model_dump(mode="json"), "out": str(out) if out else None}, text


def _words(
    directory: Path, files: list[Path], config: str, split: str | None, seed: int, merged: "Merged"
) -> list[str]:
    """Returns the command that makes the same again, with bare names, without --out."""
    words = ["recode", "review", directory.resolve().name]
    for name in sorted(path.name for path in files):
        words += ["--merge", name]
    words += ["--config", config] if config != "default" else []
    words += ["--split", split] if split else []
    words += ["--seed", str(seed)] if seed else []
    return [*words, "--confirmations", str(merged.confirmations)]
