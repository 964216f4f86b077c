"""The two texts of a rewritten pair, and the edits that lead from the better one to the worse one."""

from collections.abc import Sequence
from dataclasses import dataclass

from builders.llm_edits import edits_between
from lcb_rb.schema import Edit, Variant


@dataclass(frozen=True, slots=True)
class Side:
    """A text of a pair."""

    reasoning: str
    """Itself."""
    variant: Variant | None = None
    """What it is; None for the original."""

    @classmethod
    def of(cls, variant: Variant) -> "Side":
        """Returns the text of a variant."""
        return cls(variant.reasoning, variant)


def inverted(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Returns the edits that undo others, with offsets in the text that those lead to.

    Args:
        edits: In order of place, with offsets in the text that they start from.
    """
    found: list[Edit] = []
    shift = 0
    for edit in edits:
        found.append(edit.model_copy(update={"start": edit.start + shift, "before": edit.after, "after": edit.before}))
        shift += len(edit.after) - len(edit.before)
    return tuple(found)


def between(better: Variant, worse: Variant) -> tuple[Edit, ...]:
    """Returns the edits that lead from one variant to another, named after the worse one's rule."""
    rule = worse.edits[0].rule if worse.edits else "rewrite"
    edits = edits_between(better.reasoning, worse.reasoning, worse.dimension)
    return tuple(edit.model_copy(update={"rule": rule}) for edit in edits)
