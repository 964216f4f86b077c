"""Runs one untrusted solution in a child that is shut in; what it answers is data for the grader to judge.

It is sent inputs but no expected values: first a job, then one frame for every test.
"""

import atexit
import builtins
import contextlib
import gc
import io
import os
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from types import CodeType, ModuleType
from typing import Any, NoReturn, cast

from . import wire
from .channel import AnswerChannel, Channel, frame
from .outcomes import outcomes

Job = dict[str, Any]

PRELUDE = """
from string import *
from re import *
from collections import *
from heapq import *
from bisect import *
from math import *
from itertools import *
from functools import *
from operator import *
from typing import *
from builtins import *
import bisect, collections, copy, datetime, functools, heapq, itertools, math, operator, random, re, string, sys
"""
"""Names that LeetCode and LiveCodeBench give a solution without an import."""

RECURSION = 50_000
"""As LiveCodeBench has it; checks of functions keep Python's own limit, as HumanEval has it."""

REHEARSALS = 24
CHUNK = 1000
"""Items that an iterator sends at a time."""

SCRATCH = "/tmp"
STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
ENTRY = re.compile(r"(?:(\w+)\(\)\.)?(\w+)")

_GIVEN: dict[str, object] = {}


def prepare() -> None:
    """Does in the zygote what every child would do."""
    random.seed(0)  # the same in every run
    builtins.open = _open
    exec(PRELUDE, _GIVEN)
    del _GIVEN["__builtins__"]
    os.environ.clear()
    os.environ.update({"HOME": SCRATCH, "TMPDIR": SCRATCH})
    for name in ("exit", "quit"):  # what `site` adds, which is not loaded
        if not hasattr(builtins, name):
            setattr(builtins, name, sys.exit)
    sys.set_int_max_str_digits(0)
    gc.disable()


class Rehearsal(AnswerChannel):
    """A channel with a job of our own, which ends with EOFError."""

    def __init__(self, null: int, *messages: object) -> None:
        """Takes a descriptor of /dev/null, and what is to be received."""
        super().__init__(null, null)
        self._buffer = b"".join(map(frame, messages))

    def gone(self) -> NoReturn:
        """Ends the rehearsal."""
        raise EOFError


def rehearse() -> None:
    """Runs jobs of our own until the interpreter has settled on how to run this code.

    It does so by writing into the code; a child that were the first to run it would copy those pages, sample by sample.
    """
    calls = [{"args": [1, "a", [1, 2.5]], "kwargs": {"c": {"tuple": [None, True]}}}] * 2
    job = {"mode": "call", "entry_point": "f", "prompt": "", "code": "def f(a, b, d, c): return [a, (b, d), {b: c}]"}
    null, recursion = os.open(os.devnull, os.O_RDWR), sys.getrecursionlimit()
    for number in range(REHEARSALS):
        with contextlib.suppress(EOFError):
            answer(Rehearsal(null, job | {"prelude": number % 2 == 0}, *calls))
    os.close(null)
    sys.setrecursionlimit(recursion)
    del sys.modules["solution"]


def _open(file: Any, *args: Any, **kwargs: Any) -> Any:
    """Opens a file; the standard streams also by their names, which need a /proc that is not there."""
    return io.open(  # noqa: UP020 - `open` is this function
        STREAMS.get(file, file) if type(file) is str else file, *args, **kwargs
    )


def serve(descriptor: int, file: int) -> None:
    """Takes the job from the channel, then answers into the file until the grader has heard enough."""
    gc.enable()
    answer(AnswerChannel(descriptor, file))


def answer(channel: AnswerChannel) -> None:
    """Takes the job and answers."""
    job = channel.receive()
    try:
        programs = compiled(job["prompt"], job["code"])
    except (SyntaxError, ValueError, OverflowError) as error:
        return channel.send({"syntax": describe(error)})
    except (RecursionError, MemoryError) as error:
        return channel.send(failure(error))
    if job["prelude"] or job["mode"] == "stdin":
        sys.setrecursionlimit(RECURSION)
    module = ModuleType("__main__" if job["mode"] == "stdin" else "solution")
    sys.modules[module.__name__] = module  # dataclasses and others look names up there
    _SERVE[job["mode"]](job, lambda: run_all(programs, vars(module)), vars(module), channel)


def compiled(prompt: str, code: str) -> list[CodeType]:
    """Returns prompt and code, or as one what only the code completes; apart, the code may start with `__future__`."""
    if not prompt:
        return [compile(code, "solution.py", "exec", dont_inherit=True)]
    try:
        first = compile(prompt, "prompt.py", "exec", dont_inherit=True)
        return [first, compile(code, "solution.py", "exec", dont_inherit=True)]
    except SyntaxError:
        return [compile(f"{prompt}\n{code}", "solution.py", "exec", dont_inherit=True)]


def run_all(programs: list[CodeType], namespace: Job) -> None:
    """Runs one program after the other."""
    for program in programs:
        exec(program, namespace)


def serve_programs(job: Job, program: Callable[[], None], namespace: Job, channel: Channel) -> None:
    """Runs the program; its streams are files that the grader reads and writes."""
    given = {name: value for name, value in _GIVEN.items() if name not in namespace}
    namespace.update(given)
    channel.send(run_program(program, namespace))
    channel.receive()  # ends with the grader


def run_program(program: Callable[[], None], namespace: Job) -> Job:
    """Runs the program as `__main__` and ends it as Python does: threads joined, exit handlers run, files flushed."""
    sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
    stdout = sys.stdout
    reply = _outcome(program)
    for end in (threading._shutdown, atexit._run_exitfuncs, _flush, namespace.clear, stdout.flush):  # type: ignore[attr-defined]
        later = _outcome(end)
        reply = reply if reply["exit"] else later
    return reply


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _outcome(action: Callable[[], object]) -> Job:
    try:
        action()
    except SystemExit as leaving:
        code = leaving.code
        if code is None or code == 0:
            return {"exit": 0}
        return {"exit": 1, "message": f"exited with {text_of(code)}"}
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        return {"exit": 1, **failure(error)}
    return {"exit": 0}


def _stream(descriptor: int, mode: str) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, mode + "b", closefd=False)
    buffered = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    stream = io.TextIOWrapper(buffered, encoding="utf-8", errors="surrogateescape", newline=None)
    stream.mode = mode  # type: ignore[misc]  # as Python's own have it; fast readers ask for it
    return stream


def serve_calls(job: Job, program: Callable[[], None], namespace: Job, channel: Channel) -> None:
    """Runs the module once, then answers calls."""
    given = dict(_GIVEN) if job["prelude"] else {}
    namespace.update(given)
    try:
        program()
        function = entry(namespace, job["entry_point"], given)
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        return channel.send(failure(error))
    channel.send({"ready": True})
    answers = Answers(function, wire.Classes(namespace, job.get("classes", ())))
    while True:
        channel.send(answers.to(channel.receive()))


def entry(namespace: Job, name: str, given: Job) -> Callable[..., object]:
    """Returns the function; of `Solution().f`, or of `f` where there is a class Solution with it, the method.

    What the prelude had given under that name is not the solution's.
    """
    found = ENTRY.fullmatch(name)
    owner_name, attribute = (found[1] or "Solution", found[2]) if found else ("Solution", name)
    owner = namespace.get(owner_name)
    if isinstance(owner, type) and hasattr(owner, attribute):
        return cast("Callable[..., object]", getattr(owner(), attribute))
    function = namespace.get(attribute)
    if not callable(function) or function is given.get(attribute):
        raise NameError(f"the solution does not define {name}")
    return cast("Callable[..., object]", function)


class Answers:
    """Answers one request after the other."""

    def __init__(self, function: Callable[..., object], classes: wire.Classes) -> None:
        """Keeps the iterators that were returned and not yet read to their end."""
        self.function, self.classes = function, classes
        self.iterators: list[Iterator[object]] = []

    def to(self, request: Job) -> Job:
        """Returns the encoded result of a call, or of further steps of an iterator, or the failure."""
        try:
            if "next" in request:
                return self._steps(request["next"])
            decode, encode = wire.Decoder(self.classes).decode, wire.Encoder(self.classes).encode
            given = decode(request["args"])
            keywords = {name: decode(value) for name, value in request.get("kwargs", {}).items()}
            result = self.function(*given, **keywords)
            if wire.is_iterator(result):
                self.iterators.append(cast("Iterator[object]", result))
                return self._steps(len(self.iterators) - 1)
            reply = self._sent(result, encode)
            if request.get("back"):
                reply["args"] = encode([given, keywords])
        except wire.Unsendable as error:
            return {"unsendable": str(error)}
        except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
            return failure(error)
        return reply

    def _sent(self, result: object, encode: Callable[[object], Any]) -> Job:
        """Returns the result, or of what cannot be sent whether it is true."""
        try:
            return {"value": encode(result)}
        except wire.Unsendable as error:
            return {"unsendable": str(error), "truth": bool(result)}

    def _steps(self, index: int) -> Job:
        """Returns the next items of an iterator; a failure on the way comes after those before it."""
        items: list[object] = []
        encode = wire.Encoder(self.classes).encode
        try:
            items.extend(map(encode, islice(self.iterators[index], CHUNK)))
        except wire.Unsendable as error:
            return {"unsendable": str(error)}
        except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
            return {"items": items, "then": failure(error)}
        return {"items": items, "more": index} if len(items) == CHUNK else {"items": items}


def serve_guarded(job: Job, program: Callable[[], None], namespace: Job, channel: Channel) -> None:
    """Runs tests that must share the interpreter, in a variant that only the grader knows the truth of."""
    try:
        program()
        channel.send({"outcomes": outcomes(job["tests"], namespace)})
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        channel.send(failure(error))


_SERVE: dict[str, Callable[[Job, Callable[[], None], Job, Channel], None]] = {
    "stdin": serve_programs,
    "call": serve_calls,
    "guarded": serve_guarded,
}


def failure(error: BaseException) -> Job:
    """Returns the reply for an exception: the builtin type that it is or extends, its text, and a description."""
    kinds = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return {"error": next(kinds), "text": text_of(error), "message": describe(error)}


def describe(error: BaseException) -> str:
    """Returns type and text of an exception."""
    return f"{type(error).__name__}: {text_of(error)}"


def text_of(error: object) -> str:
    """Returns a text, cut; what the solution defines may fail here."""
    try:
        return str.__str__(str(error))[:500]
    except BaseException:  # noqa: BLE001 - __str__ belongs to the solution
        return ""
