"""A check, compiled once a problem, and what its text tells about the calls that it will make."""

import ast
from collections.abc import Iterator
from types import CodeType

from . import wire
from .errors import TestsError
from .proxy import Candidate, Message, request


class Check:
    """A compiled check, and what its text tells about it."""

    def __init__(self, prompt: str, entry_point: str, source: str) -> None:
        """Compiles prompt and check.

        Raises:
            SyntaxError: one of them is not valid Python.
        """
        self.entry_point = entry_point
        tree = ast.parse(source, "check.py")
        self.predicted = _predicted(tree, entry_point)
        self.asserts = sorted(node.lineno for node in _statements(tree) if isinstance(node, ast.Assert))
        self._prompt = _compiled_prompt(prompt)
        _mark_discarded(tree)
        self._check = compile(tree, "check.py", "exec")
        prompted: Message = {"__name__": "check"}
        exec(self._prompt, prompted)
        self.class_names = [
            name for name, value in prompted.items() if isinstance(value, type) and value.__module__ == "check"
        ]

    def run(self, candidate: "Candidate") -> None:
        """Runs the check; its exceptions are the outcome.

        Raises:
            TestsError: there is no `check`, or it never calls the solution.
        """
        namespace: Message = {"__name__": "check"}
        exec(self._prompt, namespace)
        candidate.classes = wire.Classes(namespace, self.class_names)
        namespace[self.entry_point] = candidate  # some checks call it by its name (HumanEval/33)
        exec(self._check, namespace)
        if not callable(namespace.get("check")):
            raise TestsError("the test code is broken: it defines no check(candidate)")
        try:
            namespace["check"](candidate)
        finally:
            if candidate.fatal:  # whatever the test code has made of it
                raise candidate.fatal
        if not candidate.calls:
            raise TestsError("the test code is broken: it never called the solution")

    def test_index(self, error: BaseException) -> int | None:
        """Returns the number of assertions that stand before the failing line, or None."""
        lines = []
        trace = error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename == "check.py":
                lines.append(trace.tb_lineno)
            trace = trace.tb_next
        return max(sum(line <= lines[-1] for line in self.asserts) - 1, 0) if lines else None

    def fails_by_itself(self, error: BaseException, index: int | None, results: list[object]) -> bool:
        """Returns whether the check raises the same there whatever the calls return, if it gets there at all."""
        return all(
            self._fails_with([*results[:-1], result], error, index) and self._fails_with([result], error, index)
            for result in STAND_INS
        )

    def _fails_with(self, results: list[object], error: BaseException, index: int | None) -> bool:
        stand_in = Candidate(lambda message: {}, [], lambda call: None)
        stand_in.calls, left = 1, iter(results)
        stand_in._call = lambda args, kwargs, *, discarded: next(left, results[-1])  # type: ignore[method-assign]
        try:
            self.run(stand_in)
        except AssertionError as other:
            return (self.test_index(other) or 0) < (index or 0)  # does not get there
        except Exception as other:  # noqa: BLE001 - it is compared
            return type(other) is type(error) and self.test_index(other) == index
        return False


class Agreeable:
    """Equals, contains and supports whatever a test asks of it."""

    def _itself(self, *args: object, **kwargs: object) -> "Agreeable":
        return self

    def _yes(self, *args: object) -> bool:
        return True

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __bool__ = _yes
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _itself
    __floordiv__ = __mod__ = __pow__ = __neg__ = __abs__ = __getitem__ = __call__ = __getattr__ = __round__ = _itself

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator["Agreeable"]:
        return iter([self])


STAND_INS: tuple[object, ...] = (
    Agreeable(),
    0,
    1,
    2.5,
    "a",
    "",
    [],
    [1, 2],
    (1, 2),
    {},
    {"a": 1},
    {1},
    None,
    True,
    False,
)
"""Results that between them pass through whatever a test does with a right one."""


def _compiled_prompt(prompt: str) -> CodeType:
    """Returns the prompt's code; one that only a solution completes is taken without its unfinished last function."""
    try:
        return compile(prompt, "prompt.py", "exec")
    except SyntaxError:
        return compile(prompt + "\n    pass\n", "prompt.py", "exec")


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yields all statements, without a look into expressions, which may be megabytes of expected values."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for node in getattr(tree, block, []):
            if isinstance(node, ast.stmt):
                yield node
            yield from _statements(node)


def _mark_discarded(tree: ast.AST) -> None:
    """Marks calls of the candidate whose result is not looked at: such a test is about what they change."""
    for node in _statements(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _calls(node.value, "candidate"):
            name = ast.Name("candidate", ast.Load())
            node.value.func = ast.copy_location(ast.Attribute(name, "in_place", ast.Load()), node.value.func)
            ast.fix_missing_locations(node)


def _calls(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _predicted(tree: ast.AST, entry_point: str) -> list[Message]:
    """Returns the requests that a check of plain assertions on constants will make; none when it is anything else."""
    checks = [node for node in _statements(tree) if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if len(checks) != 1 or not checks[0].args.args:
        return []
    names = {checks[0].args.args[0].arg, entry_point}
    requests = []
    for statement in checks[0].body:
        if _is_alias(statement, names):
            names.add(statement.targets[0].id)  # type: ignore[attr-defined]
            continue
        looked_at = statement.test if isinstance(statement, ast.Assert) else statement
        mentions, calls = _mentions(looked_at, names)
        if mentions != len(calls) or len(calls) > 1 or (calls and not isinstance(statement, ast.Assert)):
            return []
        try:
            requests += [_constant_request(call) for call in calls]
        except (ValueError, TypeError, ArithmeticError, MemoryError, RecursionError, SyntaxError):
            return []
    return requests


def _mentions(tree: ast.AST, names: set[str]) -> tuple[int, list[ast.Call]]:
    """Returns how often the names stand in a tree, and their calls."""
    mentions, calls, waiting = 0, [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            mentions += node.id in names
        elif isinstance(node, ast.Call) and _calls(node, *names):
            calls.append(node)
        if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set) and not _has_name(node, names):
            continue
        waiting.extend(ast.iter_child_nodes(node))
    return mentions, calls


def _has_name(node: ast.expr, names: set[str]) -> bool:
    """Returns whether a display holds one of the names, which the compiler finds out faster than a walk."""
    try:
        waiting = [compile(ast.Expression(node), "check.py", "eval")]
    except (SyntaxError, TypeError, ValueError):  # the target of an assignment, a starred part
        return True
    while waiting:
        code = waiting.pop()
        if not names.isdisjoint(code.co_names):
            return True
        waiting.extend(constant for constant in code.co_consts if isinstance(constant, CodeType))
    return False


def _is_alias(statement: ast.stmt, names: set[str]) -> bool:
    """Returns whether a statement gives the candidate another name."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    value = statement.value
    return isinstance(statement.targets[0], ast.Name) and isinstance(value, ast.Name) and value.id in names


def _constant_request(call: ast.Call) -> Message:
    arguments = tuple(_constant(argument) for argument in call.args)
    return request(arguments, {word.arg or "": _constant(word.value) for word in call.keywords}, wire.Encoder())


def _constant(node: ast.expr) -> object:
    """Returns the value of an expression of constants.

    Raises:
        ValueError: it is made of anything else.
    """
    if not all(isinstance(part, _CONSTANT_PARTS) for part in ast.walk(node)):
        raise ValueError("not constant")
    return eval(compile(ast.Expression(node), "check.py", "eval"), {"__builtins__": {}})


_CONSTANT_PARTS = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp),
    *(ast.operator, ast.unaryop, ast.expr_context),
)
