"""Test statements written for one namespace become tests that can be run apart from the solution."""

import ast
import sys
import textwrap
import warnings
from collections.abc import Iterable

from lcb_rb.schema import AssertTests, UnittestTests
from lcb_rb.sources.records import Row

Imports = (ast.Import, ast.ImportFrom)


def assert_tests(row: Row, tests: tuple[str, str], entry_point: str, reference: str) -> AssertTests | UnittestTests:
    """Returns `check(candidate)` with the statements, `candidate` under the name of the entry point.

    Modules of the standard library that the tests use without an import, where solutions happened to import them, are
    imported. Tests that use other names of the solution (its classes) cannot be run apart from it and become a unittest
    module.

    Args:
        row: where errors are said to be.
        tests: name of the field and the statements.
        entry_point: the function that they call.
        reference: a solution.

    Raises:
        InputError: the statements or the reference are not Python, or nothing is asserted.
    """
    statements, solution = parse(row, *tests), parse(row, "code", reference)
    if not any(isinstance(node, ast.Assert) for node in ast.walk(statements)):
        raise row.error(tests[0], "asserts nothing", "add a test")
    used = {node.id for node in ast.walk(statements) if isinstance(node, ast.Name)}
    imports = _source(node for node in statements.body if isinstance(node, Imports))
    imports += "".join(f"import {name}\n" for name in _missing_modules(statements))
    body = [node for node in statements.body if not isinstance(node, Imports)]
    if used & _defined(solution) - {entry_point}:
        return UnittestTests(source=f"import unittest\n{imports}\n\n{_test_case(body)}")
    check = f"def check(candidate):\n    {entry_point} = candidate\n{_indented(_source(body))}"
    return AssertTests(check=f"{imports}\n{check}" if imports else check)


def parse(row: Row, field: str, text: str) -> ast.Module:
    """Returns the syntax tree of a field's text.

    Raises:
        InputError: it is not Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an invalid escape in somebody's string
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise row.error(field, f"is not Python: {error}", "mend the record") from error


def called(tests: ast.Module, solution: ast.Module) -> str | None:
    """Returns the function of the solution that the tests call first, None when they call none."""
    functions = {node.name for node in solution.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tests):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            return node.func.id
    return None


def _missing_modules(statements: ast.Module) -> list[str]:
    nodes = list(ast.walk(statements))
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, Imports)
        for alias in node.names
    }
    owners = {node.value.id for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)}
    return sorted(owners & sys.stdlib_module_names - bound)


def _defined(solution: ast.Module) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in solution.body if isinstance(node, kinds)}


def _source(nodes: Iterable[ast.stmt]) -> str:
    """Returns the statements, one a line: unlike the original text it can be indented without harm to strings."""
    return "".join(f"{ast.unparse(node)}\n" for node in nodes)


def _indented(source: str) -> str:
    return textwrap.indent(source, "    ")


def _test_case(body: list[ast.stmt]) -> str:
    """Returns a class with one test for each assertion, after the statements that prepare it."""
    setup = _source(node for node in body if not isinstance(node, ast.Assert))
    tests = [_source([node]) for node in body if isinstance(node, ast.Assert)]
    methods = (f"def test_{index}(self):\n{_indented(setup + test)}" for index, test in enumerate(tests))
    return f"class TestCases(unittest.TestCase):\n{_indented(chr(10).join(methods))}"
