"""Logical coherence: steps that are missing, out of order, or contradict the rest."""

import re
from collections.abc import Sequence
from itertools import pairwise

from builders.rules.text import Replacement, Span, exchange, numbered_lists, removal, sentences

MIN_STEP_CHARS = 30
"""Shorter sentences are no steps."""
MAX_STATEMENT_CHARS = 500
"""Longer sentences are not negated."""

_DEPENDS = re.compile(
    r"(then|so|after|this|that|it|these|those|they|therefore|thus|otherwise|now|next|finally|the result|hence)\b",
    re.IGNORECASE,
)
_CASE = re.compile(r"(?:if|when|case|with|on|for (?!each|every|all))\b", re.IGNORECASE)
_NAME = re.compile(r"\b(?:[b-zB-HJ-Z]|\w*[_\d]\w*|\w+(?=[\[(])|\w+(?= =))(?![\w'])")
_NEGATIONS = {
    "is": "is not",
    "is not": "is",
    "isn't": "is",
    "are": "are not",
    "are not": "are",
    "aren't": "are",
    "can": "cannot",
    "cannot": "can",
    "can't": "can",
    "must": "need not",
    "never": "always",
    "always": "never",
    "does not": "does",
    "doesn't": "does",
    "do not": "do",
    "don't": "do",
    "will": "will not",
    "won't": "will",
    "stays": "does not stay",
    "fits": "does not fit",
    "enough": "not enough",
}
_VERB = re.compile(
    rf"(?<=\w )(?:{'|'.join(sorted(map(re.escape, _NEGATIONS), key=len, reverse=True))})"
    r"(?= [\w(\[])(?! (?:not|only|also|still|already|even|either|both|just|ever|never|always|no|nothing|none|that)\b)"
)
_FULL_STOP = re.compile(r"(?<![. ])\.\s*$")
_NEGATIVE = re.compile(
    r"\b(?:no|not|none|nothing|nobody|neither|nor|never|hardly|only|cannot|what|how|that)\b|n't\b", re.I
)


def dropped_steps(text: str) -> list[Replacement]:
    """A step from the middle disappears; the steps after it in a numbered list move up."""
    lists = [items for items in numbered_lists(text) if len(items) > 2]
    if lists:
        return [_closed_up(text, items[index:]) for items in lists for index in range(1, len(items) - 1)]
    steps = [span for span in sentences(text)[1:-1] if len(span.text) >= MIN_STEP_CHARS]
    return [place for span in steps if (place := removal(text, span))]


def reordered_steps(text: str) -> list[Replacement]:
    """Two neighbouring steps change places when the second builds on the first."""
    found = [
        exchange(text, left, right)
        for items in numbered_lists(text)
        for left, right in pairwise(items)
        if _DEPENDS.match(right.text) or (not _CASE.match(right.text) and _share_a_name(left, right))
    ]
    for left, right in pairwise(sentences(text)):
        same_line = left.end == right.start and left.text.endswith((" ", "\t"))
        if same_line and _DEPENDS.match(right.text) and left.text.rstrip().endswith("."):
            found.append(exchange(text, _bare(left), _bare(right)))
    return [place for place in found if place.before != place.after]


def contradictions(text: str) -> list[Replacement]:
    """A statement becomes its negation, or is negated at the end of the text, against what is said elsewhere."""
    spans = [span for span in sentences(text) if len(span.text) <= MAX_STATEMENT_CHARS]
    found = []
    for span in spans:
        for negation in _negations(span):
            found += [negation, *_repeated(span, negation, spans[-1])]
    return found


def _negations(span: Span) -> list[Replacement]:
    """Returns the verbs of a sentence that can be negated: those before its first negative word."""
    negative = _NEGATIVE.search(span.text)
    stop = negative.end() if negative else len(span.text)
    verbs = _VERB.finditer(span.text)
    return [
        Replacement(span.start + verb.start(), verb[0], _NEGATIONS[verb[0]]) for verb in verbs if verb.start() < stop
    ]


def _closed_up(text: str, items: Sequence[Span]) -> Replacement:
    """Drops the first of the items: each body goes under the number before its own."""
    before = text[items[0].start : items[-1].end]
    gaps = [text[left.end : right.start] for left, right in pairwise(items)]
    bodies = [item.text for item in items[1:]]
    after = bodies[0] + "".join(gap + body for gap, body in zip(gaps, bodies[1:], strict=False))
    return Replacement(items[0].start, before, after)


def _repeated(span: Span, negation: Replacement, last: Span) -> list[Replacement]:
    """Appends the negated sentence to the last one, when both are whole sentences."""
    whole = span is not last and span.text[0].isupper() and _FULL_STOP.search(span.text)
    if not whole or not _FULL_STOP.search(last.text):
        return []
    at = negation.start - span.start
    negated = span.text[:at] + negation.after + span.text[at + len(negation.before) :]
    return [Replacement(last.start + len(last.text.rstrip()), "", f" {negated.rstrip()}")]


def _share_a_name(left: Span, right: Span) -> bool:
    return bool(set(_NAME.findall(left.text)) & set(_NAME.findall(right.text)))


def _bare(span: Span) -> Span:
    return Span(span.start, span.text.rstrip(" \t"))
