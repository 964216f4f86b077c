"""Builds that are killed at random moments end, when they are run again, in the bytes of an undisturbed one."""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chat_server import ChatServer, said, serving
from factories import LONG, ROOT, make_problem, make_sample, needs

needs("datasketch", "sklearn")

KILLS = 20
FIELDS = {"id", "problem_id", "model", "reasoning", "code", "passed"}
FORKS = """
import os, sys, time, signal
import datasets, recode, builders.crpl, builders.lcb_rb, builders.shards, sklearn.linear_model, sklearn.ensemble
builders.shards.UNIT = 30
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one process: no seconds of starting others

for line in sys.stdin:
    start = time.monotonic()
    child = os.fork()
    if not child:
        os.dup2(2, 1)
        recode.main()
    delay = float(line)
    while delay > time.monotonic() - start and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.005)
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    print(time.monotonic() - start, flush=True)
"""
"""Runs the command once for each line of its input and kills it after so many seconds; says how long it ran."""


class Runs:
    """The command, run and killed again and again by a process that has loaded everything."""

    def __init__(self, words: list[str], log: Path) -> None:
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-c", FORKS, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def run(self, limit_s: float = 600.0) -> float:
        """Returns the seconds that the command ran, killed after so many."""
        assert self._process.stdin and self._process.stdout
        print(limit_s, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def files(directory: Path, per_problem: int, problems: int) -> list[str]:
    """Samples of several units, half of them accepted, with sentences that the gates keep."""
    drawn = random.Random(0)
    rows = []
    for number in range(problems):
        for index in range(per_problem):
            steps = " ".join(f"Step {i} adds item {drawn.randint(10, 99)} to the sum." for i in range(8))
            sample = make_sample(
                f"s{number:03}-{index:02}",
                problem_id=f"p{number:03}",
                model="m",
                reasoning=f"{LONG}{steps}",
                passed=index % 2 == 0,
            )
            rows.append(sample.model_dump(mode="json", include=FIELDS))
    known = [
        make_problem(f"p{i:03}", statement=f"Number {i}: print the double, {drawn.random()}.").model_dump(mode="json")
        for i in range(problems)
    ]
    samples = write(directory / "samples.jsonl", rows)
    return ["--samples", samples, "--problems", write(directory / "problems.jsonl", known)]


def tree(directory: Path) -> dict[str, bytes]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def rewriting(body: dict[str, Any], count: int) -> Any:
    """A model that changes a number where it is to do damage, and adds a reason where it is to improve."""
    prompt = body["messages"][0]["content"]
    text = re.search(r"<reasoning (\w+)>\n(.*)\n</reasoning \1>", prompt, re.DOTALL)[2]  # type: ignore[index]
    worse = "worse in one respect" in prompt
    word = body["seed"] % 8
    text = re.sub(rf"Step {word} adds item \d+", f"Step {word} adds item {7 if worse else 'number 10'}", text)
    answer = said(f"<rewrite>\n{text}\n</rewrite>")
    answer.pause = lambda: time.sleep(0.01)
    return answer


def seconds(limit_s: float) -> Iterator[float]:
    """Random moments up to a limit."""
    drawn = random.Random(20)
    for _ in range(KILLS):
        yield drawn.uniform(0.02, limit_s)


def test_natural_pairs_survive_kills_at_twenty_random_moments(tmp_path: Path) -> None:
    words = ["build", "lcb-rb", *files(tmp_path, 4, 40)]
    whole = Runs([*words, "--out", str(tmp_path / "whole")], tmp_path / "whole.log")
    limit_s = whole.run()
    whole.end()
    killed = Runs([*words, "--out", str(tmp_path / "out")], tmp_path / "killed.log")
    for moment in seconds(limit_s):
        killed.run(moment)
    killed.run()
    killed.end()
    assert tree(tmp_path / "out") == tree(tmp_path / "whole") != {}
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def stored(cache: Path) -> set[tuple[str, int]]:
    """Prompt and seed of the requests whose replies are on the disk."""
    found = set()
    for path in cache.rglob("*.json"):
        request = json.loads(path.read_text(encoding="utf-8"))["request"]
        found.add((request["messages"][-1]["content"], request["seed"]))
    return found


def asked(server: ChatServer) -> list[tuple[str, int]]:
    return [(body["messages"][-1]["content"], body["seed"]) for body in server.bodies]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving(rewriting) as found:
        yield found


def test_rewritten_pairs_survive_kills_and_no_stored_reply_is_asked_for_again(
    tmp_path: Path, server: ChatServer
) -> None:
    words = ["build", "crpl", *files(tmp_path, 2, 30), "--rewriter", "llm", "--model", "m", "--base-url", server.url]
    whole = Runs([*words, "--cache", str(tmp_path / "c1"), "--out", str(tmp_path / "whole")], tmp_path / "whole.log")
    limit_s = whole.run()
    whole.end()
    n_requests = len(server.bodies)
    assert n_requests == len(set(asked(server))) > 150
    server.bodies.clear()
    cache = tmp_path / "c2"
    killed = Runs([*words, "--cache", str(cache), "--out", str(tmp_path / "out")], tmp_path / "killed.log")
    for moment in [*seconds(limit_s / 2), 600.0]:
        before, n_before = stored(cache), len(server.bodies)
        killed.run(moment)
        assert not before & set(asked(server)[n_before:])
    killed.end()
    assert tree(tmp_path / "out") == tree(tmp_path / "whole") != {}
    again = Counter(asked(server))
    assert len(again) == n_requests and max(again.values()) <= KILLS
