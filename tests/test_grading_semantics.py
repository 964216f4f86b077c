"""What a solution may rely on while it is graded: reading styles, names, exceptions, values."""

import sys

import pytest

from factories import grade
from lcb_rb.execution import Limits
from lcb_rb.schema import CallTests, StdinTests, Verdict
from test_grading import QUICK, called, checked, make_problem

READERS = {
    "input": "a = int(input()); b = int(input())",
    "sys.stdin.readline": "import sys; a = int(sys.stdin.readline()); b = int(sys.stdin.readline())",
    "sys.stdin.read": "import sys; a, b = map(int, sys.stdin.read().split())",
    "sys.stdin iterated": "import sys; a, b = [int(line) for line in sys.stdin]",
    "sys.stdin.buffer": "import sys; a, b = map(int, sys.stdin.buffer.read().split())",
    "buffer.readline": "import sys; r = sys.stdin.buffer.readline; a = int(r()); b = int(r())",
    "open(0)": "a, b = map(int, open(0).read().split())",
    "open(0, 'rb')": "a, b = map(int, open(0, 'rb'))",
    "os.read": "import os; a, b = map(int, os.read(0, os.fstat(0).st_size).split())",
    "/dev/stdin": "a, b = map(int, open('/dev/stdin'))",
    "fileinput": "import fileinput; a, b = map(int, fileinput.input())",
    "until EOFError": "n = []\ntry:\n    while True: n.append(int(input()))\nexcept EOFError: a, b = n",
    "mmap": "import mmap; a, b = map(int, mmap.mmap(0, 0, access=mmap.ACCESS_READ)[:].split())",
}
PRINTERS = {
    "print": "print(a + b)",
    "no newline": "print(a + b, end='')",
    "sys.stdout": "import sys; sys.stdout.write(f'{a + b}')",
    "buffer": "import sys; sys.stdout.buffer.write(b'%d' % (a + b))",
    "os.write": "import os; os.write(1, b'%d' % (a + b))",
    "file never closed": "held = open(1, 'w'); held.write(str(a + b))",
    "stdout replaced": "import io, sys; sys.stdout.write(str(a + b)); sys.stdout = io.StringIO()",
    "at exit": "import atexit; atexit.register(print, a + b)",
    "thread never joined": "import threading, time\ndef late():\n    time.sleep(0.1); print(a + b)\n"
    "threading.Thread(target=late).start()",
    "thread joined": "from concurrent.futures import ThreadPoolExecutor as P\nwith P(2) as p: p.submit(print, a + b)",
    "main guard": "if __name__ == '__main__': print(a + b)",
    "through __main__": "import __main__; print(__main__.a + __main__.b)",
    "stderr beside it": "import sys; print('debug', file=sys.stderr); print(a + b)",
}


def ran(code, given, expected, limits=QUICK):
    """The verdict on a program with one test."""
    problem = make_problem(tests=StdinTests(inputs=[given], outputs=[expected]))
    return grade(problem, code, limits).verdict


@pytest.mark.parametrize("reader", READERS)
def test_input_can_be_read_in_every_style(reader):
    assert ran(f"{READERS[reader]}\nprint(a + b)", "3\n4\n", "7\n") is Verdict.ACCEPTED


@pytest.mark.parametrize("printer", PRINTERS)
def test_output_can_be_written_in_every_style(printer):
    assert ran(f"a, b = int(input()), int(input())\n{PRINTERS[printer]}", "3\n4", "7\n") is Verdict.ACCEPTED


@pytest.mark.parametrize("text", ["é ∑ 日本\n", "tab\tand\x0cfeed", "a\r\nb\r\n", "", "\ufeffbom", "nul\0nul"])
def test_text_reaches_the_program_unchanged(text):
    assert ran("import sys; sys.stdout.write(ascii(sys.stdin.buffer.read()))", text, ascii(text.encode())) == "ACCEPTED"


def test_every_test_starts_from_a_fresh_program():
    tests = StdinTests(inputs=["1", "2"], outputs=["0", "0"])
    code = "import math\nprint(getattr(math, 'seen', 0))\nmath.seen = 1"
    assert grade(make_problem(tests=tests), code, QUICK).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "end", ["os.close(1)", "os.close(0)", "os.dup2(0, 1)", "os._exit(0)", "sys.stdout = None", "sys.exit()"]
)
def test_what_a_run_does_to_its_process_in_the_end_does_not_fail_the_next(end):
    tests = StdinTests(inputs=["1", "2", "3"], outputs=["2", "4", "6"])
    code = f"import os, sys\nprint(2 * int(input()), flush=True)\n{end}"
    assert grade(make_problem(tests=tests), code, QUICK).verdict is Verdict.ACCEPTED


def test_a_failing_test_after_another_is_told_by_its_own_number():
    tests = StdinTests(inputs=["1", "2", "3"], outputs=["2", "4", "7"])
    assert grade(make_problem(tests=tests), "print(2 * int(input()))", QUICK).test_index == 2


def test_output_that_is_not_utf8_is_wrong_not_an_error():
    assert ran("import os; os.write(1, bytes([255, 254]))", "", "x") is Verdict.WRONG_ANSWER


NATIVE = pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python bounds recursion through C itself since 3.12")


@pytest.mark.parametrize("call", ["walk(n - 1)", pytest.param("cached(n - 1)", marks=NATIVE)])
def test_recursion_may_go_as_deep_as_on_the_judges_sites(call):
    code = (
        "import functools, sys; sys.setrecursionlimit(10**6)\n"
        f"def walk(n): return 0 if n == 0 else 1 + {call}\n"
        "cached = functools.lru_cache(None)(walk)\nprint(walk(int(input())))"
    )
    assert ran(code, "50000", "50000", Limits(cpu_s=5)) is Verdict.ACCEPTED


def test_a_prompt_precedes_the_solution():
    tests = StdinTests(inputs=["3"], outputs=["6"])
    problem = make_problem(tests=tests, prompt="def twice(n): return 2 * n")
    assert grade(problem, "print(twice(int(input())))", QUICK).verdict is Verdict.ACCEPTED


def test_a_prompt_may_end_in_the_head_of_the_function():
    prompt = 'def f(x):\n    """Doubles."""\n'
    assert checked("    return 2 * x", "assert candidate(2) == 4", prompt=prompt).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "code",
    [
        "class Solution:\n    def f(self, x): return x + 1",
        "class Solution:\n    @staticmethod\n    def f(x): return x + 1",
        "def f(x): return x + 1",
        "f = lambda x: x + 1",
        "class Solution:\n    def other(self, x): return x + 1\ndef f(x): return Solution().other(x)",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: 'int'\ndef f(x): return P(x).x + 1",
        "print('debug')\ndef f(x):\n    print(x); return x + 1",
        "import sys\ndef f(x): return x + 1 + len(sys.stdin.read())",
    ],
)
def test_functions_and_methods_are_found(code):
    assert called(code, "f", "1", "2").verdict is Verdict.ACCEPTED
    assert checked(code, "assert candidate(1) == 2").verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("code", ["x = 1", "f = None", "class Solution:\n    def g(self, x): return x"])
def test_a_solution_without_the_function_is_a_runtime_error(code):
    found = called(code, "f", "1", "1")
    assert found.verdict is Verdict.RUNTIME_ERROR
    assert "does not define f" in found.message


def test_a_function_that_only_the_prelude_knows_is_not_the_solutions():
    assert called("x = 1", "gcd", "4\n6", "2").verdict is Verdict.RUNTIME_ERROR
    assert called("class Solution:\n    def gcd(self, a, b): return gcd(a, b)", "gcd", "4\n6", "2").passed


def test_names_that_leetcode_provides_need_no_import():
    code = "class Solution:\n    def f(self, a: List[int]) -> Optional[int]: return Counter(a)[heappop(a)] + pow(2, 3)"
    assert called(code, "f", "[1, 3, 1]", "10").verdict is Verdict.ACCEPTED


def test_one_instance_answers_all_calls_of_a_sample_and_no_others():
    """As LiveCodeBench's `grade_call_based` has it; its verdicts are meant to be reproduced."""
    tests = CallTests(fn_name="f", inputs=["1", "1"], outputs=["[1]", "[1, 1]"])
    code = "class Solution:\n    a = []\n    def f(self, x): self.a.append(x); return self.a"
    for _ in range(2):
        assert grade(make_problem(tests=tests), code, QUICK).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("value", "expected", "verdict"),
    [
        ("(1, 2)", "[1, 2]", Verdict.ACCEPTED),
        ("2.0", "2", Verdict.ACCEPTED),
        ("10**5000 // 10**4999", "10", Verdict.ACCEPTED),
        ("None", "null", Verdict.ACCEPTED),
        ("{'a': [1]}", '{"a": [1]}', Verdict.ACCEPTED),
        ("[1, 2, 3]", "[1, 2]", Verdict.WRONG_ANSWER),
        ("[1]", "[1, 2]", Verdict.WRONG_ANSWER),
        ("None", "0", Verdict.WRONG_ANSWER),
        ("{1, 2}", "[1, 2]", Verdict.WRONG_ANSWER),
        ("float('nan')", "NaN", Verdict.WRONG_ANSWER),
        ("object()", "1", Verdict.WRONG_ANSWER),
        ("10**400000", "1", Verdict.WRONG_ANSWER),
    ],
)
def test_results_of_calls(value, expected, verdict):
    assert called(f"def f(x): return {value}", "f", "0", expected).verdict is verdict


@pytest.mark.parametrize(
    ("code", "check"),
    [
        ("def f(x): raise ValueError('odd')", "try: candidate(1)\n    except ValueError as e: assert str(e) == 'odd'"),
        ("import json\ndef f(x): json.loads('{')", "try: candidate(1)\n    except ValueError: return"),
        ("class E(KeyError): pass\ndef f(x): raise E", "try: candidate(1)\n    except LookupError: return"),
        ("def f(x):\n    yield x\n    yield 2", "assert list(candidate(1)) == [1, 2]"),
        ("def f(a, *, b=0, **k): return a, b, k", "assert candidate(1, b=2, c=3) == (1, 2, {'c': 3})"),
        ("def f(x): return {(1, 2): {3}}", "assert candidate(0) == {(1, 2): {3}}"),
        ("def f(x): return float('nan')", "import math; assert math.isnan(candidate(0))"),
        ("def f(x): return x", "assert candidate((1, [2])) == (1, [2]) != [1, [2]]"),
        ("def f(x): return x", "assert candidate(10**5000) == 10**5000"),
        ("def f(x): return x + 1", "assert f(1) == 2"),
        ("f = sorted", "xs = [2, 1]; assert candidate(xs, reverse=True) == [2, 1]"),
    ],
)
def test_checks_see_what_the_solution_did(code, check):
    found = checked(code, check)
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("ValueError('odd')", "ValueError: odd"),
        ("KeyError('k')", "KeyError: 'k'"),
        ("AssertionError('own')", "AssertionError: own"),
        ("UnicodeEncodeError('a', 'b', 0, 1, 'c')", "UnicodeEncodeError: "),
        ("ExceptionGroup('g', [ValueError()])", "ExceptionGroup: g"),
        ("StopIteration(5)", "StopIteration: 5"),
        ("type('Own', (Exception,), {})('x')", "Own: x"),
        ("type('Own', (BaseException,), {})('x')", "Own: x"),
    ],
)
def test_an_exception_that_ends_the_check_is_a_runtime_error_with_its_text(raised, message):
    found = checked(f"def f(x): raise {raised}", "assert candidate(1) == 2")
    assert found.verdict is Verdict.RUNTIME_ERROR
    assert found.message.startswith(message)


def test_an_exception_that_the_check_swallows_is_not_the_cause():
    code = "def f(x):\n    if x == 1: raise ValueError\n    return 0"
    found = checked(code, "try: candidate(1)\n    except ValueError: pass\n    assert candidate(2) == 5")
    assert (found.verdict, found.test_index) == (Verdict.WRONG_ANSWER, 0)
