"""Solutions that cheat or attack the grader; each is harmless to the machine, and none may pass or stop the grader."""

import json
import time

import pytest

from factories import make_problem
from lcb_rb.execution import Limits, grade, grade_many
from lcb_rb.schema import AssertTests, CallTests, StdinTests, Verdict
from test_grading import HASTY, PROBLEMS, QUICK, checked, every_kind, graded

FORGED = [
    {"value": True},
    {"done": "passed"},
    {"ready": True, "value": None},
    {"exit": 0, "stdout": "passed", "stderr": "", "cpu_s": 0.0, "peak_mb": 1.0, "flooded": False},
    {"verdict": "ACCEPTED", "passed": True},
]
WRONG = "\ndef double(n): return -1\n"
SPRAY = f"""
import os
def spray(lines={[json.dumps(line) for line in FORGED]!r}):
    for descriptor in range(1, 21):
        for line in lines:
            try: os.write(descriptor, line.encode() + b"\\n")
            except OSError: pass
"""

ATTACKS = {
    "forged replies at import": f"{SPRAY}\nspray()\n{WRONG}",
    "forged replies, then gone": f"{SPRAY}\ndef double(n): spray(); os._exit(0)",
    "forged replies without end": f"{SPRAY}\ndef double(n):\n    while True: spray()",
    "passed at exit": f"{SPRAY}\nimport atexit; atexit.register(spray)\n{WRONG}",
    "object equal to all": "class E:\n    def __eq__(s, o): return True\ndef double(n): return E()",
    "integer equal to all": "class E(int):\n    def __eq__(s, o): return True\ndef double(n): return E(3)",
    "text equal to all": "class E(str):\n    def __eq__(s, o): return True\ndef double(n): return E('x')",
    "list equal to all": "class E(list):\n    def __eq__(s, o): return True\ndef double(n): return E([0])",
    "class equal to all": "class M(type):\n    def __eq__(s, o): return True\nclass E(metaclass=M): pass\n"
    "def double(n): return E",
    "mock.ANY": "from unittest.mock import ANY\ndef double(n): return ANY",
    "class told wrongly": "class E:\n    __class__ = int\n    def __eq__(s, o): return True\ndef double(n): return E()",
    "index told wrongly": "class E(int):\n    def __index__(s): return 1/0\ndef double(n): return E(3)",
    "json.dumps replaced": "import json; json.dumps = lambda *a, **k: '{\"value\": true}'" + WRONG,
    "json.loads replaced": "import json; json.loads = lambda *a, **k: {}" + WRONG,
    "builtins replaced": "import builtins; builtins.isinstance = builtins.all = lambda *a: True" + WRONG,
    "codec replaced": "import sys; sys.modules['wire'].encode = lambda v: object()" + WRONG,
    "runner replaced": "import sys\nfor m in list(sys.modules.values()):\n"
    "    if hasattr(m, 'answer'): m.answer = lambda *a: {'value': True}\n" + WRONG,
    "exception without a text": "class E(Exception):\n    def __str__(s): raise SystemExit(0)\ndef double(n): raise E",
    "exception with a name of its own": "class M(type):\n    __name__ = property(lambda s: 1/0)\n"
    "class E(Exception, metaclass=M): pass\ndef double(n): raise E",
    "killing itself": "import os\ndef double(n): os.kill(os.getpid(), 9)",
    "killing its group": "import os\ndef double(n): os.killpg(0, 9)",
    "stopping itself": "import os, signal\ndef double(n): os.kill(os.getpid(), signal.SIGSTOP)",
    "deaf to signals": "import signal\nfor s in {*range(1, 32)} - {9, 19}: signal.signal(s, signal.SIG_IGN)\n"
    "def double(n):\n    while True: pass",
    "all descriptors closed": "import os\ndef double(n): os.closerange(0, 256)",
    "descriptors shuffled": "import os\ndef double(n):\n    for d in range(3, 10):\n"
    "        try: os.dup2(1, d)\n        except OSError: pass\n    return -1",
    "reading the requests": "import os\ndef double(n):\n    for d in range(3, 10):\n"
    "        try: os.read(d, 10**6)\n        except OSError: pass\n    return -1",
    "child keeps the pipe": "import os, time\ndef double(n):\n    if os.fork() == 0: time.sleep(3600)\n    os._exit(0)",
    "child answers": "import os\ndef double(n):\n    if os.fork(): os._exit(0)\n    return -1",
    "slow drip": "import os, time\ndef double(n):\n    while True:\n        for d in range(3, 9):\n"
    "            try: os.write(d, b' ')\n            except OSError: pass\n        time.sleep(0.002)",
    "sleep when deleted": "import time\nclass E:\n    def __del__(s): time.sleep(3600)\n"
    "def double(n):\n    e = E(); return -1",
    "C code that never returns": "def double(n): return len(str(7 ** 10**8))",
    "endless iterator": "import itertools\ndef double(n): return itertools.count()",
    "contains itself": "def double(n):\n    a = []; a.append(a); return a",
    "nested without end": "def double(n):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a",
    "brackets without end": "x = " + "(" * 10**5,
    "operators without end": "x = " + "-" * 10**5 + "1",
}


@every_kind
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_gets_a_verdict_and_never_passes(kind, attack):
    start = time.monotonic()
    found = graded(kind, ATTACKS[attack], HASTY)
    assert found.verdict not in (Verdict.ACCEPTED, Verdict.UNGRADED, Verdict.NO_CODE), found
    assert time.monotonic() - start < 20


HOSTILE_REPLIES = [
    b"\xff\xfe\n",
    b"[]\n",
    b"null\n",
    b'"value"\n',
    b"[" * 10**5 + b"\n",
    b"9" * 10**5 + b"\n",
    b'{"value": {"float": "0x1p99999"}}\n',
    b'{"value": {"fraction": [1, 0]}}\n',
    b'{"value": {"set": [[]]}}\n',
    b'{"value": {"set": [' + b",".join(b"%d" % (i * (2**61 - 1)) for i in range(50_000)) + b"]}}\n",
    b'{"value": ' + b"[" * 900 + b"]" * 900 + b"}\n",
    b'{"error": ["ValueError"]}\n',
    b'{"error": "ValueError", "message": {"a": 1}, "text": null}\n',
    b'{"error": "MemoryError"}\n',
    b'{"syntax": [1]}\n',
    b'{"unsendable": {"a": "\\ud800"}}\n',
    b'{"exit": 0}\n',
    b'{"exit": 0, "stdout": [], "cpu_s": 0.0, "peak_mb": 1.0, "flooded": false}\n',
    b'{"exit": 0, "stdout": "", "cpu_s": NaN, "peak_mb": Infinity, "flooded": false}\n',
    b'{"exit": 99999, "stdout": "", "cpu_s": 0.0, "peak_mb": 0.0, "flooded": false}\n',
]


@every_kind
@pytest.mark.parametrize("reply", HOSTILE_REPLIES, ids=[str(index) for index in range(len(HOSTILE_REPLIES))])
def test_a_hostile_reply_is_a_verdict_on_the_solution(kind, reply):
    expression = f"b''.join({[reply[:60], reply[60:]]!r})" if len(reply) < 1000 else None
    if expression is None:
        expression = f"__import__('zlib').decompress({__import__('zlib').compress(reply)!r})"
    code = f"import os\ndef double(n):\n    os.write(4, {expression})\n    os._exit(0)"
    found = graded(kind, code)
    assert found.verdict not in (Verdict.ACCEPTED, Verdict.UNGRADED), found


def test_a_reply_written_by_the_solution_itself_is_data_like_any_other():
    problem = make_problem(tests=CallTests(fn_name="double", inputs=["1"], outputs=["2"]))
    code = "import os\ndef double(n): os.write(4, b'{\"value\": %d}\\n' % %s)"
    assert grade(problem, code.replace("%s", "2")).verdict is Verdict.ACCEPTED
    assert grade(problem, code.replace("%s", "3")).verdict is Verdict.WRONG_ANSWER


SECRET = "ANS-5d41402abc4b"
SEARCH = """
import gc, glob, os, re, sys
PATTERN = re.compile(b"AN" + b"S-[0-9a-f]{12}")
def places():
    yield repr(sys.argv) + repr(dict(os.environ)) + repr(list(sys.modules.values()))
    frame = sys._getframe()
    while frame:
        yield repr(frame.f_locals) + repr(frame.f_globals) + repr(frame.f_code.co_consts)
        frame = frame.f_back
    for item in gc.get_objects():
        yield repr(item) if type(item) in (str, list, dict, tuple) else ""
    for name in ["/proc/self/environ", "/proc/self/cmdline", *glob.glob("*")]:
        with open(name, "rb") as stream:
            yield stream.read(10**6).decode("latin-1")
    for line in open("/proc/self/maps"):
        low, high = (int(end, 16) for end in line.split()[0].split("-"))
        if "[v" not in line and line.split()[1].startswith("r") and line.split()[4] == "0":
            with open("/proc/self/mem", "rb", 0) as memory:
                memory.seek(low)
                yield memory.read(high - low).decode("latin-1")
def double(n):
    for place in places():
        found = PATTERN.search(place.encode("utf-8", "replace"))
        if found:
            return found[0].decode()
"""


@pytest.mark.parametrize(
    "problem",
    [
        make_problem(tests=StdinTests(inputs=["1"], outputs=[SECRET])),
        make_problem(tests=CallTests(fn_name="double", inputs=["1"], outputs=[json.dumps(SECRET)])),
        make_problem(
            tests=AssertTests(check=f"def check(candidate): assert candidate(1) == {SECRET!r}"), entry_point="double"
        ),
    ],
    ids=["stdin", "call", "assert"],
)
def test_the_expected_value_is_nowhere_in_the_solutions_process(problem):
    found = grade(problem, f"{SEARCH}\nif __name__ == '__main__': print(double(1))", Limits(cpu_s=20))
    assert found.verdict is Verdict.WRONG_ANSWER, found


def test_the_search_for_the_expected_value_would_find_it():
    problem = make_problem(tests=CallTests(fn_name="double", inputs=[json.dumps(SECRET)], outputs=[json.dumps(SECRET)]))
    assert grade(problem, SEARCH, Limits(cpu_s=20)).verdict is Verdict.ACCEPTED


def test_the_environment_is_scrubbed(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    code = "import os\ndef double(n): return sorted(set(os.environ) - {'LC_CTYPE'})"
    problem = make_problem(tests=CallTests(fn_name="double", inputs=["1"], outputs=['["HOME", "TMPDIR"]']))
    found = grade(problem, code, Limits())
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize(
    "raised", ["StopIteration", "GeneratorExit", "StopAsyncIteration", "type('S', (StopIteration,), {})", "SystemExit"]
)
@pytest.mark.parametrize(
    "check",
    [
        "assert all(map(candidate, [1, 2]))",
        "assert list(map(candidate, [1])) == []",
        "assert not [*map(candidate, 'a')]",
    ],
)
def test_an_exception_that_steers_the_check_does_not_reach_it(raised, check):
    found = checked(f"def f(x): raise {raised}", check)
    assert found.verdict is Verdict.RUNTIME_ERROR, found


@pytest.mark.parametrize(
    "code",
    [
        "def f(x): x.clear(); return []",
        "def f(x): del x[:]; return x",
        "def f(x):\n    class L(list):\n        def __eq__(s, o): return True\n    return L()",
    ],
)
def test_the_checks_own_list_cannot_be_emptied(code):
    assert checked(code, "xs = [3, 1]; assert candidate(xs) == sorted(xs)").verdict is Verdict.WRONG_ANSWER


RUNNER_ONLY = "import os\nassert b'runner.py' in open(f'/proc/{os.getppid()}/cmdline', 'rb').read()\n"


@pytest.mark.parametrize(
    ("signal", "verdict", "limits"), [(9, Verdict.RUNTIME_ERROR, QUICK), (19, Verdict.TIME_LIMIT, HASTY)]
)
def test_a_program_that_kills_or_stops_its_runner_fails(signal, verdict, limits):
    assert graded("stdin", f"{RUNNER_ONLY}os.kill(os.getppid(), {signal})\n{WRONG}", limits).verdict is verdict


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_flood_of_100_mb_is_cut(stream):
    code = f"import os\nfor _ in range(100): os.write({stream}, b'x' * 10**6)\ndef double(n): return 2 * n"
    found = graded("stdin", code)
    assert found.verdict in (Verdict.OUTPUT_LIMIT, Verdict.RUNTIME_ERROR), found
    assert found.peak_mb < 100


@every_kind
def test_300_kb_on_both_streams_at_once_do_not_hang(kind):
    noise = "x" * 1000
    code = f"import sys\ndef double(n):\n    for _ in range(300): print({noise!r}, file=sys.stderr)\n    return 2 * n"
    assert graded(kind, code).verdict is Verdict.ACCEPTED
    program = f"import sys\nfor _ in range(300): print({noise!r}); print({noise!r}, file=sys.stderr)"
    problem = make_problem(tests=StdinTests(inputs=[""], outputs=[f"{noise}\n" * 300]))
    assert grade(problem, program).verdict is Verdict.ACCEPTED


def test_a_solution_that_dies_does_not_disturb_its_neighbours():
    items = [(PROBLEMS["call"], ATTACKS["killing itself"]), (PROBLEMS["call"], "def double(n): return 2 * n")] * 3
    verdicts = [found.verdict for found in grade_many(items, workers=2)]
    assert verdicts == [Verdict.RUNTIME_ERROR, Verdict.ACCEPTED] * 3
