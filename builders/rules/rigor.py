"""Logical rigor: comparisons, bounds, special cases and reasons that no longer hold or are missing."""

import re
from itertools import pairwise

from builders.rules.text import (
    Replacement,
    Span,
    both_ways,
    exchange,
    removal,
    same_form,
    sentences,
    substitutions,
    swaps,
)

_SIGNS = {"<=": (">=", "<"), ">=": ("<=", ">"), "<": (">", "<="), ">": ("<", ">="), "==": ("!=",), "!=": ("==",)}
_SIGN_OR_TAG = re.compile(r"</?[A-Za-z]\w*>|(?<=[\w)\] ])(?:<=|>=|==|!=|<|>)(?= ?[\w(\[]| ?-\w)")
_PHRASES = {
    **both_ways(
        ("at most", "at least"),
        ("less than", "more than"),
        ("smaller than", "greater than"),
        ("fewer than", "larger than"),
        ("below", "above"),
    ),
    "all": "some",
    "every": "some",
}
_EACH = {"each": "some"}
_IDIOMS = re.compile(
    r"\b(?:(?:in|at|above|after|of|not) all|all (?:the|these|those|this|that|of|its|his|her|their|our|my|in all)"
    r"|(?:every|each) (?:time|other|one|two|three|single|of)|once more than)\b",
    re.IGNORECASE,
)
_BOUND = re.compile(r"\b(?P<name>[A-Za-z][\w.]{0,15}(?:\[\w+\])?) (?P<sign>[-+]) 1\b(?! ?[*/%^])")
_LIMIT = re.compile(
    r"(?P<lead>(?<![-=])[<>]=? |\b(?:up to|down to|from [01ij] to) )(?P<name>[b-zB-HJ-Z])\b(?! ?[-+*/%^=(\[']|\.\w)"
)
_EDGE = re.compile(
    r"\b(?:(?:edge|corner|special|boundary|base) cases?|empty|zero|single (?:item|element|character|digit|node)"
    r"|only one|alone|n (?:=|==|is) [01]|ties?|negative|duplicates?"
    r"|no (?:[a-z]+ ){1,2}(?:is|are|exists?|remains?|left)|nothing|never|exactly one)\b",
    re.IGNORECASE,
)
_OTHER_CASES = {
    "empty": "short",
    "equal": "close",
    "never": "often",
    "boundary": "interior",
    "edge case": "main case",
    "edge cases": "main cases",
    "corner case": "common case",
    "corner cases": "common cases",
    "special case": "general case",
    "special cases": "general cases",
    "duplicate": "different",
    "identical": "different",
    "negative": "positive",
    "exactly one": "at most one",
    "zero": "five",
    "alone": "first",
}
"""Special cases and others of the same length, for which the same does not hold."""
_NO_CASE = re.compile(r"\b(?:or equal|equal (?:parts?|halves|size|to)|non-negative)\b", re.IGNORECASE)
_VALUE = re.compile(
    r"(?P<lead>\b(?:[Ii]f|[Ww]hen|[Ff]or)\W{1,3}[A-Za-z]\w*\W{1,3}(?:=|==|is|equals)\W{1,3})(?P<value>[0-8])"
    r"(?![\w.]\w|\w| ?[-+*/%^<>=])"
)
_REASON = re.compile(
    r"(?<!\b(?:is|or))(?<!\b(?:are|was|and|but|not))(?<!\bonly)(?<!\b(?:partly|simply))(?<!\b(?:mainly|merely))"
    r",? (?:because|since|so that|given that)\b (?!(?:if|when|for|in|with|after|as|on|at|then)\b)"
    r"(?:[^.;:,()\n]|[.,:](?=\d)|\([^()\n]*\)){8,400}(?=[.;:,](?!\w)|\n|$)"
)
_PARTS = re.compile(
    r"(?P<word>,? (?:because|since) )(?P<reason>(?:the|this|it|we|each|every|all|any|there|no|both)\b.+)"
)
_CLAIM = re.compile(
    r"(?:The|This|That|It|We|Each|Every|All|Any|There|No|Both|You)\b(?:[^,;:()\n]|\([^()\n]*\)|,(?=\d)){10,200}"
)
_STATEMENT = re.compile(
    r"(?!(?:for|in|with|at|on|if|when|as|after|while|once|but|and|so|here|then)\b[^,]*$)(?:\S+ ){3}", re.I
)


def comparisons(text: str) -> list[Replacement]:
    """A comparison becomes another one."""
    found = substitutions(text, _SIGN_OR_TAG, lambda match: _SIGNS.get(match[0], ())) + swaps(text, _PHRASES, _IDIOMS)
    return found if any(map(same_form, found)) else found + swaps(text, _EACH, _IDIOMS)


def bounds(text: str) -> list[Replacement]:
    """A bound moves by one."""
    moved = substitutions(text, _BOUND, lambda match: _moved(match["name"], match["sign"]))
    return moved + substitutions(text, _LIMIT, lambda match: [f"{match[0]} - 1", f"{match[0]} + 1"])


def edge_cases(text: str) -> list[Replacement]:
    """What is said of a special case is said of another one, or the sentence that treats it disappears."""
    other = substitutions(text, _VALUE, lambda match: match["lead"] + str(int(match["value"]) + 1))
    return other + swaps(text, _OTHER_CASES, _NO_CASE) + _lost_cases(text)


def _lost_cases(text: str) -> list[Replacement]:
    special = [span for span in sentences(text)[1:] if _EDGE.search(span.text)]
    return [place for span in special if (place := removal(text, span))]


def justifications(text: str) -> list[Replacement]:
    """A claim and its reason change places, or it loses the reason, or two claims exchange their reasons."""
    reasons = [
        Span(span.start + match.start(), match[0])
        for span in sentences(text)
        if (match := _REASON.search(span.text)) and _STATEMENT.match(span.text[: match.start()] + " ")
    ]
    lost = [Replacement(reason.start, reason.text, "") for reason in reasons]
    turned = [place for span in sentences(text) if (place := _turned(span))]
    return turned + lost + [exchange(text, left, right) for left, right in pairwise(reasons)]


def _turned(span: Span) -> Replacement | None:
    """Returns the sentence with claim and reason exchanged; None where it is not made of these two alone."""
    match = _REASON.search(span.text)
    reason = _PARTS.fullmatch(match[0]) if match else None
    if not match or not reason or not _CLAIM.fullmatch(span.text[: match.start()]):
        return None
    claim, end = span.text[: match.start()], match.end()
    if span.text[end : end + 1] != ".":
        return None
    turned = _capital(reason["reason"]) + reason["word"] + _small(claim)
    return Replacement(span.start, span.text[:end], turned)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def _moved(name: str, sign: str) -> list[str]:
    return [name, f"{name} {sign} 2", f"{name} {'+' if sign == '-' else '-'} 1"]
