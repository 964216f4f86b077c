"""Numeric claims of a reasoning, compared with what the accepted code returns."""

from builders.claims.checking import Checked, Finding, check_claims
from builders.claims.finding import Claim, find_claims

__all__ = ["Checked", "Claim", "Finding", "check_claims", "find_claims"]
