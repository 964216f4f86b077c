"""Processes of the executor are killed, or its own process: verdicts stay right, and nothing stays behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from factories import ROOT
from lcb_rb.errors import InputError
from lcb_rb.execution import Executor, Limits
from lcb_rb.schema import Isolation, Verdict
from lcb_rb.sources import STARTER, read_problems, read_samples
from processes import alive, below, children, descriptors, parents, resident_mb, within, zombies
from test_executor import ASLEEP, DOUBLE, LOOP, RIGHT, WRONG, distinct

SLOW, SLOW_WRONG = ASLEEP.format(1.0), ASLEEP.format(2.5).replace("2 * n", "3 * n")  # which ends at its first test


def graders(made, known=None):
    """The processes that judge."""
    return {grader.pid for grader in made._all}


def zygotes(made, known=None):
    """The processes that samples are forked from."""
    return {child for grader in graders(made) for child in children(grader, known)}


class Samples:
    """Knows the processes of samples: they are below a zygote and were not there when the executor was idle."""

    def __init__(self, made):
        self.made, self.idle = made, below(os.getpid())

    def run_below(self, part):
        """The processes of a kind that one runs below, by one look at the machine: a sample is short."""
        known = parents()
        deepest = {pid for pid in below(os.getpid(), known) if not children(pid, known)}
        run = deepest - self.idle - graders(self.made) - zygotes(self.made, known)
        return {pid for pid in part(self.made, known) if below(pid, known) & run}


@pytest.mark.parametrize(
    ("level", "part", "code", "verdict"),
    [
        (Isolation.FULL, graders, SLOW, Verdict.ACCEPTED),
        (Isolation.FULL, zygotes, SLOW_WRONG, Verdict.WRONG_ANSWER),
        (Isolation.NO_NAMESPACES, graders, SLOW_WRONG, Verdict.WRONG_ANSWER),
        (Isolation.NO_NAMESPACES, zygotes, SLOW, Verdict.ACCEPTED),
    ],
    ids=["full-grader", "full-zygote", "no-namespaces-grader", "no-namespaces-zygote"],
)
def test_a_sample_whose_grader_is_killed_is_graded_again(level, part, code, verdict):
    try:
        made = Executor(1, level=level)
    except InputError as error:
        pytest.skip(str(error))
    with made:
        samples = Samples(made)
        future = made.submit(DOUBLE, code)
        killed = 0
        while not killed:
            assert not future.done(), future.result()
            killed = max(samples.run_below(part), default=0)
        family = {killed} | below(killed)
        os.kill(killed, signal.SIGKILL)
        assert future.result().verdict is verdict, future.result()
        assert within(2, lambda: not alive(family))
        assert not zombies(os.getpid())
        assert made.grade(DOUBLE, RIGHT).passed


def hunted(made, part):
    """The result of a sample while every process of a kind is killed as soon as it is seen to run a sample."""
    samples = Samples(made)
    future = made.submit(DOUBLE, SLOW)
    killed = set()
    while not future.done():
        for pid in samples.run_below(part) - killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
    assert len(killed) >= 2
    return future.result()


@pytest.mark.parametrize("part", [graders, zygotes])
def test_a_sample_whose_grader_is_killed_again_is_ungraded_and_the_next_is_not(part):
    with Executor(1) as made:
        found = hunted(made, part)
        assert (found.verdict, found.passed) == (Verdict.UNGRADED, None), found
        assert found.message
        assert made.grade(DOUBLE, RIGHT).verdict is Verdict.ACCEPTED
        assert within(2, lambda: not zombies(os.getpid()))


def test_a_failure_of_the_instrument_is_not_kept_for_the_same_sample():
    with Executor(1) as made:
        assert hunted(made, graders).verdict is Verdict.UNGRADED
        assert made.grade(DOUBLE, SLOW).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("level", [Isolation.FULL, Isolation.NO_NAMESPACES])
def test_the_whole_process_killed_leaves_no_child_alive(level):
    script = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from test_executor import *
from lcb_rb.schema import Isolation
try:
    made = Executor(3, level=Isolation({level.value!r}), limits=Limits(cpu_s=60))
except Exception:
    sys.exit(print("no"))
thread = "\\nimport threading; threading.Thread(target=double, args=[1]).start()"
codes = [LOOP, ASLEEP.format(3600), LOOP + thread]
futures = [made.submit(DOUBLE, code) for code in codes]
print("started", flush=True)
[future.result() for future in futures]
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        if process.stdout.readline() != "started\n":
            pytest.skip(f"no {level}")
        deep = 4 if level is Isolation.FULL else 3
        assert within(30, lambda: len(below(process.pid)) >= 3 * deep)
        time.sleep(0.2)
        family = below(process.pid)
        process.kill()
        assert within(1, lambda: not alive(family)), alive(family)


KINDS = [
    RIGHT,
    WRONG,
    "def double(n): return n // 0",
    "held = bytearray(10**9)",
    "import os\ndef double(n): os._exit(0)",
    "def double(n): return 'x' * 10**6",
    "import sys\nprint('x' * 10**5)\ndef double(n): raise SystemExit",
    "open('a', 'w').write('x' * 10**6)\n" + RIGHT,
    "def double(n:",
    ASLEEP.format(0.01),
]


def test_descriptors_threads_and_memory_stay_constant_over_200_samples():
    limits = Limits(cpu_s=0.3, memory_mb=256, output_mb=1)
    others = below(os.getpid())
    with Executor(2, limits=limits) as made:

        def graded(numbers):
            items = [(DOUBLE, distinct(LOOP if n % 40 == 0 else KINDS[n % len(KINDS)], n)) for n in numbers]
            return [found.verdict for found in made.grade_many(items)]

        assert Verdict.UNGRADED not in graded(range(40))
        family = below(os.getpid())
        known = family - others
        before = descriptors(), threading.active_count(), resident_mb(os.getpid())
        theirs = {pid: resident_mb(pid) for pid in graders(made)}
        verdicts = graded(range(1000, 1200))
        assert len(verdicts) == 200
        assert Verdict.UNGRADED not in verdicts
        assert {Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT} <= set(verdicts)
        assert not zombies(os.getpid())
        assert len(below(os.getpid()) - family) <= 3 * 2  # another grader may have been started while one slept
        assert descriptors() <= before[0] + 4
        assert threading.active_count() <= 2 * 4 + before[1]
        assert resident_mb(os.getpid()) - before[2] < 20
        assert all(resident_mb(pid) - size < 20 for pid, size in theirs.items())
    assert within(1, lambda: not alive(known))


def test_verdicts_do_not_change_while_the_machine_is_busy():
    problems = read_problems([Path(STARTER)])
    samples = read_samples([Path(STARTER)]).samples[::15]
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        with Executor(2, limits=Limits(cpu_s=2)) as made:
            results = made.grade_many((problems[sample.problem_id], sample.code) for sample in samples)
            for sample, found in zip(samples, results, strict=True):
                assert found.passed is (sample.metadata.get("mistake") in (None, "lucky")), (sample.id, found)
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_cpu_limit_counts_cpu_time_while_the_machine_is_busy():
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    code = "def double(n):\n    for _ in range(5 * 10**6): pass\n    return 2 * n"
    try:
        with Executor(1) as made:
            needed = made.grade(DOUBLE, code)
            assert needed.passed
            enough = Limits(cpu_s=needed.cpu_s * 2, wall_factor=1.5)
            assert made.grade(DOUBLE, distinct(code, 1), enough).passed
            assert made.grade(DOUBLE, code, Limits(cpu_s=needed.cpu_s / 20)).verdict is Verdict.TIME_LIMIT
    finally:
        for process in busy:
            process.kill()
            process.wait()
