"""Sentences, list items and replacements: what the rules are made of."""

import re
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

NEAR_CHARS = 30
"""A word is not swapped when its partner stands this close: the two belong to one contrast."""

PUNCTUATION = frozenset(string.punctuation)
"""Signs that count as punctuation."""

_LINE = re.compile(r"[^\n]+")
_MARKER = re.compile(r"[ \t]*(?:(?:[-*+]|\(?\w{1,2}[.)])[ \t]+)*")
_NUMBERED = re.compile(r"[ \t]*\(?\w{1,2}[.)][ \t]+")
_HEADING_OR_TABLE = re.compile(r"[ \t]*(?:#{1,6} |\|)")
_SENTENCE = re.compile(
    r"\S(?:[^.!?]|(?<=i)\.(?=e\.)|(?<=e)\.(?=g\.)|(?<=i\.e|e\.g|.vs|etc)\.|[.!?](?![ \t]|$))*[.!?]?[ \t]*"
)
_ITEM = re.compile(
    r"^(?P<indent>[ \t]*)(?P<number>\d{1,2})(?P<sign>[.)])[ \t]+"
    r"(?P<body>\S[^\n]*(?:\n(?![ \t]*\d{1,2}[.)][ \t]|[ \t]*$)[^\n]+)*)",
    re.MULTILINE,
)
_BREAK = re.compile(r"\n(?:[ \t]*\n)*")
_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3}|~{3}).*$", re.MULTILINE)
_PAIRED = ("**", "__", "`", "$", '"')
_BRACKETS = ("()", "[]", "{}")
_OPERATOR_BEFORE = re.compile(r"[=<>+*/%|&^\[] ?$")
_OPERATOR_AFTER = re.compile(r"[\[\](_^]| ?[=<>+*/%|&^]| - \d|\.\w")


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

    @property
    def end(self) -> int:
        """Offset behind the last character."""
        return self.start + len(self.text)


def sentences(text: str) -> list[Span]:
    """Returns the sentences with the blanks that follow them, without list markers; headings and tables have none.

    A line end also ends a sentence.
    """
    found: list[Span] = []
    for line in _LINE.finditer(text):
        if not _HEADING_OR_TABLE.match(line[0]):
            body = line.start() + _marker_length(line[0])
            found += [Span(match.start(), match[0]) for match in _SENTENCE.finditer(text, body, line.end())]
    return [span for span in found if len(span.text.strip()) > 2]


def numbered_lists(text: str) -> list[list[Span]]:
    """Returns the numbered lists: bodies of items that follow each other and count up by one, without their numbers."""
    lists: list[list[Span]] = []
    last: re.Match[str] | None = None
    for match in _ITEM.finditer(text):
        if last is None or not _continues(last, match, text):
            lists.append([])
        lists[-1].append(Span(match.start("body"), match["body"]))
        last = match
    return lists


def removal(text: str, span: Span) -> Replacement | None:
    """Returns the replacement that takes a sentence away with the blanks or line ends around it.

    None when that would leave a hole: it introduces what follows, is an item of a numbered list, or has lines under it.
    """
    line_start, line_end = text.rfind("\n", 0, span.start) + 1, _end_of_line(text, span.end)
    head, tail = text[line_start : span.start], text[span.end : line_end]
    if span.text.rstrip().endswith(":"):
        return None
    if tail.strip():
        return _cut(text, span.start, span.end)
    if len(head) > _marker_length(head):
        return _cut(text, line_start + len(head.rstrip()), line_end)
    if _NUMBERED.match(head) or _has_hole(text, line_start, line_end):
        return None
    return _cut(text, *_with_break(text, line_start, line_end))


def swaps(text: str, words: Mapping[str, str], idioms: re.Pattern[str]) -> list[Replacement]:
    """Returns a replacement for every whole word or phrase of the mapping, in the case of the original.

    Passed over are words inside an idiom, words that the text also uses as names in formulas, and words whose partner
    stands close by. An article before the word is adapted.
    """
    longest_first = sorted(words, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w`-])(?P<article>an? )?(?P<word>{'|'.join(longest_first)})(?![\w`-])", re.IGNORECASE)
    fixed = {place for match in idioms.finditer(text) for place in range(match.start(), match.end())}
    matches = [match for match in pattern.finditer(text) if match.start("word") not in fixed]
    names = {match["word"] for match in matches if _in_formula(text, match.start("word"), match.end())}
    found = []
    for match in matches:
        partner = words.get(match["word"].lower())  # None where only the case folding of rare letters matches
        if partner and match["word"] not in names and not _near(text, match, partner):
            after = _article(match["article"], partner) + _like(match["word"], partner)
            found.append(Replacement(match.start(), match[0], after))
    return found


def substitutions(
    text: str, pattern: re.Pattern[str], change: Callable[[re.Match[str]], str | Iterable[str]]
) -> list[Replacement]:
    """Returns a replacement for every new text that `change` offers for a match."""
    return [
        Replacement(match.start(), match[0], after)
        for match in pattern.finditer(text)
        for after in _each(change(match))
        if after != match[0]
    ]


def exchange(text: str, left: Span, right: Span) -> Replacement:
    """Returns the replacement that lets two pieces change places."""
    between = text[left.end : right.start]
    return Replacement(left.start, left.text + between + right.text, right.text + between + left.text)


def both_ways(*pairs: tuple[str, str]) -> dict[str, str]:
    """Returns the mapping of each word to its partner, in both directions."""
    return {left: right for pair in pairs for left, right in (pair, pair[::-1])}


def keeps_format(text: str, place: Replacement) -> bool:
    """Returns whether fences, emphasis, inline code, quotes and brackets stand as before after the edit."""
    end = place.start + len(place.before)
    line_start, line_end = text.rfind("\n", 0, place.start) + 1, _end_of_line(text, end)
    edited = text[line_start : place.start] + place.after + text[end:line_end]
    fences = _FENCE_LINE.findall(text[line_start:line_end]) == _FENCE_LINE.findall(edited)
    before, after = place.before, place.after
    paired = all((before.count(sign) - after.count(sign)) % 2 == 0 for sign in _PAIRED)
    return fences and paired and all(_open(before, *pair) == _open(after, *pair) for pair in _BRACKETS)


def same_form(place: Replacement) -> bool:
    """Returns whether the edit leaves length, lines, digits and punctuation signs in number as they are."""
    return _form(place.before) == _form(place.after)


def _form(text: str) -> tuple[int, ...]:
    kinds = (str.isdigit, PUNCTUATION.__contains__, "\n".__eq__)
    return (len(text), *(sum(map(kind, text)) for kind in kinds))


def _marker_length(line: str) -> int:
    marker = _MARKER.match(line)
    return marker.end() if marker else 0


def _continues(last: re.Match[str], item: re.Match[str], text: str) -> bool:
    """Returns whether the item follows the last one, with at most blank lines between them."""
    same = last["indent"] == item["indent"] and last["sign"] == item["sign"]
    return same and int(item["number"]) == int(last["number"]) + 1 and not text[last.end() : item.start()].strip()


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _cut(text: str, start: int, end: int) -> Replacement:
    return Replacement(start, text[start:end], "")


def _has_hole(text: str, start: int, end: int) -> bool:
    """Returns whether lines hang under this one, or it is all that a colon above it announces."""
    line, above, below = text[start:end], *_neighbours(text, start, end)
    nested = _marker_length(below) > _marker_length(line) or _indent(below) > _indent(line)
    alone = not (_marker_length(line) and _marker_length(below))
    return nested or (above.rstrip().endswith(":") and alone)


def _neighbours(text: str, start: int, end: int) -> tuple[str, str]:
    """Returns the nearest lines above and below that are not blank; empty at an end of the text."""
    head, tail = _outer(text, start, end)
    return text[text.rfind("\n", 0, head) + 1 : head], text[tail : _end_of_line(text, tail)]


def _outer(text: str, start: int, end: int) -> tuple[int, int]:
    """Returns where the text above the line ends and the line below it starts."""
    head = start
    while head and text[head - 1].isspace():
        head -= 1
    below = _BREAK.match(text, end)
    return head, below.end() if below else end


def _with_break(text: str, start: int, end: int) -> tuple[int, int]:
    """Returns the line with the line ends above or below it, whichever leaves the distance of its neighbours."""
    head, tail = _outer(text, start, end)
    if not text[tail:].strip():
        return head, end
    closer_above = text.count("\n", head, start) < text.count("\n", end, tail)
    return (head, end) if head and closer_above else (start, tail)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _in_formula(text: str, start: int, end: int) -> bool:
    """Returns whether the word stands beside an operator or a bracket of a formula, or in inline code."""
    beside = _OPERATOR_BEFORE.search(text[max(0, start - 2) : start]) or _OPERATOR_AFTER.match(text, end)
    return beside is not None or text.count("`", text.rfind("\n", 0, start) + 1, start) % 2 == 1


def _near(text: str, match: re.Match[str], partner: str) -> bool:
    around = text[max(0, match.start() - NEAR_CHARS) : match.end() + NEAR_CHARS].lower()
    return any(word in around for word in set(partner.split()) - set(match["word"].lower().split()))


def _article(old: str | None, word: str) -> str:
    if not old:
        return ""
    return old[0] + ("n " if word[0] in "aeiou" else " ")


def _like(original: str, word: str) -> str:
    return word[0].upper() + word[1:] if original[0].isupper() else word


def _each(changed: str | Iterable[str]) -> Iterable[str]:
    return [changed] if isinstance(changed, str) else changed


def _open(text: str, left: str, right: str) -> int:
    return text.count(left) - text.count(right)
