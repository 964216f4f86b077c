"""Runs trusted test code `check(candidate)` where `candidate` is elsewhere: every call is passed on to a child."""

import builtins
from collections.abc import Callable, Iterator
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

EXCEPTIONS = ORDINARY | {"StopIteration", "StopAsyncIteration", "AssertionError"}
"""Exceptions that test code may catch at all; anything else that the solution raises ends the check."""

_MUTABLE = (list, dict, set, bytearray)

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
