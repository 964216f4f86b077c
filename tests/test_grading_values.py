"""What crosses between a check and the solution: instances of the prompt's classes, changes in place, iterators."""

import importlib.util

import pytest

from factories import executor, grade, make_problem
from lcb_rb.execution import Limits
from lcb_rb.schema import AssertTests, CallTests, StdinTests, Verdict

LIMITS = Limits(cpu_s=3)
CLASSES = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next

class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right

def listed(values):
    head = None
    for value in reversed(values):
        head = ListNode(value, head)
    return head

def values(node):
    found = []
    while node:
        found.append(node.val)
        node = node.next
    return found
"""
REVERSE = """
def f(head):
    before = None
    while head:
        head.next, before, head = before, head, head.next
    return before
"""


def checked(code, check, prompt="", reference=None, limits=LIMITS):
    """The result of a check whose body is given."""
    body = "\n".join(f"    {line}" for line in check.splitlines())
    tests = AssertTests(check=f"def check(candidate):\n{body}\n")
    problem = make_problem(tests=tests, entry_point="f", prompt=prompt, reference_solution=reference)
    return grade(problem, code, limits)


# ---- instances of the prompt's classes


@pytest.mark.parametrize(
    ("code", "check"),
    [
        (REVERSE, "assert values(candidate(listed([1, 2, 3]))) == [3, 2, 1]"),
        (REVERSE, "assert candidate(None) is None"),
        (REVERSE, "n = candidate(listed([1, 2]))\nassert type(n) is ListNode is type(n.next)"),
        ("def f(x): return listed(list(range(x)))", "assert values(candidate(10_000)) == list(range(10_000))"),
        ("def f(x): return x", "assert values(candidate(listed([1] * 10_000))) == [1] * 10_000"),
        ("def f(x): return len(values(x))", "assert candidate(listed([0] * 10_000)) == 10_000"),
        ("def f(x): return TreeNode(1, x, TreeNode(3))",
         "t = candidate(TreeNode(2))\nassert (t.left.val, t.right.val) == (2, 3)"),
        ("def f(x): x.next = x; return x", "node = candidate(ListNode(1))\nassert node.next is node and node.val == 1"),
        ("def f(x): return x.next.next is x",
         "a, b = ListNode(1), ListNode(2)\na.next, b.next = b, a\nassert candidate(a)"),
        ("def f(x): return [x, x]", "a, b = candidate(ListNode(1))\nassert a is b"),
        ("def f(xs): return [values(x) for x in xs]",
         "assert candidate([listed([1]), None, listed([2, 3])]) == [[1], [], [2, 3]]"),
        ("class ListNode:\n    pass\ndef f(x): x.val += 1; return x", "assert candidate(ListNode(1)).val == 2"),
    ],
)  # fmt: skip
def test_lists_and_trees_cross(code, check):
    found = checked(code, check, CLASSES)
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize(
    ("code", "check"),
    [
        ("def f(x): return listed([1, 2])", "assert values(candidate(1)) == [2, 1]"),
        ("class N(ListNode):\n    def __eq__(s, o): return True\ndef f(x): return N()", "assert candidate(1) == 5"),
        ("def f(x):\n    ListNode.__eq__ = lambda s, o: True\n    return ListNode()", "assert candidate(1) == 5"),
        ("def f(x):\n    n = ListNode(); n.val = type('E', (), {'__eq__': lambda s, o: True})(); return n",
         "assert candidate(1).val == 5"),
        ("def f(x):\n    n = ListNode(); n.__class__ = TreeNode; return n", "assert type(candidate(1)) is ListNode"),
    ],
)  # fmt: skip
def test_instances_carry_nothing_but_data(code, check):
    found = checked(code, check, CLASSES)
    assert found.passed is False, found


def test_a_class_of_the_solution_alone_does_not_cross():
    found = checked("class Own: pass\ndef f(x): return Own()", "assert candidate(1) == 5", CLASSES)
    assert found.verdict is Verdict.WRONG_ANSWER


# ---- changes in place


SORT = "def f(xs): xs.sort()"
CLEAR = "def f(xs): xs.clear(); return []"


@pytest.mark.parametrize("reference", [None, SORT, "def f(xs): xs[:] = sorted(xs)"])
@pytest.mark.parametrize(
    "code", [SORT, "def f(xs): xs[:] = sorted(xs)", "class Solution:\n    def f(self, xs): xs.sort()"]
)
def test_a_change_in_place_is_seen_where_the_test_is_about_it(code, reference):
    check = (
        "x = [3, 1, 2]\ncandidate(x)\nassert x == [1, 2, 3]\ny = [2, 1]\nassert candidate(y) is None and y == [1, 2]"
    )
    found = checked(code, check, reference=reference)
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize("kind", ["{1: [2]}", "{1, 2}", "bytearray(b'ab')", "[[1], [2]]"])
def test_every_container_can_be_changed_in_place(kind):
    changes = {"{": "x.update({5: 6} if isinstance(x, dict) else {5})", "b": "x.extend(b'c')", "[": "x[0].append(7)"}
    code = f"def f(x): {changes[kind[0]]}"
    check = (
        f"x, y = {kind}, {kind}\ncandidate(x)\nassert x != y\n{changes[kind[0]].replace('x', 'y', 1)}\nassert x == y"
    )
    found = checked(code, check.replace("isinstance(x", "isinstance(y"), reference=code)
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize("code", [CLEAR, "def f(xs): del xs[1:]; return xs", "def f(xs): xs[:] = [0]; return xs"])
@pytest.mark.parametrize("reference", ["def f(xs): return sorted(xs)", None])
def test_a_change_that_the_reference_does_not_make_never_reaches_the_tests_own_list(code, reference):
    found = checked(code, "xs = [3, 1]\nassert candidate(xs) == sorted(xs)", reference=reference)
    assert found.passed is False, found


def test_a_solution_may_change_what_the_test_does_not_look_at_again():
    code = "def f(xs):\n    found = []\n    while xs: found.append(xs.pop())\n    return sorted(found)"
    found = checked(code, "xs = [3, 1]\nassert candidate(xs) == [1, 3]", reference="def f(xs): return sorted(xs)")
    assert found.verdict is Verdict.ACCEPTED, found


# ---- iterators

LATE = """g = candidate(0)
assert next(g) == 1
try:
    next(g)
except ValueError as error:
    assert str(error) == 'late'
else:
    assert False"""


@pytest.mark.parametrize(
    ("code", "check"),
    [
        ("def f(x):\n    while True: yield x", "g = candidate(5)\nassert [next(g), next(g)] == [5, 5]"),
        ("import itertools\ndef f(x): return itertools.count(x)",
         "g = candidate(1)\nassert [next(g) for _ in range(2500)][-1] == 2500"),
        ("def f(x): yield from range(x)", "assert list(candidate(5000)) == list(range(5000))"),
        ("def f(x): return map(str, range(x))", "assert list(candidate(3)) == ['0', '1', '2']"),
        ("def f(x):\n    yield 1\n    raise ValueError('late')", LATE),
        ("def f(x): return iter(())", "assert next(candidate(0), None) is None"),
        ("def f(x): return {}.keys()", "assert list(candidate(0)) == []"),
        ("def f(x): return zip('ab', [1, 2])", "assert dict(candidate(0)) == {'a': 1, 'b': 2}"),
    ],
)  # fmt: skip
def test_iterators_are_read_as_the_test_reads_them(code, check):
    found = checked(code, check)
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    yield 1\n    raise StopIteration",
        "def f(x):\n    while True: pass\n    yield 1",
        "class I:\n    def __iter__(s): return s\n    def __next__(s): raise ValueError\ndef f(x): return I()",
        "def f(x): return iter([])",
    ],
)
def test_an_iterator_that_ends_early_fails(code):
    assert checked(code, "assert sum(candidate(0)) == 3", limits=Limits(cpu_s=0.3)).passed is False


def test_an_endless_iterator_in_a_list_ends_by_a_limit():
    code = "def f(x):\n    while True: yield x"
    found = checked(code, "assert list(candidate(0)) == []", limits=Limits(cpu_s=0.5))
    assert found.verdict in (Verdict.TIME_LIMIT, Verdict.OUTPUT_LIMIT, Verdict.WRONG_ANSWER), found


# ---- packages


NUMPY = "import numpy as np\ndef f(x): return int(np.arange(x).sum())"
PANDAS = "import pandas as pd\ndef f(x): return int(pd.DataFrame({'a': range(x)}).a.sum())"


@pytest.mark.parametrize(("package", "code"), [("numpy", NUMPY), ("pandas", PANDAS)])
@pytest.mark.parametrize("kind", ["call", "assert", "stdin"])
def test_solutions_may_use_packages_that_are_installed(package, code, kind):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"no {package}")
    tests = {
        "call": CallTests(fn_name="f", inputs=["5"], outputs=["10"]),
        "assert": AssertTests(check="def check(candidate): assert candidate(5) == 10"),
        "stdin": StdinTests(inputs=["5"], outputs=["10"]),
    }[kind]
    main = "\nprint(f(int(input())))" if kind == "stdin" else ""
    found = grade(make_problem(tests=tests, entry_point="f"), code + main)
    assert found.verdict is Verdict.ACCEPTED, found


def test_pandas_reserves_no_memory_that_its_limit_would_have_to_pay():
    if importlib.util.find_spec("pandas") is None:
        pytest.skip("no pandas")
    code = "import pandas, sys\ndef f(x): return sys.modules['pyarrow'].default_memory_pool().backend_name"
    found = grade(make_problem(tests=CallTests(fn_name="f", inputs=["5"], outputs=['"system"'])), code)
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("np.arange(3)", "[0, 1, 2]"),
        ("np.float64(0.5)", "0.5"),
        ("[np.int64(3)]", "[3]"),
        ("np.eye(2)", "[[1, 0], [0, 1]]"),
    ],
)
def test_numpys_values_count_as_pythons(value, expected):
    problem = make_problem(tests=CallTests(fn_name="f", inputs=["0"], outputs=[expected]))
    found = grade(problem, f"import numpy as np\ndef f(x): return {value}")
    assert found.verdict is Verdict.ACCEPTED, found


def test_a_package_is_as_shut_in_as_the_rest():
    code = "import numpy\ndef f(x):\n    try: numpy.fromfile('/etc/passwd')\n    except OSError: return 0"
    problem = make_problem(tests=CallTests(fn_name="f", inputs=["0"], outputs=["0"]))
    assert grade(problem, code).verdict is Verdict.ACCEPTED
    assert executor().level.value in ("full", "no-namespaces")
