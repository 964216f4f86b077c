"""Problems and samples as parquet columns, beside the pairs of `lcb_rb.pairs`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from lcb_rb.errors import InputError, input_error
from lcb_rb.schema import Problem, Result, Sample
from lcb_rb.writing import dump_json

PROBLEMS = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("id", "source", "statement", "starter_code", "entry_point", "prompt", "tests", "reference_solution"),
            *("difficulty", "platform", "date"),
        )
    ]
)
"""Columns of problems; `tests` is JSON, as kinds of tests have different fields."""

SAMPLES = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "problem_id", "model", "reasoning", "place", "code")),
        ("passed", pa.bool_()),
        *((name, pa.string()) for name in ("verdict", "isolation")),
    ]
)
"""Columns of samples; verdict and isolation are empty where a stored grade was taken."""


def problem_row(problem: Problem) -> dict[str, Any]:
    """Returns the row of a problem."""
    row = problem.model_dump(mode="json")
    return {**row, "tests": dump_json(row["tests"]) if row["tests"] else None}


def problem_of(row: Mapping[str, Any]) -> Problem:
    """Returns the problem of a row.

    Raises:
        ValueError: a column is missing or has a value that a problem cannot have.
    """
    known = {name: row[name] for name in Problem.model_fields if name in row}
    return Problem.model_validate({**known, "tests": json.loads(row["tests"]) if row["tests"] else None})


def read_problem_rows(paths: Iterable[Path]) -> list[Problem]:
    """Returns the problems in parquet files, in their order.

    Raises:
        InputError: a file is not parquet, or a row is not a problem.
    """
    return [problem for path in paths for problem in _problems_in(path)]


def sample_row(sample: Sample, result: Result | None) -> dict[str, Any]:
    """Returns the row of a sample with its grade: of the result where there is one, else the stored one."""
    row = {name: getattr(sample, name) for name in ("id", "problem_id", "model", "reasoning", "place", "code")}
    if result is None:
        return {**row, "passed": sample.passed, "verdict": None, "isolation": None}
    return {**row, "passed": result.passed, "verdict": result.verdict.value, "isolation": result.isolation.value}


def write_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema, path: Path) -> Path:
    """Writes rows as one parquet file and returns it; the same rows give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
    return path


def read_rows(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Returns the columns and the rows of a parquet file.

    Raises:
        InputError: it is none.
    """
    try:
        table = pq.read_table(path)
        return table.column_names, table.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise input_error(path, f"is not a parquet file: {' '.join(str(error).split())}", "build it again") from error


def row_error(path: Path, index: int, error: ValidationError) -> InputError:
    """Returns what to raise of a row that is not what it should be."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return InputError(f"{path}, row {index}, field {field!r}: {first['msg']}; build it again")


def _problems_in(path: Path) -> Iterable[Problem]:
    for index, row in enumerate(read_rows(path)[1]):
        try:
            yield problem_of(row)
        except ValidationError as error:
            raise row_error(path, index, error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}, row {index}, field 'tests': not the JSON of tests; build it again") from error
