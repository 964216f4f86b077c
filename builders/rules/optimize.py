"""Rules that improve a reasoning by something that is known to be true: from the tests, or from running the code."""

import ast
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from builders.claims import Checked, Finding
from builders.rules.examples import Example, examples_of, wrong_results
from lcb_rb.parsing import code_blocks
from lcb_rb.schema import Dimension, Direction, Edit, Problem, Variant

PARTNERS = {"verified_example": "wrong_example", "stated_edge_case": "misstated_edge_case"}
"""Rules that add a true sentence, and those that add the same sentence with a wrong result of equal form.

They are made for each other: against the original the longer text would always be the better, or the worse one.
"""

Thing = TypeVar("Thing")

MIN_LINE_CHARS = 40
"""Shorter lines are no paragraphs that a sentence could follow."""

_PROSE_LINE = re.compile(r"^(?![ \t]*(?:#{1,6} |\||[-*+>] |\d{1,3}[.)] |[ \t]{3}))[^\n]*[.!](?=[ \t]*$)", re.MULTILINE)
_CONCLUSION = re.compile(r"(?:Thus|Therefore|Hence|So|Finally|Overall|In (?:conclusion|summary|total|the end))\b")
_EXAMPLES = ("For example, for {inputs} {result}.", "For instance, with {inputs} {result}.", "With {inputs}, {result}.")
_EDGES = ("In the edge case {inputs}, {result}.", "For the edge case {inputs}, {result}.")
_BLANKS = re.compile(r"[ \t`]+")
_HOLDS = {True: "the condition holds", False: "the condition fails"}
"""Results of functions that return a truth value, of equal length."""


def optimize(
    reasoning: str, sample_id: str, problem: Problem, checked: Checked | None = None, *, seed: int = 0
) -> list[Variant]:
    """Returns the optimized variants, and behind each the degraded one that is its partner, where it has one.

    Args:
        reasoning: Of an accepted sample.
        sample_id: The sample.
        problem: Its tests are the source of examples.
        checked: What became of the claims of this reasoning, where they were checked.
        seed: For all draws.
    """
    corrected = corrected_claims(reasoning, sample_id, checked) if checked else None
    pairs = [example_pair(reasoning, sample_id, problem, seed), edge_case_pair(reasoning, sample_id, problem, seed)]
    return [*([corrected] if corrected else []), *(variant for pair in pairs if pair for variant in pair)]


def corrected_claims(reasoning: str, sample_id: str, checked: Checked) -> Variant | None:
    """Returns the reasoning with every refuted claim corrected; None where not all true values are known."""
    refuted = [finding for finding in checked.findings if finding.outcome == "refuted"]
    edits = [edit for finding in refuted if (edit := _correction(reasoning, finding))]
    if not edits or len(edits) < len(refuted):
        return None
    return _variant(reasoning, sample_id, "optimized", edits)


def example_pair(reasoning: str, sample_id: str, problem: Problem, seed: int = 0) -> tuple[Variant, Variant] | None:
    """Returns the reasoning with a worked example from the tests, right and with a wrong result of equal form."""
    examples = [example for example in examples_of(problem) if not example.is_edge]
    return _pair(reasoning, sample_id, "verified_example", Dimension.FACTUAL_ACCURACY, examples, _EXAMPLES, seed)


def edge_case_pair(reasoning: str, sample_id: str, problem: Problem, seed: int = 0) -> tuple[Variant, Variant] | None:
    """Returns the reasoning with an edge case from the tests, right and with a wrong result of equal form."""
    examples = [example for example in examples_of(problem) if example.is_edge]
    return _pair(reasoning, sample_id, "stated_edge_case", Dimension.LOGICAL_RIGOR, examples, _EDGES, seed)


def _pair(
    reasoning: str,
    sample_id: str,
    rule: str,
    dimension: Dimension,
    examples: Sequence[Example],
    forms: Sequence[str],
    seed: int,
) -> tuple[Variant, Variant] | None:
    """Returns both variants; None where there is no example that the text does not have, or no place for it."""
    place = _place(reasoning)
    mark = "`" if "`" in reasoning else ""
    stated = {example: _stated(example, mark) for example in examples if not _mentions(reasoning, example)}
    usable = [example for example, texts in stated.items() if len(texts) > 1]
    if place is None or not usable:
        return None
    draw = _Draw(seed, sample_id, rule)
    example = draw.one_of(_of_one_truth(usable, draw), "example")
    form = draw.one_of(forms, "form")
    right, *wrong = stated[example]
    made = []
    for name, result in ((rule, right), (PARTNERS[rule], draw.one_of(wrong, "wrong"))):
        sentence = form.format(inputs=_inputs(example, mark), result=result)
        edit = Edit(rule=name, dimension=dimension, start=place, before="", after=f" {sentence}")
        made.append(_variant(reasoning, sample_id, "optimized" if name == rule else "degraded", [edit]))
    return made[0], made[1]


@dataclass(frozen=True, slots=True)
class _Draw:
    """Draws that depend on nothing but these."""

    seed: int
    sample_id: str
    rule: str

    def one_of(self, things: Sequence[Thing], what: str) -> Thing:
        """Returns one of the things."""
        name = "\0".join((str(self.seed), self.sample_id, self.rule, what))
        return things[int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % len(things)]


def _of_one_truth(examples: Sequence[Example], draw: _Draw) -> Sequence[Example]:
    """Returns the examples with one truth value, drawn first: which one is the more frequent must not tell anything."""
    wanted = draw.one_of((True, False), "truth")
    return [example for example in examples if example.value is wanted] or examples


def _stated(example: Example, mark: str) -> list[str]:
    """Returns how the result is said, and then how wrong ones are."""
    if isinstance(example.value, bool):
        return [_HOLDS[example.value], _HOLDS[not example.value]]
    return [f"the answer is {mark}{result}{mark}" for result in (example.result, *wrong_results(example))]


def _inputs(example: Example, mark: str) -> str:
    marked = [f"{mark}{text}{mark}" for text in example.inputs]
    listed = " and ".join(filter(None, [", ".join(marked[:-1]), marked[-1]]))
    if not example.is_program:
        return listed
    return f"the input {listed}" if len(marked) == 1 else f"the input lines {listed}"


def _mentions(reasoning: str, example: Example) -> bool:
    """Returns whether the text has the input already: it may say of it what the sentence says, or another thing."""
    text = _BLANKS.sub("", reasoning)
    return all(_BLANKS.sub("", given) in text for given in example.inputs)


def _place(reasoning: str) -> int | None:
    """Returns the end of the last paragraph of prose before a conclusion; None where there is no such paragraph."""
    blocks = code_blocks(reasoning)
    lines = [
        match
        for match in _PROSE_LINE.finditer(reasoning)
        if len(match[0]) >= MIN_LINE_CHARS and not any(block.start < match.end() < block.end for block in blocks)
    ]
    before = [match for match in lines if not _CONCLUSION.match(match[0])]
    return before[-1].end() if before else None


def _correction(reasoning: str, finding: Finding) -> Edit | None:
    """Returns the edit that puts the value that the code returns in the place of a refuted one."""
    claim, after = finding.claim, _written(finding)
    if after is None or not reasoning.startswith(claim.result_text, claim.result_start):
        return None
    return Edit(
        rule="corrected_claim",
        dimension=Dimension.FACTUAL_ACCURACY,
        start=claim.result_start,
        before=claim.result_text,
        after=after,
    )


def _written(finding: Finding) -> str | None:
    """Returns the true value as the claim writes values; None where it is unknown or of another type."""
    try:
        actual = ast.literal_eval(finding.actual or "")
    except (ValueError, SyntaxError):
        return None
    if type(actual) is not type(json.loads(finding.claim.expected)):
        return None
    text = finding.claim.result_text
    if isinstance(actual, bool) and text.islower():
        return str(actual).lower()
    return json.dumps(actual) if isinstance(actual, str) and text.startswith('"') else repr(actual)


def _variant(reasoning: str, sample_id: str, direction: Direction, edits: Sequence[Edit]) -> Variant:
    text = reasoning
    for edit in reversed(edits):
        text = text[: edit.start] + edit.after + text[edit.start + len(edit.before) :]
    return Variant(
        sample_id=sample_id,
        reasoning=text,
        direction=direction,
        dimension=edits[0].dimension,
        edits=tuple(edits),
    )
