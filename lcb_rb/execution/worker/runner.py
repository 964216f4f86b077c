"""Runs one untrusted solution: started as `python -I runner.py`, told what to do by JSON lines on its stdin.

Holds inputs but no expected values; what it answers is data for the parent to judge. First a job line, then one line a
test.
"""

import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TextIO, cast

sys.path.append(str(Path(__file__).parent))
import wire

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
sys.setrecursionlimit(50_000)
"""
"""Names that LeetCode and LiveCodeBench give a solution without an import."""


def main() -> None:
    """Takes the channel out of the solution's reach, then serves the job."""
    requests, replies = (
        os.fdopen(os.dup(0), "r", encoding="utf-8"),
        os.fdopen(os.dup(1), "w", encoding="utf-8"),
    )
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    send(replies, {"hello": os.getpid()})
    job = json.loads(requests.readline())
    set_limits(job["limits"])
    sys.set_int_max_str_digits(0)
    try:
        program = compile(job["code"], "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError) as error:
        send(replies, {"syntax": describe(error)})
        return
    except (RecursionError, MemoryError) as error:
        send(replies, failure(error))
        return
    module = ModuleType("__main__" if job["mode"] == "stdin" else "solution")
    sys.modules[module.__name__] = module  # dataclasses and others look names up there
    if job["prelude"]:
        exec(PRELUDE, vars(module))
    serve = serve_programs if job["mode"] == "stdin" else serve_calls
    serve(job, program, vars(module), requests, replies)


def serve_programs(job: Job, program: CodeType, namespace: Job, requests: TextIO, replies: TextIO) -> None:
    """Forks once a test, with files for its streams."""
    send(replies, {"ready": True})
    gc.freeze()  # so that the end of a program need not go through all that stood before it
    for line in requests:
        Path("stdin").write_text(json.loads(line)["stdin"], encoding="utf-8", errors="surrogatepass")
        pid = os.fork()
        if pid == 0:
            run_program(program, namespace, job["limits"])
            return
        _, status, usage = os.wait4(pid, 0)
        out = Path("stdout").read_bytes()
        reply = {
            "exit": os.waitstatus_to_exitcode(status),
            "stdout": out.decode("utf-8", "replace"),
            "stderr": Path("stderr").read_bytes()[-2000:].decode("utf-8", "replace"),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss / 1024,
            "flooded": len(out) >= job["limits"]["output_bytes"],
        }
        send(replies, reply)


def run_program(program: CodeType, namespace: Job, limits: Job) -> None:
    """Runs the program as `__main__`; its caller must end the process as Python does: threads joined, files flushed."""
    flags = os.O_RDWR | os.O_CREAT
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(name, flags | (0 if name == "stdin" else os.O_TRUNC), 0o600), descriptor)
    seconds = int(limits["cpu_s"]) + 1
    lower(resource.RLIMIT_CPU, seconds, seconds + 1)
    lower(resource.RLIMIT_FSIZE, limits["output_bytes"])
    signal.alarm(limits["wall_s"])
    try:
        exec(program, namespace)
    except SystemExit:
        raise
    except MemoryError:
        os.write(2, b"MemoryError")
        raise SystemExit(1) from None
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        os.write(2, describe(error).encode("utf-8", "replace"))
        raise SystemExit(1) from None


def serve_calls(job: Job, program: CodeType, namespace: Job, requests: TextIO, replies: TextIO) -> None:
    """Runs the module once, then answers calls."""
    name = job["entry_point"]
    given = namespace.get(name)
    try:
        exec(program, namespace)
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        send(replies, failure(error))
        return
    send(replies, {"ready": True})
    for line in requests:
        send(replies, answer(lambda: entry(namespace, name, given), json.loads(line)))


def entry(namespace: Job, name: str, given: object) -> Callable[..., object]:
    """Returns the method of `class Solution`, or the function; what the prelude had `given` is not the solution's."""
    owner = namespace.get("Solution")
    if isinstance(owner, type) and hasattr(owner, name):
        return cast("Callable[..., object]", getattr(owner(), name))
    if namespace.get(name) is given:
        raise NameError(f"the solution does not define {name}")
    return cast("Callable[..., object]", namespace[name])


def answer(find: Callable[[], Callable[..., object]], request: Job) -> Job:
    """Returns the encoded result of one call, or the failure."""
    try:
        keywords = {key: wire.decode(value) for key, value in request.get("kwargs", {}).items()}
        return {"value": wire.encode(find()(*[wire.decode(item) for item in request["args"]], **keywords))}
    except wire.Unsendable as error:
        return {"unsendable": str(error)}
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        return failure(error)


def failure(error: BaseException) -> Job:
    """Returns the reply for an exception: the builtin type that it is or extends, its text, and a description."""
    kinds = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return {"error": next(kinds), "text": text_of(error), "message": describe(error)}


def describe(error: BaseException) -> str:
    """Returns type and text of an exception."""
    return f"{type(error).__name__}: {text_of(error)}"


def text_of(error: BaseException) -> str:
    """Returns the text of an exception, cut."""
    try:
        return str(error)[:500]
    except BaseException:  # noqa: BLE001 - __str__ belongs to the solution
        return ""


def set_limits(limits: Job) -> None:
    """Sets the limits that hold for the whole process."""
    lower(resource.RLIMIT_AS, limits["memory_bytes"])
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_NOFILE, 64)
    lower(resource.RLIMIT_FSIZE, 2**27)
    lower(resource.RLIMIT_CPU, limits["total_cpu_s"], limits["total_cpu_s"] + 1)
    lower(resource.RLIMIT_STACK, 2**26)  # more than the usual 8 MiB: judges' sites allow deep recursion
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.alarm(limits["total_wall_s"])


def lower(kind: int, soft: int, hard: int | None = None) -> None:
    """Sets a limit, or what the machine allows where that is less."""
    allowed = resource.getrlimit(kind)[1]
    bounds = (soft, soft if hard is None else hard)
    if allowed != resource.RLIM_INFINITY:
        bounds = (min(bounds[0], allowed), min(bounds[1], allowed))
    resource.setrlimit(kind, bounds)


def send(stream: TextIO, reply: Job) -> None:
    """Writes one reply."""
    stream.write(json.dumps(reply) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
