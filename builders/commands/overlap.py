"""`recode overlap`: do two sets share problems?"""

from pathlib import Path
from typing import Annotated

import typer

from lcb_rb.options import AsJson, parse_window

_SET = "A file of problems or samples, a directory of pairs, or the id of a dataset on the Hub."


def overlap(
    first: Annotated[str, typer.Argument(metavar="A", help=_SET)],
    second: Annotated[str, typer.Argument(metavar="B", help="The same: what A should have nothing of.")],
    window: Annotated[
        str | None, typer.Option(help="Days that no problem of A may have, as 2024-10-01:.", show_default="none")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of common runs of 13 words that makes two one problem.")
    ] = 0.35,
    out: Annotated[Path | None, typer.Option(help="File for the list (JSON Lines).")] = None,
    as_json: AsJson = False,
) -> None:
    """List the problems of A that are in B, under whatever name; exits with 1 if there is one."""
    from builders.decontamination import listing, offenders
    from builders.problem_sets import overlap_summary, overlap_text, read_set
    from lcb_rb.progress import emit
    from lcb_rb.writing import require_writable, write_text

    days = parse_window(window) if window is not None else None
    if out:
        require_writable(out)
    left, right = read_set(first), read_set(second)
    found = offenders(left.problems, [(right.name, right.problems)], window=days, runs_threshold=threshold)
    if out:
        write_text(out, listing(found))
    emit(overlap_summary(left, right, found), overlap_text(left, right, found), as_json=as_json)
    if found:
        raise typer.Exit(1)
