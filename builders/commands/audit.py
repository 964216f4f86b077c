"""`recode audit`: can the pairs of a dataset be told apart without reading them?"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lcb_rb.options import AsJson

if TYPE_CHECKING:
    from lcb_rb.schema import PreferencePair


def audit(
    pairs: Annotated[
        str, typer.Argument(metavar="DIR", help="Directory of pairs, or id of a dataset on the Hub; id@REVISION pins.")
    ],
    config: Annotated[str, typer.Option(help="Part of the dataset.")] = "default",
    split: Annotated[str | None, typer.Option(help="One split of them.", show_default="all")] = None,
    allow: Annotated[list[str], typer.Option(help="Predictor that may tell sides apart; once for each.")] = [],  # noqa: B006
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    out: Annotated[Path | None, typer.Option(help="File for the audit (JSON).")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how often predictors that cannot read find the better reasoning; exits with 1 if too often."""
    from builders.audit.audit import examine, require_known, require_passed, status_of
    from builders.audit.tables import audit_text
    from lcb_rb.progress import bar, emit
    from lcb_rb.scoring import read_source
    from lcb_rb.writing import require_writable, write_text

    require_known(allow)
    if out:
        require_writable(out)
    source = read_source(pairs, config, split)
    with bar("looking at pairs", len(source.pairs)) as advance:
        found = examine(_told(source.pairs, advance), seed=seed)
    data = {"data": source.name, "data_revision": source.revision}
    result = {row.predictor: status_of(row, allow) for row in found.rows}
    whole = {**data, "allowed": sorted(allow), "result": result, **found.model_dump(mode="json")}
    if out:
        write_text(out, json.dumps(whole, indent=1, allow_nan=False) + "\n")
    emit(whole, f"{audit_text(found, allow)}\npairs {source.name}", as_json=as_json)
    require_passed(found, allow)


def _told(pairs: "Sequence[PreferencePair]", advance: Callable[[], None]) -> "Iterator[PreferencePair]":
    for pair in pairs:
        yield pair
        advance()
