"""LeetCodeDataset: problem rows of versions 0.1 to 0.3.1, which also hold a published solution each.

Source of the format: https://github.com/newfacade/LeetCodeDataset
"""

import re

from lcb_rb.parsing import parse_completion
from lcb_rb.schema import AssertTests, Problem, Sample
from lcb_rb.sources.records import Row

SOURCE = "leetcodedataset"
MODEL = "reference"
"""Who wrote the solutions of the file."""

_ENTRY_POINT = re.compile(r"(?:Solution\(\)\.)?(\w+)")


def is_problem(row: Row) -> bool:
    """Returns whether the row describes a problem of LeetCodeDataset."""
    return {"task_id", "completion", "test"} <= row.fields.keys()


def problem(row: Row) -> Problem:
    """Returns a problem; the entry point is the method's name, the prompt the imports that precede every solution.

    Raises:
        InputError: a field is missing or of the wrong type.
    """
    row = _flat(row)
    entry_point = _ENTRY_POINT.fullmatch(row.text("entry_point"))
    if not entry_point:
        raise row.error("entry_point", "is neither `Solution().method` nor a function", "mend the record")
    statement = next((name for name in ("problem_description", "question_title") if row.fields.get(name)), "query")
    starter = "lang_code" if row.fields.get("starter_code") is None else "starter_code"
    prompt = row.text("prompt")
    return row.build(
        Problem,
        id=row.text("task_id"),
        source=SOURCE,
        statement=row.text(statement),
        starter_code=row.text(starter, default=""),
        entry_point=entry_point[1],
        prompt=prompt,
        tests=row.build(AssertTests, check=row.text("test")),
        reference_solution=f"{prompt}\n{row.text('completion')}",
        difficulty=row.text("difficulty", default="").lower() or None,
        platform="leetcode",
        date=row.day("estimated_date"),
    )


def sample(row: Row) -> Sample:
    """Returns the published solution of a row: the `response`, with its reasoning, or else the `completion`.

    Raises:
        InputError: a field is missing or of the wrong type.
    """
    field = "response" if row.text("response", default="") else "completion"
    parsed = parse_completion(row.text(field))
    return row.build(
        Sample,
        id=f"{row.text('task_id')}/{field}",
        problem_id=row.text("task_id"),
        model=MODEL,
        reasoning=parsed.reasoning,
        place=parsed.place,
        code=parsed.code,
        completion=row.text(field),
    )


def _flat(row: Row) -> Row:
    """Returns the row with the fields that versions before 0.3.1 keep under `meta`."""
    return Row(row.path, row.line, {**(row.optional("meta", dict) or {}), **row.fields})
