"""What a rewrite changed, sentence by sentence."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from lcb_rb.schema import Dimension, Edit

RULE = "llm"
"""Rule of every edit that a model made."""
MOST_PIECES = 2_000
"""Texts of more sentences are one edit: comparing them takes quadratic time."""

_PIECE = re.compile(r"[^\n.!?]*(?:[.!?](?![ \n])[^\n.!?]*)*(?:[.!?]+ *|\n+|\Z)")


def edits_between(before: str, after: str, dimension: Dimension) -> tuple[Edit, ...]:
    """Returns the sentences or lines that were replaced, in order of place; offsets are those of `before`."""
    old, new = _pieces(before), _pieces(after)
    if max(len(old), len(new)) > MOST_PIECES:
        old, new = [before], [after]
    starts = [0]
    for piece in old:
        starts.append(starts[-1] + len(piece))
    return tuple(
        Edit(
            rule=RULE,
            dimension=dimension,
            start=starts[first],
            before="".join(old[first:last]),
            after="".join(new[other_first:other_last]),
        )
        for tag, first, last, other_first, other_last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if tag != "equal"
    )


def apply_edits(before: str, edits: Sequence[Edit]) -> str:
    """Returns the text with all edits made; their offsets are those of the text before the first of them.

    Raises:
        ValueError: the text at a place is not the one that its edit replaces, or edits overlap.
    """
    parts, at = [], 0
    for edit in edits:
        end = edit.start + len(edit.before)
        if edit.start < at or before[edit.start : end] != edit.before:
            raise ValueError(f"edit {edit.rule}: the text at {edit.start} is another one")
        parts += [before[at : edit.start], edit.after]
        at = end
    return "".join([*parts, before[at:]])


def _pieces(text: str) -> list[str]:
    return [piece for piece in _PIECE.findall(text) if piece]
