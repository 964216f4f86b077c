"""Grading on the nodes of a Ray cluster: one actor a node holds an `Executor` and grades batches of samples."""

import dataclasses
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lcb_rb.errors import GradingError
from lcb_rb.execution.engines import Setup
from lcb_rb.execution.executor import STRONGEST_FIRST, Executor
from lcb_rb.execution.limits import Limits
from lcb_rb.execution.ray_runs import START_S, connect, for_users
from lcb_rb.schema import Isolation, Problem, Result

if TYPE_CHECKING:
    from ray.actor import ActorHandle

LEAST, MOST = 32, 256
"""Samples of a batch: enough to make Ray's milliseconds small, few enough to share out and to do again."""

AT_ONCE = 2
"""Batches that a node works on, so that the end of one does not leave processors idle."""

RETRIES = 3
"""How often Ray starts an actor again and gives it its batches again, when its process ends."""

Batch = list[tuple[int, Problem, str]]
"""Number, problem and solution."""


class Node:
    """What runs on a node; one executor, started when it is first needed, so also after the actor was started again."""

    def __init__(self) -> None:
        """Starts nothing."""
        self._executor: Executor | None = None
        self._lock = threading.Lock()

    def reach(self, setup: Setup) -> Isolation:
        """Returns the level that the node reaches.

        Raises:
            InputError: it is too weak.
        """
        with dataclasses.replace(setup, workers=1).executor() as executor:
            return executor.level

    def grade(self, setup: Setup, batch: Batch) -> list[tuple[int, Result]]:
        """Returns the results by number."""
        with self._lock:
            self._executor = self._executor or setup.executor()
        found = self._executor.grade_as_completed((problem, code) for _, problem, code in batch)
        return [(batch[index][0], result) for index, result in found]


class Cluster:
    """An engine on all nodes of the Ray cluster that `RAY_ADDRESS` names (`auto`: the one that runs here).

    Without that variable, a cluster of this machine alone is started for it, and ended with it.

    All nodes run at the weakest level that one of them reaches. A batch whose actor died is graded again by Ray; when a
    node is lost for good, or does not come back, grading ends with an error, and what was done stays in the journal.
    """

    def __init__(self, setup: Setup) -> None:
        """Connects and starts an actor on every node that has processors.

        Raises:
            MissingExtraError: Ray is not installed.
            InputError: a node does not reach the level.
            GradingError: there is no such cluster, or its nodes do not give their processors.
        """
        self._ours = connect()
        import ray

        self._ray = ray
        self._nodes: list[ActorHandle[Node]] = []
        try:
            self._nodes = [_start(node) for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
            with for_users():
                levels = ray.get([node.reach.remote(setup) for node in self._nodes], timeout=START_S)
            if not levels:
                raise GradingError("no node of the Ray cluster has processors; see `ray status`")
        except BaseException:
            self.close()
            raise
        self._setup = dataclasses.replace(setup, level=max(levels, key=STRONGEST_FIRST.index))

    def __enter__(self) -> "Cluster":
        """Returns the cluster."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Ends the actors, and Ray where it was started for this."""
        for node in self._nodes:
            self._ray.kill(node)
        if self._ours:
            self._ray.shutdown()

    @property
    def limits(self) -> Limits:
        """What a solution may use."""
        return self._setup.limits

    @property
    def level(self) -> Isolation:
        """How far solutions are shut in."""
        assert self._setup.level
        return self._setup.level

    @property
    def options(self) -> Mapping[str, bool]:
        """Whatever else a verdict depends on; as an executor has them, so that journals fit both."""
        return {"calibrate": self._setup.calibrate, "adaptive": False, "trust_tests": self._setup.trust_tests}

    def grade_as_completed(self, items: Iterable[tuple[Problem, str]]) -> Iterator[tuple[int, Result]]:
        """Yields (number, result) of the items as soon as their batch is done; reads all items first.

        Raises:
            GradingError: a node was lost and did not come back.
        """
        from ray.util import ActorPool

        pool = ActorPool(self._nodes * AT_ONCE)
        done = pool.map_unordered(lambda node, batch: node.grade.remote(self._setup, batch), batches(items))
        with for_users():
            for results in done:
                yield from results


def batches(items: Iterable[tuple[Problem, str]], least: int = LEAST, most: int = MOST) -> Iterator[Batch]:
    """Yields the items in batches of `least` to `most`, those of a problem together; the last may be smaller."""
    ordered = sorted(enumerate(items), key=lambda item: item[1][0].id)
    batch: Batch = []
    for _, group in groupby(ordered, key=lambda item: item[1][0].id):
        batch += [(number, problem, code) for number, (problem, code) in group]
        while len(batch) >= least:
            yield batch[:most]
            batch = batch[most:]
    if batch:
        yield batch


def _start(node: Mapping[str, Any]) -> "ActorHandle[Node]":
    """Returns the actor of a node; it holds all of its processors and may not move to another one."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return (
        ray.remote(Node)
        .options(
            num_cpus=node["Resources"]["CPU"],
            max_concurrency=AT_ONCE,
            max_restarts=RETRIES,
            max_task_retries=RETRIES,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
        )
        .remote()
    )
