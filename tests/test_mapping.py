import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import mapping
from builders.mapping import open_mapper
from factories import ROOT
from lcb_rb.errors import InputError
from processes import alive, within

PARENT = """
import sys, time
from builders.mapping import open_mapper
from test_mapping import told_and_slow

if __name__ == "__main__":
    with open_mapper("local", 2) as mapper:
        list(mapper.map(told_and_slow, [sys.argv[1]] * 2))
"""


def doubled(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def refused(number: int) -> int:
    if number == 3:
        raise InputError("three is refused; take four")
    return number


def told_and_slow(directory: str) -> None:
    (Path(directory) / str(os.getpid())).touch()
    time.sleep(600)


@pytest.mark.parametrize("units", [1, 8])
def test_results_come_in_the_order_of_the_units(units: int) -> None:
    with open_mapper("local", units) as mapper:
        found = list(mapper.map(doubled, range(units)))
    assert [result for result, _ in found] == [2 * number for number in range(units)]
    here = {pid for _, pid in found} == {os.getpid()}
    assert here is (units == 1 or len(os.sched_getaffinity(0)) == 1)


def test_units_are_read_only_a_few_ahead() -> None:
    read = 0

    def units() -> Iterator[int]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield number

    with open_mapper("local", 1000) as mapper:
        results = mapper.map(doubled, units())
        next(results)
        assert read <= 1 + mapping.AHEAD * len(os.sched_getaffinity(0)) + 1


def test_an_error_of_a_unit_arrives_as_it_is() -> None:
    with open_mapper("local", 8) as mapper, pytest.raises(InputError, match="three is refused; take four"):
        list(mapper.map(refused, range(8)))


def test_an_unknown_engine_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="--engine 'slurm' is not known; choose among local, ray"):
        open_mapper("slurm", 1)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}, cwd=tmp_path
    )
    assert within(60, lambda: list(tmp_path.iterdir()))
    pids = {int(path.name) for path in tmp_path.iterdir()}
    parent.kill()
    parent.wait()
    assert within(20, lambda: not alive(pids))
