"""MapCoder's analogical prompting on HumanEval and MBPP: each row has a task, a reasoning, its code and a grade.

Source of the generations: https://github.com/Md-Ashraful-Pramanik/MapCoder
"""

from lcb_rb.schema import AssertTests, Problem, Sample
from lcb_rb.sources.records import Row

_FIELDS = frozenset({"task_id", "benchmark", "model", "prompt", "entry_point", "test", "reasoning", "code"})


def is_sample(row: Row) -> bool:
    """Returns whether the row is a task with a reasoning and a code."""
    return row.fields.keys() >= _FIELDS


def problem(row: Row) -> Problem:
    """Returns the task of a row.

    Raises:
        InputError: a field is missing or of the wrong type.
    """
    return row.build(
        Problem,
        id=row.text("task_id"),
        source=row.text("benchmark").lower(),
        statement=row.text("prompt").strip(),
        entry_point=row.text("entry_point"),
        tests=row.build(AssertTests, check=row.text("test")),
    )


def sample(row: Row) -> Sample:
    """Returns the sample of a row, with the stored grade; its id is task and model.

    Raises:
        InputError: a field is missing or of the wrong type.
    """
    return row.build(
        Sample,
        id=f"{row.text('task_id')}/{row.text('model')}",
        problem_id=row.text("task_id"),
        model=row.text("model"),
        reasoning=row.text("reasoning"),
        code=row.text("code"),
        passed=row.optional("passed", bool),
    )
