"""The card of a policy: what was measured, rewarded and rang, for what kind of training; and a policy on a Hub."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from factories import ROOT, needs
from hub import environment, running
from lcb_rb.cards import CARD, split_card
from lcb_rb.errors import InputError
from lcb_rb.hub.files import files_of
from lcb_rb.hub.model_card import RECORD, RESULTS, model_files
from lcb_rb.hub.publish import publish
from lcb_rb.hub.remote import Target
from publishable import OWNER, downloaded, make_model

COMMIT, DIGEST = "0123456789abcdef" * 2 + "01234567", "fedcba9876543210" * 4
REPO = "recode/policy"


def measured(value: float, process: float | None) -> dict[str, Any]:
    interval = {"low": value - 0.1, "high": value + 0.1, "level": 0.95, "method": "percentile bootstrap"}
    passes = {"k": 1, "n_problems": 40, "n_samples": 160, "n_ungraded": 2, "value": value, "interval": interval}
    return {"pass_rate": passes, "process": process, "length": 812.4}


def known(**changes: Any) -> dict[str, Any]:
    """The record of a training on the Hub's problems from a model of the Hub."""
    recipe = {
        "model": {"id": "owner/base-1.5b", "revision": "main"},
        "warm_start": None,
        "data": {"problems": ["owner/problems@v1.0.0", "/data/mine/more.jsonl"], "window": "2024-10-01:"},
        "process": {"model": "/data/models/reward", "max_tokens": 4096},
        "gate": "strict",
        "mode": "grpo",
        "format_weight": 1.0,
        "process_weight": 0.5,
        "training": {"max_completion_length": 1024, "temperature": 0.8},
    }
    data = {
        "sources": [
            {"name": "owner/problems", "revision": COMMIT, "problems": 390},
            {"name": "more.jsonl", "revision": DIGEST, "problems": 20},
        ],
        "evaluation": [{"name": "HumanEval.jsonl", "revision": DIGEST, "problems": 164}],
        "counts": {"given": 410, "without_tests": 3, "in_evaluation": 0, "train": 367, "held_out": 40},
        "prompt": {"name": "think-answer", "sha256": DIGEST, "template": "Solve:\n\n{{statement}}\n\n{{task}}\n"},
    }
    record = {
        "package_version": "0.1.0",
        "versions": {"torch": "2.13.0", "trl": "1.16.0"},
        "recipe": {**recipe, **changes.pop("recipe", {})},
        "base_revision": COMMIT,
        "data": data,
        "process": {"name": "owner/reward", "revision": COMMIT, "notes": ["scores: sigmoid((z - 1) / 2)"]},
        "isolation": "no-namespaces",
        "steps": 200,
        "kept_step": 150,
        "before": measured(0.25, 0.4),
        "after": measured(0.45, None),
        "alarms": ["alarm/length"],
    }
    return {**record, **changes}


def directory_of(place: Path, record: dict[str, Any]) -> Path:
    directory = make_model(place / "policy")
    (directory / CARD).unlink()
    (directory / RECORD).write_text(json.dumps(record))
    (directory / "curves.png").write_bytes(b"\x89PNG")
    return directory


def made(directory: Path) -> dict[str, str]:
    files = model_files(directory, files_of(directory), REPO, directory.with_name("made"))
    return {name: path.read_text(encoding="utf-8") for name, path in files.items()}


def test_the_card_is_the_golden_one(tmp_path, golden):
    golden("card_policy.md", made(directory_of(tmp_path, known()))[CARD])


def test_what_is_on_the_hub_is_linked_and_no_result_is_claimed(tmp_path):
    found = made(directory_of(tmp_path, known()))
    fields, _ = split_card(found[CARD], Path(CARD))
    assert (fields["base_model"], fields["datasets"]) == ("owner/base-1.5b", ["owner/problems"])
    assert (fields["pipeline_tag"], fields["library_name"]) == ("text-generation", "transformers")
    assert {"recode", "cg-grpo"} <= set(fields["tags"]) and fields["license_name"] == "as-base-model"
    assert "model-index" not in fields and RESULTS not in found


def test_absolute_paths_of_the_recipe_are_cut(tmp_path):
    found = made(directory_of(tmp_path, known()))
    recipe = json.loads(found[RECORD])["recipe"]
    assert recipe["data"]["problems"] == ["owner/problems@v1.0.0", "more.jsonl"]
    assert recipe["process"]["model"] == "reward" and "/data/" not in "".join(found.values())
    assert json.loads(found[RECORD]) == {**known(), "recipe": recipe}


def test_a_record_without_absolute_paths_is_published_as_it_is(tmp_path):
    data, process = {"problems": ["more.jsonl"]}, {"model": "owner/reward"}
    assert set(made(directory_of(tmp_path, known(recipe={"data": data, "process": process})))) == {CARD}


def test_a_base_from_this_machine_is_no_base_model_of_the_hub(tmp_path):
    card = made(directory_of(tmp_path, known(base_revision=f"sha256:{DIGEST}")))[CARD]
    assert "base_model" not in split_card(card, Path(CARD))[0]
    assert f"From `owner/base-1.5b` at sha256 `{DIGEST[:16]}`" in card


def test_random_weights_and_a_warm_start_are_told(tmp_path):
    recipe = {"model": {"id": None, "config": {}}, "warm_start": {"samples": "micro"}}
    card = made(directory_of(tmp_path, known(base_revision=None, recipe=recipe)))[CARD]
    fields, text = split_card(card, Path(CARD))
    assert fields["license"] == "apache-2.0" and "base_model" not in fields
    assert "From random weights, taught by supervised steps on the samples `micro`:" in text


@pytest.mark.parametrize(
    ("changes", "said", "tagged"),
    [
        ({"recipe": {"gate": "soft"}}, "Trained with CG-GRPO after", True),
        ({"recipe": {"gate": "none"}}, "a process reward without a gate", False),
        ({"process": None}, "GRPO, without a process reward,", False),
    ],
    ids=["soft", "ungated", "outcome only"],
)
def test_only_a_gated_process_is_called_cg_grpo(tmp_path, changes, said, tagged):
    card = made(directory_of(tmp_path, known(**changes)))[CARD]
    assert said in card and ("cg-grpo" in split_card(card, Path(CARD))[0]["tags"]) is tagged


def test_what_was_not_measured_is_not_in_the_table(tmp_path):
    card = made(directory_of(tmp_path, known(before=None)))[CARD]
    assert "| before |" not in card and "| after, step 150 | 0.450 | 0.350-0.550 | 40 | 160 | 2 | - | 812 |" in card
    card = made(directory_of(tmp_path, known(before=None, after=None)))[CARD]
    assert "nothing was measured" in card and "| policy |" not in card


def test_alarms_that_could_not_ring_are_not_named(tmp_path):
    card = made(directory_of(tmp_path, known(alarms=[], process=None)))[CARD]
    assert "None rang" in card and "the process score rose" not in card


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kept_step": "last"}, "field 'kept_step': "),
        ({"recipe": {"gate": "open"}}, "field 'recipe.gate': "),
        ({"data": {}}, "field 'data.sources': is missing"),
    ],
)
def test_a_record_that_cannot_be_understood_is_one_line(tmp_path, changes, said):
    directory = directory_of(tmp_path, known(**changes))
    with pytest.raises(InputError, match=said) as caught:
        made(directory)
    assert str(caught.value).startswith(str(directory / RECORD)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("training_args.bin", b"1", "is a pickle"),
        ("modeling.py", b"1", "is code"),
        ("config.json", None, "config.json: is missing"),
        ("model.safetensors", None, "holds no .safetensors weights"),
    ],
)
def test_what_is_refused_of_reward_models_is_refused_of_policies(tmp_path, name, content, said):
    directory = directory_of(tmp_path, known())
    (directory / name).unlink() if content is None else (directory / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        publish(directory, Target(REPO, "model"), endpoint="http://127.0.0.1:9")  # where nobody would answer


JOURNEY = """
import sys
from pathlib import Path

from factories import run_recode
from huggingface_hub import hf_hub_download
from publishable import make_policy

directory, repo = make_policy(Path(sys.argv[1])), sys.argv[2]
done = run_recode("publish", directory, repo, "--type", "model")
assert done.returncode == 0, done.stderr
card = Path(hf_hub_download(repo, "README.md")).read_text()
exec(card.partition("```python\\n")[2].partition("```")[0])
here, there = AutoModelForCausalLM.from_pretrained(directory).state_dict(), model.state_dict()
assert here.keys() == there.keys() and all(there[name].equal(here[name]) for name in here)
"""
"""In one process, since each that loads a model takes ten seconds."""


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict[str, bytes]:
    """Files of a policy on a Hub, after it was loaded from there as its card says."""
    needs("torch", "transformers", "matplotlib")
    root = tmp_path_factory.mktemp("published")
    with running(root / "server") as server:
        settings = environment(server, root / "home", OWNER, server.xet)
        settings |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        command = [sys.executable, "-c", JOURNEY, str(root / "policy"), REPO]
        done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.strip()  # what the policy wrote
        files = downloaded(server, REPO)
    assert not [name for name, content in files.items() if str(root).encode() in content]
    return files


def test_a_policy_is_loaded_from_the_hub_as_its_card_says(published):
    assert {"model.safetensors", "config.json", "tokenizer.json", RECORD, "curves.png"} <= set(published)


def test_the_record_of_a_training_becomes_a_card(published):
    fields, card = split_card(published[CARD].decode(), Path(CARD))
    assert fields["pipeline_tag"] == "text-generation"
    assert "| after, step 2 | 0.500 |" in card and "- `hack`: the process score rose" in card
    assert yaml.safe_load(card.partition("```yaml\n")[2].partition("```")[0])["data"]["problems"] == ["problems.jsonl"]
