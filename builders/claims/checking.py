"""Claims compared with what the accepted code returns, each as a suite of one test in the sandbox."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeVar

from builders.claims.finding import Claim, find_claims
from lcb_rb.execution.engines import Engine
from lcb_rb.execution.worker.solution import PRELUDE
from lcb_rb.schema import AssertTests, CallTests, Problem, Record, Result, StdinTests, Verdict

Key = TypeVar("Key")
Outcome = Literal["confirmed", "refuted", "unchecked"]
Run = tuple[Claim, Problem, str]
"""A claim, the problem that it is about, and the code."""

OUTCOMES: dict[Verdict, Outcome] = {Verdict.ACCEPTED: "confirmed", Verdict.WRONG_ANSWER: "refuted"}
"""Of the code with the claim as its only test; after all other verdicts nothing is known."""

_RETURNED = "AssertionError: RETURNED "
_CHECK = """def check(candidate):
    raise AssertionError("RETURNED " + repr(candidate(*{arguments!r})))
"""
_MAX_VALUE_CHARS = 200
"""Longer values may be cut off where a result keeps its message."""


class Finding(Record):
    """A claim and what became of it."""

    claim: Claim
    """The claim."""
    outcome: Outcome
    """`unchecked`: the code fails at this input, or could not be run; says nothing about the claim."""
    actual: str | None = None
    """What the code returns instead, as Python writes it; None where that is not known."""


class Checked(Record):
    """The claims of one reasoning."""

    findings: tuple[Finding, ...] = ()
    """In order of place."""

    @property
    def checked(self) -> int:
        """Claims that were confirmed or refuted."""
        return sum(finding.outcome != "unchecked" for finding in self.findings)

    @property
    def refuted(self) -> int:
        """Claims that the accepted code refutes."""
        return sum(finding.outcome == "refuted" for finding in self.findings)


def check_claims(items: Iterable[tuple[Key, Problem, str, str]], engine: Engine) -> dict[Key, Checked]:
    """Returns what became of the claims of every reasoning, by key; a claim that comes again is run once.

    Args:
        items: (key, problem, accepted code, reasoning); read one at a time, what has no claims is not kept.
        engine: Where the code is run.
    """
    names: dict[Key, list[tuple[Claim, str]]] = {}
    runs: dict[str, Run] = {}

    def distinct() -> Iterator[tuple[Problem, str]]:
        for key, problem, code, reasoning in items:
            names[key] = [(claim, _name(claim, problem, code)) for claim in find_claims(reasoning, problem)]
            for claim, name in names[key]:
                if name not in runs:
                    runs[name] = (claim, problem, code)
                    yield as_problem(claim, problem), code

    numbered = dict(engine.grade_as_completed(distinct()))
    results = {name: numbered[index] for index, name in enumerate(runs)}
    outcomes = {name: OUTCOMES.get(result.verdict, "unchecked") for name, result in results.items()}
    wrong = {name: runs[name] for name, outcome in outcomes.items() if outcome == "refuted"}
    actual = _returned(wrong, engine)
    return {
        key: Checked(
            findings=tuple(
                Finding(claim=claim, outcome=outcomes[name], actual=actual.get(name)) for claim, name in found
            )
        )
        for key, found in names.items()
    }


def as_problem(claim: Claim, problem: Problem) -> Problem:
    """Returns the problem with the claim as its only test; code that passes confirms the claim."""
    if claim.kind == "stdin":
        tests: StdinTests | CallTests = StdinTests(inputs=[claim.arguments], outputs=[claim.expected])
    else:
        rule = {"compare": "evalplus", "atol": claim.atol} if claim.atol else {}
        tests = CallTests(fn_name=claim.function, inputs=[claim.arguments], outputs=[claim.expected], **rule)
    return problem.model_copy(update={"tests": tests, "reference_solution": None})


def _returned(runs: Mapping[str, Run], engine: Engine) -> dict[str, str]:
    """Returns what functions really return, as far as it is a value that a message can hold.

    The message is made outside of the process of the code, from a value that came from there as plain data.
    """
    names = [name for name, (claim, _, _) in runs.items() if claim.kind == "call"]
    items = ((_revealing(*runs[name][:2]), runs[name][2]) for name in names)
    results = {names[index]: result for index, result in engine.grade_as_completed(items)}
    return {name: value for name, result in results.items() if (value := _value(result)) is not None}


def _revealing(claim: Claim, problem: Problem) -> Problem:
    """Returns the problem with a test that fails and says what was returned."""
    arguments = [json.loads(line) for line in claim.arguments.splitlines()]
    prelude = PRELUDE if isinstance(problem.tests, CallTests) else ""
    fields = {
        "tests": AssertTests(check=_CHECK.format(arguments=arguments)),
        "entry_point": claim.function,
        "prompt": prelude + problem.prompt,
        "reference_solution": None,
    }
    return problem.model_copy(update=fields)


def _value(result: Result) -> str | None:
    text = result.message.removeprefix(_RETURNED)
    known = result.verdict is Verdict.WRONG_ANSWER and text != result.message and len(text) <= _MAX_VALUE_CHARS
    return text if known else None


def _name(claim: Claim, problem: Problem, code: str) -> str:
    """Returns what tells a run from others."""
    parts = (problem.id, code, claim.arguments, claim.expected, str(claim.atol))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()
