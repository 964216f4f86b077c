"""Rules that degrade a reasoning: each makes one recorded edit that changes the meaning, not the form.

Where a rule has a choice it takes an edit that leaves length, lines, digits and punctuation as they are; a step is
dropped in one half of the samples and repeated in the other half. So the form of a text does not tell what it is.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from builders.rules import coherence, facts, rigor
from builders.rules.text import Replacement, keeps_format, same_form
from lcb_rb.parsing import code_blocks
from lcb_rb.schema import Dimension, Edit, Variant


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of degradation."""

    name: str
    dimension: Dimension
    find: Callable[[str], list[Replacement]]
    """Returns every place where it could be applied."""
    half: int | None = None
    """0 or 1: the half of the samples, drawn by (seed, sample), that it is for; None for all."""


RULES: tuple[Rule, ...] = (
    Rule("complexity_claim", Dimension.FACTUAL_ACCURACY, facts.complexity_claims),
    Rule("false_claim", Dimension.FACTUAL_ACCURACY, facts.false_claims),
    Rule("wrong_worked_example", Dimension.FACTUAL_ACCURACY, facts.worked_examples),
    Rule("swapped_comparison", Dimension.LOGICAL_RIGOR, rigor.comparisons),
    Rule("shifted_bound", Dimension.LOGICAL_RIGOR, rigor.bounds),
    Rule("wrong_edge_case", Dimension.LOGICAL_RIGOR, rigor.edge_cases),
    Rule("unjustified_leap", Dimension.LOGICAL_RIGOR, rigor.justifications),
    Rule("dropped_step", Dimension.LOGICAL_COHERENCE, coherence.dropped_steps, half=0),
    Rule("repeated_step", Dimension.LOGICAL_COHERENCE, coherence.repeated_steps, half=1),
    Rule("reordered_steps", Dimension.LOGICAL_COHERENCE, coherence.reordered_steps),
    Rule("contradiction", Dimension.LOGICAL_COHERENCE, coherence.contradictions),
)


def degrade(
    reasoning: str, sample_id: str, *, rules: Sequence[Rule] = RULES, seed: int = 0, places: int = 1
) -> list[Variant]:
    """Returns the variants that rules make at places outside code blocks.

    Args:
        reasoning: To be degraded.
        sample_id: Of the sample whose reasoning it is.
        rules: That are tried.
        seed: Of the places; a place is drawn from (seed, sample, rule), so it depends on nothing else.
        places: Most variants of a rule, each at another place.
    """
    blocks = [(block.start, block.end) for block in code_blocks(reasoning)]
    return [
        _variant(reasoning, sample_id, rule, place)
        for rule in rules
        if rule.half in (None, _draw(seed, sample_id, "half") % 2)
        for place in _drawn(rule, reasoning, blocks, _draw(seed, sample_id, rule.name), places)
    ]


def _drawn(
    rule: Rule, reasoning: str, blocks: Sequence[tuple[int, int]], draw: int, most: int
) -> Collection[Replacement]:
    """Returns some places of a rule, from a drawn one on: those that keep the form, or others where none does."""
    places = [place for place in rule.find(reasoning) if _outside(place, blocks)]
    keeping = [place for place in places if same_form(place)]
    return _first(keeping, reasoning, draw, most) or _first(places, reasoning, draw, most)


def _first(places: Sequence[Replacement], reasoning: str, draw: int, most: int) -> Collection[Replacement]:
    """Returns usable replacements at so many places at most, and of one place only one."""
    found: dict[int, Replacement] = {}
    for index in range(len(places)):
        place = places[(draw + index) % len(places)]
        if place.start not in found and keeps_format(reasoning, place):
            found[place.start] = place
        if len(found) == most:
            break
    return found.values()


def _variant(reasoning: str, sample_id: str, rule: Rule, place: Replacement) -> Variant:
    edit = Edit(rule=rule.name, dimension=rule.dimension, **place.fields())
    return Variant(
        sample_id=sample_id,
        reasoning=apply_edit(reasoning, edit),
        direction="degraded",
        dimension=rule.dimension,
        edits=(edit,),
    )


def apply_edit(reasoning: str, edit: Edit) -> str:
    """Returns the text with the edit made.

    Raises:
        ValueError: the text at that place is not the one that the edit replaces.
    """
    end = edit.start + len(edit.before)
    if reasoning[edit.start : end] != edit.before:
        raise ValueError(f"edit {edit.rule}: the text at {edit.start} is another one")
    return reasoning[: edit.start] + edit.after + reasoning[end:]


def _outside(place: Replacement, blocks: Sequence[tuple[int, int]]) -> bool:
    """Returns whether the place lies outside the blocks; what is inserted may not touch a fence either."""
    end, distance = place.start + len(place.before), 0 if place.before else 1
    return all(end + distance <= start or place.start >= stop + distance for start, stop in blocks)


def _draw(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:8], "big")
