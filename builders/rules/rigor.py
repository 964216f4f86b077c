"""Logical rigor: comparisons, bounds, special cases and reasons that no longer hold or are missing."""

import re
from itertools import pairwise

from builders.rules.text import Replacement, Span, both_ways, exchange, removal, sentences, substitutions, swaps

_SIGNS = {"<=": ("<", ">="), ">=": (">", "<="), "<": ("<=", ">"), ">": (">=", "<"), "==": ("!=",), "!=": ("==",)}
_SIGN_OR_TAG = re.compile(r"</?[A-Za-z]\w*>|(?<=[\w)\] ])(?:<=|>=|==|!=|<|>)(?= ?[\w(\[]| ?-\w)")
_PHRASES = {
    **both_ways(
        ("at most", "at least"),
        ("less than", "greater than"),
        ("fewer than", "more than"),
        ("smaller than", "larger than"),
        ("below", "above"),
    ),
    "all": "some",
    "every": "some",
}
_IDIOMS = re.compile(
    r"\b(?:(?:in|at|above|after|of|not) all|all (?:the|these|those|this|that|of|its|his|her|their|our|my|in all)"
    r"|every (?:time|other|one|two|three|single)|once more than)\b",
    re.IGNORECASE,
)
_BOUND = re.compile(r"\b(?P<name>[A-Za-z][\w.]{0,15}(?:\[\w+\])?) (?P<sign>[-+]) 1\b(?! ?[*/%^])")
_LIMIT = re.compile(
    r"(?P<lead>(?<![-=])[<>]=? |\b(?:up to|down to|from [01ij] to) )(?P<name>[b-zB-HJ-Z])\b(?! ?[-+*/%^=(\[']|\.\w)"
)
_EDGE = re.compile(
    r"\b(edge|corner|special|boundary|empty|zero|single|only one|alone|n (?:=|==|is) [01]|ties?|equal|negative|"
    r"duplicates?|no (?:[a-z]+ ){1,2}(?:is|are|exists?|remains?|left)|nothing|never|exactly one)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"(?<!\b(?:is|or))(?<!\b(?:are|was|and|but|not))(?<!\bonly)(?<!\b(?:partly|simply))(?<!\b(?:mainly|merely))"
    r",? (?:because|since|so that|given that)\b (?!(?:if|when|for|in|with|after|as|on|at|then)\b)"
    r"(?:[^.;:,()\n]|[.,:](?=\d)|\([^()\n]*\)){8,400}(?=[.;:,](?!\w)|\n|$)"
)
_STATEMENT = re.compile(
    r"(?!(?:for|in|with|at|on|if|when|as|after|while|once|but|and|so|here|then)\b[^,]*$)(?:\S+ ){3}", re.I
)


def comparisons(text: str) -> list[Replacement]:
    """A comparison becomes another one."""
    return substitutions(text, _SIGN_OR_TAG, lambda match: _SIGNS.get(match[0], ())) + swaps(text, _PHRASES, _IDIOMS)


def bounds(text: str) -> list[Replacement]:
    """A bound moves by one."""
    moved = substitutions(text, _BOUND, lambda match: _moved(match["name"], match["sign"]))
    return moved + substitutions(text, _LIMIT, lambda match: [f"{match[0]} - 1", f"{match[0]} + 1"])


def edge_cases(text: str) -> list[Replacement]:
    """A sentence that treats a special case disappears."""
    special = [span for span in sentences(text)[1:] if _EDGE.search(span.text)]
    return [place for span in special if (place := removal(text, span))]


def justifications(text: str) -> list[Replacement]:
    """A claim loses its reason, or two claims exchange their reasons."""
    reasons = [
        Span(span.start + match.start(), match[0])
        for span in sentences(text)
        if (match := _REASON.search(span.text)) and _STATEMENT.match(span.text[: match.start()] + " ")
    ]
    lost = [Replacement(reason.start, reason.text, "") for reason in reasons]
    return lost + [exchange(text, left, right) for left, right in pairwise(reasons)]


def _moved(name: str, sign: str) -> list[str]:
    return [name, f"{name} {sign} 2", f"{name} {'+' if sign == '-' else '-'} 1"]
