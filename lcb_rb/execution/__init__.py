"""Grading untrusted code; `Executor` is the interface, everything else is behind it."""

from lcb_rb.execution.executor import Executor
from lcb_rb.execution.grading import grade, grade_many, require_isolation
from lcb_rb.execution.limits import Limits

__all__ = ["Executor", "Limits", "grade", "grade_many", "require_isolation"]
