"""How strict the gates are."""

from pydantic import Field

from lcb_rb.schema import Record


class GateLimits(Record):
    """Thresholds; a recipe names those that differ."""

    min_ratio: float = Field(default=0.8, gt=0, le=1)
    """Least length of a reasoning over that of its partner, characters."""
    max_ratio: float = Field(default=1.25, ge=1)
    """Greatest one."""
    script_shift: float = Field(default=0.1, ge=0, le=1)
    """How far the share of a script among the letters may move."""
    format_slack: int = Field(default=2, ge=0)
    """By how many the count of a format's elements may differ in any case."""
    format_share: float = Field(default=0.34, ge=0, le=1)
    """By what share of the greater count it may differ."""
    code_lines: int = Field(default=2, ge=1)
    """New lines of plain statements from which they count as code; one that defines or imports is enough."""
    code_chars: int = Field(default=60, ge=1)
    """Characters of lines of the sample's code from which they count as leaked, blanks aside."""
    code_share: float = Field(default=0.25, ge=0, le=1)
    """Share of its lines' characters, likewise; both must be reached."""
    copy_similarity: float = Field(default=0.9, gt=0, le=1)
    """Share of common runs of five words from which two reasonings are one."""


def fits(text: str, partner: str, limits: GateLimits) -> bool:
    """Returns whether two reasonings are of like length."""
    return limits.min_ratio * len(partner) <= len(text) <= limits.max_ratio * len(partner)
