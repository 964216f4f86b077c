"""Samples as HumanEval, EvalPlus and LeetCodeDataset take them: a `completion` of the prompt, or a whole `solution`.

Source of the format: `load_solutions` in https://github.com/evalplus/evalplus/blob/master/evalplus/data/utils.py
"""

from collections.abc import Mapping

from lcb_rb.reading import bare_name
from lcb_rb.schema import Problem, Sample
from lcb_rb.sources.records import Row, content_id

_KNOWN = frozenset({"id", "task_id", "completion", "solution", "model", "passed"})


def is_sample(row: Row) -> bool:
    """Returns whether the row is a sample for a task; problems have a test as well."""
    return "task_id" in row.fields and bool({"completion", "solution"} & row.fields.keys())


def sample(row: Row, problems: Mapping[str, Problem]) -> Sample:
    """Returns the sample of a row, its code complete: prompt + completion, or the solution.

    The texts are code and taken as they are. Without a field `model`, the file's name without `.jsonl` stands for it.

    Raises:
        InputError: a field is missing or of the wrong type, or a completion's problem is not among the given ones.
    """
    number = row.fields.get("task_id")  # MBPP's own ids are numbers
    problem_id = f"Mbpp/{number}" if type(number) is int else row.text("task_id")
    model = row.text("model", default=bare_name(row.path).removesuffix(".jsonl"))
    code = row.text("solution") if "solution" in row.fields else _continued(row, problem_id, problems)
    return row.build(
        Sample,
        id=row.text("id", default=content_id(problem_id, model, code)),
        problem_id=problem_id,
        model=model,
        reasoning="",
        code=code,
        passed=row.optional("passed", bool),
        metadata={name: value for name, value in row.fields.items() if name not in _KNOWN},
    )


def _continued(row: Row, problem_id: str, problems: Mapping[str, Problem]) -> str:
    """Returns the completion after the prompt that it continues."""
    completion = row.text("completion")
    if problem_id not in problems:
        what = f"problem {problem_id!r} is not given, and a completion continues its prompt"
        raise row.error("task_id", what, "add its file to --problems")
    return problems[problem_id].prompt + completion
