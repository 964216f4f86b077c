"""Grading untrusted code; `grade` and `grade_many` are the interface, everything else is behind it."""

from lcb_rb.execution.grading import grade, grade_many, require_isolation
from lcb_rb.execution.kinds import Limits

__all__ = ["Limits", "grade", "grade_many", "require_isolation"]
