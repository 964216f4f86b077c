"""The gates in their order: the first that a variant does not pass names the reason."""

from builders.filters import Drop, Keep
from builders.gates import wording
from builders.gates.claims import changes_claim
from builders.gates.code import leaks_code
from builders.gates.form import keeps_format, keeps_language
from builders.gates.limits import GateLimits, fits
from builders.gates.text import changed, seen, words_of
from lcb_rb.schema import Sample, Variant

RULES = "rules"
"""Rewriter of the variants that rules make."""


def check(original: str, variant: Variant, sample: Sample, limits: GateLimits) -> Keep | Drop:
    """Returns whether a variant may enter a pair, else the first reason why not, one of GATE_REASONS.

    Args:
        original: The reasoning that it was made from.
        variant: What was made.
        sample: Whose reasoning it is.
        limits: Thresholds.
    """
    text = variant.reasoning
    before, after = seen(original), seen(text)
    if not after.prose or (wording.markers(text) and not wording.markers(original)):
        return Drop("no_prose")
    if _plain(original) == _plain(text):
        return Drop("unchanged")
    old, new = changed(original, text)
    if wording.talks_of_rewriting(old, new):
        return Drop("meta_talk")
    if not fits(text, original, limits):
        return Drop("length_ratio")
    if not keeps_format(before, after, limits):
        return Drop("format")
    if wording.tells_verdict(old, new):
        return Drop("leaks_verdict")
    if leaks_code(before, after, sample.code, limits):
        return Drop("leaks_code")
    return _of_words(*changed(before.prose, after.prose), variant, limits)


def _of_words(old: str, new: str, variant: Variant, limits: GateLimits) -> Keep | Drop:
    before, after = words_of(old), words_of(new)
    if not keeps_language(before, after, limits):
        return Drop("language")
    by_model = variant.rewriter != RULES  # a rule turns a claim around by its making
    if by_model and variant.direction == "degraded" and not changes_claim(before, after):
        return Drop("only_wording")
    return Keep()


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
