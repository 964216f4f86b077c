"""`recode doctor --sandbox`: what of the sandbox works on this machine, found by trying."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import GradingError
from lcb_rb.execution.executor import LAYERS, STRONGEST_FIRST, probe
from lcb_rb.execution.graders import Grader, GraderGoneError, LevelError
from lcb_rb.execution.worker.layers import SCRATCH_MB, landlock_version
from lcb_rb.execution.worker.watch import QUEUE_FACTOR, queue_clock
from lcb_rb.schema import Isolation

DOES = {
    "namespaces": "own pid, network, mount and ipc namespaces; a root that holds only Python's libraries",
    "landlock": "files outside of Python's libraries cannot be opened",
    "seccomp": "no new process, program, socket, signal or trace",
    "privileges": "no capabilities, and none to be had",
    "rlimits": "CPU time, memory, output, descriptors and stack are bounded",
}
"""What each layer is for, in the order of the report."""

CGROUP = "not used: no solution can start a process, so RLIMIT_AS bounds its memory"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the sandbox."""

    active: bool
    """Whether what it forbids was refused to a solution that tried."""
    detail: str
    """What it does, or why it is not active."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a machine allows."""

    level: Isolation | None
    """Strongest level that it reaches; None when it reaches not even rlimits."""
    layers: dict[str, Layer]
    """Every layer by name."""
    facts: dict[str, str]
    """What else verdicts depend on, by name."""

    @property
    def safe(self) -> bool:
        """Whether untrusted code may be graded without --allow-weak-isolation."""
        return self.level in (Isolation.FULL, Isolation.NO_NAMESPACES)


def examine() -> Sandbox:
    """Returns what this machine allows; starts a grader and lets a hostile solution try every layer.

    Raises:
        GradingError: the machine is no Linux.
    """
    if sys.platform != "linux":
        raise GradingError(f"code is graded on Linux only, this is {sys.platform}; use a Linux container")
    layers: dict[str, Layer] = {}
    reached, calls = None, ""
    for level in STRONGEST_FIRST:
        found, calls = _tried(level)
        for name, layer in found.items():
            if name not in layers or not layers[name].active:
                layers[name] = layer
        if all(found[name].active for name in LAYERS[level]):
            reached = level
            break
    return Sandbox(reached, {name: layers[name] for name in DOES}, _facts(reached, calls))


def _tried(level: Isolation) -> tuple[dict[str, Layer], str]:
    """Returns the layers of a level as they were found, and how system calls are made there."""
    try:
        grader = Grader(level.value)
    except (LevelError, GraderGoneError) as error:
        return {name: Layer(False, f"level {level.value} cannot be started: {error}") for name in LAYERS[level]}, ""
    try:
        reasons = {name: probe(grader, name) for name in LAYERS[level]}
        return {name: Layer(not reason, reason or DOES[name]) for name, reason in reasons.items()}, grader.calls
    finally:
        grader.close()


def _facts(level: Isolation | None, calls: str) -> dict[str, str]:
    helpers = {
        "extension": "compiled extension",
        "ctypes": "ctypes, which is slower; a C compiler and `pip install -e .` give the extension",
    }
    waiting = queue_clock(os.getpid()) is not None
    root = (
        "a user id of its own for each grader"
        if level is Isolation.FULL
        else "solutions keep the id, without its capabilities"
    )
    return {
        "landlock ABI": _landlock(),
        "cgroup": CGROUP,
        "C helper": helpers.get(calls, "not known: no grader could be started"),
        "user": f"root; {root}" if os.geteuid() == 0 else f"uid {os.geteuid()}",
        "scratch": _scratch(level),
        "CPU waiting": "counted by schedstat, and not held against a solution"
        if waiting
        else f"not counted here (no /proc/PID/task/*/schedstat): wall limits are {QUEUE_FACTOR:g} times longer",
    }


def _landlock() -> str:
    try:
        version = landlock_version()
    except OSError as error:
        return f"none ({error}); needs Linux 5.13 with landlock in /sys/kernel/security/lsm"
    missing = [
        what for need, what in ((3, "truncation"), (4, "TCP"), (6, "signals, abstract sockets")) if version < need
    ]
    return f"{version}" + (f"; left to seccomp: {', '.join(missing)}" if missing else "")


def _scratch(level: Isolation | None) -> str:
    if level is Isolation.FULL:
        return f"tmpfs of {SCRATCH_MB} MiB, one for each solution that needs files"
    from tempfile import gettempdir

    kind = "" if os.access(Path(gettempdir()), os.W_OK) else ", which cannot be written"
    return f"a directory for each solution that needs files, in {gettempdir()}{kind}"
