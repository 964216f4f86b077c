"""After a run nothing is left: no process, no descriptor, no directory, whatever the solution did."""

import itertools
import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from factories import make_problem
from lcb_rb.execution import Limits, grade, grade_many
from lcb_rb.schema import StdinTests, Verdict
from test_grading import HASTY, PROBLEMS, every_kind, graded

RIGHT = "\ndef double(n): return 2 * n\n"
ENDINGS = {
    "accepted": RIGHT,
    "wrong": "def double(n): return 0",
    "syntax error": "def double(n:",
    "too slow": "def double(n):\n    while True: pass",
    "killed": "import os\ndef double(n): os.kill(os.getpid(), 9)",
    "gone": "import os\nos._exit(0)",
    "out of memory": "held = bytearray(10**9)",
    "flood": "import os\ndef double(n):\n    while True: os.write(4, b'x' * 10**6)",
}
LITTER = {
    "deep tree": "import os\nfor _ in range(1100): os.mkdir('d'); os.chdir('d')\n",
    "wide tree": "import os\nfor i in range(50): os.makedirs(f'{i}/a/b'); open(f'{i}/a/b/c', 'w').close()\n",
    "locked directory": "import os\nos.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0)\n",
    "locked itself": "import os\nos.chmod('.', 0)\n",
    "removed itself": "import os, shutil\nshutil.rmtree(os.getcwd())\n",
    "links": "import os\nos.symlink('/', 'root'); os.symlink('.', 'loop'); os.symlink('nowhere', 'broken')\n",
    "link in its place": "import os\nhere = os.getcwd(); os.rmdir(here); os.symlink('{outside}', here)\n",
    "pipe and socket": "import os, socket\nos.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')\n",
    "temporary files": "import tempfile\ntempfile.mkdtemp(); tempfile.mkstemp()\n",
    "home": "import os\nos.makedirs(os.path.expanduser(f'~/{os.getpid()}/x'))\n",
    "odd names": "import os\nopen(b'\\xff\\n-rf', 'w').close(); os.mkdir('-rf'); os.mkdir(' ')\n",
}


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The place where graders make their directories."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def children():
    """Whether this process has a child, alive or not reaped."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def ends(pid, within_s=10.0):
    """Whether a process that is no child of ours ends soon; a kill takes effect a moment after it was sent."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
    return False


@every_kind
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left(scratch, kind, ending):
    before = descriptors()
    graded(kind, ENDINGS[ending], HASTY)
    assert not children()
    assert descriptors() == before
    assert list(scratch.iterdir()) == []


@every_kind
@pytest.mark.parametrize("litter", LITTER)
def test_litter_is_removed_and_does_not_change_the_verdict(scratch, tmp_path, kind, litter):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    code = LITTER[litter].replace("{outside}", str(outside))
    if kind == "stdin":  # its program must still find its streams when it has finished
        own = "home, own = os.open('.', os.O_RDONLY), str(os.getpid())\nos.mkdir(own); os.chdir(own)"
        code = f"import os\n{own}\n{code}"
        code += "\nos.chmod(home, 0o700); os.fchdir(home)\n"
    assert graded(kind, code + RIGHT, Limits(cpu_s=3)).verdict is Verdict.ACCEPTED
    assert list(scratch.iterdir()) == []
    assert (outside / "precious").read_text() == "kept"


@pytest.mark.parametrize(
    "trap",
    [
        "os.unlink('stdout'); os.mkfifo('stdout')",
        "os.unlink('stdout'); os.mkdir('stdout')",
        "os.unlink('stdout'); os.symlink('/dev/zero', 'stdout')",
        "os.unlink('stdin'); os.mkdir('stdin')",
        "os.unlink('stdout')",
        "os.chdir('/'); __import__('shutil').rmtree(os.environ['HOME'])",
    ],
)
def test_a_program_that_spoils_its_streams_fails(scratch, trap):
    found = graded("stdin", f"import os\n{trap}\n{RIGHT}", HASTY)
    assert found.verdict not in (Verdict.ACCEPTED, Verdict.UNGRADED), found
    assert list(scratch.iterdir()) == []


@every_kind
def test_orphans_in_the_same_session_are_killed(tmp_path, kind):
    note = tmp_path / "pids"
    code = (
        "import os, time\ndef double(n):\n    pid = os.fork()\n    if pid == 0: time.sleep(3600)\n"
        f"    with open({str(note)!r}, 'a') as stream: stream.write(f'{{pid}} ')\n    return 2 * n"
    )
    assert graded(kind, code).verdict is Verdict.ACCEPTED
    pids = note.read_text().split()
    assert len(pids) == 2
    assert all(map(ends, pids))


@every_kind
def test_a_solution_whose_grader_is_gone_ends_by_an_alarm(kind):
    code = "import signal\ndef double(n): return 2 * n if 1 < signal.getitimer(signal.ITIMER_REAL)[0] < 600 else 0"
    assert graded(kind, code).verdict is Verdict.ACCEPTED


def test_an_abandoned_iterator_stops_its_graders(scratch):
    before, threads = descriptors(), threading.active_count()
    items = ((PROBLEMS["call"], RIGHT) for _ in itertools.count())
    results = grade_many(items, workers=2)
    assert next(results).verdict is Verdict.ACCEPTED
    results.close()
    assert not children()
    assert (descriptors(), threading.active_count()) == (before, threads)
    assert list(scratch.iterdir()) == []


def test_many_samples_at_once_leave_nothing(scratch):
    before = descriptors()
    problem = make_problem(tests=StdinTests(inputs=["1"], outputs=["2"]))
    verdicts = {found.verdict for found in grade_many([(problem, "print(2)")] * 20, workers=8)}
    assert verdicts == {Verdict.ACCEPTED}
    assert not children()
    assert descriptors() == before
    assert list(scratch.iterdir()) == []


def test_a_place_that_cannot_be_written_leaves_the_sample_ungraded(scratch, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(scratch / "missing"))
    found = grade(PROBLEMS["call"], RIGHT)
    assert found.verdict is Verdict.UNGRADED
    assert "No such file" in found.message
