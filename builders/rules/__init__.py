"""Rules that degrade a reasoning: each makes one recorded edit that changes the meaning, not the format."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from builders.rules import coherence, facts, rigor
from builders.rules.text import Replacement, keeps_format
from lcb_rb.parsing import code_blocks
from lcb_rb.schema import Dimension, Edit, Variant


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of degradation."""

    name: str
    dimension: Dimension
    find: Callable[[str], list[Replacement]]
    """Returns every place where it could be applied."""


RULES: tuple[Rule, ...] = (
    Rule("complexity_claim", Dimension.FACTUAL_ACCURACY, facts.complexity_claims),
    Rule("false_claim", Dimension.FACTUAL_ACCURACY, facts.false_claims),
    Rule("wrong_worked_example", Dimension.FACTUAL_ACCURACY, facts.worked_examples),
    Rule("swapped_comparison", Dimension.LOGICAL_RIGOR, rigor.comparisons),
    Rule("shifted_bound", Dimension.LOGICAL_RIGOR, rigor.bounds),
    Rule("dropped_edge_case", Dimension.LOGICAL_RIGOR, rigor.edge_cases),
    Rule("unjustified_leap", Dimension.LOGICAL_RIGOR, rigor.justifications),
    Rule("dropped_step", Dimension.LOGICAL_COHERENCE, coherence.dropped_steps),
    Rule("reordered_steps", Dimension.LOGICAL_COHERENCE, coherence.reordered_steps),
    Rule("contradiction", Dimension.LOGICAL_COHERENCE, coherence.contradictions),
)


def degrade(reasoning: str, sample_id: str, *, rules: Sequence[Rule] = RULES, seed: int = 0) -> list[Variant]:
    """Returns one variant for every rule that finds a place outside code blocks.

    The place is drawn from (seed, sample, rule), so it depends on nothing else.
    """
    blocks = [(block.start, block.end) for block in code_blocks(reasoning)]
    variants = []
    for rule in rules:
        places = [place for place in rule.find(reasoning) if _outside(place, blocks) and keeps_format(reasoning, place)]
        if places:
            place = places[_draw(seed, sample_id, rule.name) % len(places)]
            edit = Edit(rule=rule.name, dimension=rule.dimension, **place.fields())
            variants.append(Variant(sample_id=sample_id, reasoning=apply_edit(reasoning, edit), edits=(edit,)))
    return variants


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
