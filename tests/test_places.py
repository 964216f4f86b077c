"""Where a training may put its directory: what it reads and models of the other kind are not replaced."""

import json
from pathlib import Path

import pytest

from lcb_rb.errors import InputError
from recode_models.places import require_free
from recode_models.policy.recipe import PolicyRecipe
from recode_models.reward_model.recipe import RewardRecipe

MODEL = {"id": "base"}


def finished(directory: Path, **record: object) -> Path:
    directory.mkdir(parents=True)
    (directory / "recode.json").write_text(json.dumps(record))
    return directory


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with a finished reward model `rm` and a finished policy `policy`."""
    finished(tmp_path / "rm", pairs_given=3)
    finished(tmp_path / "policy", kept_step=2)
    (tmp_path / "link").symlink_to("rm")
    (tmp_path / "policy" / "problems.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("out", "name"), [("rm", "rm"), ("rm", "link"), ("link", "rm"), ("rm", "policy/../rm/")])
def test_what_a_run_reads_is_not_replaced(here, out, name):
    with pytest.raises(InputError, match=rf"^{out}: this run reads {name}, which its result would replace; choose"):
        require_free(Path(out), "reward model", [None, "length", "owner/name@main", name])


@pytest.mark.parametrize("name", ["policy/problems.jsonl", "policy/recode.json"])
def test_neither_is_a_directory_with_a_file_that_it_reads(here, name):
    with pytest.raises(InputError, match="which its result would replace"):
        require_free(Path("policy"), "policy", [name])


def test_a_model_of_the_other_kind_is_not_replaced(here):
    with pytest.raises(InputError, match=r"^rm: holds a reward model, which a policy would replace; choose another"):
        require_free(Path("rm"), "policy", [])
    with pytest.raises(InputError, match=r"^policy: holds a policy, which a reward model would replace"):
        require_free(Path("policy"), "reward model", [])


def test_an_older_model_of_the_same_kind_is_replaced_with_a_word(here, capsys):
    require_free(Path("rm"), "reward model", ["policy", "no/such"])
    assert "rm: holds an older reward model, which is replaced when this run ends well" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["new", "rm/deeper", "broken", "empty"])
def test_a_place_without_a_model_is_free(here, capsys, out):
    (here / "empty").mkdir()
    finished(here / "other")
    (here / "broken").mkdir()
    (here / "broken" / "recode.json").write_text("{")
    require_free(Path(out), "policy", ["rm"])
    assert capsys.readouterr().err == ""


POLICIES = [
    {"model": {"id": "rm"}},
    {"process": {"model": "rm"}},
    {"data": {"problems": ["rm"]}},
    {"data": {"evaluation": ["rm"]}},
    {"data": {"verdicts": ["rm/verdicts.jsonl"]}},
    {"data": {"prompt": "rm/verdicts.jsonl"}},
    {"warm_start": {"samples": "rm/verdicts.jsonl"}},
]


@pytest.mark.parametrize("changes", POLICIES, ids=str)
def test_a_policy_training_asks_before_it_reads_anything(here, changes):
    from recode_models.policy.train import train

    (here / "rm" / "verdicts.jsonl").write_text("not JSON")
    with pytest.raises(InputError, match=r"this run reads .*rm.*, which its result would replace"):
        train(PolicyRecipe.model_validate({"model": MODEL} | changes), Path("rm"))


@pytest.mark.parametrize("changes", [{"model": {"id": "rm"}}, {"evaluation": [{"pairs": "rm"}]}, {}], ids=str)
def test_a_reward_training_asks_before_it_reads_anything(here, changes):
    from recode_models.reward_model.train import train

    with pytest.raises(InputError, match="this run reads rm, which its result would replace"):
        train(RewardRecipe.model_validate({"model": MODEL} | changes), "none" if changes else "rm", Path("rm"))
