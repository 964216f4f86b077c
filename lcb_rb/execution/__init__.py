"""Grading untrusted code; `grade` and `grade_many` are the interface, everything else is behind it."""

from lcb_rb.execution.grading import Limits, grade, grade_many, require_isolation

__all__ = ["Limits", "grade", "grade_many", "require_isolation"]
