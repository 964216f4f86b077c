"""Whether a variant is in the language and the format of its original."""

import string
from bisect import bisect
from collections import Counter
from collections.abc import Mapping

from builders.gates.limits import GateLimits
from builders.gates.text import Text, Words

_SCRIPTS = (
    (0x80, "other"),
    (0xC0, "Latin"),
    (0x250, "other"),
    (0x370, "Greek"),
    (0x400, "Cyrillic"),
    (0x530, "other"),
    (0x590, "Hebrew"),
    (0x600, "Arabic"),
    (0x700, "other"),
    (0x900, "Indic"),
    (0xE00, "Thai"),
    (0xE80, "other"),
    (0x1100, "Korean"),
    (0x1200, "other"),
    (0x3040, "Japanese"),
    (0x3100, "other"),
    (0x3400, "Chinese"),
    (0xA000, "other"),
    (0xAC00, "Korean"),
    (0xD7B0, "other"),
)
"""Where blocks of characters begin, and their script."""
_STARTS = [start for start, _ in _SCRIPTS]
_NO_LETTERS = bytes(set(range(128)) - set(string.ascii_letters.encode()))
_STOP_WORDS = {  # none of one letter: those are variables
    "English": "the of and to is in that it for as with are be this by on we from at or an if then which not can",
    "French": "le la les des et est dans que pour une un sur qui pas ne du au avec nous sont par si alors il ce",
    "German": "der die das und ist nicht ein eine zu den von mit für auf wir sich dem es wenn dann auch als wird im",
    "Spanish": "el la los las de que en es un una para con por se no si del al lo como cada entonces son más",
    "Portuguese": "os as de que em um uma para com por se não do da no na como cada então são mais",
    "Italian": "il la le di che in un una per con si non del della come se ogni sono più allora al da",
}
_LANGUAGES = {
    word: [name for name, words in _STOP_WORDS.items() if word in words.split()]
    for words in _STOP_WORDS.values()
    for word in words.split()
}
FEW_CHARS = 300
"""Where less is changed the language is not asked for; characters."""
_STRUCTURE = ("heading", "bullet", "number", "table")
"""Kinds of lines that both texts have, or neither."""


def keeps_language(original: Words, text: Words, limits: GateLimits) -> bool:
    """Returns whether the letters are of the same scripts, and the words of the same language as far as it is known."""
    if max(len(original.text), len(text.text)) < FEW_CHARS:
        return True
    before, after = _scripts(original.text), _scripts(text.text)
    if any(abs(before.get(name, 0.0) - after.get(name, 0.0)) > limits.script_shift for name in {*before, *after}):
        return False
    old, new = _language(original), _language(text)
    return old is None or new is None or old == new


def keeps_format(original: Text, text: Text, limits: GateLimits) -> bool:
    """Returns whether both texts have the same kinds of elements, in like numbers, and as many code blocks."""
    if len(original.blocks) != len(text.blocks):
        return False
    before, after = _lines(original.prose), _lines(text.prose)
    if any((before[kind] > 1) > bool(after[kind]) or (after[kind] > 1) > bool(before[kind]) for kind in _STRUCTURE):
        return False
    lines = all(_alike(before[kind], after[kind], limits) for kind in {*before, *after})
    old, new = _marks(original.prose), _marks(text.prose)
    return lines and all(_alike(old[mark], new[mark], limits, times=2) for mark in {*old, *new})


def _scripts(text: str) -> Mapping[str, float]:
    """Returns the share of each script among the letters that are of one."""
    if text.isascii():
        return {"Latin": 1.0}
    plain = text.encode("ascii", "ignore")
    counts = Counter({"Latin": len(plain.translate(None, _NO_LETTERS))})
    for character, count in Counter(filter("\x7f".__lt__, text)).items():
        counts[_SCRIPTS[bisect(_STARTS, ord(character)) - 1][1]] += count
    counts.pop("other", None)
    return {name: count / max(counts.total(), 1) for name, count in counts.items()}


def _language(text: Words) -> str | None:
    """Returns the language whose stop words are the most frequent; None where few or none of them stand out."""
    counts: Counter[str] = Counter()
    for word in text.counts.keys() & _LANGUAGES.keys():
        for name in _LANGUAGES[word]:
            counts[name] += text.counts[word]
    best, total = counts.most_common(2), sum(text.counts.values())
    if not best or best[0][1] < 0.1 * total:
        return None
    return best[0][0] if len(best) < 2 or best[0][1] > 1.3 * best[1][1] else None


def _lines(text: str) -> Counter[str]:
    """Returns how many lines there are of each kind."""
    return Counter(_kind(line) for each in text.split("\n") if (line := each.lstrip()))


def _kind(line: str) -> str:
    head = line[0]
    if head == "#":
        return "heading"
    if head == "|":
        return "table"
    if head in "-*+" and line[1:2] == " ":
        return "bullet"
    number = line[:4].partition(" ")[0]
    return "number" if head.isdigit() and number[-1] in ".)" and number[:-1].isdigit() else "text"


def _marks(text: str) -> Counter[str]:
    """Returns how often each mark of formulas, names and emphasis stands in the text."""
    return Counter({mark: text.count(mark) // 2 for mark in ("`", "$", "**")} | {"\\(": text.count("\\(")})


def _alike(before: int, after: int, limits: GateLimits, times: int = 1) -> bool:
    return abs(before - after) <= times * max(limits.format_slack, limits.format_share * max(before, after))
