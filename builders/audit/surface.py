"""What can be seen of a text without reading it: its length, its layout, its signs."""

import re
import string
from collections.abc import Mapping
from itertools import accumulate, chain, pairwise
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

FEATURES: Mapping[str, tuple[str, ...]] = {
    "length": ("chars", "words"),
    "lines": ("lines", "blank_lines", "longest_line", "chars_per_line", "indented_lines"),
    "markdown": ("headings", "bullets", "numbered", "table_rows", "bold", "inline_code", "math"),
    "code_fences": ("fences", "fenced_chars", "fenced_share"),
    "punctuation": (*string.punctuation, "other_signs"),
    "digits": ("digits", "numbers"),
}
"""Numbers of a text by group, in the order of the vector; none is negative."""

_ENDS = list(accumulate((len(names) for names in FEATURES.values()), initial=0))
GROUPS: Mapping[str, slice] = dict(zip(FEATURES, (slice(*ends) for ends in pairwise(_ENDS)), strict=True))
"""Where each group is in the vector."""
WIDTH = _ENDS[-1]
"""Numbers of a text."""

_START = re.compile(
    r"(?P<fences>```|~~~)|(?P<headings>#{1,6} )|(?P<bullets>[-*+] )|(?P<numbered>\d+[.)] )|(?P<table>\|)"
)
_KINDS = dict.fromkeys(_START.groupindex, 0)
_punctuation = itemgetter(*string.punctuation.encode())
_DIGITS = slice(ord("0"), ord("9") + 1)
_LEADS = slice(0xC0, 0x100)
"""First bytes of the characters beyond ASCII."""


def surface(text: str) -> NDArray[np.float64]:
    """Returns the numbers of a text in the order of FEATURES; about 0.15 ms for 4 KB, linear in its length."""
    encoded = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    signs: list[int] = np.bincount(encoded, minlength=256).tolist()
    lines = text.splitlines()
    starts, fenced = _layout(lines)
    ticks = max(signs[ord("`")] - 3 * starts["fences"], 0)
    groups = (
        (len(text), len(text.split())),
        _lines(lines),
        (starts["headings"], starts["bullets"], starts["numbered"], starts["table"]),
        (text.count("**") // 2, ticks // 2, text.count("$") + text.count("\\(") + text.count("\\[")),
        (starts["fences"], fenced, fenced / max(len(text), 1)),
        (*_punctuation(signs), sum(signs[_LEADS])),
        (sum(signs[_DIGITS]), _runs_of_digits(encoded)),
    )
    return np.array([*chain.from_iterable(groups)], dtype=np.float64)


def _lines(lines: list[str]) -> tuple[float, ...]:
    lengths = [len(line) for line in lines]
    filled = [line for line in lines if line and not line.isspace()]
    indented = sum(line[0].isspace() for line in filled)
    mean = sum(lengths) / max(len(filled), 1)
    return len(lines), len(lines) - len(filled), max(lengths, default=0), mean, indented


def _layout(lines: list[str]) -> tuple[dict[str, int], int]:
    """Returns how many lines begin a fence, heading, bullet, number and table row, and the characters inside fences."""
    counts = dict(_KINDS)
    fenced, inside = 0, False
    for line in lines:
        found = _START.match(line.lstrip())
        kind = found.lastgroup if found else None
        if kind == "fences":
            inside = not inside
        elif inside:
            fenced += len(line) + 1
        if kind and (kind == "fences" or not inside):
            counts[kind] += 1
    return counts, fenced


def _runs_of_digits(encoded: NDArray[np.uint8]) -> int:
    is_digit = (encoded >= ord("0")) & (encoded <= ord("9"))
    begins = is_digit[1:] > is_digit[:-1]
    return int(np.count_nonzero(begins)) + int(is_digit[:1].sum())
