"""Whether sentences vanished, came in, moved, or lost a part."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from builders.gates.words import STOP_WORDS

ALIKE = 0.34
"""Share of a sentence's content from which another sentence can be the same one in other words."""
SAME = 0.5
"""Share from which it is taken for it where the order is compared."""
CLAUSE = 3
"""Words of content that make a part of a sentence."""
STEM = 5
"""Letters by which words are compared: `iterate`, `iterating`, `iteration` are one."""
COMMON = 8
"""Sentences that a word may stand in to be of use for finding a sentence again."""

_PIECE = re.compile(r"[^\n.!?;:\u3002\uff01\uff1f\uff1b]+(?:[.!?;:](?=\S)[^\n.!?;:\u3002\uff01\uff1f\uff1b]*)*")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w{3,}|\w*\d\w*")
_MARK = re.compile(r"^[ \t]*(?:\d{1,2}[.)][ \t]|[-*+][ \t]|#+ )", re.MULTILINE)

_REASONS = ("because", "since", "given")

Content = frozenset[str]


def other_content(original: str, text: str) -> bool:
    """Returns whether the sentences of two texts differ in more than their words."""
    before, after = _pieces(original), _pieces(text)
    common = Counter(before) & Counter(after)
    if [each for each in before if each in common] != [each for each in after if each in common]:
        return True  # the same sentences in another order
    left = [each for each in before if each not in common]
    right = [each for each in after if each not in common]
    return _only_less(left, right) or _only_less(right, left) or _other_order(_contents(left), _contents(right))


def _pieces(text: str) -> list[str]:
    return [each.strip(" *`") for each in _PIECE.findall(_MARK.sub("", text.lower()))]


def _stems(piece: str) -> list[str]:
    return [word[:STEM] for word in _WORD.findall(piece) if word not in STOP_WORDS]


def _contents(pieces: Iterable[str]) -> list[Content]:
    """Returns the stems of each sentence, of those that have content."""
    found = (frozenset(_stems(piece)) for piece in pieces)
    return [content for content in found if len(content) > 1]


def _only_less(more: Sequence[str], less: Sequence[str]) -> bool:
    """Returns whether words of content, or a reason of even one such word, are left out and none are put in."""
    before, after = (Counter(stem for piece in side for stem in _stems(piece)) for side in (more, less))
    reasons = sum(word in piece for piece in more for word in _REASONS) > sum(
        word in piece for piece in less for word in _REASONS
    )
    return not after - before and (before - after).total() > (0 if reasons else 1)


def _other_order(left: Sequence[Content], right: Sequence[Content]) -> bool:
    forth, back = _found_again(left, right), _found_again(right, left)
    if None in forth or None in back:
        return True
    return _moved(left, right, forth) or _emptied(left, right, forth)


def _found_again(sentences: Sequence[Content], among: Sequence[Content]) -> list[int | None]:
    """Returns for each sentence the place of the one that shares the most of its content; None where none does."""
    places = _places(among)
    found: list[int | None] = []
    for content in sentences:
        votes = Counter(place for stem in content for place in places.get(stem, ()))
        best = max(votes, key=lambda place: (votes[place], -place), default=None)
        found.append(best if best is not None and votes[best] >= ALIKE * len(content) else None)
    return found


def _places(sentences: Sequence[Content]) -> Mapping[str, Sequence[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for index, content in enumerate(sentences):
        for stem in content:
            places[stem].append(index)
    return {stem: found for stem, found in places.items() if len(found) <= COMMON}


def _moved(left: Sequence[Content], right: Sequence[Content], partners: Sequence[int | None]) -> bool:
    sure = [
        place
        for content, place in zip(left, partners, strict=True)
        if place is not None and len(content & right[place]) >= SAME * max(len(content), len(right[place]))
    ]
    return sure != sorted(sure)


def _emptied(left: Sequence[Content], right: Sequence[Content], partners: Sequence[int | None]) -> bool:
    """Returns whether a sentence lost a part, to another sentence or without getting words in its place."""
    given: dict[int, set[str]] = defaultdict(set)
    for content, place in zip(left, partners, strict=True):
        if place is not None:
            given[place] |= content
    anywhere = frozenset(stem for content in right for stem in content)
    for content, place in zip(left, partners, strict=True):
        if place is not None:
            lost = content - right[place]
            elsewhere = lost & anywhere
            gained = right[place] - given[place]
            if len(elsewhere) >= CLAUSE or len(lost) - len(elsewhere) - len(gained) >= CLAUSE:
                return True
    return False
