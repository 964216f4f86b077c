"""Builds on a Ray cluster make the bytes of local ones, also where a worker dies."""

import json
import os
import subprocess
import sys
from pathlib import Path

from factories import ROOT, needs
from test_builds_killed import files, tree

needs("ray", "datasketch", "sklearn")

SCRIPT = """
import json, os, signal, sys
from pathlib import Path

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
import builders.shards
from builders import crpl, lcb_rb
from builders.inputs import Inputs
from builders.mapping import open_mapper

directory, samples, problems = (Path(word) for word in sys.argv[1:])
builders.shards.UNIT = 30


def dies_once(marker):
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return "again"
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    ray.init("local", num_cpus=2, log_to_driver=False, include_dashboard=False)
    for engine in ("local", "ray"):
        inputs = Inputs([samples], [problems], engine=engine)
        lcb_rb.build(inputs, directory / f"lcb-rb-{engine}")
        crpl.build(inputs, directory / f"crpl-{engine}")
    with open_mapper("ray", 2) as mapper:
        found = list(mapper.map(dies_once, [str(directory / "one"), str(directory / "two")]))
    (directory / "found.json").write_text(json.dumps(found))
"""


def test_ray_makes_the_bytes_of_a_local_build_and_does_the_unit_of_a_dead_worker_again(tmp_path: Path) -> None:
    words = files(tmp_path, 4, 30)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), words[1], words[3]],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == ["again", "again"]
    for build in ("lcb-rb", "crpl"):
        assert tree(tmp_path / f"{build}-ray") == tree(tmp_path / f"{build}-local") != {}
