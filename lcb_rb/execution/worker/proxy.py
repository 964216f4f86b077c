"""Runs trusted test code `check(candidate)` where `candidate` is elsewhere: every call is passed on to a child."""

import ast
import builtins
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NoReturn

from . import wire
from .errors import FailedError, TestsError

Message = dict[str, Any]

ORDINARY = frozenset(
    name
    for name in dir(builtins)
    if isinstance(getattr(builtins, name), type) and issubclass(getattr(builtins, name), Exception)
) - {"StopIteration", "StopAsyncIteration", "AssertionError"}
"""Exceptions that reach the test code as themselves; the others would end its loops or pass for its own."""

_MUTABLE = (list, dict, set, bytearray)


EXCEPTIONS = ORDINARY | {"StopIteration", "StopAsyncIteration", "AssertionError"}
"""Exceptions that test code may catch at all; anything else that the solution raises ends the check."""


MAX_CALLS = 8_000
MAX_STEPS = 200_000
"""Items that test code may read from one iterator."""


class CandidateError(Exception):
    """Stands for an exception of the solution that the test code must not take for its own."""


class MispredictedError(BaseException):
    """The test code asks for something else than its text let expect; the check must be run again without guesses."""


class MutatedError(BaseException):
    """The solution changed its arguments, and it must be found out first whether the reference solution does too."""


Mutates = Callable[[int], bool | None]


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


def request(args: tuple[object, ...], kwargs: dict[str, object], encoder: wire.Encoder) -> Message:
    """Returns the request for one call."""
    message = {"args": encoder.encode(list(args))}
    return message | {"kwargs": {name: encoder.encode(value) for name, value in kwargs.items()}} if kwargs else message


class Candidate:
    """The function under test, elsewhere."""

    def __init__(
        self,
        ask: Callable[[Message], Message],
        predicted: list[Message],
        mutates: Mutates,
    ) -> None:
        """Starts with no call made.

        Args:
            ask: Sends a request to the child and returns its reply; predicted requests were sent before.
            predicted: Requests whose answers come first, in this order.
            mutates: Whether the reference solution changes its arguments in the call of this number; None: not known.
        """
        self._ask, self._predicted, self._mutates = ask, predicted, mutates
        self.classes = wire.Classes()
        self.calls = 0
        self.results: list[object] = []
        self.changed: set[int] = set()
        self.raised: BaseException | None = None
        self.fatal: BaseException | None = None
        self.failure: Message = {}

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Returns what the solution returned, as plain data."""
        return self._call(args, kwargs, discarded=False)

    def in_place(self, *args: object, **kwargs: object) -> object:
        """Calls the solution for what it does to its arguments."""
        return self._call(args, kwargs, discarded=True)

    def _call(self, args: tuple[object, ...], kwargs: dict[str, object], *, discarded: bool) -> object:
        if self.fatal:
            raise self.fatal
        try:
            result = self._called(args, kwargs, discarded=discarded)
            self.results.append(result)
            return result
        except Exception:
            raise
        except BaseException as error:
            self.fatal = error
            raise

    def _called(self, args: tuple[object, ...], kwargs: dict[str, object], *, discarded: bool) -> object:
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise FailedError("TIME_LIMIT", f"the check calls the solution more than {MAX_CALLS} times")
        reply = self._reply(args, kwargs)
        if "items" in reply:
            return self._iterated(reply)
        if "unsendable" in reply:
            return Opaque(self, reply["truth"], str(reply["unsendable"]))
        value = self._decoded(reply, "value")
        if "args" in reply:
            self._copy_back(args, kwargs, self._decoded(reply, "args"), hopeful=discarded or value is None)
        return value

    def _reply(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Message:
        try:
            message = request(args, kwargs, wire.Encoder(self.classes))
        except wire.Unsendable as error:
            raise TestsError(f"the test code is broken: an argument cannot be sent: {error}") from error
        if self._predicted:
            if self.calls > len(self._predicted) or message != self._predicted[self.calls - 1]:
                raise MispredictedError
        elif any(
            isinstance(value, _MUTABLE) or type(value) in self.classes.names for value in [*args, *kwargs.values()]
        ):
            message["back"] = True
        return self._checked(self._ask(message))

    def _checked(self, reply: Message) -> Message:
        """Returns a reply that is a value.

        Raises:
            Exception: the solution's own, or its stand-in.
            FailedError: it raised what no test may catch, or the value is outside the closed set.
        """
        if "error" in reply:
            self.failure = {name: str(reply.get(name, ""))[:500] for name in ("error", "text", "message")}
            if self.failure["error"] not in EXCEPTIONS:
                raise FailedError("RUNTIME_ERROR", self.failure["message"])
            self.raised = rebuilt(self.failure)
            raise self.raised
        if type(reply.get("truth")) is bool:
            return reply
        if "unsendable" in reply:
            raise FailedError("WRONG_ANSWER", str(reply["unsendable"]))
        return reply

    def _decoded(self, reply: Message, name: str) -> Any:
        try:
            return wire.Decoder(self.classes).decode(reply[name])
        except (KeyError, ValueError, RecursionError, MemoryError) as error:
            raise FailedError("WRONG_ANSWER", "the result cannot be read") from error

    def _iterated(self, reply: Message) -> Iterator[object]:
        try:
            yield from self._items(reply)
        except (Exception, GeneratorExit):
            raise
        except BaseException as error:
            self.fatal = error
            raise

    def _items(self, reply: Message) -> Iterator[object]:
        count = 0
        while True:
            items = reply.get("items")
            if type(items) is not list or ("more" in reply and not items):
                raise self._ended(FailedError("WRONG_ANSWER", "the result cannot be read"))
            count += len(items)
            if count > MAX_STEPS:
                raise self._ended(FailedError("OUTPUT_LIMIT", "the result has too many items"))
            for item in items:
                yield self._decoded({"value": item}, "value")
            if "then" in reply:
                self._checked(reply["then"] if type(reply["then"]) is dict else {})
            if "more" not in reply or self._predicted:
                if "more" in reply:
                    raise self._ended(MispredictedError())
                return
            reply = self._next(reply["more"])

    def _next(self, number: object) -> Message:
        try:
            return self._checked(self._ask({"next": number}))
        except Exception:
            raise
        except BaseException as error:
            raise self._ended(error) from error

    def _ended(self, error: BaseException) -> BaseException:
        """Returns an error that ends the check, remembered for when the test code swallows it."""
        self.fatal = error
        return error

    def refuse(self, message: str) -> NoReturn:
        """Ends the check: it asks of a result what cannot be told."""
        raise self._ended(FailedError("WRONG_ANSWER", message))

    def _copy_back(self, args: tuple[object, ...], kwargs: dict[str, object], after: Any, *, hopeful: bool) -> None:
        """Gives changed arguments back to the test where the reference solution changes them too.

        Without a reference: where nothing was returned, or what was returned is not looked at; and never so that the
        test's own container is emptied, after which `all` of it would hold.
        """
        match after:
            case [[*positional], dict() as named] if len(positional) == len(args) and named.keys() == kwargs.keys():
                pairs = [*zip(args, positional, strict=True), *((kwargs[name], named[name]) for name in kwargs)]
            case _:
                raise FailedError("WRONG_ANSWER", "the arguments cannot be read")
        for before, now in pairs:
            if type(now) is not type(before) or same(before, now, self.classes):
                continue
            self.changed.add(self.calls - 1)
            known = self._mutates(self.calls - 1)
            if known or (known is None and hopeful and (bool(now) or not isinstance(now, _MUTABLE))):
                replace(before, now)


class Opaque:
    """A result that cannot be sent; a test may ask whether it is true, or None, and nothing else."""

    def __init__(self, candidate: Candidate, truth: bool, message: str) -> None:
        """Takes what the child said of it."""
        self._candidate, self._truth, self._message = candidate, truth, message

    def __bool__(self) -> bool:
        return self._truth

    def _refuse(self, *args: object) -> NoReturn:
        self._candidate.refuse(self._message)

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __len__ = __iter__ = __getitem__ = __contains__ = _refuse
    __add__ = __sub__ = __mul__ = __call__ = __getattr__ = __hash__ = __int__ = __float__ = __str__ = __repr__ = _refuse


def same(before: object, now: object, classes: wire.Classes) -> bool:
    """Returns whether two values look the same from outside."""
    try:
        return bool(wire.Encoder(classes).encode(before) == wire.Encoder(classes).encode(now))
    except (wire.Unsendable, RecursionError):
        return False


def replace(before: Any, now: Any) -> None:
    """Gives a container, or an instance of a prompt's class, the contents of another."""
    if isinstance(before, list | bytearray):
        before[:] = now
    elif isinstance(before, dict | set):
        before.clear()
        before.update(now)
    elif not isinstance(before, tuple | str | int | float | complex | bytes | frozenset | None):
        vars(before).update(vars(now))


def rebuilt(reply: Message) -> Exception:
    """Returns the solution's exception if it is an ordinary one, else a stand-in."""
    if reply["error"] in ORDINARY:
        try:
            return getattr(builtins, reply["error"])(reply["text"])  # type: ignore[no-any-return]
        except TypeError:  # UnicodeError's children and groups want more than a text
            return CandidateError(reply["message"])
    return CandidateError(reply["message"])
