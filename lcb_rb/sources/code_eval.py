"""References of `evaluate`'s code_eval: Python test code that follows the candidate program and names its function.

Such a test and the candidate share one namespace there. Here the test runs apart from the candidate, so the function
under test must be found in the test code alone; what cannot be told for sure is refused, never guessed.
"""

import ast
import builtins
import symtable
from collections import Counter, deque
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from lcb_rb.errors import InputError
from lcb_rb.schema import AssertTests, Problem

_BUILTINS = frozenset(dir(builtins))
_MODULE_NAMES = frozenset({"__name__", "__file__", "__doc__"})
_PLAIN = (str, bytes, list, tuple, dict, set, frozenset, int, float, complex, range, deque, Counter, Decimal, Fraction)
_PLAIN_ATTRIBUTES = frozenset(name for kind in _PLAIN for name in dir(kind) if not name.startswith("__"))
_CALLERS = frozenset({"map", "filter", "sorted", "min", "max", "sum", "all", "any", "list", "enumerate"})
"""Builtins that do nothing with a function but call it."""
_NAMESPACES = frozenset({"eval", "exec", "globals", "locals", "vars"})
_MIRRORS = frozenset({"gc", "importlib", "inspect"})
"""Modules that look at a function itself."""


def problem(reference: str, problem_id: str) -> Problem:
    """Returns the problem that a reference poses.

    Args:
        reference: Test code such as "assert add(2, 3) == 5" or "def check(candidate): ...; check(add)".
        problem_id: Id of the problem.

    Raises:
        InputError: the code cannot be compiled, or what it tests cannot be told for sure.
    """
    try:
        tree = ast.parse(reference)
        compile(tree, "reference", "exec", dont_inherit=True)  # refuses what would only be legal in a function
        name = _name_under_test(reference)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"reference {problem_id}: cannot be compiled: {error}; mend the test code") from error
    except InputError as error:
        raise InputError(f"reference {problem_id}: {error}") from error
    for fault in _faults(tree, name):
        raise InputError(f"reference {problem_id}: {fault}; give the problem as JSON, or rewrite the test")
    check = AssertTests(check=ast.unparse(_check(tree, name)))
    return Problem(id=problem_id, source="code_eval", statement="", entry_point=name, tests=check)


def _name_under_test(reference: str) -> str:
    """Returns the one name that the test code reads and neither it nor Python defines."""
    table = symtable.symtable(reference, "reference", "exec")
    defined = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    free = sorted(_read_globally(table) - defined - _BUILTINS - _MODULE_NAMES)
    if not free:
        raise InputError("it calls nothing but what it or Python defines; name the function under test")
    if len(free) > 1:
        raise InputError(f"it uses {', '.join(free)} without defining them; import or define all but one of them")
    return free[0]


def _read_globally(table: symtable.SymbolTable) -> set[str]:
    """Returns the names that a scope or one within it looks up in the module."""
    top = table.get_type() == "module"
    found = {
        symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced() and (top or symbol.is_global())
    }
    return found.union(*(_read_globally(child) for child in table.get_children()))


def _faults(tree: ast.Module, name: str) -> Iterator[str]:
    """Yields reasons why the test would not mean the same when the function under test is a stand-in elsewhere."""
    imported = {alias.asname or alias.name.partition(".")[0] for alias in _imports(tree)}
    if mirrors := {alias.name.partition(".")[0] for alias in _imports(tree)} & _MIRRORS:
        yield f"it imports {', '.join(sorted(mirrors))}, which would see the stand-in for {name}"
    called = set(_uses_as_function(tree, name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global) or (isinstance(node, ast.Name) and node.id in _NAMESPACES):
            yield f"line {node.lineno} reaches for the module's names, which are not the candidate's here"
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            yield f"line {node.lineno} imports *, which may define {name}"
        if isinstance(node, ast.Name) and node.id == name and node not in called:
            yield f"line {node.lineno} uses {name} otherwise than by calling it"
        if isinstance(node, ast.Attribute) and not _is_known(node, imported):
            yield f"line {node.lineno} uses .{node.attr}, which plain values lack: classes cannot be tested"
        if isinstance(node, ast.Raise) and node.exc and not ast.unparse(node.exc).startswith("AssertionError"):
            yield f"line {node.lineno} raises an error that could be taken for a broken test: assert instead"
    for line in _dropped_results(tree, name):
        yield f"line {line} drops the result of {name}: whether it should change its arguments cannot be told"
    if not any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(tree)):
        yield "it asserts nothing"


def _imports(tree: ast.Module) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from node.names


def _uses_as_function(tree: ast.Module, name: str) -> Iterator[ast.expr]:
    """Yields the places at which the name is called, handed to a function that will call it, or given another name."""
    callers = _CALLERS | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        places: list[ast.expr] = []
        if isinstance(node, ast.Call):
            places = [node.func]
            if isinstance(node.func, ast.Name) and node.func.id in callers:
                places += [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Assign):
            places = [node.value]
        yield from (place for place in places if _is_name(place, {name}))


def _dropped_results(tree: ast.Module, name: str) -> Iterator[int]:
    """Yields the lines that call the function, perhaps by another name, only for an effect; a `try` is for errors."""
    names = {name} | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_name(node.value, {name}):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    tried = {inner for node in ast.walk(tree) if isinstance(node, ast.Try) for inner in ast.walk(node)}
    statements = (node for node in ast.walk(tree) if isinstance(node, ast.Expr) and node not in tried)
    for node in statements:
        if isinstance(node.value, ast.Call) and _is_name(node.value.func, names):
            yield node.lineno


def _is_name(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _is_known(node: ast.Attribute, imported: set[str]) -> bool:
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    return (isinstance(root, ast.Name) and root.id in imported) or node.attr in _PLAIN_ATTRIBUTES


def _check(tree: ast.Module, name: str) -> ast.Module:
    """Returns a module that defines `check(candidate)`.

    That is the test itself without its last line if this is `check(name)`; else a wrapper around the whole test, which
    takes the function under the name that the test uses.
    """
    mentions = sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if mentions == len(checks) == 1 and ast.unparse(tree.body[-1]) == f"check({name})":
        return ast.Module(body=tree.body[:-1], type_ignores=[])
    futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    wrapper = ast.parse(f"def check({name}):\n    pass\n")
    function = wrapper.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = [node for node in tree.body if node not in futures]
    return ast.Module(body=[*futures, *wrapper.body], type_ignores=[])
