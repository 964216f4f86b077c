"""Factual accuracy: claims about cost, data and examples that become false."""

import re

from builders.rules.text import Replacement, both_ways, substitutions, swaps

_COST = re.compile(r"\bO\((?P<inside>(?:[^()\n]|\([^()\n]*\))*)\)")
_VARIABLE = r"(?:\w+|\([^()]*\))"
_COST_SHAPES = (
    (re.compile(r"1"), ("n", "log n")),
    (re.compile(r"[A-Za-z]\w*"), ("{0} log {0}", "log {0}", "{0}^2", "1")),
    (re.compile(rf"(?P<x>{_VARIABLE}) ?\*? ?log ?(?P<y>{_VARIABLE})"), ("{x}", "{x}^2", "log {y}")),
    (re.compile(rf"(?P<x>{_VARIABLE})(?P<power>\^|\*\*)2"), ("{x}{power}3", "{x}", "{x} log {x}")),
    (re.compile(rf"(?P<x>{_VARIABLE})(?P<power>\^|\*\*)3"), ("{x}{power}2", "{x}", "{x} log {x}")),
    (re.compile(rf"(?P<x>{_VARIABLE}) ?\\?\* ?(?P<y>{_VARIABLE})"), ("{x} + {y}", "{x}^2 * {y}")),
    (re.compile(rf"(?P<x>{_VARIABLE}) \+ (?P<y>{_VARIABLE})"), ("{x} * {y}", "log({x} + {y})")),
    (re.compile(r"log ?\(?(?P<x>\w+)\)?"), ("{x}", "1", "{x} log {x}")),
    (re.compile(r"2\^(?P<x>\w+)"), ("{x}^2", "{x} log {x}")),
)
_SIDES = ("end", "side", "neighbour", "neighbor", "half", "part", "border", "edge", "child", "subtree", "bound")
_OPPOSITES = both_ways(
    ("minimum", "maximum"),
    ("smallest", "largest"),
    ("shortest", "longest"),
    ("lowest", "highest"),
    ("earliest", "latest"),
    ("nearest", "farthest"),
    ("ascending", "descending"),
    ("increasing", "decreasing"),
    ("even", "odd"),
    ("positive", "negative"),
    ("prefix", "suffix"),
    ("first", "last"),
    ("next", "previous"),
    ("before", "after"),
    ("earlier", "later"),
    ("old", "new"),
    ("inside", "outside"),
    ("forward", "backward"),
    ("row", "column"),
    ("rows", "columns"),
    ("stack", "queue"),
    ("longer", "shorter"),
    ("left to right", "right to left"),
    ("to the left", "to the right"),
    ("from the left", "from the right"),
    *((f"left {side}", f"right {side}") for side in _SIDES),
)
_IDIOMS = re.compile(
    r"\b(?:at (?:first|last)|(?:first|next)(?=,)|next to|(?:it|program|solution|function|code|we|I) first|in a row"
    r"|no longer|(?:as|than) before|after all|(?:not|n't|or|never) even"
    r"|even (?:if|though|when|so|for|in|with|without|at|after|before|the|an?|then|to|by|on|as|less|more|fewer|smaller"
    r"|larger|better|worse|while|one|two|this|that|its|their|there|it|they))\b",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"(?P<lead>\b(?:gives?|is|are|returns?|prints?|yields?|leaves?|makes?|equals?|becomes?|answer|total|sum|result|output"
    r"|costs?)[: ]+|(?<=[\d)\]]) ?(?:=|->) ?)(?P<number>-?\d{1,9})\b(?![.,]?\d|[-/:]\w|[*^%)]| [-+*/%<>=])",
)


def complexity_claims(text: str) -> list[Replacement]:
    """Every stated cost becomes one of another class in the same variables."""
    return substitutions(text, _COST, lambda match: _other_costs(match["inside"]))


def false_claims(text: str) -> list[Replacement]:
    """A word that carries the claim becomes its opposite."""
    return swaps(text, _OPPOSITES, _IDIOMS)


def worked_examples(text: str) -> list[Replacement]:
    """The result of a worked example becomes another number."""
    return substitutions(
        text, _RESULT, lambda match: [match["lead"] + other for other in _other_numbers(match["number"])]
    )


def _other_costs(inside: str) -> list[str]:
    for shape, others in _COST_SHAPES:
        if match := shape.fullmatch(inside.strip()):
            return [f"O({other.format(inside.strip(), **match.groupdict())})" for other in others]
    return []


def _other_numbers(number: str) -> list[str]:
    """Returns a number close by, and one with a slip in the tens; with as many digits where there is one."""
    value = int(number)
    others = (str(value + slip) for slip in (2, -1, 1, -2, 10, -10))
    found = [other for other in others if len(other) == len(number) and other.count("-") == number.count("-")]
    return found or [str(value + 10)]
