"""Small directories that may be published, and a look at a repository that goes past our own code."""

import json
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from safetensors.numpy import save_file

from builders.card import CARD, render_card
from builders.dataset import facts_of
from factories import make_pair, make_problem
from hub import HubServer
from lcb_rb.pairs import pair_schema, write_pairs
from lcb_rb.schema import Isolation, PreferencePair

FIELDS = (
    *("longer", "longer_share", "n_pairs", "n_after", "n_samples", "n_used", "grades", "kinds", "models", "inputs"),
    *("drops", "command", "audit", "audit_before", "judges", "offenders", "recipe"),
)
OWNER = "hf_owner"
SMALL = {
    "model_type": "qwen2",
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}


def make_dataset(directory: Path, *, n_pairs: int = 3, note: str = "x") -> Path:
    """A directory as `recode build lcb-rb` makes it."""
    pairs = [make_pair(f"p{index}/a", problem_id=f"p{index}") for index in range(n_pairs)]
    directory.mkdir(parents=True, exist_ok=True)
    write_pairs(pairs, directory, "test")
    (directory / CARD).write_text(card_of(pairs, note), encoding="utf-8")
    return directory


def card_of(pairs: list[PreferencePair], note: str) -> str:
    facts = {"test": facts_of({"test": pairs})}
    return render_card("lcb_rb", "LCB-RB", facts, pair_schema(pairs), dict.fromkeys(FIELDS, note))


def make_model(directory: Path, *, seed: int = 0) -> Path:
    """A directory that holds weights, though of no model."""
    directory.mkdir(parents=True, exist_ok=True)
    weights = np.random.default_rng(seed).standard_normal((8, 8)).astype(np.float32)
    save_file({"score.weight": weights}, directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (directory / CARD).write_text("---\nlicense: apache-2.0\n---\n\n# A model\n")
    return directory


def make_space(directory: Path) -> Path:
    """A metric and its page."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "index.html").write_text("<p>A metric</p>")
    (directory / "a_metric.py").write_text("import datasets\nimport evaluate\n")
    (directory / CARD).write_text(
        "---\ntitle: A metric\nsdk: static\napp_file: index.html\ntags: [evaluate, metric]\n---\n"
    )
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    """The files of a directory by their path in the repository."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def downloaded(server: HubServer, place: str, revision: str = "main", token: str | None = OWNER) -> dict[str, bytes]:
    """The files of a repository by path, through plain requests; `place` is like `datasets/owner/name`."""
    kind = place if place.count("/") == 2 else f"models/{place}"
    tree = json.loads(_get(f"{server.url}/api/{kind}/tree/{revision}?recursive=true", token))
    names = [entry["path"] for entry in tree if entry["type"] == "file" and entry["path"] != ".gitattributes"]
    return {name: _get(f"{server.url}/{place}/resolve/{revision}/{name}", token) for name in names}


def _get(url: str, token: str | None) -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers), timeout=60) as response:
        data: bytes = response.read()
    return data


def make_policy(directory: Path) -> Path:
    """A tiny policy with random weights, and the record that a training leaves, of one that never was.

    Its recipe names the problems by their absolute path, as the command line may.
    """
    from lcb_rb.metrics import summarise_passes
    from recode_models import fresh
    from recode_models.policy.completions import TAGS
    from recode_models.policy.data import read_data
    from recode_models.policy.process import open_process
    from recode_models.policy.recipe import PolicyRecipe
    from recode_models.policy.record import write_record

    rows = [make_problem(f"p{index}", statement=f"Print number {index}.").model_dump_json() for index in range(20)]
    problems = directory.with_name("problems.jsonl")
    problems.write_text("\n".join(rows) + "\n", encoding="utf-8")
    recipe = PolicyRecipe.model_validate(
        {
            "model": {"config": SMALL},
            "data": {"problems": [str(problems)], "held_out": 0.3},
            "process": {"model": "length", "mu": 10.0, "sigma": 5.0},
            "training": {"max_completion_length": 8},
        }
    )
    data = read_data(recipe.data, recipe.seed, directory.with_name("overlap.jsonl"))
    assert recipe.model.config and recipe.process
    texts = [problem.statement for problem in data.train]
    for saved in fresh.make_policy(recipe.model.config, texts, 300, TAGS, recipe.seed):
        saved.save_pretrained(directory)
    passed = {problem.id: [True, False] for problem in data.held_out}
    measured = SimpleNamespace(passes=summarise_passes(passed, 1), process=0.25, length=7.5)
    run = SimpleNamespace(steps=4, best_step=2, before=measured, after=measured, log=[{"step": 1, "alarm/hack": 1.0}])
    write_record(directory, recipe, data, open_process(recipe.process), Isolation.FULL, run, None)  # type: ignore[arg-type]  # importing the trainer takes 15 s
    return directory
