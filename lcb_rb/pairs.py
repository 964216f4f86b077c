"""Preference pairs as parquet files in the layout of a Hub dataset: `data/{split}-00000-of-00001.parquet`."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from lcb_rb.cards import CARD, Configs, matching, read_card, understood
from lcb_rb.columns import read_rows, row_error, write_rows
from lcb_rb.errors import input_error
from lcb_rb.schema import PreferencePair, Problem

DEFAULT = "default"
"""Config of natural pairs."""

_SHARD = re.compile(r"(?P<split>.+)-\d{5}-of-(?P<of>\d{5})\.parquet")

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_EDITS = pa.list_(
    pa.struct(
        [
            ("rule", pa.string()),
            ("dimension", pa.string()),
            ("start", pa.int32()),
            ("before", pa.string()),
            ("after", pa.string()),
        ]
    )
)
_PLAIN = (
    "problem",
    "chosen_reasoning",
    "rejected_reasoning",
    "chosen_code",
    "rejected_code",
    "chosen_model",
    "rejected_model",
    "kind",
    "dimension",
    "difficulty",
    "platform",
    "date",
    "source",
)

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("problem_id", pa.string()),
        ("prompt", _MESSAGES),
        ("chosen", _MESSAGES),
        ("rejected", _MESSAGES),
        *((name, pa.string()) for name in _PLAIN),
        ("chosen_chars", pa.int32()),
        ("rejected_chars", pa.int32()),
    ]
)
"""Columns that all pairs have."""

_CLAIMS = tuple(f"{side}_claims_{what}" for side in ("chosen", "rejected") for what in ("checked", "refuted"))
OPTIONAL = pa.schema(
    [("edits", _EDITS), ("place", pa.string()), ("rewriter", pa.string()), *((name, pa.int32()) for name in _CLAIMS)]
)
"""Columns that are there where a pair has something in them."""

_DERIVED = frozenset({"prompt", "chosen", "rejected", "chosen_chars", "rejected_chars"})


def problem_text(problem: Problem) -> str:
    """Returns what a reward model reads of a problem: the statement and the starter code, if any."""
    if not problem.starter_code.strip():
        return problem.statement.strip()
    return f"{problem.statement.strip()}\n\nStarter code:\n{problem.starter_code.rstrip()}"


def problem_fields(problem: Problem) -> dict[str, Any]:
    """Returns the fields that a pair takes from its problem."""
    return {
        "problem_id": problem.id,
        "problem": problem_text(problem),
        "difficulty": problem.difficulty,
        "platform": problem.platform,
        "date": problem.date,
        "source": problem.source,
    }


def to_row(pair: PreferencePair) -> dict[str, Any]:
    """Returns the row of a pair, with the conversational columns that TRL reads."""
    plain = pair.model_dump(mode="json")
    return {
        **plain,
        "prompt": [_message("user", pair.problem)],
        "chosen": [_message("assistant", pair.chosen_reasoning)],
        "rejected": [_message("assistant", pair.rejected_reasoning)],
        "chosen_chars": len(pair.chosen_reasoning),
        "rejected_chars": len(pair.rejected_reasoning),
    }


def from_row(row: dict[str, Any]) -> PreferencePair:
    """Returns the pair of a row; unknown columns are passed over.

    Raises:
        ValidationError: a column is missing or has a value that a pair cannot have.
    """
    known = {name: row[name] for name in PreferencePair.model_fields if name in row}
    return PreferencePair.model_validate({**known, "edits": known.get("edits") or ()})


def pair_schema(pairs: Iterable[PreferencePair]) -> pa.Schema:
    """Returns the columns that the pairs need."""
    used: set[str] = set()
    for pair in pairs:
        used |= used_columns(pair)
    return schema_of(used)


def used_columns(pair: PreferencePair) -> set[str]:
    """Returns the optional columns that a pair has something in."""
    return {name for name in OPTIONAL.names if getattr(pair, name) not in (None, ())}


def schema_of(used: Collection[str]) -> pa.Schema:
    """Returns the columns that all pairs have and the named optional ones."""
    return pa.schema([*SCHEMA, *(column for column in OPTIONAL if column.name in used)])


def write_pairs(pairs: Sequence[PreferencePair], directory: Path, split: str, folder: str = "data") -> Path:
    """Writes one split below the directory and returns its file; the same pairs give the same bytes."""
    path = directory / folder / shard_name(split)
    return write_rows([to_row(pair) for pair in pairs], pair_schema(pairs), path)


def shard_name(split: str) -> str:
    """Returns the name of a split's only file, as the Hub's own tools give it."""
    return f"{split}-00000-of-00001.parquet"


def patterns_of(directory: Path, config: str, place: str = "") -> dict[str, list[str]]:
    """Returns patterns of a config's files by split: as the card has them, else by our layout with the split "".

    Args:
        directory: Of the dataset.
        config: Part of it.
        place: How messages name the dataset, the directory when empty.

    Raises:
        InputError: the card is broken, or there is no such config.
    """
    card = directory / CARD
    written = card.is_file() and card.read_bytes()[:8].lstrip(b"\xef\xbb\xbf").startswith(b"---")
    fields = read_card(card)[0] if written else {}
    configs = understood(Configs, fields, card).configs
    found = next((known for known in configs if known.config_name == config), None)
    if found and found.patterns():
        return found.patterns()
    if configs or not re.fullmatch(r"\w[\w.-]*", config) or ".." in config:
        known = ", ".join(known.config_name for known in configs) or DEFAULT
        raise input_error(place or directory, f"has no config {config!r}", f"choose one of {known}")
    return {"": [f"{'data' if config == DEFAULT else config}/*.parquet"]}


def read_pairs(directory: Path, split: str | None = None, config: str = DEFAULT) -> list[PreferencePair]:
    """Returns the pairs of one split of a config, or of all splits in the order of their names.

    Raises:
        InputError: no such directory, split or file, or a row that is not a pair.
    """
    pairs = [pair for path in pair_files(directory, split, config) for pair in _read_file(path)]
    if not pairs:
        raise input_error(directory, "holds no pairs", "build it again")
    _refuse_duplicates(directory, pairs)
    return pairs


def pair_files(directory: Path, split: str | None = None, config: str = DEFAULT) -> list[Path]:
    """Returns the parquet files of a config of a dataset directory, sorted; of the splits that its card names.

    Raises:
        InputError: no such directory, config or split, or not all of its files are there.
    """
    if not directory.is_dir():
        fix = "give a directory made by `recode build`, or the id of a dataset on the Hub"
        raise input_error(directory, "is not a directory", fix)
    found: dict[str, list[Path]] = {}
    names = sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*.parquet"))
    for told, patterns in patterns_of(directory, config).items():
        for name in dict.fromkeys(name for pattern in patterns for name in matching(names, pattern)):
            found.setdefault(told or _split_of(name), []).append(directory / name)
    files = [path for name in sorted(found) if split in (None, name) for path in found[name]]
    if not found:
        wanted = next(iter(patterns_of(directory, config).values()))[0]
        raise input_error(directory, f"has no {wanted}", "build it with `recode build`")
    if not files:
        raise input_error(directory, f"has no split {split!r}", f"choose one of {', '.join(sorted(found))}")
    _refuse_gaps(files)
    return files


def _split_of(name: str) -> str:
    found = _SHARD.fullmatch(name.rpartition("/")[2])
    return found["split"] if found else "train"


def _refuse_gaps(files: Iterable[Path]) -> None:
    """Refuses a split of which only some files are there: its accuracy would pass for that of the whole."""
    counts = Counter(
        (path.parent, found["split"], int(found["of"])) for path in files if (found := _SHARD.fullmatch(path.name))
    )
    for (folder, split, of), count in counts.items():
        if count != of:
            raise input_error(folder, f"holds {count} of {of} files of split {split!r}", "fetch or build it again")


def data_revision(files: Iterable[Path]) -> str:
    """Returns the sha256 over the contents of the files, in order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _read_file(path: Path) -> list[PreferencePair]:
    columns, rows = read_rows(path)
    missing = [name for name in SCHEMA.names if name not in _DERIVED and name not in columns]
    if missing:
        raise input_error(path, "is missing", "build it again with `recode build`", field=missing[0])
    pairs = []
    for index, row in enumerate(rows):
        try:
            pairs.append(from_row(row))
        except ValidationError as error:
            raise row_error(path, index, error) from error
    return pairs


def _refuse_duplicates(directory: Path, pairs: Sequence[PreferencePair]) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise input_error(directory, f"pair {pair.id!r} comes twice", "build it again", field="id")
        seen.add(pair.id)
