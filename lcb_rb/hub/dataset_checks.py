"""What is checked of a dataset before it is published: its card's configs, and that every file is what they say."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lcb_rb.errors import input_error
from lcb_rb.hub.cards import CARD, require
from lcb_rb.hub.files import Files


def check_dataset(files: Files, card: dict[str, Any]) -> None:
    """Refuses a dataset that the Hub or `load_dataset` would not take.

    Raises:
        InputError: the card, a data file, or a program in the root, which makes a dataset unloadable.
    """
    path = files[CARD]
    require(card, ("license",), path)
    for name in files:
        if name.endswith(".py") and "/" not in name:
            raise input_error(files[name], "is a program in the root of a dataset", "remove it")
    schemas = {name: _schema(files[name]) for name in files if name.endswith(".parquet")}
    declared = _declared(card, path)
    for config in _configs(card, path):
        tables = {files[name]: schemas[name] for name in _files_of(config, files, path) if name in schemas}
        _refuse_unlike(tables)
        features = declared.get(config["config_name"]) or (declared.get("") if len(declared) == 1 else None)
        for table, schema in tables.items() if features is not None else ():
            _refuse_undeclared(table, schema, features)


def _schema(path: Path) -> pa.Schema:
    if not path.stat().st_size:
        raise input_error(path, "is empty (0 bytes)", "build it again")
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except (pa.ArrowException, OSError) as error:
        raise input_error(
            path, f"is no parquet file ({' '.join(str(error).split())[:120]})", "build it again"
        ) from error
    return schema


def _configs(card: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    configs = card.get("configs") or []
    well_formed = isinstance(configs, list) and all(
        isinstance(config, dict) and isinstance(config.get("config_name"), str) for config in configs
    )
    if not well_formed:
        raise input_error(path, "is no list of mappings with a config_name", "mend it", field="configs")
    return configs


def _files_of(config: dict[str, Any], names: Iterable[str], path: Path) -> Iterator[str]:
    """Yields the files of a config, and refuses a pattern that none has."""
    entries = config.get("data_files") or []
    for entry in [entries] if isinstance(entries, str | dict) else entries:
        patterns = entry["path"] if isinstance(entry, dict) else entry
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            found = [name for name in names if fnmatchcase(name, pattern)]
            if not found:
                what = f"names {pattern!r}, of which there is no file"
                raise input_error(
                    path, what, "add the file, or mend the card", field=f"configs.{config['config_name']}"
                )
            yield from found


def _declared(card: dict[str, Any], path: Path) -> dict[str, pa.Schema]:
    """Returns the columns that the card declares, by config; of one without a name under an empty name."""
    import datasets

    entries = card.get("dataset_info") or []
    found = {}
    for entry in [entries] if isinstance(entries, dict) else entries:
        if not isinstance(entry, dict) or "features" not in entry:
            continue
        try:
            features = datasets.Features._from_yaml_list(entry["features"])
            found[str(entry.get("config_name", ""))] = features.arrow_schema
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise input_error(path, f"cannot be understood ({error})", "mend it", field="dataset_info") from error
    return found


def _refuse_undeclared(path: Path, schema: pa.Schema, declared: pa.Schema) -> None:
    for name in declared.names:
        if name not in schema.names:
            raise input_error(path, "is declared in the card and missing here", "build it again", field=name)
    for name in schema.names:
        if name not in declared.names:
            raise input_error(path, "is not declared in the card", "build it again", field=name)
        found, wanted = _kind(schema.field(name).type), _kind(declared.field(name).type)
        if found != wanted:
            raise input_error(path, f"is {found}, declared as {wanted}", "build it again", field=name)


def _refuse_unlike(tables: dict[Path, pa.Schema]) -> None:
    """Refuses files of one config that differ in their columns."""
    first = next(iter(tables), None)
    for path, schema in tables.items():
        other = sorted(set(tables[first].names) ^ set(schema.names)) if first else []
        if other:
            what = f"is not a column of both this file and {first.name if first else ''}"
            raise input_error(path, what, "build it again", field=other[0])


def _kind(kind: pa.DataType) -> str:
    """Returns a type's name without what makes no difference to a reader."""
    return str(kind).replace("large_", "").replace("element: ", "item: ").replace(" not null", "")
