"""The Ray engine: batches, the missing extra, and the same verdicts as the local engine although an actor is killed."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import ROOT, make_problem
from lcb_rb.errors import MissingExtraError
from lcb_rb.execution.cluster import Cluster, batches
from lcb_rb.execution.engines import ENGINES, Setup, open_engine
from lcb_rb.execution.executor import Executor

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed")


@dataclass(frozen=True)
class Named:
    id: str


def numbered(found):
    return sorted(number for batch in found for number, _, _ in batch)


@given(st.lists(st.sampled_from("abcdef"), max_size=300), st.integers(1, 20), st.integers(1, 60))
def test_batches_hold_every_item_once_and_keep_to_their_sizes(names, least, extra):
    items = [(Named(name), str(index)) for index, name in enumerate(names)]
    found = list(batches(items, least, least + extra))
    assert numbered(found) == list(range(len(items)))
    assert all(items[number] == (problem, code) for batch in found for number, problem, code in batch)
    assert all(0 < len(batch) <= least + extra for batch in found)


def test_a_batch_holds_whole_problems_where_they_fit():
    items = [(Named(f"p{index % 7}"), "") for index in range(70)]
    names = [{problem.id for _, problem, _ in batch} for batch in batches(items, 32, 256)]
    assert names == [{"p0", "p1", "p2", "p3"}, {"p4", "p5", "p6"}]


def test_a_problem_with_many_samples_is_shared_out():
    sizes = [len(batch) for batch in batches([(Named("p"), "")] * 600, 32, 256)]
    assert sizes == [256, 256, 88]


def test_no_items_give_no_batch():
    assert list(batches([])) == []


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"ray is not installed; run: pip install 'lcb-rb\[ray\]'"):
        open_engine("ray", Setup())


def test_a_cluster_has_the_options_of_an_executor():
    cluster = Cluster.__new__(Cluster)
    cluster._setup = Setup(calibrate=True, trust_tests=True)
    with Executor(1, calibrate=True, trust_tests=True) as local:
        assert cluster.options == local.options
        assert cluster.limits == local.limits


def test_the_command_offers_every_engine():
    from typing import get_args

    from lcb_rb import options, sources

    assert list(get_args(options.Engine)) == list(ENGINES)
    assert get_args(options.Suite) == get_args(sources.Suite)


SCRIPT = """
import json, os, signal, sys
import ray
from lcb_rb.execution.engines import Setup, open_engine
from lcb_rb.schema import Problem

problem = Problem.model_validate_json(sys.argv[1])
other = problem.model_copy(update={"id": "p2"})
codes = ["print(2 * int(input()))", "print(0)", "1 / 0", "", "print("]
items = [((problem, other)[number % 2], f"{codes[number % 5]}\\n# {number}") for number in range(400)]

def verdicts(name, kill):
    found = {}
    with open_engine(name, Setup(workers=2)) as engine:
        if kill:
            pid = ray.get(engine._nodes[0].__ray_call__.remote(lambda node: os.getpid()))
        for number, result in engine.grade_as_completed(items):
            if kill and not found:
                os.kill(pid, signal.SIGKILL)
            assert number not in found
            found[number] = [result.verdict.value, result.test_index, result.message, result.isolation.value]
    return [found[number] for number in range(len(items))]

print(json.dumps({"local": verdicts("local", False), "ray": verdicts("ray", True), "down": not ray.is_initialized()}))
"""


@needs_ray
def test_ray_gives_the_verdicts_of_the_local_engine_although_its_actor_is_killed():
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-c", SCRIPT, make_problem().model_dump_json()]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ray"] == found["local"]
    assert len(found["ray"]) == 400
    assert found["down"]
