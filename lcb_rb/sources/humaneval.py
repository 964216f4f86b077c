"""HumanEval: rows of `HumanEval.jsonl`.

Source of the format: https://github.com/openai/human-eval
"""

from lcb_rb.schema import AssertTests, Problem
from lcb_rb.sources.records import Row

SOURCE = "humaneval"


def is_problem(row: Row) -> bool:
    """Returns whether the row describes a HumanEval problem; BigCodeBench's rows are much like it."""
    return {"task_id", "canonical_solution"} <= row.fields.keys() and "complete_prompt" not in row.fields


def problem(row: Row) -> Problem:
    """Returns a problem with its `check`; the prompt, whose helpers the check may use, precedes every solution.

    Raises:
        InputError: a field is missing or of the wrong type.
    """
    prompt = row.text("prompt")
    return row.build(
        Problem,
        id=row.text("task_id"),
        source=SOURCE,
        statement=prompt,
        entry_point=row.text("entry_point"),
        prompt=prompt,
        tests=row.build(AssertTests, check=row.text("test")),
        reference_solution=prompt + row.text("canonical_solution"),
    )
