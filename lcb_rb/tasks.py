"""What a model is asked to write for a problem, so that the problem's tests can run it."""

from lcb_rb.parsing import fenced
from lcb_rb.schema import CallTests, Problem, StdinTests


def statement_of(problem: Problem) -> str:
    """Returns the problem's text; in a code block where it is code to be completed, as HumanEval's is."""
    return _shown(problem.statement) if _is_code(problem) else problem.statement.strip()


def task_of(problem: Problem) -> str:
    """Returns what to write so that the tests can run it, with the code to be completed where there is some."""
    parts = []
    if problem.starter_code.strip():
        parts.append(f"Complete this code, with the imports that it needs:\n\n{_shown(problem.starter_code)}")
    elif problem.prompt.strip() and not _is_code(problem):  # beside starter code it only imports what that names
        parts.append(f"This code runs before yours:\n\n{_shown(problem.prompt)}")
    if told := _called(problem):
        parts.append(told)
    return "\n\n".join(parts)


def _called(problem: Problem) -> str:
    """Returns how the tests use the code; empty where the starter code shows it."""
    tests = problem.tests
    if isinstance(tests, StdinTests):
        return "Write a whole program: it reads standard input and prints to standard output."
    if problem.starter_code.strip():
        return ""
    name = tests.fn_name if isinstance(tests, CallTests) else problem.entry_point
    if not name:
        return "Write everything that the statement asks for; it is imported, so nothing should run by itself."
    whole = " whole, with its first lines and imports" if _is_code(problem) else ""
    return f"Define `{name}`{whole}; the tests call it."


def _is_code(problem: Problem) -> bool:
    """Returns whether the statement is code to be completed."""
    return bool(problem.prompt.strip()) and problem.statement.strip() == problem.prompt.strip()


def _shown(code: str) -> str:
    return fenced(code.lstrip("\n").rstrip())
