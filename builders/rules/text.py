"""Sentences, list items and replacements: what the rules are made of."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SENTENCE = re.compile(r"[^\s.!?][^.!?\n]*(?:[.!?](?!\s|$)[^.!?\n]*)*[.!?]?[ \t]*")
_ITEM = re.compile(
    r"^[ \t]*(?P<number>\d{1,2})[.)][ \t]+(?P<body>\S[^\n]*(?:\n(?![ \t]*\d{1,2}[.)] |\s*\n|[ \t]*$)[^\n]+)*)",
    re.M,
)


@dataclass(frozen=True, slots=True)
class Replacement:
    """text[start : start + len(before)] is to become `after`."""

    start: int
    before: str
    after: str

    def fields(self) -> dict[str, int | str]:
        """Returns the three fields by name."""
        return {"start": self.start, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text, with its place."""

    start: int
    text: str


def sentences(text: str) -> list[Span]:
    """Returns the sentences with the blanks that follow them; a line end also ends a sentence."""
    return [Span(match.start(), match[0]) for match in _SENTENCE.finditer(text) if len(match[0].strip()) > 2]


def numbered_items(text: str) -> list[Span]:
    """Returns the bodies of the items of numbered lists, without their numbers."""
    return [Span(match.start("body"), match["body"]) for match in _ITEM.finditer(text)]


def swaps(text: str, words: Mapping[str, str]) -> list[Replacement]:
    """Returns a replacement for every whole word or phrase of the mapping, in the case of the original."""
    pattern = re.compile(
        rf"(?<![\w-])({'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})(?![\w-])", re.I
    )
    return [
        Replacement(match.start(), match[0], _like(match[0], words[match[0].lower()]))
        for match in pattern.finditer(text)
    ]


def substitutions(text: str, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str]) -> list[Replacement]:
    """Returns a replacement for every match whose text changes."""
    found = [Replacement(match.start(), match[0], change(match)) for match in pattern.finditer(text)]
    return [place for place in found if place.before != place.after]


def both_ways(*pairs: tuple[str, str]) -> dict[str, str]:
    """Returns the mapping of each word to its partner, in both directions."""
    return {left: right for pair in pairs for left, right in (pair, pair[::-1])}


def _like(original: str, word: str) -> str:
    return word[0].upper() + word[1:] if original[0].isupper() else word
