"""Worked examples that a problem's own tests prove, and results that are wrong but look alike."""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from builders.claims.finding import has_many_answers
from builders.claims.literals import Value
from builders.claims.signature import Signature, signature_of
from lcb_rb.schema import AssertTests, CallTests, Problem, StdinTests

MAX_INPUT_CHARS = 60
"""Longer inputs are no worked examples."""
MAX_RESULT_CHARS = 30
"""Longer results neither."""
_PLAIN_INPUT = re.compile(r"[\w .#@*+-]+")
_YES_OR_NO = re.compile(r"yes|no|true|false|possible|impossible|alice|bob", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Example:
    """An input and what it leads to."""

    inputs: tuple[str, ...]
    """Bindings such as `n = 3`, or the lines of standard input."""
    result: str
    """Expected result, as it is written in Python, or the standard output."""
    value: Value = field(hash=False)
    """The same as a value; a string for standard output."""
    is_edge: bool = False
    """Whether a list or string in it holds at most one item, or all it has are the numbers 0 and 1."""
    is_program: bool = False
    """Whether the input is a program's standard input."""


def examples_of(problem: Problem) -> list[Example]:
    """Returns the short tests of a problem as examples, in their order; none where several answers may be right."""
    if has_many_answers(problem):
        return []
    if isinstance(problem.tests, StdinTests):
        found = [
            _of_program(given, out) for given, out in zip(problem.tests.inputs, problem.tests.outputs, strict=True)
        ]
    else:
        signature = signature_of(problem)
        found = [_of_call(signature, *call) for call in _calls(problem, signature)] if signature else []
    return [example for example in found if example and _is_short(example)]


def wrong_results(example: Example) -> list[str]:
    """Returns other results of the same type, length and number of digits; none where there is none such."""
    result = example.result
    if isinstance(example.value, bool):
        return []
    if isinstance(example.value, str) and _YES_OR_NO.search(result):
        return []
    found = {other for match in re.finditer(r"\d+", result) for other in _other_numbers(result, match)}
    return sorted(found or _other_letters(result))


def _of_program(given: str, out: str) -> Example | None:
    lines, printed = given.strip().split("\n"), out.strip()
    if len(lines) > 3 or "\n" in printed or not all(map(_PLAIN_INPUT.fullmatch, (*lines, printed))):
        return None
    return Example(tuple(line.strip() for line in lines), printed, printed, given.split() in (["0"], ["1"]), True)


def _of_call(signature: Signature, arguments: Sequence[Value], result: Value) -> Example | None:
    if len(arguments) != len(signature.parameters):
        return None
    bound = zip(signature.parameters, arguments, strict=True)
    written = tuple(f"{name} = {value!r}" for name, value in bound)
    return Example(written, repr(result), result, _is_edge(arguments))


def _calls(problem: Problem, signature: Signature) -> Iterator[tuple[Sequence[Value], Value]]:
    """Yields arguments and expected result of every test that is made of plain values."""
    tests = problem.tests
    if isinstance(tests, CallTests) and tests.outputs is not None and tests.encoding == "json" and not tests.oracle:
        for given, out in zip(tests.inputs, tests.outputs, strict=True):
            yield [json.loads(line) for line in given.split("\n") if line.strip()], json.loads(out)
    elif isinstance(tests, AssertTests):
        yield from _asserted(tests.check, signature)


def _asserted(check: str, signature: Signature) -> Iterator[tuple[Sequence[Value], Value]]:
    """Yields the calls of `assert candidate(...) == value`."""
    try:
        tree = ast.parse(check)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Assert(
                test=ast.Compare(left=ast.Call(func=ast.Name("candidate")) as call, comparators=[out], ops=[ast.Eq()])
            ):
                named = {keyword.arg: keyword.value for keyword in call.keywords}
                ordered = [*call.args, *(named[name] for name in signature.parameters if name in named)]
                try:
                    yield [ast.literal_eval(value) for value in ordered], ast.literal_eval(out)
                except (ValueError, TypeError):
                    continue


def _is_edge(arguments: Sequence[Value]) -> bool:
    """Returns whether a list or string holds at most one item, or without these all numbers are 0 or 1."""
    sized = [value for value in arguments if isinstance(value, (str, list))]
    return any(len(value) <= 1 for value in sized) if sized else all(value in (0, 1) for value in arguments)


def _is_short(example: Example) -> bool:
    written = (*example.inputs, example.result)
    plain = isinstance(example.value, (bool, int, float, str, list)) and not any(
        sign in text for text in written for sign in "`*\\"
    )
    return plain and sum(map(len, example.inputs)) <= MAX_INPUT_CHARS and 0 < len(example.result) <= MAX_RESULT_CHARS


def _other_numbers(result: str, match: re.Match[str]) -> list[str]:
    """Returns the result with one of its whole numbers changed; digits behind a point are left, they may be rounded."""
    if match.start() and result[match.start() - 1] == ".":
        return []
    number = match[0]
    others = [str(int(number) + slip) for slip in (1, -1, 2, -2, 10, -10) if int(number) + slip >= 0]
    return [
        result[: match.start()] + other + result[match.end() :]
        for other in others
        if len(other) == len(number) and (other != "0" or result[max(match.start() - 1, 0)] != "-")
    ]


def _other_letters(result: str) -> list[str]:
    """Returns the result with two neighbouring letters exchanged."""
    places = [at for at in range(len(result) - 1) if result[at : at + 2].isalpha() and result[at] != result[at + 1]]
    return [result[:at] + result[at + 1] + result[at] + result[at + 2 :] for at in places]
