"""The dataset again, with the pairs that reviewers confirmed as config `reviewed`."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from builders import card
from builders.review.merging import REASONS, Merged
from builders.review.reporting import HEAD, agreement_line, reviewer_rows
from lcb_rb.cards import CARD, Configs, read_card, understood
from lcb_rb.columns import write_rows
from lcb_rb.errors import InputError, input_error
from lcb_rb.pairs import pair_schema, shard_name, to_row
from lcb_rb.schema import PreferencePair
from lcb_rb.templates import fill
from lcb_rb.writing import staged_directory

NAME = "reviewed"
"""Of the config, and of the folder that holds it."""
HEADING = "## Reviewed by people"
TEMPLATE = Path(__file__).parent / "card.md"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a merge makes of a dataset."""

    directory: Path
    """The dataset."""
    splits: Mapping[str, Sequence[PreferencePair]]
    """The pairs that were reviewed, by split."""
    merged: Merged
    """What the reviewers say."""
    command: Sequence[str]
    """Words of the command that makes it again, without --out."""


def write_reviewed(reviewed: Reviewed, out: Path) -> dict[str, int]:
    """Writes the dataset with config `reviewed`, whole or not at all, and returns its pairs by split.

    Raises:
        InputError: nothing is confirmed, the dataset's card cannot be added to, or `out` is something else.
    """
    metadata, body = read_card(reviewed.directory / CARD)
    _refuse(reviewed, metadata, out)
    confirmed = set(reviewed.merged.confirmed)
    splits = {name: [pair for pair in pairs if pair.id in confirmed] for name, pairs in reviewed.splits.items()}
    splits = {name: pairs for name, pairs in sorted(splits.items()) if pairs}
    schema = pair_schema([pair for pairs in splits.values() for pair in pairs])
    counts = {name: len(pairs) for name, pairs in splits.items()}
    with staged_directory(out, CARD) as stage:
        for path in _files(reviewed.directory):
            copy = stage / path.relative_to(reviewed.directory)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for name, pairs in splits.items():
            write_rows([to_row(pair) for pair in pairs], schema, stage / NAME / shard_name(name))
        places = card.configs({NAME: (NAME, schema, counts)})
        text = _card(_with_config(metadata, places), body, _section(reviewed, counts))
        (stage / CARD).write_text(text, encoding="utf-8")
    return counts


def _refuse(reviewed: Reviewed, metadata: Mapping[str, Any], out: Path) -> None:
    directory, whole, path = reviewed.directory, out.resolve(), reviewed.directory / CARD
    configs = understood(Configs, metadata, path).configs
    if not configs:
        raise input_error(path, "has no configs", "give a directory that `recode build` made", field="configs")
    if any(config.config_name == NAME for config in configs) or (directory / NAME).exists():
        raise input_error(directory, f"holds config {NAME!r} already", "give the directory that it was made from")
    if whole.is_relative_to(directory.resolve()) or directory.resolve().is_relative_to(whole):
        raise InputError(f"{out}: a dataset is not changed in place; choose another --out")
    if not reviewed.merged.confirmed:
        dropped = ", ".join(f"{reason} {count}" for reason, count in reviewed.merged.drops.items())
        raise InputError(f"no pair is confirmed ({dropped}); collect more answers, or lower --confirmations")
    if out.is_dir() and any(out.iterdir()) and not _made_here(out, directory):
        raise InputError(f"{out}: exists and was not built by this command; choose another --out or remove it")


def _made_here(out: Path, directory: Path) -> bool:
    """Returns whether nothing would be lost that this command cannot make again."""
    names = {item.name for item in out.iterdir()} <= {NAME, *(item.name for item in directory.iterdir())}
    text = (out / CARD).read_text(encoding="utf-8", errors="replace") if (out / CARD).is_file() else ""
    return names and f"\n{HEADING}\n" in text and "`recode review " in text


def _files(directory: Path) -> Iterator[Path]:
    """Yields the files of a dataset; what is hidden belongs to git or to the Hub's client."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _with_config(metadata: Mapping[str, Any], places: Mapping[str, object]) -> dict[str, Any]:
    """Returns a card's metadata with the config of `places` after the others; the default stays what it was."""
    changed = dict(metadata)
    for field, added in places.items():
        known = changed.get(field) or []
        items = [{key: value for key, value in item.items() if key != "default"} for item in _mappings(added)]
        changed[field] = [*_mappings(known), *items]
    return changed


def _mappings(value: object) -> list[dict[str, Any]]:
    """Returns a card's field as a list: one declared dataset may stand without."""
    return (
        value if isinstance(value, list) else [{"config_name": "default", **value}] if isinstance(value, dict) else []
    )


def _card(metadata: Mapping[str, Any], body: str, section: str) -> str:
    """Returns the card; the section stands before the columns, or at the end."""
    text = yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True)
    before, columns, after = body.rstrip("\n").partition("\n## Columns\n")
    if not columns:
        return f"---\n{text}---\n{before}\n\n{section}"
    return f"---\n{text}---\n{before}\n{section}{columns}{after}\n"


def _section(reviewed: Reviewed, counts: Mapping[str, int]) -> str:
    merged = reviewed.merged
    drops = [(reason, str(count), REASONS[reason]) for reason, count in merged.drops.items()]
    fields = {
        "heading": HEADING,
        "splits": card.table(("split", "pairs"), [(name, str(count)) for name, count in counts.items()]),
        "confirmations": str(merged.confirmations),
        "reviewers": card.table(HEAD, reviewer_rows(merged)),
        "agreement": agreement_line(merged.agreement),
        "drops": card.table(("reason", "pairs", "meaning"), drops) if drops else "None.",
        "command": shlex.join([*reviewed.command, "--out", "DIR"]),
    }
    return fill(TEMPLATE.read_text(encoding="utf-8"), fields)
