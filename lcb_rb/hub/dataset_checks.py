"""What is checked of a dataset before it is published: its card's configs, and that every file is what they say."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lcb_rb.cards import CARD, Config, DatasetCard, matching, understood
from lcb_rb.errors import input_error
from lcb_rb.hub.files import Files

PARQUET = (".parquet", ".pq")


def check_dataset(files: Files, fields: dict[str, Any]) -> None:
    """Refuses a dataset that the Hub or `load_dataset` would not take.

    Raises:
        InputError: the card, a data file, or a program in the root, which makes a dataset unloadable.
    """
    path = files[CARD]
    card = understood(DatasetCard, fields, path)
    for name in files:
        if name.lower().endswith(".py") and "/" not in name:
            raise input_error(files[name], "is a program in the root of a dataset", "remove it")
    schemas = {name: _schema(files[name]) for name in files if name.lower().endswith(PARQUET)}
    declared = _declared(card, path)
    _refuse_doubles(card, path)
    for config in card.configs or [Config(config_name="default", data_files="**")]:
        tables = {files[name]: schemas[name] for name in _files_of(config, list(files), path) if name in schemas}
        _refuse_unlike(tables)
        features = declared.get(config.config_name) or (next(iter(declared.values())) if len(declared) == 1 else None)
        for table, schema in tables.items() if features is not None else ():
            _refuse_undeclared(table, schema, features)


def _schema(path: Path) -> pa.Schema:
    """Returns the columns of a parquet file that can be read to its end."""
    if not path.stat().st_size:
        raise input_error(path, "is empty (0 bytes)", "build it again")
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            for group in range(file.num_row_groups):
                file.read_row_group(group).validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise input_error(
            path, f"is no parquet file ({' '.join(str(error).split())[:120]})", "build it again"
        ) from error
    return schema


def _refuse_doubles(card: DatasetCard, path: Path) -> None:
    names = [config.config_name for config in card.configs]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise input_error(path, f"names {double!r} twice", "give every config a name of its own", field="configs")
    if sum(config.default for config in card.configs) > 1:
        raise input_error(path, "has several defaults", "keep one `default: true`", field="configs")


def _files_of(config: Config, names: list[str], path: Path) -> list[str]:
    """Returns the files of a config, and refuses a pattern that none has."""
    found: list[str] = []
    for patterns in config.patterns().values():
        for pattern in patterns:
            names_of = matching(names, pattern)
            if not names_of:
                what = f"names {pattern!r}, of which there is no file"
                raise input_error(path, what, "add the file, or mend the card", field=f"configs.{config.config_name}")
            found += names_of
    return found


def _declared(card: DatasetCard, path: Path) -> dict[str, pa.Schema]:
    """Returns the columns that the card declares, by config."""
    import datasets

    found = {}
    for info in card.infos:
        if info.features is None:
            continue
        try:
            found[info.config_name] = datasets.Features._from_yaml_list(info.features).arrow_schema
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
        found, wanted = schema.field(name).type, declared.field(name).type
        if not _fits(found, wanted):
            raise input_error(path, f"is {found}, declared as {wanted}", "build it again", field=name)


def _refuse_unlike(tables: dict[Path, pa.Schema]) -> None:
    """Refuses files of one config that differ in their columns."""
    first = next(iter(tables), None)
    for path, schema in tables.items():
        other = sorted(set(tables[first].names) ^ set(schema.names)) if first else []
        if other:
            what = f"is not a column of both this file and {first.name if first else ''}"
            raise input_error(path, what, "build it again", field=other[0])


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Returns whether `datasets` reads a column of one type as another without a change of its values."""
    if pa.types.is_null(found) or found == wanted:
        return True
    if pa.types.is_dictionary(found):
        return _fits(found.value_type, wanted)
    if _is_text(found) and _is_text(wanted):
        return True
    if _is_list(found) and _is_list(wanted):
        return _fits(found.value_type, wanted.value_type)
    if pa.types.is_struct(found) and pa.types.is_struct(wanted):
        ours, theirs = ({field.name: field.type for field in kind} for kind in (found, wanted))
        return ours.keys() == theirs.keys() and all(_fits(ours[name], theirs[name]) for name in ours)
    return False


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
