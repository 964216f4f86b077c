"""EvalPlus: rows of HumanEval+ and MBPP+, which hold a base and an extended suite of tests.

Source of the format: https://github.com/evalplus/evalplus (`evalplus/data`); of the oracles `evalplus/eval`.
"""

import json
from collections.abc import Callable
from typing import Any, Literal

from lcb_rb.schema import AssertTests, CallTests, Oracle, Problem, UnittestTests
from lcb_rb.sources.asserts import assert_tests
from lcb_rb.sources.records import Row

Suite = Literal["base", "plus"]
"""The original benchmark's own tests, or EvalPlus's: the inputs of both, compared with the reference solution."""

Values = list[Any]

HUMANEVAL, MBPP = "humaneval+", "mbpp+"

ORACLES: dict[str, dict[str, Oracle]] = {
    HUMANEVAL: {"find_zero": "find-zero"},
    MBPP: {
        "are_equivalent": "any",
        "sum_div": "or-zero",
        "surface_Area": "surface-area",
        "digit_distance_nums": "digit-distance",
        "similar_elements": "same-set",
        "find_char_long": "same-set",
        "common_in_nested_lists": "same-set",
        "extract_singly": "same-set",
        "larg_nnum": "same-set",
        "intersection_array": "same-set",
        "find_dissimilar": "same-set",
        "Diff": "same-set",
        "check_str": "not-none",
        "text_match_three": "not-none",
        "text_starta_endb": "not-none",
    },
}
"""Rule in place of equality, by benchmark and entry point."""


def is_problem(row: Row) -> bool:
    """Returns whether the row describes a problem of HumanEval+ or MBPP+."""
    return may_hold_nan(row.fields)


def may_hold_nan(fields: dict[str, Any]) -> bool:
    """Returns whether these are the fields of a problem: some of MBPP+'s inputs hold NaN or Infinity."""
    return "task_id" in fields and bool({"base_input", "plus_input"} & fields.keys())


def problem(row: Row, suite: Suite) -> Problem:
    """Returns a problem with one of its two suites.

    Raises:
        InputError: a field is missing, of the wrong type or not Python, or arguments are not those of the task.
    """
    source = MBPP if "assertion" in row.fields else HUMANEVAL
    prompt = row.text("prompt")
    return row.build(
        Problem,
        id=row.text("task_id"),
        source=source,
        statement=prompt,
        entry_point=row.text("entry_point"),
        prompt=prompt,
        tests=_base(row) if suite == "base" else _plus(row, ORACLES[source]),
        reference_solution=prompt + row.text("canonical_solution"),
    )


def _base(row: Row) -> AssertTests | UnittestTests:
    if "assertion" not in row.fields:
        return row.build(AssertTests, check=row.text("test"))
    tests = ("assertion", row.text("assertion"))
    return assert_tests(row, tests, row.text("entry_point"), row.text("canonical_solution"))


def _plus(row: Row, oracles: dict[str, Oracle]) -> CallTests:
    entry_point = row.text("entry_point")
    inputs = [*_inputs(row, "base_input"), *_inputs(row, "plus_input")]
    mend = _MENDED.get(row.text("task_id"))
    plain = None if mend else _plain(inputs)
    return row.build(
        CallTests,
        fn_name=entry_point,
        inputs=_typed(row, inputs, mend or list) if plain is None else plain,
        outputs=None,
        encoding="wire" if plain is None else "json",
        compare="evalplus",
        atol=row.fields.get("atol", 0),
        oracle=oracles.get(entry_point, ""),
    )


def _inputs(row: Row, field: str) -> list[Values]:
    """Returns the arguments of each test; EvalPlus writes an empty list as {}."""
    values: list[Values] = row.typed(field, list) if row.fields.get(field) else []
    for index, value in enumerate(values):
        if not isinstance(value, list) or not value:
            raise row.error(field, f"item {index} is not a list of arguments", "mend the record")
    return values


def _plain(inputs: list[Values]) -> list[str] | None:
    """Returns the inputs as JSON, None when they hold what JSON has not."""
    try:
        return [_lines(arguments) for arguments in inputs]
    except ValueError:  # NaN, Infinity
        return None


def _typed(row: Row, inputs: list[Values], mend: Callable[[Values], Values]) -> list[str]:
    """Returns the inputs with the types that JSON has not, in the form of `wire.encode`."""
    from lcb_rb.execution.worker.wire import encode  # its package imports this one

    try:
        return [_lines([encode(argument) for argument in mend(arguments)]) for arguments in inputs]
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        what = f"the arguments are not those of {row.text('task_id')}: {error}"
        raise row.error("base_input", what, "get the file again") from error


def _lines(arguments: Values) -> str:
    return "\n".join(json.dumps(argument, allow_nan=False) for argument in arguments)


def _nested(value: Any, *kinds: Callable[[Any], Any]) -> Any:
    """Returns the value with the collections of each level, the outermost first, as the given kinds."""
    if not kinds:
        return value
    return kinds[0](_nested(item, *kinds[1:]) for item in value)


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


def _sets(arguments: Values) -> Values:
    return [[set(item) if isinstance(item, list) and item else {} for item in arguments[0]]]


def _records(arguments: Values) -> Values:
    return [tuple(tuple(item) if isinstance(item, list) else item for item in arguments[0])]


def _mended() -> dict[str, Callable[[Values], Values]]:
    """Returns what makes each MBPP+ task's arguments those of the original, as `mbpp_deserialize_inputs` does."""
    groups: list[tuple[str, Callable[[Values], Values]]] = [
        ("2 116 132 143 222 261 273 394 399 421 424 429 470 560 579 596 616 630 726 740 744 809", _each(tuple)),
        ("63 64 70 94 120 237 272 299 400 409 417 438 473 614 780", _each(list, tuple)),
        ("259 401 445", _each(tuple, tuple)),
        ("250 307 405 446 617 720 763 808", lambda given: [tuple(given[0]), *given[1:]]),
        ("75 413 444 753", lambda given: [_nested(given[0], list, tuple), *given[1:]]),
        ("106 750", lambda given: [given[0], tuple(given[1])]),
        ("115", _sets),
        ("124", lambda given: [float(given[0]), complex(given[1])]),
        ("252", lambda given: [complex(given[0])]),
        ("278", _records),
        ("580 615 791", lambda given: list(_deep(given))),
        ("722", lambda given: [{key: tuple(value) for key, value in given[0].items()}, *given[1:]]),
    ]
    return {f"Mbpp/{number}": mend for numbers, mend in groups for number in numbers.split()}


def _each(*kinds: Callable[[Any], Any]) -> Callable[[Values], Values]:
    return lambda given: [_nested(argument, *kinds) for argument in given]


_MENDED = _mended()
