"""How each kind of test is run: the child answers with data, the comparison happens here."""

import json
import random
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import compare, guarded, proxy, wire
from .errors import FailedError, FloodError, GoneError, OutOfTimeError, TestsError
from .sandbox import Child, Limits

Message = dict[str, Any]

FILES = frozenset(
    ("FileIO", "Path", "dbm", "makedirs", "mkdir", "mkstemp", "multiprocessing", "open", "pathlib", "shelve", "shutil")
) | {"sqlite3", "tarfile", "tempfile", "zipfile"}
"""Words of programs that write files."""

ANY_OBJECT = "not-none"
"""Oracle for which it only counts that something was returned, be it an object that cannot be sent."""

LIVE_TESTS = 100
"""Calls that a check may make for which there is time, where their number is not known."""

_WORD = re.compile(r"[^\W\d]\w*")

SECRET = random.SystemRandom()

PIPELINE = 2**17
"""Bytes of calls that are sent ahead of the answers."""


@dataclass
class Task:
    """A problem's tests, ready to be run on any number of solutions."""

    tests: Message
    prompt: str
    entry_point: str | None
    reference: str | None
    check: proxy.Check | None = None
    expected_bytes: int = 0
    frames: list[bytes] = field(default_factory=list)
    expected: list[Any] = field(default_factory=list)
    mutates: set[int] | None = None
    failures: list[int] = field(default_factory=list)
    variants: list[tuple[str, Message]] = field(default_factory=list)
    assertions: int = 0


Start = Callable[..., AbstractContextManager[Child]]
"""Starts a child: `start(tests=..., files=..., streams=...)`."""


@dataclass
class Run:
    """One solution against one task."""

    task: Task
    code: str
    limits: Limits
    start: Start
    words: frozenset[str] = frozenset()
    adaptive: bool = False
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    slowest_s: float = 0.0
    note: str = ""

    @contextmanager
    def child(self, tests: int, *, streams: bool = False) -> Iterator[Child]:
        """Yields a child and adds up what it used."""
        with self.start(tests=tests, files=not FILES.isdisjoint(self.words), streams=streams) as child:
            try:
                yield child
            finally:
                child.close()
                self.cpu_s += child.cpu_s
                self.peak_mb = max(self.peak_mb, child.peak_mb)

    def order(self, count: int) -> list[int]:
        """Returns the tests' order: as given, or those first that failed most often so far."""
        failures = self.task.failures
        if not self.adaptive or len(failures) != count:
            return list(range(count))
        return sorted(range(count), key=lambda index: -failures[index])

    def failed(self, index: int, count: int) -> None:
        """Counts a failure of a test."""
        if len(self.task.failures) != count:
            self.task.failures = [0] * count
        self.task.failures[index] += 1


def words_of(*texts: str) -> frozenset[str]:
    """Returns the names in programs, and whatever else looks like one."""
    return frozenset(word for text in texts for word in _WORD.findall(text))


def prepare(work: Run) -> None:
    """Does what is done once for a problem, apart from any solution.

    Raises:
        TestsError: the tests are unusable.
    """
    task = work.task
    kind = task.tests["kind"]
    if task.tests.get("inputs") == []:
        raise TestsError("the problem has no tests")
    if kind not in _KINDS:
        raise TestsError(f"tests of kind {kind} cannot be run by this executor")
    if kind == "call":
        expectations(work)
        task.frames = task.frames or [wire.frame({"args": arguments}) for arguments in arguments_of(task.tests)]
    elif kind == "assert" and task.check is None:
        task.check = compiled_check(task)
    elif kind == "unittest" and task.reference and not task.variants:
        _prepare_variants(work)


def run(work: Run) -> None:
    """Runs the tests of a prepared task; returns when all passed.

    Raises:
        FailedError: they did not.
        TestsError: the tests are unusable.
    """
    _KINDS[work.task.tests["kind"]](work)


def job(work: Run, mode: str, **fields: object) -> Message:
    """Returns a child's first message."""
    return {"mode": mode, "prompt": work.task.prompt, "code": work.code, "prelude": mode == "call", **fields}


def ask(child: Child, index: int | None, *, continues: bool = False) -> Message:
    """Returns the next answer of a child, or what its silence means; `continues`: within the last one's time.

    Raises:
        FailedError: it did not answer.
    """
    try:
        return child.hear(continues=continues)
    except OutOfTimeError as error:
        raise FailedError("TIME_LIMIT", f"over {child.limits.cpu_s:g} s", index) from error
    except FloodError as error:
        raise FailedError("OUTPUT_LIMIT", str(error), index) from error
    except GoneError as error:
        raise FailedError(*_death(child.close()), index) from error


def _death(code: int) -> tuple[str, str]:
    if code == -signal.SIGXCPU:
        return "TIME_LIMIT", "CPU time used up"
    if code == -signal.SIGKILL:
        return "RUNTIME_ERROR", "killed, or closed its channel"
    if code < 0:
        return "RUNTIME_ERROR", f"killed by signal {-code}"
    return "RUNTIME_ERROR", f"exited with status {code} before it answered"


def refuse_error(reply: Message, index: int | None) -> None:
    """Turns an exception of the solution into its verdict."""
    if "syntax" in reply:
        raise FailedError("SYNTAX_ERROR", str(reply["syntax"]))
    if "error" in reply:
        verdict = "MEMORY_LIMIT" if reply["error"] == "MemoryError" else "RUNTIME_ERROR"
        raise FailedError(verdict, str(reply.get("message", "")), index)


def run_programs(work: Run) -> None:
    """Runs every test in a child of its own: state cannot pass from test to test, and there is no second try."""
    inputs, outputs = work.task.tests["inputs"], work.task.tests["outputs"]
    for index in work.order(len(inputs)):
        with work.child(1, streams=True) as child:
            child.tell(job(work, "stdin"))
            try:
                run_program(child, inputs[index], outputs[index], index)
            except FailedError:
                work.failed(index, len(inputs))
                raise


def run_program(child: Child, given: str, expected: str, index: int) -> None:
    """Returns when the program gave the right output and ended well, be it by ending its process.

    Raises:
        FailedError: the test failed.
    """
    child.put_stdin(given)
    try:
        reply = child.hear()
    except GoneError:
        code = child.close()
        verdict, message = _death(code)
        if code != 0:
            raise FailedError(verdict, message, index) from None
        reply = {"exit": 0}
    except OutOfTimeError as error:
        raise FailedError("TIME_LIMIT", f"over {child.limits.cpu_s:g} s", index) from error
    except FloodError as error:
        raise FailedError("OUTPUT_LIMIT", str(error), index) from error
    if "syntax" in reply:
        refuse_error(reply, None)
    output, flooded = child.stdout()
    if flooded:
        raise FailedError("OUTPUT_LIMIT", f"over {child.limits.output_mb} MiB", index)
    if reply.get("exit") != 0:
        refuse_error(reply, index)
        raise FailedError("RUNTIME_ERROR", str(reply.get("message", "")), index)
    if not compare.stdout_matches(output, expected):
        raise FailedError("WRONG_ANSWER", "the output differs", index)


def run_calls(work: Run) -> None:
    """Loads the solution once, then calls it once a test; calls are sent ahead of the answers."""
    task, expected = work.task, work.task.expected
    order = work.order(len(task.frames))
    with work.child(len(order)) as child:
        child.tell(job(work, "call", entry_point=task.tests["fn_name"]))
        refuse_error(ask(child, None), None)
        told = ahead = 0
        for index in order:
            while told < len(order) and ahead < PIPELINE:
                child.tell_frame(task.frames[order[told]])
                ahead, told = ahead + len(task.frames[order[told]]), told + 1
            reply = ask(child, index)
            ahead -= len(task.frames[index])
            try:
                _judge_call(task, reply, expected[index], index)
            except FailedError:
                work.failed(index, len(order))
                raise


def _judge_call(task: Task, reply: Message, expected: Any, index: int) -> None:
    refuse_error(reply, index)
    if "unsendable" in reply and task.tests["oracle"] != ANY_OBJECT:
        raise FailedError("WRONG_ANSWER", str(reply["unsendable"]), index)
    try:
        value = _value(reply)
    except (KeyError, ValueError, RecursionError, MemoryError, TypeError) as error:
        raise FailedError("WRONG_ANSWER", "the result cannot be read", index) from error
    rules = {name: task.tests[name] for name in ("compare", "atol", "oracle")}
    arguments = wire.decode(json.loads(task.frames[index][4:])["args"]) if rules["oracle"] else []
    if not compare.call_matches(value, expected, arguments, **rules):
        raise FailedError("WRONG_ANSWER", "the result differs", index)


def _value(reply: Message) -> Any:
    if "unsendable" in reply:
        return ANY_OBJECT
    return iter(wire.decode(reply["items"])) if "items" in reply else wire.decode(reply["value"])


def arguments_of(tests: Message) -> list[Any]:
    """Returns the encoded arguments of every test.

    Raises:
        TestsError: they are not JSON.
    """
    wired = tests.get("encoding") == "wire"
    arguments = []
    for index, given in enumerate(tests["inputs"]):
        try:
            values = [loads(line) for line in given.split("\n") if line.strip()]
            arguments.append(values if wired else wire.encode(values))
            if wired:
                wire.decode(values)
        except (ValueError, RecursionError, wire.Unsendable) as error:
            raise TestsError(f"test {index} is not usable JSON: {error}") from error
    return arguments


def loads(text: str) -> Any:
    """Returns a JSON value of the tests, which are trusted: its integers may have any length."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.loads(text)
    finally:
        sys.set_int_max_str_digits(limit)


def expectations(work: Run) -> list[Any]:
    """Returns the expected value of every test, from the tests or else from the reference solution; kept in the task.

    Raises:
        TestsError: they are not JSON, or the reference solution fails.
    """
    task = work.task
    if not task.expected:
        outputs = task.tests.get("outputs")
        try:
            if outputs is not None:
                wired = task.tests.get("encoding") == "wire"
                task.expected = [wire.decode(loads(text)) if wired else loads(text) for text in outputs]
            else:
                task.expected = _of_reference(work)
        except (ValueError, RecursionError) as error:
            raise TestsError(f"an expected output is not usable JSON: {error}") from error
    return task.expected


def _of_reference(work: Run) -> list[Any]:
    task = work.task
    if not task.reference:
        raise TestsError("the tests hold no outputs and the problem no reference solution")
    reference = Run(task, task.reference, work.limits, work.start, work.words)
    results = []
    with reference.child(len(task.tests["inputs"])) as child:
        child.tell(job(reference, "call", entry_point=task.tests["fn_name"]))
        try:
            refuse_error(ask(child, None), None)
            for index, arguments in enumerate(arguments_of(task.tests)):
                child.tell({"args": arguments})
                reply = ask(child, index)
                refuse_error(reply, index)
                if "unsendable" in reply and task.tests["oracle"] != ANY_OBJECT:
                    raise TestsError(f"the reference solution's result of test {index}: {reply['unsendable']}")
                results.append(_value(reply))
                task.expected_bytes += child.heard_bytes
        except (FailedError, KeyError, ValueError) as error:
            raise TestsError(f"the reference solution fails: {error}") from error
    return results


def run_check(work: Run) -> None:
    """Lets the check run here, and passes its calls on; first with the calls that its text lets expect."""
    task = work.task
    assert task.check
    while True:
        try:
            run_once(work, task.check, task.check.predicted)
        except proxy.MispredictedError:
            task.check.predicted = []
        except proxy.MutatedError:
            task.mutates = _mutations(work)
        else:
            return


def compiled_check(task: Task) -> proxy.Check:
    """Returns the compiled check of a task.

    Raises:
        TestsError: there is no entry point, or the code is broken.
    """
    if not task.entry_point:
        raise TestsError("assert tests need an entry_point")
    try:
        return proxy.Check(task.prompt, task.entry_point, task.tests["check"])
    except Exception as error:
        raise TestsError(f"the test code is broken: {type(error).__name__}: {error}") from error


def _mutations(work: Run) -> set[int]:
    """Returns the numbers of the check's calls in which the reference solution changes its arguments.

    Raises:
        TestsError: it does not pass.
    """
    task = work.task
    assert task.check and task.reference
    try:
        return run_once(
            Run(task, task.reference, work.limits, work.start, work.words), task.check, [], trusted=True
        ).changed
    except FailedError as error:
        raise TestsError(f"the reference solution fails: {error}") from error


def run_once(work: Run, check: proxy.Check, predicted: list[Message], *, trusted: bool = False) -> proxy.Candidate:
    """Runs the check on one child and returns the proxy that it used.

    Raises:
        FailedError: the check failed.
        TestsError: the check is broken.
        MispredictedError: it does not make the predicted calls.
    """
    tests = len(predicted) or LIVE_TESTS
    with work.child(tests) as child:
        child.tell(job(work, "call", entry_point=check.entry_point, classes=check.class_names) | {"prelude": False})
        for message in predicted:
            child.tell(message)

        def reply_to(message: Message) -> Message:
            if not predicted:
                child.tell(message)
            return ask(child, None, continues="next" in message)

        refuse_error(ask(child, None), None)
        candidate = proxy.Candidate(reply_to, predicted, _mutation_rule(work.task, trusted=trusted))
        try:
            check.run(candidate)
        except FailedError as failed:
            raise FailedError(failed.verdict, failed.message, check.test_index(failed)) from failed
        except Exception as error:
            raise _ended(error, candidate, check, by_reference=bool(work.task.reference)) from error
        return candidate


def _mutation_rule(task: Task, *, trusted: bool) -> proxy.Mutates:
    """Returns what tells whether the reference solution changes the arguments of a call; None: there is none."""

    def mutates(call: int) -> bool | None:
        if trusted:
            return True
        if task.mutates is None and task.reference:
            raise proxy.MutatedError
        return None if task.mutates is None else call in task.mutates

    return mutates


def _ended(error: Exception, candidate: proxy.Candidate, check: proxy.Check, *, by_reference: bool) -> BaseException:
    """Returns what an exception that leaves the check means."""
    index = check.test_index(error)
    if error is candidate.raised:
        verdict = "MEMORY_LIMIT" if candidate.failure["error"] == "MemoryError" else "RUNTIME_ERROR"
        return FailedError(verdict, candidate.failure["message"], index)
    message = f"{type(error).__name__}: {_text(error)}"
    alone = not by_reference and not isinstance(error, AssertionError)  # else the reference will tell
    if alone and check.fails_by_itself(error, index, candidate.results):
        return TestsError(f"the test code is broken: {message}")
    return FailedError("WRONG_ANSWER", message, index)


def _text(error: Exception) -> str:
    try:
        return str(error)[:500]
    except Exception:  # noqa: BLE001 - a text made of huge numbers, or by a class of the prompt
        return ""


def run_guarded(work: Run) -> None:
    """Runs tests inside the solution's interpreter, in variants, and accepts only the reference solution's outcomes."""
    task = work.task
    if not task.reference:
        return _run_trusted(work)
    for source, expected in task.variants:
        found = outcomes(work, source)
        if found != expected:
            raise FailedError("WRONG_ANSWER", _first_difference(found, expected))
    chance = f"2^-{task.assertions}"
    work.note = f"guarded: forged outcomes pass with probability {chance} where changed constants look like true ones"


def _run_trusted(work: Run) -> None:
    if not work.task.tests.get("trust"):
        raise TestsError("unittest tests without a reference solution cannot be guarded; --trust-tests believes them")
    found = outcomes(work, guarded.plain(work.task.tests["source"]))
    if found.get("bad") or not found.get("tests") or not all(outcome for _, outcome in found.get("assertions", [])):
        raise FailedError("WRONG_ANSWER", "a test failed")
    work.note = "trusted: the tests share the interpreter with the solution, and it could have forged this"


def _prepare_variants(work: Run, pairs: int = 2) -> None:
    """Makes pairs of variants that nobody can foretell, with the reference solution's outcomes for each."""
    task = work.task
    source = task.tests["source"]
    reference = Run(task, task.reference or "", work.limits, work.start, work.words)
    try:
        plain = outcomes(reference, guarded.plain(source))
        if plain.get("bad") or not all(outcome for _, outcome in plain.get("assertions", [])):
            raise TestsError("the reference solution fails the tests")
        texts = [guarded.variants(source, SECRET.getrandbits(64))[0] for _ in range(pairs)]
        found = [[outcomes(reference, text) for text in pair] for pair in texts]
    except SyntaxError as error:
        raise TestsError(f"the test code is broken: {error}") from error
    except FailedError as error:
        raise TestsError(f"the reference solution fails: {error}") from error
    task.assertions = sum(_told_apart(*pair) for pair in found)
    if not task.assertions:
        raise TestsError("the tests run no assertion that can be falsified")
    task.variants = [pair for both in zip(texts, found, strict=True) for pair in zip(*both, strict=True)]


def _told_apart(one: Message, other: Message) -> int:
    """Returns how many assertions come out otherwise in one variant than in its complement."""
    first, second = (dict(map(tuple, found.get("assertions", []))) for found in (one, other))
    return sum(first[number] is not second.get(number) for number in first)


def outcomes(work: Run, source: str) -> Message:
    """Returns what one variant comes to in a fresh child."""
    with work.child(1) as child:
        child.tell(job(work, "guarded", tests=source))
        reply = ask(child, None)
    refuse_error(reply, None)
    found = reply.get("outcomes")
    if not isinstance(found, dict):
        raise FailedError("RUNTIME_ERROR", "the outcomes cannot be read")
    return found


def _first_difference(found: Message, expected: Message) -> str:
    if found.get("bad") != expected.get("bad"):
        return f"tests end otherwise than with the reference solution: {found.get('bad')}"[:300]
    return "assertions come out otherwise than with the reference solution"


_KINDS: dict[str, Callable[[Run], None]] = {
    "stdin": run_programs,
    "call": run_calls,
    "assert": run_check,
    "unittest": run_guarded,
}
