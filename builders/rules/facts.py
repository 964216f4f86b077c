"""Factual accuracy: claims about cost, data and examples that become false."""

import re

from builders.rules.text import Replacement, both_ways, substitutions, swaps

_COST = re.compile(r"\bO\((?:[^()\n]|\([^()\n]*\))*\)")
_CLASSES = ("1", "log n", "n", "n log n", "n^2", "2^n")
_OPPOSITES = both_ways(
    ("minimum", "maximum"),
    ("smallest", "largest"),
    ("shortest", "longest"),
    ("ascending", "descending"),
    ("increasing", "decreasing"),
    ("even", "odd"),
    ("prefix", "suffix"),
    ("first", "last"),
    ("row", "column"),
    ("rows", "columns"),
    ("left", "right"),
    ("before", "after"),
    ("stack", "queue"),
    ("sorted", "unsorted"),
    ("earlier", "later"),
    ("lowest", "highest"),
    ("positive", "negative"),
    ("old", "new"),
    ("forward", "backward"),
    ("linear", "quadratic"),
)
_RESULT = re.compile(
    r"(?P<lead>\b(?:gives?|is|are|returns?|prints?|yields?|leaves?|makes?|equals?|becomes?|answer|total|sum|costs?)\b"
    r"[: ]+|(?:=|->) ?)(?P<number>-?\d{1,9})\b(?![.,]?\d|\^|\))"
)


def complexity_claims(text: str) -> list[Replacement]:
    """Every stated cost becomes that of another class."""
    return substitutions(text, _COST, lambda match: _other_class(match[0]))


def false_claims(text: str) -> list[Replacement]:
    """A word that carries the claim becomes its opposite."""
    return swaps(text, _OPPOSITES)


def worked_examples(text: str) -> list[Replacement]:
    """The result of a worked example becomes another number."""
    return substitutions(text, _RESULT, lambda match: match["lead"] + _other_number(match["number"]))


def _other_class(cost: str) -> str:
    inside = cost[2:-1].replace(" ", "").lower()
    level = 3 if "log" in inside and len(inside) > 5 else 4 if "^2" in inside or "*" in inside else 2
    return f"O({_CLASSES[(level + 2) % len(_CLASSES)]})"


def _other_number(number: str) -> str:
    value = int(number)
    return str(value + (2 if value % 3 == 0 else -1 if value > 1 else 1))
