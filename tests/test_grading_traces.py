"""After a sample nothing is left of it: no process, no descriptor, no directory, whatever the solution did."""

import os
import re
import threading
from pathlib import Path

import pytest

from factories import make_problem
from lcb_rb.errors import InputError
from lcb_rb.execution import Executor, Limits, grade_many
from lcb_rb.schema import CallTests, Isolation, StdinTests, Verdict
from processes import below, descriptors
from test_grading import HASTY, PROBLEMS, every_kind, without_stdin

RIGHT = "\ndef double(n): return 2 * n\nif __name__ == '__main__': print(double(int(input())))\n"
ENDINGS = {
    "accepted": RIGHT,
    "wrong": "def double(n): return 0\nprint(0)",
    "syntax error": "def double(n:",
    "too slow": "def double(n):\n    while True: pass\ndouble(1)",
    "asleep": "import time\ntime.sleep(3600)",
    "killed": "import ctypes\nctypes.string_at(0)",
    "gone": "import os\nos._exit(0)",
    "out of memory": "held = bytearray(10**9)",
    "flood": "import os\nwhile True: os.write(3, b'x' * 10**6)",
    "threads": "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=[3600]).start()"
    + RIGHT,
    "files": "open('a', 'w').write('x' * 10**6)" + RIGHT,
}
LITTER = {
    "deep tree": "for _ in range(1100): os.mkdir('d'); os.chdir('d')",
    "wide tree": "for i in range(50): os.makedirs(f'{i}/a/b'); open(f'{i}/a/b/c', 'w').close()",
    "locked directory": "os.makedirs('a/b/c', 0o000)",
    "locked itself": "os.mkdir('a'); os.chmod('.', 0)",
    "removed itself": "shutil.rmtree(os.getcwd(), ignore_errors=True)",
    "links": "os.symlink('/', 'root'); os.symlink('.', 'loop'); os.symlink('nowhere', 'broken')",
    "link in its place": "here = os.getcwd(); os.rmdir(here); os.symlink('/', here)",
    "pipe": "os.mkfifo('fifo')",
    "temporary files": "tempfile.mkdtemp(); tempfile.mkstemp()",
    "home": "os.makedirs(os.path.expanduser('~/a/x'))",
    "odd names": "open(b'\\xff\\n-rf', 'w').close(); os.mkdir('-rf'); os.mkdir(' ')",
    "sparse file": "open('big', 'w').truncate(10**6)",
}


@pytest.fixture(scope="module", params=[Isolation.FULL, Isolation.NO_NAMESPACES])
def warm(request):
    """One grader that has done every kind of test, so that it has all the processes it needs."""
    try:
        made = Executor(1, level=request.param, deduplicate=False)
    except InputError as error:
        pytest.skip(str(error))
    with made:
        for problem in PROBLEMS.values():
            assert made.grade(problem, RIGHT).verdict is Verdict.ACCEPTED
        yield made


def held():
    """The graders, and how many descriptors each has open."""
    return {pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in below(os.getpid())}


@every_kind
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left(warm, kind, ending):
    before, processes = descriptors(), held()
    found = warm.grade(PROBLEMS[kind], ENDINGS[ending], HASTY)
    assert found.verdict is not Verdict.UNGRADED, found
    assert held() == processes
    assert descriptors() == before


@every_kind
@pytest.mark.parametrize("litter", LITTER)
def test_litter_does_not_change_the_verdict(warm, kind, litter):
    code = f"import os, shutil, tempfile\ntry:\n    {LITTER[litter]}\nexcept OSError: pass\n{RIGHT}"
    assert warm.grade(PROBLEMS[kind], code, Limits(cpu_s=3)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("litter", LITTER)
def test_litter_is_removed(warm, litter):
    trap = f"import os, shutil, tempfile\nhere = os.getcwd()\ntry:\n    {LITTER[litter]}\nexcept OSError: pass\n"
    code = f"{trap}def double(n): raise ValueError(here)"
    place = re.fullmatch("ValueError: (.+)", warm.grade(PROBLEMS["call"], code, Limits(cpu_s=3)).message)[1]
    if warm.level is Isolation.FULL:
        assert place == "/tmp"  # of its own
    else:
        assert Path(place).name.startswith("recode-")
        assert not Path(place).exists() and not Path(place).is_symlink()


@without_stdin
def test_what_a_sample_wrote_is_not_there_for_the_next(warm, kind):
    code = "def double(n):\n    try: return len(open('left').read())\n    finally: open('left', 'w').write('xx')"
    for _ in range(2):
        found = warm.grade(PROBLEMS[kind], code)
        assert (found.verdict, found.message[:17]) == (Verdict.RUNTIME_ERROR, "FileNotFoundError"), found


@pytest.mark.parametrize(
    "trap",
    [
        "os.close(1)",
        "os.dup2(0, 1)",
        "os.close(0)",
        "os.ftruncate(0, 0)",
        "os.dup2(os.open('/dev/null', os.O_RDWR), 1)",
        "os.lseek(0, 0, os.SEEK_END)",
    ],
)
def test_a_program_that_spoils_its_streams_fails_by_its_own_fault(warm, trap):
    found = warm.grade(PROBLEMS["stdin"], f"import os\n{trap}\n{RIGHT}", HASTY)
    assert found.verdict in (Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR), found


def test_a_program_cannot_change_the_inputs_that_follow(warm):
    tests = StdinTests(inputs=["1", "2"], outputs=["2", "4"])
    code = "import os\nprint(2 * int(input()), flush=True)\nos.ftruncate(0, 0); os.pwrite(0, b'9' * 9, 0)"
    assert warm.grade(make_problem(tests=tests), code).verdict is Verdict.ACCEPTED


def test_a_scratch_directory_holds_nothing_but_what_the_sample_wrote(warm):
    tests = CallTests(fn_name="f", inputs=["1"], outputs=["[]"])
    code = "import os\ndef f(x): open('a', 'w').close(); os.unlink('a'); return os.listdir('.')"
    assert warm.grade(make_problem(tests=tests), code).verdict is Verdict.ACCEPTED


def test_an_abandoned_iterator_stops_its_graders():
    before, threads, processes = descriptors(), threading.active_count(), below(os.getpid())

    def items():
        while True:
            yield PROBLEMS["call"], RIGHT

    results = grade_many(items(), workers=2)
    assert next(results).verdict is Verdict.ACCEPTED
    assert below(os.getpid()) > processes
    results.close()
    assert below(os.getpid()) == processes
    assert (descriptors(), threading.active_count()) == (before, threads)


def test_many_samples_at_once_leave_nothing(warm):
    before, processes = descriptors(), held()
    problem = make_problem(tests=StdinTests(inputs=["1"], outputs=["2"]))
    items = [(problem, f"open('a', 'w').close()\nprint(2)  # {number}") for number in range(20)]
    with Executor(4, level=warm.level) as executor:
        assert {found.verdict for found in executor.grade_many(items)} == {Verdict.ACCEPTED}
    assert held() == processes
    assert descriptors() == before
