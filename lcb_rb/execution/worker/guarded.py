"""Tests of kind `unittest`: they run beside the solution, in variants that only the reference solution tells about."""

import random

from . import variants
from .errors import FailedError, TestsError
from .run import Message, Run, ask, job, refuse_error

SECRET = random.SystemRandom()


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
    found = outcomes(work, variants.plain(work.task.tests["source"]))
    if found.get("bad") or not found.get("tests") or not all(outcome for _, outcome in found.get("assertions", [])):
        raise FailedError("WRONG_ANSWER", "a test failed")
    work.note = "trusted: the tests share the interpreter with the solution, and it could have forged this"


def prepare(work: Run, pairs: int = 2) -> None:
    """Makes pairs of variants that nobody can foretell, with the reference solution's outcomes for each."""
    task = work.task
    source = task.tests["source"]
    reference = Run(task, task.reference or "", work.limits, work.start, work.words)
    try:
        plain = outcomes(reference, variants.plain(source))
        if plain.get("bad") or not all(outcome for _, outcome in plain.get("assertions", [])):
            raise TestsError("the reference solution fails the tests")
        texts = [variants.variants(source, SECRET.getrandbits(64))[0] for _ in range(pairs)]
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
