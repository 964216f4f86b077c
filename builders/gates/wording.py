"""Words that give a variant away: talk about the rewriting, and verdicts on the solution."""

import re
from collections import Counter
from dataclasses import dataclass

_MARKER = re.compile(r"</?(?:rewrite|think|answer|reasoning|problem)\b[^<>\n]{0,40}>", re.IGNORECASE)
_TEXT = r"(?:reasoning|rewrite|rewriting|explanation|text|version|variant)"
_OPENING = re.compile(r"\W*(?:sure|certainly|of course|absolutely|okay|ok)\b[,.!:]", re.IGNORECASE)
_ANEW = r"(?:rewritten|reworded|revised|improved|optimi[sz]ed|degraded|worsened|corrected|modified|flawed)"
_META = re.compile(
    rf"\bhere(?:'s| is| comes) (?:the|a|an|my|your) (?:[\w-]+ ){{0,2}}(?:{_ANEW} (?:[\w-]+ )?{_TEXT}|rewrit(?:e|ing))\b"
    rf"|\b(?:rewritten|reworded|degraded|worsened) {_TEXT}\b"
    r"|\b(?:optimi[sz]ed|improved|revised|modified|corrected|original|earlier|previous)"
    r" (?:reasoning|rewrite|explanation|text)\b"
    r"|\bi(?: have|'ve)? (?:rewritten|rewrote|reworded|degraded|introduced|kept the length)\b"
    r"|\bas (?:requested|instructed)\b|\blength ratio\b"
    r"|\b(?:factual accuracy|logical rigor|logical coherence|factual_accuracy|logical_rigor|logical_coherence)\b"
)
_META_WORDS = (
    "here reasoning rewrite explanation text rewritten rewrote reworded degraded worsened introduced kept requested"
    " instructed ratio accuracy rigor coherence"
)
_THING = r"(?:solution|answer|code|submission|program|implementation|reasoning|explanation|rewrite|approach|algorithm)"
_GRADE = r"(?:accepted|rejected|correct|incorrect|wrong|flawed|faulty|buggy|right)"
_FAULT = r"(?:errors?|mistakes?|flaws?|bugs?|inaccurac(?:y|ies)|incorrect|wrong)"
_MADE = r"(?:deliberate|intentional|planted|injected|introduced|inserted)"
_TESTS = r"(?:all|every|each|some|many|the|a|any)(?: of)?(?: the)? (?:\w+ )?(?:tests?|test ?cases?)"
_VERDICT = re.compile(
    rf"\b(?:this|the|my|our|your|its) (?:\w+ )?{_THING} (?:is|was|are|were|gets|got|will be|would be|has been)"
    rf" (?:\w+ )?{_GRADE}\b(?! (?:side|half|end|child|subtree|pointer|part|bound))"
    rf"|\b(?:in)?correct (?:solution|reasoning|submission|explanation)\b|\b(?:gets|got|be|been|was|is) accepted\b"
    rf"|\b(?:pass(?:es|ed|ing)?|fail(?:s|ed|ing)?(?: on)?) {_TESTS}\b"
    r"|\bwrong answers?\b|\bruntime error\b|\bverdict\b"
    rf"|\b{_MADE}(?:ly)? (?:\w+ )?{_FAULT}\b|\b{_FAULT} (?:was|were|has been|have been|is|are) {_MADE}\b"
    r"|\bdegraded\b(?! (?:to|into))"
)
_VERDICT_WORDS = (
    "accepted rejected correct wrong flawed faulty buggy right test runtime verdict degraded deliberate intentional"
    " planted injected introduced inserted"
)


@dataclass(frozen=True, slots=True)
class _Phrases:
    """Phrases, each with at least one of the words: a look for the words spares most sentences the search."""

    pattern: re.Pattern[str]
    words: tuple[str, ...]

    def counted(self, text: str) -> Counter[str]:
        """Returns what is found in the sentences."""
        lowered = text.lower().replace("\u2019", "'")
        words = [word for word in self.words if word in lowered]
        sentences = lowered.replace("\n", ". ").split(". ") if words else ()
        near = (sentence for sentence in sentences if any(word in sentence for word in words))
        return Counter(match[0] for sentence in near for match in self.pattern.finditer(sentence))


_TALK = _Phrases(_META, tuple(_META_WORDS.split()))
_GRADES = _Phrases(_VERDICT, tuple(_VERDICT_WORDS.split()))


def markers(text: str) -> bool:
    """Returns whether a marker of the request is left in the text."""
    return "<" in text and _MARKER.search(text) is not None


def talks_of_rewriting(original: str, text: str) -> bool:
    """Returns whether the text speaks of its rewriting, where the original does not use the same words."""
    if _OPENING.match(text) and not _OPENING.match(original):
        return True
    return bool((found := _TALK.counted(text)) and found - _TALK.counted(original))


def tells_verdict(original: str, text: str) -> bool:
    """Returns whether the text tells a verdict that the original does not tell in the same words."""
    return bool((found := _GRADES.counted(text)) and found - _GRADES.counted(original))
