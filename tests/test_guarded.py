"""unittest tests, which must share the solution's interpreter: guarded by a reference solution, or refused."""

import ast
import unittest

import pytest

from factories import executor, make_problem
from lcb_rb.execution import Executor, Limits
from lcb_rb.execution.worker import guarded, variants
from lcb_rb.execution.worker.outcomes import REPORT
from lcb_rb.execution.worker.run import Run, Task
from lcb_rb.schema import UnittestTests, Verdict

REFERENCE = "def f(x):\n    if x < 0: raise ValueError('negative')\n    return x * x + 1\n"
SOURCE = """
import unittest
class Tests(unittest.TestCase):
    def setUp(self): self.base = 3
    def test_values(self):
        self.assertEqual(f(2), 5)
        self.assertEqual(f(self.base), 10)
        self.assertTrue(f(0) == 1)
        self.assertNotEqual(f(1), 7)
    def test_kinds(self):
        self.assertIsInstance(f(4), int)
        self.assertIn(f(1), [2, 3])
        assert f(5) == 26
        self.assertAlmostEqual(f(0.5), 1.25)
    def test_errors(self):
        with self.assertRaises(ValueError):
            f(-1)
        self.assertRaises(ValueError, f, -2)
        self.assertGreater(f(10), 100)
"""
GUARDED = make_problem(tests=UnittestTests(source=SOURCE), reference_solution=REFERENCE)
BARE = GUARDED.model_copy(update={"reference_solution": None})
LIMITS = Limits(cpu_s=2)

RIGHT = {
    "the reference": REFERENCE,
    "another way": "def f(x):\n    if x < 0: raise ValueError\n    return 1 + x ** 2",
    "printing": "import sys\nprint('x' * 10**5)\n" + REFERENCE + "print('y', file=sys.stderr)",
    "importing unittest": "import unittest, unittest.mock\n" + REFERENCE,
}
WRONG = {
    "off by one": REFERENCE.replace("+ 1", "+ 2"),
    "no error raised": "def f(x): return x * x + 1",
    "wrong in one place": REFERENCE + "g = f\ndef f(x): return 11 if x == 3 else g(x)",
    "nothing": "def f(x): pass",
    "not there": "x = 1",
    "raising": "def f(x): raise ValueError",
    "syntax": "def f(x:",
    "endless": "def f(x):\n    while True: pass",
    "asleep": "import time\ndef f(x): time.sleep(3600)",
    "hungry": "held = bytearray(10**10)",
}
PATCHED = """
import unittest
for name in dir(unittest.TestCase):
    if name.startswith(('assert', 'fail')):
        {0}
def f(x): return 0
"""
EQUAL_TO_ALL = """
class E(int):
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = lambda self, *other: {0}
    __hash__ = int.__hash__
    __bool__ = __sub__ = __rsub__ = lambda self, *other: {0}
def f(x):
    if type(x) is int and x < 0: raise ValueError
    return E(1)
"""
REPORTING = """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for names in (frame.f_globals, frame.f_locals):
            if {report!r} in names:
                real = names[{report!r}]
                names[{report!r}] = lambda number, outcome: real(number, {forged})
        frame = frame.f_back
    return 0
""".replace("{report!r}", repr(REPORT))
HARVEST = """
import gc, types
def constants(code):
    for value in code.co_consts:
        if isinstance(value, types.CodeType): yield from constants(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool): yield value
def f(x):
    import sys
    code = sys._getframe(1).f_code
    found = [value for value in constants(code)]
    for here, there in zip(found, found[1:]):
        if here == x: return there
    raise ValueError
"""
FRAME = """
import struct, json, os
def frame(value):
    text = json.dumps(value).encode()
    return struct.pack('<I', len(text)) + text
def f(x):
    os.write(3, frame({'outcomes': {'assertions': [[n, True] for n in range(11)], 'tests': 3, 'bad': {}}}))
    os._exit(0)
"""
FORGING = {
    "assertions pass": PATCHED.format("setattr(unittest.TestCase, name, lambda *a, **k: None)"),
    "assertions fail": PATCHED.format("setattr(unittest.TestCase, name, lambda *a, **k: 1 / 0)"),
    "tests pass": "import unittest\nunittest.TestCase.run = lambda s, r=None: r.startTest(s)\ndef f(x): return 0",
    "no tests": "import unittest\nunittest.TestSuite.run = lambda s, r, d=False: r\ndef f(x): return 0",
    "loader": "import unittest\nunittest.defaultTestLoader.loadTestsFromModule = lambda m: unittest.TestSuite()\nx = 1",
    "sys.exit at once": "import sys\nsys.exit(0)",
    "sys.exit in a call": "import sys\ndef f(x): sys.exit(0)",
    "os._exit at once": "import os\nos._exit(0)",
    "os._exit in a call": "import os\ndef f(x): os._exit(0)",
    "equal to all": EQUAL_TO_ALL.format("True"),
    "unequal to all": EQUAL_TO_ALL.format("False"),
    "always true reported": REPORTING.replace("{forged}", "True"),
    "always false reported": REPORTING.replace("{forged}", "False"),
    "half of it reported": REPORTING.replace("{forged}", "number % 2 == 0"),
    "constants harvested": HARVEST,
    "a frame of its own": FRAME,
    "skipped": "import unittest\ndef f(x): raise unittest.SkipTest",
    "exec replaced": "import builtins\nbuiltins.exec = lambda *a: None\ndef f(x): return 0",
    "compile replaced": "import builtins\nreal = compile\nbuiltins.compile = lambda s, *a: real('x = 1', *a)\nx = 1",
}


@pytest.fixture(scope="module")
def pool():
    with Executor(2, limits=LIMITS) as made:
        yield made


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_solution_passes_and_the_result_says_how_sure_that_is(pool, name):
    found = pool.grade(GUARDED, RIGHT[name])
    assert (found.verdict, found.method) == (Verdict.ACCEPTED, "guarded"), found
    assert "probability 2^-" in found.message


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_solution_fails(pool, name):
    found = pool.grade(GUARDED, WRONG[name], Limits(cpu_s=0.5))
    assert found.passed is False, found


@pytest.mark.parametrize("name", FORGING)
def test_a_forging_solution_fails(pool, name):
    found = pool.grade(GUARDED, FORGING[name], Limits(cpu_s=0.5))
    assert found.passed is False, found


def test_the_cause_is_named(pool):
    assert pool.grade(GUARDED, WRONG["syntax"]).verdict is Verdict.SYNTAX_ERROR
    assert pool.grade(GUARDED, WRONG["endless"], Limits(cpu_s=0.5)).verdict is Verdict.TIME_LIMIT
    assert pool.grade(GUARDED, WRONG["off by one"]).verdict is Verdict.WRONG_ANSWER


@pytest.mark.parametrize("code", [REFERENCE, WRONG["nothing"], FORGING["assertions pass"]])
def test_without_a_reference_solution_the_tests_are_refused(pool, code):
    found = pool.grade(BARE, code)
    assert (found.verdict, found.passed) == (Verdict.UNGRADED, None)
    assert "--trust-tests" in found.message


def test_trusted_tests_are_believed_and_the_result_says_so():
    with Executor(1, trust_tests=True) as made:
        right, wrong = made.grade(BARE, REFERENCE), made.grade(BARE, WRONG["off by one"])
        with_reference = made.grade(GUARDED, REFERENCE)
    assert (right.verdict, right.method) == (Verdict.ACCEPTED, "trusted"), right
    assert (wrong.verdict, wrong.method) == (Verdict.WRONG_ANSWER, "trusted"), wrong
    assert with_reference.method == "guarded", "a reference guards whatever is trusted"


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        (SOURCE, "def f(x): return 0"),
        (SOURCE, "def f(x:"),
        (SOURCE, "import os; os._exit(0)"),
        ("def (", REFERENCE),
        ("import unittest\nclass T(unittest.TestCase):\n    def test(self): pass", REFERENCE),
        ("x = 1", REFERENCE),
        ("import no_such_module\nassert f(1) == 2", REFERENCE),
        ("import unittest\nclass T(unittest.TestCase):\n    def helper(self): self.assertEqual(f(1), 2)", REFERENCE),
    ],
    ids=["wrong", "syntax", "gone", "tests' syntax", "no assertion", "no tests", "import", "no test method"],
)
@pytest.mark.parametrize("code", [REFERENCE, "def f(x): return 0"], ids=["right", "wrong"])
def test_unusable_tests_leave_the_sample_ungraded(pool, source, reference, code):
    problem = make_problem(tests=UnittestTests(source=source), reference_solution=reference)
    found = pool.grade(problem, code)
    assert (found.verdict, found.passed) == (Verdict.UNGRADED, None), found


def test_variants_cannot_be_foretold(monkeypatch):
    """A solution knows this package's source: seeds that it knows tell it which assertions ought to fail."""

    def drawn():
        asked = []

        def outcomes(work, source):
            asked.append(source)
            return {"assertions": [[0, len(asked) == 1 or len(asked) % 2 == 0]], "tests": 1, "bad": {}}

        monkeypatch.setattr(guarded, "outcomes", outcomes)
        task = Task(tests={"kind": "unittest", "source": SOURCE}, prompt="", entry_point=None, reference=REFERENCE)
        guarded.prepare(Run(task, "", LIMITS, lambda **_: None))
        return asked[1:]

    assert drawn() != drawn()


def namespace():
    names = {}
    exec(REFERENCE, names)
    return names


def told(source):
    """The outcomes of a variant beside the reference solution."""
    reports, names = {}, {**namespace(), REPORT: lambda number, outcome: reports.__setitem__(number, outcome)}
    names["__name__"] = "tests"
    exec(source, names)
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(names["Tests"]).run(result)
    assert not result.errors and not result.failures
    return reports


@pytest.mark.parametrize("seed", range(8))
def test_complementary_variants_falsify_what_has_a_constant_once(seed):
    texts, count = variants.variants(SOURCE, seed)
    assert count == 11
    one, other = map(told, texts)
    assert one.keys() == other.keys() == set(range(count))
    assert all(one[number] or other[number] for number in one), (one, other)
    assert sum(one[number] is not other[number] for number in one) >= 6, (one, other)


def test_the_plain_tests_hold_for_the_reference():
    assert set(told(variants.plain(SOURCE)).values()) == {True}


def test_a_variant_does_not_show_what_is_falsified():
    """Its constants are of the same kinds, its length is about the same."""
    truth = ast.dump(ast.parse(variants.plain(SOURCE)))
    for text in variants.variants(SOURCE, 5)[0]:
        assert ast.dump(ast.parse(text)) != truth
        assert "recode" not in text.replace(REPORT, "")


def test_the_shared_executor_trusts_nothing():
    assert executor().options["trust_tests"] is False
