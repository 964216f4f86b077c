"""Solutions that cheat or attack the grader; each is harmless to the machine, and none may pass or stop the grader."""

import json
import time
import zlib

import pytest

from factories import executor, grade, make_problem
from lcb_rb.execution import Limits, grade_many
from lcb_rb.execution.worker.channel import frame
from lcb_rb.execution.worker.zygote import CHANNEL
from lcb_rb.schema import AssertTests, CallTests, Isolation, StdinTests, Verdict
from test_grading import HASTY, PROBLEMS, checked, every_kind, graded

FORGED = [
    {"value": True},
    {"done": "passed"},
    {"ready": True, "value": None},
    {"exit": 0},
    {"items": []},
    {"outcomes": {"assertions": [], "tests": 1, "bad": {}}},
    {"verdict": "ACCEPTED", "passed": True},
    {"found": {"verdict": "ACCEPTED", "message": "", "test_index": None}},
]
WRONG = "\ndef double(n): return -1\n"
SPRAY = f"""
import os
def spray(frames={[frame(reply) for reply in FORGED]!r}):
    for descriptor in range(1, 21):
        for frame in frames:
            try: os.write(descriptor, frame)
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
    "codec replaced": "import sys; sys.modules['worker.wire'].encode = lambda v: object()" + WRONG,
    "runner replaced": "import sys\nfor m in list(sys.modules.values()):\n"
    "    if hasattr(m, 'Answers'): m.Answers.to = lambda *a: {'value': True}\n" + WRONG,
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
    "thread answers": f"{SPRAY}\nimport os, threading\ndef double(n):\n    threading.Thread(target=spray).start()\n"
    "    threading.Event().wait(0.1); os._exit(0)",
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


def framed(text):
    """A frame whose text may be anything."""
    return len(text).to_bytes(4, "little") + text


HOSTILE_REPLIES = [
    b"",
    b"\0",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\x04" + b"{}",
    framed(b'{"value": 2}')[:-1],
    framed(b"\xff\xfe"),
    framed(b"[]"),
    framed(b"null"),
    framed(b'"value"'),
    framed(b"{}"),
    framed(b"[" * 10**5),
    framed(b"9" * 10**5),
    framed(b'{"value": {"float": "0x1p99999"}}'),
    framed(b'{"value": {"fraction": [1, 0]}}'),
    framed(b'{"value": {"set": [[]]}}'),
    framed(b'{"value": {"set": [' + b",".join(b"%d" % (i * (2**61 - 1)) for i in range(50_000)) + b"]}}"),
    framed(b'{"value": ' + b"[" * 900 + b"]" * 900 + b"}"),
    framed(b'{"value": {"ref": 0}}'),
    framed(b'{"value": {"heap": [[["Node", {"dict": []}]], {"ref": 0}]}}'),
    framed(b'{"items": 5}'),
    framed(b'{"items": [], "more": 99}'),
    framed(b'{"items": [2], "then": 5}'),
    framed(b'{"error": ["ValueError"]}'),
    framed(b'{"error": "ValueError", "message": {"a": 1}, "text": null}'),
    framed(b'{"error": "MemoryError"}'),
    framed(b'{"syntax": [1]}'),
    framed(b'{"unsendable": {"a": "\\ud800"}}'),
    framed(b'{"exit": 0}'),
    framed(b'{"exit": NaN}'),
    framed(b'{"exit": 99999, "message": []}'),
    framed(b'{"outcomes": {}}'),
]


@every_kind
@pytest.mark.parametrize("reply", HOSTILE_REPLIES, ids=[str(index) for index in range(len(HOSTILE_REPLIES))])
def test_a_hostile_reply_is_a_verdict_on_the_solution(kind, reply):
    packed = zlib.compress(reply)
    code = f"import os, zlib\ndef double(n):\n    os.write({CHANNEL}, zlib.decompress({packed!r}))\n    os._exit(0)"
    found = graded(kind, code)
    assert found.verdict not in (Verdict.ACCEPTED, Verdict.UNGRADED), found


def test_a_reply_written_by_the_solution_itself_is_data_like_any_other():
    problem = make_problem(tests=CallTests(fn_name="double", inputs=["1"], outputs=["2"]))
    for value, verdict in [(2, Verdict.ACCEPTED), (3, Verdict.WRONG_ANSWER)]:
        reply = frame({"value": value})
        assert grade(problem, f"import os\ndef double(n): os.write({CHANNEL}, {reply!r})").verdict is verdict


SECRET = "ANS-5d41402abc4b"
SEARCH = """
import ctypes, gc, glob, os, re, sys
PATTERN = re.compile(b"AN" + b"S-[0-9a-f]{12}")
def objects():
    yield repr(sys.argv) + repr(dict(os.environ)) + repr(list(sys.modules.values()))
    frame = sys._getframe()
    while frame:
        yield repr(frame.f_locals) + repr(frame.f_globals) + repr(frame.f_code.co_consts)
        frame = frame.f_back
    for item in gc.get_objects():
        yield repr(item) if type(item) in (str, list, dict, tuple) else ""
def files():
    for name in [*glob.glob("/proc/self/*"), *glob.glob("/proc/1/*"), *glob.glob("/tmp/*"), *glob.glob("*")]:
        try:
            with open(name, "rb") as stream:
                yield stream.read(10**6).decode("latin-1")
        except OSError:
            pass
    for descriptor in range(64):
        try:
            yield os.pread(descriptor, 10**6, 0).decode("latin-1") if descriptor else ""
        except OSError:
            pass
def memory(libc=ctypes.CDLL(None), step=2**16, reach=2**27):
    out, into = os.pipe()
    stack = ctypes.create_string_buffer(8)
    for near in (id(object()), id(bytearray(2**20)), id(sys), ctypes.addressof(stack), id([0] * 10**6)):
        for start in range(near // step * step - reach, near + reach, step):
            size = libc.write(into, ctypes.c_void_p(start), step)
            yield os.read(out, size).decode("latin-1") if size > 0 else ""
def double(n):
    for way in WAYS:
        for place in way():
            found = PATTERN.search(place.encode("latin-1", "replace"))
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
    code = f"{SEARCH}\nWAYS = [objects, files, memory]\nif __name__ == '__main__': print(double(1))"
    found = grade(problem, code, Limits(cpu_s=20))
    assert found.verdict is Verdict.WRONG_ANSWER, found


@pytest.mark.parametrize(
    ("way", "hide"),
    [
        ("objects", "def hide(text): return [text]"),
        ("memory", "def hide(text): return [text.encode()] * 10**5"),
        ("memory", "def hide(text): return bytes(10**7) + text.encode()"),
    ],
)
def test_the_search_for_the_expected_value_would_find_it(way, hide):
    word, code = SECRET[:3], SECRET[4:]
    problem = make_problem(tests=CallTests(fn_name="double", inputs=[""], outputs=[json.dumps(SECRET)]))
    held = f"{hide}\nWAYS, held = [{way}], hide('-'.join(({word!r}, {code!r})))"
    found = grade(problem, f"{SEARCH.replace('(n)', '()')}\n{held}", Limits(cpu_s=20))
    assert found.verdict is Verdict.ACCEPTED, found


def test_the_environment_is_scrubbed(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    code = "import os\ndef names(): return sorted(os.environ)\ndef values(): return sorted(set(os.environ.values()))"
    names = make_problem(tests=CallTests(fn_name="names", inputs=[""], outputs=['["HOME", "TMPDIR"]']))
    assert grade(names, code).verdict is Verdict.ACCEPTED
    if executor().level is Isolation.FULL:
        values = make_problem(tests=CallTests(fn_name="values", inputs=[""], outputs=['["/tmp"]']))
        assert grade(values, code).verdict is Verdict.ACCEPTED


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


def test_a_flood_of_100_mb_is_cut():
    code = "import os\nfor _ in range(100): os.write(1, b'x' * 10**6)\ndef double(n): return 2 * n"
    found = graded("stdin", code)
    assert found.verdict is Verdict.OUTPUT_LIMIT, found
    assert found.peak_mb < 100


def test_what_goes_to_stderr_goes_nowhere():
    code = "import os\nfor _ in range(100): os.write(2, b'x' * 10**6)\ndef double(n): return 2 * n"
    assert graded("stdin", code).verdict is Verdict.ACCEPTED


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
