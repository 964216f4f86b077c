"""Verdicts on honest solutions, for every kind of test and every way to fail."""

import subprocess
import sys

import pytest

from factories import ROOT, executor, grade, make_problem
from lcb_rb.execution import Limits
from lcb_rb.schema import AnswerTests, AssertTests, CallTests, StdinTests, UnittestTests, Verdict

QUICK = Limits(cpu_s=3, wall_factor=10, memory_mb=256, output_mb=1)
HASTY = Limits(cpu_s=0.4, wall_factor=2, memory_mb=256, output_mb=1)
"""For what never ends; an honest solution on a busy machine could miss it."""
CHECK = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(4) == 8\n"
PROBLEMS = {
    "stdin": make_problem(tests=StdinTests(inputs=["1\n", "4\n"], outputs=["2\n", "8\n"])),
    "call": make_problem(tests=CallTests(fn_name="double", inputs=["1", "4"], outputs=["2", "8"])),
    "assert": make_problem(tests=AssertTests(check=CHECK), entry_point="double"),
}
every_kind = pytest.mark.parametrize("kind", PROBLEMS)
without_stdin = pytest.mark.parametrize("kind", ["call", "assert"])


def graded(kind, function, limits=QUICK):
    """The result of a solution that defines `double`; in a stdin problem a main program calls it."""
    main = "\nprint(double(int(input())))\n" if kind == "stdin" else ""
    return grade(PROBLEMS[kind], function + main, limits)


def called(code, fn_name, arguments, expected):
    """The result of a call problem with one test."""
    return grade(make_problem(tests=CallTests(fn_name=fn_name, inputs=[arguments], outputs=[expected])), code, QUICK)


def checked(code, check, **fields):
    """The result of an assert problem; `check` is the body of its check function."""
    tests = AssertTests(check=f"def check(candidate):\n    {check}\n")
    return grade(make_problem(tests=tests, **{"entry_point": "f", **fields}), code, QUICK)


@every_kind
@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def double(n): return 2 * n", Verdict.ACCEPTED),
        ("def double(n): return n * n", Verdict.WRONG_ANSWER),
        ("def double(n):\n    while True: pass", Verdict.TIME_LIMIT),
        ("def double(n):\n    import time\n    time.sleep(3600)", Verdict.TIME_LIMIT),
        ("while True: pass", Verdict.TIME_LIMIT),
        ("def double(n): return [0] * 10**8", Verdict.MEMORY_LIMIT),
        ("held = bytearray(10**9)", Verdict.MEMORY_LIMIT),
        ("def double(n): return n // 0", Verdict.RUNTIME_ERROR),
        ("def double(n): raise KeyboardInterrupt", Verdict.RUNTIME_ERROR),
        ("def double(n): return double(n)", Verdict.RUNTIME_ERROR),
        ("import os\ndef double(n): os.abort()", Verdict.RUNTIME_ERROR),
        ("import no_such_module\ndef double(n): return 2 * n", Verdict.RUNTIME_ERROR),
        ("def double(n: return 2 * n", Verdict.SYNTAX_ERROR),
        ("def double(n):\n\treturn 2 * n\n        pass", Verdict.SYNTAX_ERROR),
        ("def double(n): return 2 * n\0", Verdict.SYNTAX_ERROR),
        ("def double(n): return 2 * n # \udc80", Verdict.SYNTAX_ERROR),
        ("return 5", Verdict.SYNTAX_ERROR),
    ],
)
def test_verdict_and_cause(kind, code, verdict):
    found = graded(kind, code, HASTY if verdict is Verdict.TIME_LIMIT else QUICK)
    assert found.verdict is verdict, found


@every_kind
@pytest.mark.parametrize("code", ["", " \n\t\n"])
def test_a_solution_of_blanks_is_no_code(kind, code):
    assert grade(PROBLEMS[kind], code, QUICK).verdict is Verdict.NO_CODE


@every_kind
def test_the_first_failing_test_is_named(kind):
    assert graded(kind, "def double(n): return 2").test_index == 1


@every_kind
def test_a_test_that_raises_is_named(kind):
    assert graded(kind, "def double(n): return {1: 2}[n]").test_index == 1


@every_kind
def test_an_accepted_solution_names_no_test(kind):
    assert graded(kind, "def double(n): return 2 * n").test_index is None


def test_too_much_output_is_an_output_limit():
    assert graded("stdin", "print('x' * 10**7)\ndef double(n): return 2 * n").verdict is Verdict.OUTPUT_LIMIT


def test_output_just_under_the_limit_is_taken():
    problem = make_problem(tests=StdinTests(inputs=[""], outputs=["x" * (2**20 - 2)]))
    assert grade(problem, "print('x' * (2**20 - 2))", QUICK).verdict is Verdict.ACCEPTED


@without_stdin
def test_a_monstrous_answer_is_an_output_limit(kind):
    limits = Limits(cpu_s=5, memory_mb=2048)
    assert graded(kind, "def double(n): return 'x' * 10**8", limits).verdict is Verdict.OUTPUT_LIMIT


@without_stdin
@pytest.mark.parametrize("end", ["sys.exit(0)", "os._exit(0)", "quit()", "raise SystemExit"])
@pytest.mark.parametrize("where", ["{0}\ndef double(n): return 2 * n", "def double(n): {0}"])
def test_leaving_early_is_never_accepted_where_an_answer_is_due(kind, where, end):
    assert graded(kind, "import os, sys\n" + where.format(end)).verdict is Verdict.RUNTIME_ERROR


@pytest.mark.parametrize("end", ["sys.exit(0)", "sys.exit()", "exit(0)", "sys.stdout.flush(); os._exit(0)"])
def test_a_program_may_exit_with_status_zero_after_the_right_output(end):
    assert graded("stdin", f"import os, sys\nprint(2 * int(input()))\n{end}").verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("end", ["sys.exit(3)", "sys.exit('sorry')", "os._exit(1)", "raise ValueError"])
def test_the_right_output_with_another_status_is_a_runtime_error(end):
    code = f"import os, sys\nprint(2 * int(input()), flush=True)\n{end}"
    assert graded("stdin", code).verdict is Verdict.RUNTIME_ERROR


def test_a_program_that_exits_before_it_prints_is_wrong():
    assert graded("stdin", "import sys\nsys.exit(0)").verdict is Verdict.WRONG_ANSWER


@pytest.mark.parametrize(
    "tests",
    [None, UnittestTests(source="import unittest"), AnswerTests(answer="5")],
    ids=["none", "unittest", "answer"],
)
def test_tests_that_cannot_be_run_leave_the_sample_ungraded(tests):
    found = grade(make_problem(tests=tests), "print(1)", QUICK)
    assert (found.verdict, found.passed) == (Verdict.UNGRADED, None)
    assert found.message


@pytest.mark.parametrize(
    "check",
    [
        "pass",
        "assert candidate(",
        "assert no_such_name == candidate(1)",
        "candidate(1); no_such_name",
        "import no_such_module",
        "candidate(1); import sys; sys.exit(0)",
        "candidate(1); import os; os._exit(0)",
        "candidate(lambda: 0)",
        "candidate(object())",
        "deep = []\n    for _ in range(500): deep = [deep]\n    candidate(deep)",
        "return 1 / 0",
    ],
)
def test_a_broken_check_leaves_the_sample_ungraded(check):
    found = checked("def f(x): return x", check)
    assert found.verdict is Verdict.UNGRADED, found


def test_a_check_module_without_check_leaves_the_sample_ungraded():
    problem = make_problem(tests=AssertTests(check="def test(candidate): pass"), entry_point="f")
    assert grade(problem, "def f(x): return x", QUICK).verdict is Verdict.UNGRADED


def test_a_missing_entry_point_leaves_the_sample_ungraded():
    found = checked("def f(x): return x", "assert candidate(1) == 1", entry_point=None)
    assert found.verdict is Verdict.UNGRADED
    assert "entry_point" in found.message


@pytest.mark.parametrize(
    ("arguments", "expected"), [("{", "1"), ("1", "nope"), ("[" * 500 + "]" * 500, "1"), ("1", "[" * 10**5)]
)
def test_call_tests_that_are_no_usable_json_leave_the_sample_ungraded(arguments, expected):
    assert called("def f(x): return x", "f", arguments, expected).verdict is Verdict.UNGRADED


@every_kind
def test_a_result_says_what_was_used_and_how_it_was_shut_in(kind):
    found = graded(kind, "held = b'x' * (60 * 2**20)\nsum(range(10**6))\ndef double(n): return 2 * n")
    assert found.isolation is executor().level
    assert found.method == "isolated"
    assert found.limit_s == QUICK.cpu_s
    assert 0.02 < found.cpu_s < 10
    assert 0.02 < found.wall_s < 60
    assert 60 < found.peak_mb < 120


@every_kind
def test_the_graders_own_memory_is_not_counted_as_the_solutions(kind):
    held = b"x" * (200 * 2**20)
    assert graded(kind, "def double(n): return 2 * n").peak_mb < 100
    assert held


@every_kind
@pytest.mark.parametrize(
    "text", ["'\\x1b[31m\\n\\0\\u202e' * 500", "'\\ud800' * 500", "b'\\xff' * 500", "'é' * 5000", "''"]
)
def test_a_message_is_short_and_printable(kind, text):
    message = graded(kind, f"def double(n): raise ValueError({text})").message
    assert message.startswith("ValueError")
    assert len(message) <= 300
    assert message.isascii()
    assert message.isprintable()


@every_kind
def test_a_machine_that_allows_less_does_not_fail_the_solution(kind):
    script = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from resource import RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_STACK, setrlimit\n"
        "for kind, most in [(RLIMIT_NOFILE, 48), (RLIMIT_CPU, 20), (RLIMIT_FSIZE, 2**19), (RLIMIT_STACK, 2**22)]:\n"
        "    setrlimit(kind, (most, most))\n"
        "import test_grading; print(test_grading.graded(sys.argv[1], 'def double(n): return 2 * n'))"
    )
    command = [sys.executable, "-c", script, kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "ACCEPTED" in done.stdout, done
