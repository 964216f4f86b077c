"""Logical coherence: steps that are missing, out of order, or contradict the rest."""

import re
from itertools import pairwise

from builders.rules.text import Replacement, Span, numbered_items, sentences, substitutions

MIN_STEP_CHARS = 30
"""Shorter sentences are no steps."""

_DEPENDS = re.compile(
    r"(then|so|after|this|that|it|these|those|they|therefore|thus|otherwise|now|next|finally|the result|hence)\b",
    re.I,
)
_NEGATIONS = {
    "is": "is not",
    "is not": "is",
    "are": "are not",
    "are not": "are",
    "can": "cannot",
    "cannot": "can",
    "must": "need not",
    "never": "always",
    "always": "never",
    "does not": "does",
    "do not": "do",
    "will": "will not",
    "stays": "does not stay",
    "fits": "does not fit",
    "enough": "not enough",
}
_VERB = re.compile(rf"(?<=\w )({'|'.join(sorted(map(re.escape, _NEGATIONS), key=len, reverse=True))})(?= \w)(?! not\b)")


def dropped_steps(text: str) -> list[Replacement]:
    """A step from the middle disappears; numbers of a list stay as they are, without a gap in the text."""
    items = numbered_items(text)
    if len(items) > 2:
        return [_merge(left, right, text) for left, right in pairwise(items[1:])]
    spans = sentences(text)
    return [Replacement(span.start, span.text, "") for span in spans[1:-1] if len(span.text) >= MIN_STEP_CHARS]


def reordered_steps(text: str) -> list[Replacement]:
    """Two neighbouring steps change places when the second builds on the first."""
    items = numbered_items(text)
    found = [_exchange(left, right, text) for left, right in pairwise(items)]
    spans = sentences(text)
    for left, right in pairwise(spans):
        same_line = text[left.start : right.start] == left.text
        if same_line and left.text.endswith((" ", "\t")) and _DEPENDS.match(right.text):
            found.append(_exchange(_bare(left), _bare(right), text))
    return [place for place in found if place.before != place.after]


def contradictions(text: str) -> list[Replacement]:
    """A statement becomes its negation, against what is said around it."""
    return substitutions(text, _VERB, lambda match: _NEGATIONS[match[0]])


def _merge(dropped: Span, following: Span, text: str) -> Replacement:
    """Puts the next item under the number of the dropped one."""
    end = following.start + len(following.text)
    return Replacement(dropped.start, text[dropped.start : end], following.text)


def _exchange(left: Span, right: Span, text: str) -> Replacement:
    between = text[left.start + len(left.text) : right.start]
    before = left.text + between + right.text
    return Replacement(left.start, before, right.text + between + left.text)


def _bare(span: Span) -> Span:
    return Span(span.start, span.text.rstrip(" \t"))
