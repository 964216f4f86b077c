"""MBPP: rows of `mbpp.jsonl` and of `sanitized-mbpp.json`; the challenge tests are left out, as in the paper.

Source of the format: https://github.com/google-research/google-research/tree/master/mbpp
"""

from lcb_rb.schema import Problem
from lcb_rb.sources.asserts import assert_tests, called, parse
from lcb_rb.sources.records import Row

SOURCE = "mbpp"


def is_problem(row: Row) -> bool:
    """Returns whether the row describes an MBPP problem."""
    return {"task_id", "test_list"} <= row.fields.keys()


def problem(row: Row) -> Problem:
    """Returns a problem whose id is EvalPlus's, `Mbpp/NUMBER`; the statement shows the tests, which name the function.

    Raises:
        InputError: a field is missing, of the wrong type or not Python.
    """
    text = row.text("prompt" if row.fields.get("text") is None else "text")
    code, tests = row.text("code").replace("\r\n", "\n"), row.strings("test_list")
    entry_point = called(parse(row, "test_list", "\n".join(tests)), parse(row, "code", code))
    if entry_point is None:
        raise row.error("test_list", "calls no function that the code defines", "mend the record")
    imports = row.strings("test_imports") if row.fields.get("test_imports") is not None else []
    setup = row.text("test_setup_code", default="").replace("\r\n", "\n")
    statements = "\n".join([*imports, setup, *tests])
    return row.build(
        Problem,
        id=f"Mbpp/{row.typed('task_id', int)}",
        source=SOURCE,
        statement="\n".join([text, "", "Your code must pass these tests:", *tests]),
        entry_point=entry_point,
        tests=assert_tests(row, ("test_list", statements), entry_point, code),
        reference_solution=code,
    )
