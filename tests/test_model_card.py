"""The card of a model and its results: of this very model, on the Hub's own pairs, or not at all."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from factories import make_pair
from lcb_rb.cards import CARD, split_card
from lcb_rb.errors import InputError
from lcb_rb.evaluation import report_of
from lcb_rb.hub.files import files_of
from lcb_rb.hub.model_card import RECORD, RESULTS, model_files
from lcb_rb.schema import PairKind, PairScore, Provenance
from lcb_rb.scorers.loading import content_hash
from publishable import make_model

COMMIT = "0123456789abcdef" * 2 + "01234567"
RECIPE = {"kinds": ["degraded"], "model": {"config": {"model_type": "qwen2"}}}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = make_model(tmp_path / "model")
    (directory / CARD).unlink()
    record = {
        "package_version": "0.1.0",
        "recipe": RECIPE,
        "data_revision": "d" * 64,
        "pairs_given": 9,
        "pairs_kept": 8,
    }
    (directory / RECORD).write_text(json.dumps({**record, "validation": None, "versions": {"torch": "2.13.0"}}))
    return directory


def add_report(model: Path, kind: PairKind = PairKind.NATURAL, **fields: Any) -> None:
    told = {
        "data": "recode/lcb-rb",
        "data_revision": COMMIT,
        "scorer": str(model),
        "scorer_revision": content_hash(model),
    }
    known = {"package_version": "0.1.0", "seed": 0, "command": f"recode score {model} --pairs recode/lcb-rb"}
    pairs = [make_pair(f"p{i}/a", problem_id=f"p{i}", kind=kind) for i in range(4)]
    scores = [PairScore(id=pair.id, chosen=float(i), rejected=1.0) for i, pair in enumerate(pairs)]
    report = report_of(scores, pairs, Provenance(**{**told, **known, **fields}))
    (model / "reports").mkdir(exist_ok=True)
    (model / "reports" / "it.json").write_text(report.model_dump_json())


def made(model: Path, tmp_path: Path) -> dict[str, str]:
    files = model_files(model, files_of(model), "recode/reward", tmp_path / "made")
    return {name: path.read_text() for name, path in files.items()}


def test_a_model_without_a_report_has_a_card_and_no_results(model, tmp_path):
    found = made(model, tmp_path)
    assert set(found) == {CARD}
    fields, text = split_card(found[CARD], Path(CARD))
    assert "model-index" not in fields and fields["license"] == "apache-2.0"
    assert "None yet" in text and "torch 2.13.0" in text and "8 of 9 pairs" in text and "d" * 64 in text


def test_the_card_is_the_golden_one(model, tmp_path, golden):
    add_report(model)
    golden("card_reward.md", made(model, tmp_path)[CARD])


def test_base_and_data_on_the_hub_are_named_at_their_commits(model, tmp_path):
    record = json.loads((model / RECORD).read_text())
    on_hub = {"recipe": {"model": {"id": "owner/base"}}, "base_revision": COMMIT, "data": "owner/pairs"}
    (model / RECORD).write_text(json.dumps({**record, **on_hub, "data_revision": COMMIT}))
    fields, text = split_card(made(model, tmp_path)[CARD], Path(CARD))
    assert (fields["base_model"], fields["datasets"]) == ("owner/base", ["owner/pairs"])
    assert f"From `owner/base` at commit `{COMMIT}`" in text


def test_a_report_on_the_hubs_natural_pairs_is_a_result(model, tmp_path):
    add_report(model)
    found = made(model, tmp_path)
    (entry,) = yaml.safe_load(found[RESULTS])
    assert entry["dataset"] == {"id": "recode/lcb-rb", "task_id": "lcb-rb", "revision": COMMIT}
    assert entry["value"] == 0.625 and "4 pairs, 1 ties, 0 unscored" in entry["notes"]
    (result,) = split_card(found[CARD], Path(CARD))[0]["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == 0.625
    assert (result["dataset"]["config"], result["dataset"]["split"]) == ("default", "test")
    assert "| recode/lcb-rb: natural |" in found[CARD]


@pytest.mark.parametrize(
    "fields",
    [
        {"data": "own/pairs", "data_revision": "e" * 64},
        {"data": "recode/lcb-rb/crpl/validation", "kind": PairKind.DEGRADED},
        {"data": "recode/lcb-rb/train"},
    ],
    ids=["local", "other config", "other split"],
)
def test_other_reports_are_rows_of_the_table_and_no_results(model, tmp_path, fields):
    add_report(model, **fields)
    found = made(model, tmp_path)
    assert RESULTS not in found and "model-index" not in found[CARD]
    assert f"| {fields['data']}: " in found[CARD]


def test_a_report_of_another_model_is_refused(model, tmp_path):
    add_report(model)
    make_model(model, seed=1)
    (model / CARD).unlink()
    with pytest.raises(InputError, match="is about another model"):
        made(model, tmp_path)


def test_a_report_by_the_models_own_id_names_the_commit(model, tmp_path):
    add_report(model, scorer="recode/reward", scorer_revision="f" * 40)
    assert f"scored at commit {'f' * 40}" in " ".join(made(model, tmp_path)[RESULTS].split())


def test_local_paths_of_a_report_are_not_published(model, tmp_path):
    add_report(model, data=str(tmp_path / "pairs"), data_revision="e" * 64)
    found = made(model, tmp_path)
    told = json.loads(found["reports/it.json"])["provenance"]
    assert (told["scorer"], told["data"]) == ("model", "pairs")
    assert told["command"] == "recode score model --pairs recode/lcb-rb"
    assert str(tmp_path) not in "".join(found.values())


def test_a_card_of_its_own_is_left_as_it_is(model, tmp_path):
    (model / CARD).write_text("---\nlicense: mit\n---\nMine.\n")
    assert CARD not in made(model, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (RECORD, b"{", "is no JSON"),
        (RECORD, b"[]", "recode.json"),
        (RECORD, b'{"recipe": "x"}', "field 'package_version': is missing"),
        ("reports/it.json", b"\xff", "is no report"),
        ("reports/it.json", b"{}", "is no report"),
    ],
)
def test_what_cannot_be_read_is_one_line(model, tmp_path, name, content, said):
    (model / "reports").mkdir()
    (model / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        made(model, tmp_path)
    assert str(caught.value).startswith(str(model / name)) and "\n" not in str(caught.value)
