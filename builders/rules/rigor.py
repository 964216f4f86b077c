"""Logical rigor: comparisons, bounds, special cases and reasons that no longer hold or are missing."""

import re

from builders.rules.text import Replacement, both_ways, sentences, substitutions, swaps

_SIGNS = {"<=": "<", ">=": ">", "<": "<=", ">": ">=", "==": "!=", "!=": "=="}
_SIGN = re.compile(r"(?<=[\w)\] ])(<=|>=|==|!=|<|>)(?=[\w(\[ -])")
_PHRASES = both_ways(
    ("at most", "at least"),
    ("less than", "greater than"),
    ("fewer than", "more than"),
    ("smaller than", "larger than"),
    ("below", "above"),
    ("strictly", "weakly"),
    ("including", "excluding"),
    ("inclusive", "exclusive"),
    ("all", "some"),
    ("every", "some"),
)
_BOUND = re.compile(r"\b(?P<name>[A-Za-z][\w.]{0,15}(?:\[\w+\])?) (?P<sign>[-+]) 1\b")
_EDGE = re.compile(
    r"\b(edge|corner|special|boundary|empty|zero|single|only one|alone|n (?:=|==|is) [01]|ties?|equal|negative|"
    r"duplicates?|no (?:[a-z]+ ){1,2}(?:is|are|exists?|remains?|left)|nothing|never|exactly one)\b",
    re.IGNORECASE,
)
_REASON = re.compile(r",? (?:because|since|so that|given that|due to)\b [^.;:\n]{8,}(?=[.;:\n]|$)", re.IGNORECASE)


def comparisons(text: str) -> list[Replacement]:
    """A comparison becomes another one."""
    return substitutions(text, _SIGN, lambda match: _SIGNS[match[0]]) + swaps(text, _PHRASES)


def bounds(text: str) -> list[Replacement]:
    """A bound moves by one."""
    return substitutions(text, _BOUND, lambda match: match["name"] if match["sign"] == "-" else f"{match['name']} - 1")


def edge_cases(text: str) -> list[Replacement]:
    """A sentence that treats a special case disappears."""
    spans = sentences(text)
    return [Replacement(span.start, span.text, "") for span in spans[1:] if _EDGE.search(span.text)]


def justifications(text: str) -> list[Replacement]:
    """A claim loses its reason."""
    return substitutions(text, _REASON, lambda match: "")
