"""What users do with the Hub, by unmodified clients with fresh caches: load, evaluate, score, publish."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import crpl, lcb_rb, release
from builders.inputs import Inputs
from factories import LONG, ROOT, make_problem, make_sample, needs, run_recode
from hub import HubServer, environment, running
from hub.client import client
from lcb_rb.columns import problem_of
from lcb_rb.pairs import SCHEMA
from lcb_rb.schema import Problem
from publishable import OWNER, downloaded, make_dataset
from publisher import publisher
from trainings import RECIPE

needs("evaluate", "trl")

DATA, MODEL = "recode/lcb-rb", "recode/reward"
METRICS = ROOT / "lcb_rb" / "metrics"
ONCE = pytest.mark.parametrize("world", ["off"], indirect=True, ids=["lfs"])
"""For what has nothing to do with how large files are stored."""
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class World:
    """A Hub with everything on it, and where the rest lies."""

    hub: HubServer
    root: Path
    commits: dict[str, str]

    def settings(self, cache: str, token: str | None = None) -> dict[str, str]:
        """The environment of a client with a cache of its own."""
        return environment(self.hub, self.root / "homes" / cache, token, self.hub.xet)

    def run(self, code: str, cache: str, token: str | None = None) -> Any:
        """What a Python process printed last, as JSON."""
        settings = {**self.settings(cache, token), "PYTHONPATH": str(ROOT), "HF_ALLOW_CODE_EVAL": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=settings, cwd=self.root, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def words(name: str) -> str:
    """Words like no other's, of the same form as all others."""
    letters = str.maketrans("0123456789", "ghijklmnop")
    return " ".join(hashlib.sha256(f"{name}/{i}".encode()).hexdigest()[:6].translate(letters) for i in range(30)) + "."


def problem(name: str) -> Problem:
    """A problem whose statement is like no other."""
    return make_problem(name, statement=words(name))


def problems_and_samples(folder: Path, letter: str) -> Inputs:
    """Three problems with one accepted and one failed sample each, in files."""
    ids = [f"{letter}{number}" for number in range(3)]
    fields = {"id", "problem_id", "model", "reasoning", "code", "passed"}
    samples = [
        make_sample(f"{name}/{passed}", problem_id=name, passed=passed, reasoning=LONG + words(f"{name} {passed}"))
        for name in ids
        for passed in (True, False)
    ]
    problems = write(folder / f"{letter}.problems.jsonl", [problem(name).model_dump(mode="json") for name in ids])
    rows = [sample.model_dump(mode="json", include=fields) for sample in samples]
    return Inputs([write(folder / f"{letter}.samples.jsonl", rows)], [problems])


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release and a trained model, in a folder."""
    folder = tmp_path_factory.mktemp("material")
    tested, trained = problems_and_samples(folder, "a"), problems_and_samples(folder, "b")
    lcb_rb.build(tested, folder / "pairs")
    crpl.build(trained, folder / "crpl")
    files = {"problems": [*tested.problems, *trained.problems], "samples": [*tested.samples, *trained.samples]}
    for _ in range(2):  # the second time in its place
        release.build(release.Parts(folder / "pairs", folder / "crpl", **files), folder / "release")
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**RECIPE, "kinds": ["degraded"]}))
    train = ["train", "reward", folder / "recipe.yaml", "--pairs", folder / "crpl", "--out", folder / "model"]
    done = run_recode(*train)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=["off", "local"], ids=["lfs", "xet"])
def world(request: pytest.FixtureRequest, material: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("world")
    model = shutil.copytree(material / "model", root / "model")
    with running(root / "server", xet=request.param) as hub:
        found = World(hub, root, {})
        with publisher(found.settings("owner", OWNER)) as publish:
            first = publish(material / "release", DATA, tag="v1.0.0")
            extended = shutil.copytree(material / "release", root / "release")
            (extended / "NOTES.md").write_text("A later version.\n")
            second = publish(extended, DATA, tag="v1.1.0")
            score = ["score", model, "--pairs", f"{DATA}@v1.0.0", "--out", model / "reports" / "lcb-rb.json"]
            done = run_recode(*score, environment=found.settings("owner", OWNER))
            assert done.returncode == 0, done.stderr
            spaces = [publish(METRICS / name, f"recode/{name}", "space") for name in ("pairwise_accuracy", "pass_at_k")]
            trained = publish(model, MODEL, "model")
        for answer in (first, second, *spaces, trained):
            assert "error" not in answer, answer
        found.commits.update(v1=first["commit"], v2=second["commit"], model=trained["commit"])
        yield found


LOAD = """
import json
from datasets import load_dataset

pairs = load_dataset("recode/lcb-rb", split="test")
streamed = list(load_dataset("recode/lcb-rb", split="test", streaming=True))
print(json.dumps({
    "columns": pairs.column_names,
    "rows": pairs.to_list(),
    "streamed": streamed == pairs.to_list(),
    "by_tag": load_dataset("recode/lcb-rb", split="test", revision="v1.0.0").to_list() == pairs.to_list(),
    "by_sha": load_dataset("recode/lcb-rb", split="test", revision=SHA).to_list() == pairs.to_list(),
    "crpl": {name: split.to_list() for name, split in load_dataset("recode/lcb-rb", "crpl").items()},
    "problems": load_dataset("recode/lcb-rb", "problems", split="test").to_list(),
    "samples": load_dataset("recode/lcb-rb", "samples", split="test").to_list(),
}, default=str))
"""


def test_every_config_loads_alone_by_name_tag_and_sha(world: World) -> None:
    found = world.run(LOAD.replace("SHA", repr(world.commits["v1"])), "reader")
    assert found["columns"] == [*SCHEMA.names, "place"]
    assert [row["problem_id"] for row in found["rows"]] == ["a0", "a1", "a2"]
    assert found["streamed"] and found["by_tag"] and found["by_sha"]
    assert set(found["crpl"]) == {"train", "validation"}
    trained = {row["problem_id"] for rows in found["crpl"].values() for row in rows}
    assert trained == {"b0", "b1", "b2"} and all(row["edits"] for rows in found["crpl"].values() for row in rows)
    problems = [problem_of(row) for row in found["problems"]]
    assert problems == [problem(name) for name in ("a0", "a1", "a2", "b0", "b1", "b2")]
    assert all(isinstance(problem, Problem) and problem.tests for problem in problems)
    assert {(row["id"], row["passed"]) for row in found["samples"]} >= {("a0/True", True), ("b2/False", False)}


EVALUATE = """
import json
import evaluate
from lcb_rb.metrics import pairwise_summary
from lcb_rb.metrics.candidates import grade_candidates

pairs = {"chosen_scores": [2.0, 1.0, 1.0, None], "rejected_scores": [1.0, 1.0, 3.0, 1.0], "groups": [1, 1, 2, 3]}
programs, tests = [["def f(x): return x", "def f(x): return -x"]], ["assert f(2) == 2"]
scores, results = evaluate.load("recode/pass_at_k").compute(predictions=programs, references=tests, k=[1, 2])
print(json.dumps({
    "pairwise": evaluate.load("recode/pairwise_accuracy").compute(**pairs),
    "plain": pairwise_summary(**pairs),
    "passes": scores,
    "plain_passes": grade_candidates(programs, tests, [1, 2])[0],
    "passed": [result["passed"] for _, result in results[0]],
}))
"""


@ONCE
def test_metrics_load_from_their_spaces_and_give_the_plain_numbers(world: World) -> None:
    found = world.run(EVALUATE, "evaluator")
    assert found["pairwise"] == found["plain"] and found["pairwise"]["accuracy"] == 0.5
    assert found["passes"] == found["plain_passes"] and found["passes"]["pass@1"] == 0.5
    assert found["passed"] == [True, False]


def test_a_model_loads_without_code_and_says_what_it_is(world: World) -> None:
    code = (
        "import json; from transformers import AutoModelForSequenceClassification as Model\n"
        f"model = Model.from_pretrained({MODEL!r})\n"
        "print(json.dumps([model.config.num_labels, model.config.model_type]))"
    )
    assert world.run(code, "loader") == [1, "qwen2"]
    files = downloaded(world.hub, MODEL)
    card = files["README.md"].decode()
    report = json.loads(files["reports/lcb-rb.json"])
    metadata = yaml.safe_load(card.split("---")[1])
    (result,) = metadata["model-index"][0]["results"]
    place = {"type": DATA, "config": "default", "split": "test", "revision": world.commits["v1"]}
    assert result["dataset"] == {"name": "LCB-RB, natural pairs", **place}
    assert result["metrics"][0]["value"] == report["overall"]["accuracy"]
    (entry,) = yaml.safe_load(files[".eval_results/lcb-rb.yaml"])
    assert entry["dataset"] == {"id": DATA, "task_id": "lcb-rb", "revision": world.commits["v1"]}
    assert entry["value"] == report["by_kind"]["natural"]["accuracy"]
    record = json.loads(files["recode.json"])
    for told in (
        record["data_revision"],
        "torch ",
        "trl ",
        "max_steps: 30",
        "random weights",
        world.commits["v1"][:16],
    ):
        assert told in card
    assert not [name for name in files if name.endswith((".py", ".bin", ".pkl"))]
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"{world.hub.url}/api/datasets/{DATA}/leaderboard"
    ) as answer:
        (row,) = json.load(answer)
    assert (row["modelId"], row["value"], row["task_id"]) == (MODEL, entry["value"], "lcb-rb")


@ONCE
def test_scoring_by_ids_pins_both_revisions_and_works_offline(world: World, tmp_path: Path) -> None:
    def score(model: str = MODEL, **more: str) -> dict[str, Any]:
        settings = {**world.settings("scorer"), **more}
        arguments = ["score", model, "--pairs", f"{DATA}@v1.0.0", "--out", tmp_path / "report.json"]
        done = run_recode(*arguments, environment=settings)
        assert done.returncode == 0, done.stderr
        assert f"commit {world.commits['v1']}" in done.stdout
        assert model != MODEL or world.commits["model"] in done.stdout
        report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
        return report

    first = score()
    told = first["provenance"]
    assert (told["data"], told["data_revision"]) == (DATA, world.commits["v1"])
    assert (told["scorer"], told["scorer_revision"]) == (MODEL, world.commits["model"])
    world.hub.clear_log()
    assert score(HF_HUB_OFFLINE="1") == first
    assert not world.hub.log()
    assert score("length", HF_ENDPOINT="http://127.0.0.1:9")["provenance"]["data_revision"] == world.commits["v1"]


@ONCE
def test_code_of_a_model_is_never_run(world: World, tmp_path: Path) -> None:
    """Not even where somebody at the terminal would agree to it."""
    api = client(world.hub, OWNER)
    mark = tmp_path / "ran"
    config = {"auto_map": {"AutoConfig": "recode/hostile--conf.C"}, "model_type": "zzz"}
    api.create_repo("recode/hostile", exist_ok=True)
    for name, text in (("config.json", json.dumps(config)), ("conf.py", f"open({str(mark)!r}, 'w')\nclass C: pass\n")):
        api.upload_file(path_or_fileobj=text.encode(), path_in_repo=name, repo_id="recode/hostile")
    command = [sys.executable, "-m", "recode", "score", "recode/hostile", "--pairs", DATA]
    settings = {**world.settings("hostile"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=settings, input="y\n" * 9, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == "" and not mark.exists(), done


def test_the_other_configs_can_be_scored(world: World) -> None:
    arguments = ["score", "length", "--pairs", DATA, "--config", "crpl", "--split", "validation", "--json"]
    done = run_recode(*arguments, environment=world.settings("scorer"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["provenance"]
    assert (told["data"], told["data_revision"]) == (f"{DATA}/crpl/validation", world.commits["v2"])


REFUSALS = [
    ("missing", None, f"{DATA}-none", "is not on the Hub, or is private"),
    ("revision", None, f"{DATA}@v9.9.9", "has no such revision"),
    ("private", None, "recode/private", "is not on the Hub, or is private"),
    ("private to a reader", "hf_reader", "recode/private", "is not on the Hub, or is private"),
    ("gated", "hf_reader", "recode/gated", "is gated; ask for access"),
    ("bogus token", "hf_bogus", DATA, "the token is not valid"),
    ("no such config", None, DATA, "has no config 'other'; choose one of default, crpl, problems, samples"),
]


@ONCE
def test_refusals_of_reading_are_told_apart(world: World, tmp_path: Path) -> None:
    settings = world.settings("owner", OWNER)
    with publisher(settings) as publish:
        publish(make_dataset(tmp_path / "it"), "recode/private", private=True)
        publish(make_dataset(tmp_path / "it"), "recode/gated")
    client(world.hub, OWNER).update_repo_settings("recode/gated", repo_type="dataset", gated="auto")
    for name, token, repo, said in REFUSALS:
        config = ["--config", "other"] if "config" in name else []
        done = run_recode(
            "score", "length", "--pairs", repo, *config, environment=world.settings(f"refused {name}", token)
        )
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and said in done.stderr, (name, done.stderr)
    done = run_recode("score", "length", "--pairs", "recode/private", environment=world.settings("owner", OWNER))
    assert done.returncode == 0, done.stderr


@ONCE
def test_what_is_neither_here_nor_cached_is_said(world: World) -> None:
    settings = {**world.settings("empty"), "HF_HUB_OFFLINE": "1"}
    done = run_recode("score", "length", "--pairs", DATA, environment=settings)
    assert done.returncode == 1 and "is not in the cache" in done.stderr and done.stderr.count("\n") == 1


@ONCE
def test_the_readme_shows_the_journeys_and_they_run(world: World, material: Path) -> None:
    section = README.partition("## On the Hub")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (commands,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert len((code + commands).splitlines()) <= 25
    found = world.run(
        code.replace("me/", "recode/") + "\nimport json; print(json.dumps([found, report.overall.accuracy]))",
        "newcomer",
    )
    assert found[0]["n"] == 3 and found[0]["accuracy"] == found[1]
    folder = world.root / "newcomer"
    shutil.copytree(material / "release", folder / "release")
    shutil.copytree(world.root / "model", folder / "demo-out" / "reward-model")
    for command in commands.replace("me/", "owner/").splitlines():
        words = command.partition("#")[0].split()
        done = run_recode(*words[1:], cwd=folder, environment=world.settings("newcomer-shell", OWNER))
        assert done.returncode == 0, (command, done.stderr)
