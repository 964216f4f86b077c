"""Where samples are graded: on this machine, or on the nodes of a Ray cluster. What grades is an `Engine`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lcb_rb.errors import InputError
from lcb_rb.execution.executor import Executor
from lcb_rb.execution.limits import Limits
from lcb_rb.schema import Isolation, Problem, Result


class Engine(Protocol):
    """Grades items at one level of isolation; `Executor` is the local one."""

    @property
    def limits(self) -> Limits:
        """What a solution may use."""

    @property
    def level(self) -> Isolation:
        """How far solutions are shut in."""

    @property
    def options(self) -> Mapping[str, bool]:
        """Whatever else a verdict depends on."""

    def grade_as_completed(self, items: Iterable[tuple[Problem, str]]) -> Iterator[tuple[int, Result]]:
        """Yields (number, result) of (problem, solution) items as soon as they are done."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How samples are graded, wherever that is."""

    workers: int | None = None
    """Graders at a time on a machine; one and a half for each usable CPU when None."""
    limits: Limits = field(default_factory=Limits)
    """What a solution may use."""
    least: Isolation = Isolation.NO_NAMESPACES
    """Weakest level of isolation that will do."""
    level: Isolation | None = None
    """The level to run at; the strongest that the machine allows when None."""
    calibrate: bool = False
    """Lower the time limit to ten times what the reference solution needs."""
    trust_tests: bool = False
    """Believe unittest tests that no reference solution guards."""

    def executor(self) -> Executor:
        """Returns the executor of one machine.

        Raises:
            InputError: the machine does not reach the level.
        """
        return Executor(
            self.workers,
            limits=self.limits,
            level=self.level,
            least=self.least,
            calibrate=self.calibrate,
            trust_tests=self.trust_tests,
        )


def _ray(setup: Setup) -> AbstractContextManager[Engine]:
    from lcb_rb.execution.cluster import Cluster

    return Cluster(setup)


ENGINES: dict[str, Callable[[Setup], AbstractContextManager[Engine]]] = {"local": Setup.executor, "ray": _ray}
"""Engines by name."""


def open_engine(name: str, setup: Setup) -> AbstractContextManager[Engine]:
    """Returns the engine of that name.

    Raises:
        InputError: the name is unknown, an extra is missing, or a machine does not reach the level.
    """
    if name not in ENGINES:
        raise InputError(f"--engine {name!r} is not known; choose among {', '.join(ENGINES)}")
    return ENGINES[name](setup)
