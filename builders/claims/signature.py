"""What a problem's function is called with, as far as plain values can be given to it."""

import ast
import re
from dataclasses import dataclass

from lcb_rb.schema import AssertTests, CallTests, Problem

_PLAIN = frozenset({"int", "str", "float", "bool", "list", "List", "Optional", "typing"})
_BOUND = re.compile(r"(?P<low>-?\d+)\s*<=\s*(?P<names>[A-Za-z_][\w.\[\], ]*?)\s*<=?")
_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<part>\.length|\[[\w\]\[]*\](?:\.length)?|)")


@dataclass(frozen=True, slots=True)
class Signature:
    """The function that the tests call."""

    name: str
    """Its name."""
    parameters: tuple[str, ...]
    """Names, in order."""
    types: tuple[str, ...]
    """Annotations as text; empty where there is none."""
    returns: str
    """Annotation of the result; empty where there is none."""


def signature_of(problem: Problem) -> Signature | None:
    """Returns the function under test; None where the problem has none that takes and returns plain values."""
    name = problem.tests.fn_name if isinstance(problem.tests, CallTests) else problem.entry_point
    if not name or not isinstance(problem.tests, (CallTests, AssertTests)):
        return None
    for code in (problem.starter_code, problem.prompt, problem.statement, problem.reference_solution or ""):
        if definition := _definition(code, name.rpartition(".")[2]):
            return _signature(name, definition)
    return None


def lower_bounds(problem: Problem) -> dict[tuple[str, str], int]:
    """Returns the least value that the statement allows for a name, by (name, part): "", "length" or "item".

    Upper bounds are not read: the exponents of 10^5 are often lost in statements.
    """
    found: dict[tuple[str, str], int] = {}
    for bound in _BOUND.finditer(problem.statement):
        for name in _NAME.finditer(bound["names"]):
            part = "length" if name["part"] == ".length" else "item" if name["part"] else ""
            found.setdefault((name["name"], part), int(bound["low"]))
    return found


def _definition(code: str, name: str) -> ast.FunctionDef | None:
    match = re.search(
        rf"\bdef {re.escape(name)}[ ]*(\((?:[^()]|\([^()]*\))*\)[ ]*(?:->[^:\n]+)?):", code.replace("\\", " ")
    )
    try:
        node = ast.parse(f"def f{match[1]}: pass").body[0] if match else None
    except SyntaxError:
        return None
    return node if isinstance(node, ast.FunctionDef) else None


def _signature(name: str, node: ast.FunctionDef) -> Signature | None:
    given = node.args
    names = [argument for argument in (*given.posonlyargs, *given.args) if argument.arg != "self"]
    if given.vararg or given.kwarg or given.kwonlyargs or given.defaults or not names:
        return None
    annotations = [argument.annotation for argument in names]
    if not all(map(_plain, (*annotations, node.returns))):
        return None
    types = tuple(ast.unparse(annotation) if annotation else "" for annotation in annotations)
    returns = ast.unparse(node.returns) if node.returns else ""
    return Signature(name, tuple(argument.arg for argument in names), types, returns)


def _plain(annotation: ast.expr | None) -> bool:
    """Returns whether the values are numbers, strings, truth values or lists of them; unknown counts as such."""
    if annotation is None:
        return True
    if isinstance(annotation, ast.Constant):
        return False
    return all(node.id in _PLAIN for node in ast.walk(annotation) if isinstance(node, ast.Name))
