"""Where units of work are done: in processes of this machine, or on a Ray cluster; the results are the same."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import connection
from typing import Protocol, TypeVar

from lcb_rb.errors import InputError
from lcb_rb.execution.ray_runs import connected, for_users

AHEAD = 2
"""Units that wait for each process, so that none is idle."""

Given = TypeVar("Given")
Made = TypeVar("Made")


class Mapper(Protocol):
    """Applies a function to units."""

    def map(self, function: Callable[[Given], Made], units: Iterable[Given]) -> Iterator[Made]:
        """Yields the results in the order of the units, which are read only as far as they are needed."""


class Here:
    """This process: for a single unit, and where there is one processor."""

    def map(self, function: Callable[[Given], Made], units: Iterable[Given]) -> Iterator[Made]:
        """Yields the results."""
        return map(function, units)


class Processes:
    """A process for each processor of this machine."""

    def __init__(self, pool: ProcessPoolExecutor, workers: int) -> None:
        self._pool, self._workers = pool, workers

    def map(self, function: Callable[[Given], Made], units: Iterable[Given]) -> Iterator[Made]:
        """Yields the results."""
        waiting = (self._pool.submit(function, unit) for unit in units)
        return (made.result() for made in _ahead(waiting, self._workers * AHEAD))


class Cluster:
    """The processors of a Ray cluster; a unit whose worker died is done again by Ray."""

    def map(self, function: Callable[[Given], Made], units: Iterable[Given]) -> Iterator[Made]:
        """Yields the results.

        Raises:
            GradingError: the cluster is lost.
        """
        import ray

        remote = ray.remote(function)
        workers = int(ray.cluster_resources().get("CPU", 1))
        with for_users():
            for made in _ahead((remote.remote(unit) for unit in units), workers * AHEAD):
                yield ray.get(made)


def _ahead(submitted: Iterable[Made], width: int) -> Iterator[Made]:
    """Yields what an iterable gives, which is read so many items ahead."""
    waiting: deque[Made] = deque()
    for item in submitted:
        waiting.append(item)
        if len(waiting) > width:
            yield waiting.popleft()
    yield from waiting


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, killed without a word."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _local(units: int) -> Iterator[Mapper]:
    workers = min(len(os.sched_getaffinity(0)), units)
    if workers < 2:
        yield Here()
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _end_with_parent) as pool:
        try:
            yield Processes(pool, workers)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _ray(units: int) -> Iterator[Mapper]:
    with connected():
        yield Cluster()


MAPPERS: Mapping[str, Callable[[int], AbstractContextManager[Mapper]]] = {"local": _local, "ray": _ray}
"""By the name of the engine."""


def open_mapper(engine: str, units: int) -> AbstractContextManager[Mapper]:
    """Returns what does the work of an engine.

    Args:
        engine: Its name.
        units: How many there will be.

    Raises:
        InputError: the name is unknown, or the extra is missing.
        GradingError: there is no such cluster.
    """
    if engine not in MAPPERS:
        raise InputError(f"--engine {engine!r} is not known; choose among {', '.join(MAPPERS)}")
    return MAPPERS[engine](units)
