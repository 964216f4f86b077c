"""Logical coherence: steps that are missing, out of order, or contradict the rest."""

import re
from collections.abc import Sequence
from itertools import pairwise

from builders.rules.text import Replacement, Span, both_ways, exchange, numbered_lists, removal, sentences, swaps

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
_EDGES = re.compile(r"\A\s*(?:(?:[-*+]|\(?\w{1,2}[.)])[ \t]+)?|\s*\Z")
_COUNT = re.compile(r"\d+")
_OTHERS = {
    **both_ways(
        ("increase", "decrease"),
        ("increases", "decreases"),
        ("increased", "decreased"),
        ("increment", "decrement"),
        ("incrementing", "decrementing"),
        ("maximize", "minimize"),
        ("maximizes", "minimizes"),
        ("maximizing", "minimizing"),
        ("include", "exclude"),
        ("includes", "excludes"),
        ("included", "excluded"),
        ("including", "excluding"),
        ("insert", "remove"),
        ("inserted", "removed"),
        ("merge", "split"),
        ("should", "cannot"),
        ("distinct", "repeated"),
        ("sorted", "unique"),
        ("more", "less"),
        ("index", "value"),
        ("node", "edge"),
        ("nodes", "edges"),
        ("character", "substring"),
        ("characters", "substrings"),
        ("distance", "position"),
        ("numbers", "strings"),
    ),
    "valid": "empty",
    "store": "count",
    "stores": "counts",
    "update": "remove",
    "updated": "removed",
    "ensure": "assume",
    "ensures": "assumes",
    "ensuring": "assuming",
    "necessary": "redundant",
}
"""Words and others of the same length that do not agree with what the text says elsewhere."""
_IDIOMS = re.compile(
    r"\b(?:(?:more|less) (?:efficient\w*|than|or|and|complex|specific\w*|formal\w*|precise\w*|general\w*|detail\w*)"
    r"|(?:more|less) info\w*|(?:no|any|once|even|much|or) (?:more|less)|edge cases?|once sorted)\b",
    re.IGNORECASE,
)
_FULL_STOP = re.compile(r"(?<![. ])\.\s*$")
_NEGATIVE = re.compile(
    r"\b(?:no|not|none|nothing|nobody|neither|nor|never|hardly|only|cannot|what|how|that)\b|n't\b", re.I
)


def dropped_steps(text: str) -> list[Replacement]:
    """A step from the middle disappears; the steps after it in a numbered list move up."""
    return [dropped for dropped, _ in _steps(text)]


def repeated_steps(text: str) -> list[Replacement]:
    """A step comes a second time, later on; the steps after it in a numbered list move down."""
    return [repeated for _, repeated in _steps(text)]


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
    """A statement becomes its negation or opposite, or is negated at the end, against what is said elsewhere."""
    spans = [span for span in sentences(text) if len(span.text) <= MAX_STATEMENT_CHARS]
    found = []
    for span in spans:
        for negation in _negations(span):
            found += [negation, *_repeated(span, negation, spans[-1])]
    return found + swaps(text, _OTHERS, _IDIOMS)


def _negations(span: Span) -> list[Replacement]:
    """Returns the verbs of a sentence that can be negated: those before its first negative word."""
    negative = _NEGATIVE.search(span.text)
    stop = negative.end() if negative else len(span.text)
    verbs = _VERB.finditer(span.text)
    return [
        Replacement(span.start + verb.start(), verb[0], _NEGATIONS[verb[0]]) for verb in verbs if verb.start() < stop
    ]


def _steps(text: str) -> list[tuple[Replacement, Replacement]]:
    """Returns the steps that can be dropped, and each of them repeated: what one edit takes the other one adds."""
    lists = [items for items in numbered_lists(text) if len(items) > 2]
    if lists:
        return [
            (_closed_up(text, items[index:]), _opened(text, items, index))
            for items in lists
            for index in range(1, len(items) - 1)
        ]
    spans = [span for span in sentences(text)[1:-1] if len(span.text) >= MIN_STEP_CHARS]
    places = [place for span in spans if (place := removal(text, span))]
    return [(place, again) for place in places if (again := _again(place, places))]


def _again(place: Replacement, others: Sequence[Replacement]) -> Replacement | None:
    """Returns the insertion of what could be removed before something later that could be removed in the same way."""
    later = [other for other in others if other.start > place.start + len(place.before) and _alike(other, place)]
    return Replacement(later[-1].start, "", place.before) if later else None


def _alike(left: Replacement, right: Replacement) -> bool:
    """Returns whether two pieces of text start and end with the same blanks, and have the same list marker."""
    return _EDGES.findall(left.before) == _EDGES.findall(right.before)


def _opened(text: str, items: Sequence[Span], index: int) -> Replacement:
    """Repeats an item behind the last one, under the next number."""
    gap = text[items[-2].end : items[-1].start]
    number = _COUNT.sub(lambda match: str(int(match[0]) + 1), gap)
    return Replacement(items[-1].end, "", number + items[index].text)


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
