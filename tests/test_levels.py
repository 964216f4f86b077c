"""The levels of isolation: found by trying, never a weaker one than asked for, with or without the extension module."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from factories import ROOT
from lcb_rb.errors import InputError
from lcb_rb.execution import Executor, Limits, executor, graders, require_isolation
from lcb_rb.execution.graders import LevelError
from lcb_rb.schema import Isolation, Verdict
from test_grading import PROBLEMS

RIGHT = "def double(n): return 2 * n\nif __name__ == '__main__': print(double(int(input())))"
WRONG = RIGHT.replace("2", "3")


def reached(*refused: str, arguments: str = "") -> str:
    """What an executor says in a process whose system calls of these names are refused, as Docker does."""
    script = f"""
import ctypes, struct, sys
sys.path.insert(0, {str(ROOT)!r})
from lcb_rb.execution.worker.syscalls import machine, numbers
names = {refused!r}
program = struct.pack("HBBI", 0x20, 0, 0, 0)
for name in names:
    program += struct.pack("HBBI", 0x15, 0, 1, numbers(machine())[name]) + struct.pack("HBBI", 6, 0, 0, 0x50001)
program += struct.pack("HBBI", 6, 0, 0, 0x7fff0000)
held = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, struct.pack("HP", len(program) // 8, ctypes.addressof(held)), 0, 0) == 0
from lcb_rb.errors import InputError
from lcb_rb.execution import Executor
from lcb_rb.schema import CallTests, Isolation, Problem
tests = CallTests(fn_name="f", inputs=["1"], outputs=["2"])
try:
    with Executor(1, {arguments}) as executor:
        found = executor.grade(Problem(id="p", source="", statement="", tests=tests), "def f(x): return x + 1")
        print(executor.level, found.verdict, found.isolation, *executor.reasons.values())
except InputError as error:
    print("refused:", error)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def at(level: Isolation, limits: Limits | None = None) -> Executor:
    """An executor; skips where the machine does not allow the level."""
    try:
        return Executor(1, level=level, limits=limits)
    except InputError as error:
        pytest.skip(str(error))


def test_without_namespaces_the_next_level_is_taken_and_the_reason_known():
    said = reached("unshare")
    assert said.startswith("no-namespaces ACCEPTED no-namespaces")
    assert "unshare: Operation not permitted" in said


def test_without_landlock_nothing_runs_unless_allowed():
    said = reached("unshare", "landlock_create_ruleset")
    assert said.startswith("refused: untrusted code cannot be run safely here")
    assert "landlock_create_ruleset: Operation not permitted" in said
    assert "--allow-weak-isolation" in said


def test_without_landlock_the_weakest_level_is_there_when_allowed():
    said = reached("unshare", "landlock_create_ruleset", arguments="least=Isolation.RLIMITS_ONLY")
    assert said.startswith("rlimits-only ACCEPTED rlimits-only"), said


@pytest.mark.parametrize("call", ["mount", "seccomp"])
def test_a_machine_that_allows_half_of_it_is_no_full_level(call):
    said = reached(call, arguments="level=Isolation.FULL")
    assert said.startswith("refused: "), said
    assert "full: " in said


@pytest.mark.parametrize("level", Isolation)
def test_every_kind_of_test_is_judged_at_every_level(level):
    with at(level) as made:
        for problem in PROBLEMS.values():
            for code, passed in [(RIGHT, True), (WRONG, False), (f"open('a', 'w').close()\n{RIGHT}", True)]:
                found = made.grade(problem, code)
                assert (found.isolation, found.passed) == (level, passed), found


def test_a_weaker_level_that_is_allowed_is_not_taken_without_need():
    with Executor(1) as strict, Executor(1, least=Isolation.RLIMITS_ONLY) as lax:
        assert lax.level is strict.level


def test_a_layer_that_does_not_hold_is_a_level_not_reached(monkeypatch):
    monkeypatch.setattr(executor, "probe", lambda grader, layer: "possible: a socket" if layer == "seccomp" else "")
    with pytest.raises(InputError, match="full: seccomp: possible: a socket; no-namespaces: seccomp: possible"):
        Executor(1)
    with Executor(1, least=Isolation.RLIMITS_ONLY) as made:
        assert made.level is Isolation.RLIMITS_ONLY


@pytest.mark.parametrize(
    ("layer", "told"), [("namespaces", "process id"), ("landlock", "/etc/passwd"), ("rlimits", "")]
)
def test_a_probe_finds_whether_a_layer_is_there(layer, told):
    grader = graders.Grader(Isolation.RLIMITS_ONLY)
    try:
        found = executor.probe(grader, layer)
        assert told in found
        assert bool(found) is bool(told)
    finally:
        grader.close()


def test_require_isolation_refuses_what_is_not_reached(monkeypatch):
    class Refused(graders.Grader):
        def __init__(self, level):
            if level != Isolation.RLIMITS_ONLY:
                raise LevelError("no")
            super().__init__(level)

    monkeypatch.setattr(executor, "Grader", Refused)
    require_isolation(Isolation.RLIMITS_ONLY)
    with pytest.raises(InputError, match="--allow-weak-isolation"):
        require_isolation(Isolation.NO_NAMESPACES)


@pytest.fixture
def without_extension(tmp_path, monkeypatch):
    """The worker as it is installed where no C compiler was."""
    shutil.copytree(Path(graders.__file__).parent / "worker", tmp_path / "worker", ignore=lambda *_: {"__pycache__"})
    for path in (tmp_path / "worker").glob("_syscalls*.so"):
        path.unlink()
    tmp_path.chmod(0o755)
    monkeypatch.setattr(graders, "__file__", str(tmp_path / "graders.py"))


def how(made: Executor) -> set[str]:
    return {grader.calls for grader in made._all}


@pytest.mark.parametrize("level", [Isolation.FULL, Isolation.RLIMITS_ONLY])
def test_without_the_extension_module_solutions_run_as_well(without_extension, level):
    with at(level, Limits(cpu_s=1)) as made:
        assert how(made) == {"ctypes"}
        for problem in PROBLEMS.values():
            assert made.grade(problem, RIGHT).verdict is Verdict.ACCEPTED
            assert made.grade(problem, WRONG).verdict is Verdict.WRONG_ANSWER


def test_without_the_extension_module_lookups_cannot_be_answered_and_the_level_is_not_reached(without_extension):
    with pytest.raises(InputError, match="no-namespaces: the extension module is not built"):
        Executor(1, level=Isolation.NO_NAMESPACES)


def test_with_the_extension_module_it_is_used():
    if not list((Path(graders.__file__).parent / "worker").glob("_syscalls*.so")):
        pytest.skip("the extension module is not built")
    with Executor(1) as made:
        assert how(made) == {"extension"}
