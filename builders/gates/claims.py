"""Whether a variant makes another claim than its original, or only uses other words.

What carries a claim is compared: costs, formulas, numbers, negations, words of a contrast, terms of programming, names,
and the sentences themselves. A number that is repeated, or a word for the same sense, makes no other claim.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from builders.gates.sentences import other_content
from builders.gates.text import Words
from builders.gates.words import CONTRASTS, NEGATIONS, NUMBERS, TERMS, numbered

_SENSES = {
    word: [
        (group, sense)
        for group, senses in enumerate(CONTRASTS)
        for sense, words in enumerate(senses)
        if word in words.split()
    ]
    for word in {word for senses in CONTRASTS for words in senses for word in words.split()}
}
_TERMS = numbered(TERMS)
_KNOWN = _TERMS.keys() | NEGATIONS | NUMBERS.keys()
_LIST_NUMBER = re.compile(r"\n[ \t]*\(?(\d{1,2})[.)][ \t]")
_ACCESS = re.compile(r"\w+(?:\[[\w+*/, -]{1,30}\]|\([\w+*/, -]{1,30}\))")
_COST = re.compile(r"\bO\((?:[^()\n]|\([^()\n]*\))*\)")
_OPERATOR = re.compile(r"[<>=!+*/%^\u2264\u2265\u2260-]{1,2}")
_LEFT = re.compile(r"([\w'\])|]+)[`$]? ?\Z")
_RIGHT = re.compile(r" ?[`$]?(-?[\w'(\[|]+)")
FEW = 8
"""Words that differ in a change of one or two places."""
_AROUND = 24
"""Characters beside an operator in which its operands are sought."""


@dataclass(slots=True)
class Claims:
    """What a text claims, as far as it can be counted."""

    costs: Counter[str] = field(default_factory=Counter)
    formulas: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)
    numbers: Counter[str] = field(default_factory=Counter)
    senses: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    terms: Counter[int] = field(default_factory=Counter)
    negations: int = 0


def claims_of(parts: Words) -> Claims:
    """Returns what a text claims."""
    found = Claims(formulas=_formulas(parts.text))
    if "O(" in parts.text:
        found.costs.update("".join(match[0].split()) for match in _COST.finditer(parts.text))
    for word in filter(_SENSES.__contains__, parts.lower):
        for group, sense in _SENSES[word]:
            found.senses[group].append(sense)
    for word in parts.counts:
        if word in _KNOWN or not word.isalpha():
            _note(found, word, parts.counts[word])
    found.numbers -= Counter(_LIST_NUMBER.findall("\n" + parts.text))
    found.names.update("".join(match[0].split()) for match in _ACCESS.finditer(parts.text))
    found.names.update(token for token in parts.tokens if "_" in token or (token[0].islower() and not token.islower()))
    return found


def changes_claim(original: Words, text: Words) -> bool:
    """Returns whether the text claims something else than the original."""
    before, after = claims_of(original), claims_of(text)
    return (
        before.costs != after.costs
        or before.formulas != after.formulas
        or before.negations != after.negations
        or _exchanged(before.numbers, after.numbers)
        or any(_turned(before.senses[group], after.senses[group]) for group in {*before.senses, *after.senses})
        or bool(before.names - after.names and after.names - before.names)
        or _replaced(before.terms, after.terms, few=_apart(original, text) <= FEW)
        or other_content(original.text, text.text)
    )


def _note(found: Claims, word: str, count: int) -> None:
    if word in _TERMS:
        found.terms[_TERMS[word]] += count
    if word in NEGATIONS or word.endswith("n't"):
        found.negations += count
    elif word[0].isdigit() or word in NUMBERS:
        found.numbers[NUMBERS.get(word, word)] += count


def _formulas(text: str) -> Counter[str]:
    """Returns operators with what stands on both sides of them; dashes, bullets and emphasis have no such sides."""
    found: Counter[str] = Counter()
    for match in _OPERATOR.finditer(text):
        left = _LEFT.search(text[max(match.start() - _AROUND, 0) : match.start()])
        right = _RIGHT.match(text, match.end(), match.end() + _AROUND)
        if left and right and not _is_mark(match[0], left[1], right[1]):
            found[left[1] + match[0] + right[1]] += 1
    return found


def _is_mark(sign: str, left: str, right: str) -> bool:
    """Returns whether the sign is one of writing: a hyphen or a slash between words, or emphasis."""
    return sign in ("-", "/", "**", "*") and len(left) > 1 and len(right) > 1 and left.isalpha() and right.isalpha()


def _replaced(before: Counter[int], after: Counter[int], *, few: bool) -> bool:
    """Returns whether a notion gave way to another: wholly, or in one place where few words differ at all."""
    if few:
        return bool(before - after and after - before)
    return bool(before.keys() - after.keys() and after.keys() - before.keys())


def _apart(original: Words, text: Words) -> int:
    """Returns how many words of either text are not in the other."""
    before, after = Counter(original.counts), Counter(text.counts)
    return (before - after).total() + (after - before).total()


def _exchanged(before: Counter[str], after: Counter[str]) -> bool:
    """Returns whether a number is new or gone, or one gave way to another."""
    return before.keys() != after.keys() or bool(before - after and after - before)


def _turned(before: Sequence[int], after: Sequence[int]) -> bool:
    """Returns whether a sense gave way to one that it excludes, or they changed places."""
    lost, gained = Counter(before) - Counter(after), Counter(after) - Counter(before)
    return bool(lost and gained) or (not lost and not gained and before != after)
