"""Tests that must share the interpreter with the solution, in variants that only the grader knows the truth of.

The grader changes a constant in a random half of the assertions that have one, in a second variant in the other half.
Code that owns the interpreter can make every assertion say what it likes, but it cannot know which ones ought to fail;
so the grader accepts only the outcomes that the reference solution gives for the same variant.
"""

import ast
import random
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from .outcomes import REPORT


class _Sites(ast.NodeTransformer):
    """Numbers the assertions and makes each report its outcome instead of ending the test."""

    def __init__(self, falsified: Callable[[int], bool], randomness: random.Random) -> None:
        self.count = 0
        self._falsified, self._random = falsified, randomness

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return self._site(node, node.value) if _is_assertion(node.value) else node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return self._site(node, node)

    def visit_With(self, node: ast.With) -> ast.AST:
        contexts = [item.context_expr for item in node.items]
        found = next((context for context in contexts if _is_assertion(context)), None)
        return self._site(node, found) if found else self.generic_visit(node)

    def _site(self, statement: ast.stmt, assertion: ast.AST) -> ast.AST:
        number, self.count = self.count, self.count + 1
        if self._falsified(number):
            falsify(assertion, self._random)
        report = [ast.parse(f"{REPORT}({number}, {outcome})").body for outcome in (True, False)]
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, report[1])
        return ast.Try([statement], [handler], report[0], [])


def variants(source: str, seed: int) -> tuple[list[str], int]:
    """Returns two complementary variants of a test module, and how many assertions it has.

    Raises:
        SyntaxError: the module is not valid Python.
    """
    counter = _Sites(lambda number: False, random.Random(seed))
    counter.visit(ast.parse(source))
    order = list(range(counter.count))
    random.Random(seed).shuffle(order)
    half = set(order[: counter.count // 2])
    made = [_variant(source, chosen, seed) for chosen in (half, set(order) - half)]
    random.Random(seed).shuffle(made)
    return made, counter.count


def plain(source: str) -> str:
    """Returns the module with nothing falsified, only reporting."""
    return _variant(source, set(), 0)


def _variant(source: str, chosen: set[int], seed: int) -> str:
    tree = _Sites(chosen.__contains__, random.Random(seed)).visit(ast.parse(source))
    return ast.unparse(ast.fix_missing_locations(tree))


def falsify(assertion: ast.AST, randomness: random.Random) -> None:
    """Changes a constant of an assertion; one without any stays, as turning its sense round could be read off it."""
    constants = _constants(_expected(assertion)) or _constants(ast.walk(assertion))
    if constants:
        chosen = randomness.choice(constants)
        chosen.value = _other(cast("int | float | str", chosen.value), randomness)


def _constants(nodes: Iterable[ast.AST]) -> list[ast.Constant]:
    return [node for node in nodes if isinstance(node, ast.Constant) and type(node.value) in (int, float, str)]


def _expected(assertion: ast.AST) -> Iterator[ast.Constant]:
    """Yields the constants that an assertion compares with, not those that it passes to calls."""
    parts: list[ast.AST] = []
    if isinstance(assertion, ast.Assert) and isinstance(assertion.test, ast.Compare):
        parts = [*assertion.test.comparators]
    elif isinstance(assertion, ast.Call) and _method(assertion) in ("assertEqual", "assertAlmostEqual"):
        parts = [*assertion.args[:2]]
    for part in parts:
        if not any(isinstance(node, ast.Call) for node in ast.walk(part)):
            yield from (node for node in ast.walk(part) if isinstance(node, ast.Constant))


def _other(value: int | float | str, randomness: random.Random) -> int | float | str:
    """Returns a value of the same type, unlike the given one and no less plausible."""
    if isinstance(value, str):
        letters = list(value or "a")
        place = randomness.randrange(len(letters))
        letters[place] = chr(ord(letters[place]) + (1 if letters[place] not in "zZ9\x7f" else -1))
        return "".join(letters) if value else "a"
    return value + randomness.choice([-2, -1, 1, 2, 3])


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _is_assertion(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _method(node).startswith("assert")
