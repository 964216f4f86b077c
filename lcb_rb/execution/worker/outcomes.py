"""What a variant of guarded tests comes to; runs beside the solution, in its interpreter."""

from types import ModuleType
from typing import Any

REPORT = "__recode_outcome__"
"""Name under which a variant reports what came of an assertion."""


def outcomes(source: str, solution: dict[str, Any]) -> dict[str, Any]:
    """Returns what a variant's assertions and tests came to."""
    import unittest  # not for every child

    reported: list[list[Any]] = []
    module = ModuleType("tests")
    vars(module).update({name: value for name, value in solution.items() if not name.startswith("__")})
    vars(module)[REPORT] = lambda number, outcome: reported.append([number, outcome])
    exec(compile(source, "tests.py", "exec"), vars(module))
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    found = {"failed": result.failures, "error": result.errors, "skipped": result.skipped}
    bad = {case.id(): kind for kind, cases in found.items() for case, _ in cases}
    return {"assertions": list(reported), "tests": result.testsRun, "bad": bad}
