"""Runs one untrusted solution: started as `python -I runner.py`, told what to do by JSON lines on its stdin.

Holds inputs but no expected values; what it answers is data for the parent to judge. First a job line, then one line a
test.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from types import CodeType
from typing import Any, TextIO

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
    limit(job["limits"])
    sys.set_int_max_str_digits(0)
    try:
        program = compile(job["code"], "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError) as error:
        send(replies, {"syntax": describe(error)})
        return
    except (RecursionError, MemoryError) as error:
        send(replies, failure(error))
        return
    namespace = {
        "__name__": "__main__" if job["mode"] == "stdin" else "solution",
        "__builtins__": __builtins__,
    }
    if job["prelude"]:
        exec(PRELUDE, namespace)
    serve = serve_programs if job["mode"] == "stdin" else serve_calls
    serve(job, program, namespace, requests, replies)


def serve_programs(job: Job, program: CodeType, namespace: Job, requests: TextIO, replies: TextIO) -> None:
    """Forks once a test, with files for its streams."""
    send(replies, {"ready": True})
    for line in requests:
        Path("stdin").write_text(json.loads(line)["stdin"], encoding="utf-8")
        pid = os.fork()
        if pid == 0:
            run_program(program, namespace, job["limits"])
        _, status, usage = os.wait4(pid, 0)
        out = Path("stdout").read_bytes()
        reply = {
            "exit": os.waitstatus_to_exitcode(status),
            "stdout": out.decode("utf-8", "replace"),
            "stderr": Path("stderr").read_bytes()[-2000:].decode("utf-8", "replace"),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "flooded": len(out) >= job["limits"]["output_bytes"],
        }
        send(replies, reply)


def run_program(program: CodeType, namespace: Job, limits: Job) -> None:
    """Runs the program as `__main__` and leaves the process."""
    flags = os.O_RDWR | os.O_CREAT
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(name, flags | (0 if name == "stdin" else os.O_TRUNC), 0o600), descriptor)
    seconds = int(limits["cpu_s"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["output_bytes"], limits["output_bytes"]))
    status = 1
    try:
        exec(program, namespace)
        status = 0
    except SystemExit as error:
        status = exit_status(error.code)
    except MemoryError:
        os.write(2, b"MemoryError")
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        os.write(2, describe(error).encode("utf-8", "replace"))
    finally:
        status = close_streams(status)
        os._exit(status)


def exit_status(code: object) -> int:
    """Returns the exit status that Python would give for `SystemExit(code)`."""
    return 0 if code is None else code & 255 if isinstance(code, int) else 1


def close_streams(status: int) -> int:
    """Runs exit handlers and flushes what the program printed."""
    import atexit

    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - a stream that cannot be flushed fails the program
        return status or 1
    return status


def serve_calls(job: Job, program: CodeType, namespace: Job, requests: TextIO, replies: TextIO) -> None:
    """Runs the module once, then answers calls."""
    try:
        exec(program, namespace)
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        send(replies, failure(error))
        return
    send(replies, {"ready": True})
    for line in requests:
        send(replies, answer(job["entry_point"], namespace, json.loads(line)))


def answer(name: str, namespace: Job, request: Job) -> Job:
    """Returns the encoded result of one call, or the failure."""
    try:
        function = getattr(namespace["Solution"](), name) if "Solution" in namespace else namespace[name]
        keywords = {key: wire.decode(value) for key, value in request.get("kwargs", {}).items()}
        return {"value": wire.encode(function(*[wire.decode(item) for item in request["args"]], **keywords))}
    except wire.Unsendable as error:
        return {"unsendable": str(error)}
    except BaseException as error:  # noqa: BLE001 - any failure of the solution is an answer
        return failure(error)


def failure(error: BaseException) -> Job:
    """Returns the reply for an exception: its type's name and a description."""
    return {"error": type(error).__name__, "message": describe(error)}


def describe(error: BaseException) -> str:
    """Returns type and text of an exception, cut."""
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except BaseException:  # noqa: BLE001 - __str__ belongs to the solution
        return type(error).__name__


def limit(limits: Job) -> None:
    """Sets the limits that hold for the whole process."""
    memory = limits["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**27, 2**27))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["total_cpu_s"], limits["total_cpu_s"] + 1))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def send(stream: TextIO, reply: Job) -> None:
    """Writes one reply."""
    stream.write(json.dumps(reply) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
