"""Reasonings that are others but for trifles, and variants that make the same change."""

from collections.abc import Mapping

from builders.gates.limits import GateLimits
from lcb_rb.overlap import near_duplicates, similarity


def near_copies(texts: Mapping[str, str], limits: GateLimits) -> dict[str, str]:
    """Returns the texts that are copies, each with the one that stays: the first by key of those it is like.

    Args:
        texts: Reasonings of one problem by key.
        limits: Thresholds.

    Raises:
        MissingExtraError: datasketch is not installed.
    """
    copies: dict[str, str] = {}
    if len(texts) < 2:
        return copies
    for match in near_duplicates(texts, texts, threshold=limits.copy_similarity):
        if match.right < match.left and match.right not in copies:
            copies.setdefault(match.left, match.right)
    return copies


def variant_copies(original: str, texts: Mapping[str, str], limits: GateLimits) -> dict[str, str]:
    """Returns the variants of one sample in one direction that change it as another does, each with the one that stays.

    A small change leaves every variant like its original, and so like all others. A copy is one that is nearer to the
    other variant than half of the way from either to the original.

    Args:
        original: The sample's reasoning.
        texts: Variants by key.
        limits: Thresholds.
    """
    away = {key: 1 - similarity(original, text) for key, text in texts.items()}
    copies: dict[str, str] = {}
    for key in sorted(texts):
        kept = (other for other in sorted(texts) if other < key and other not in copies)
        found = next((other for other in kept if _alike(key, other, texts, away, limits)), None)
        if found is not None:
            copies[key] = found
    return copies


def _alike(key: str, other: str, texts: Mapping[str, str], away: Mapping[str, float], limits: GateLimits) -> bool:
    apart = 1 - similarity(texts[key], texts[other])
    near = apart <= 1 - limits.copy_similarity and apart < min(away[key], away[other]) / 2
    return near or texts[key] == texts[other]
