"""The project's own JSON Lines of problems and samples (docs/formats.md)."""

from typing import Any

from lcb_rb.parsing import parse_completion
from lcb_rb.schema import Problem, Sample
from lcb_rb.sources.records import Row, content_id

_SAMPLE_FIELDS = frozenset({"id", "problem_id", "model", "completion", "reasoning", "code", "passed", "metadata"})


def problem(row: Row) -> Problem:
    """Returns the problem of a row.

    Raises:
        InputError: a field is missing, unknown or of the wrong type.
    """
    for field in ("id", "source", "statement"):
        row.text(field)
    return row.build(Problem, **{**row.fields, "date": row.day("date")})


def sample(row: Row) -> Sample:
    """Returns the sample of a row; a `completion` is parsed, `reasoning` and `code` are taken as they are.

    Raises:
        InputError: a field is missing, unknown or of the wrong type.
    """
    unknown = sorted(set(row.fields) - _SAMPLE_FIELDS)
    if unknown:
        raise row.error(unknown[0], "is not a field of a sample", f"known are {', '.join(sorted(_SAMPLE_FIELDS))}")
    parts = _parts(row)
    return row.build(
        Sample,
        id=row.text("id", default=_content_id(row)),
        problem_id=row.text("problem_id"),
        model=row.text("model"),
        passed=row.optional("passed", bool),
        metadata=row.optional("metadata", dict) or {},
        **parts,
    )


def _parts(row: Row) -> dict[str, Any]:
    if "completion" in row.fields:
        if "reasoning" in row.fields or "code" in row.fields:
            raise row.error("completion", "stands beside reasoning or code", "give one form only")
        completion = row.text("completion")
        parsed = parse_completion(completion)
        return {
            "completion": completion,
            "reasoning": parsed.reasoning,
            "place": parsed.place,
            "code": parsed.code,
        }
    return {"reasoning": row.text("reasoning"), "code": row.text("code")}


def _content_id(row: Row) -> str:
    return content_id(*(row.fields.get(name) for name in ("problem_id", "model", "completion", "reasoning", "code")))
