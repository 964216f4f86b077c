"""Training pairs from real reasonings: as many, of as many problems, as the balance leaves, none told by its form."""

import json
from pathlib import Path

import pytest

from factories import SHARED_DATA, needs, run_recode
from lcb_rb.pairs import read_pairs
from lcb_rb.schema import Isolation, PairKind, PreferencePair, Result, Verdict
from lcb_rb.sources import read_samples

needs("sklearn")
if SHARED_DATA is None:
    pytest.skip("the real reasonings are not on this machine", allow_module_level=True)

TRAIN = SHARED_DATA / "problems" / "LeetCodeDataset-v0.2.0-train.jsonl.gz"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The directory, and what the command says; every response is a verified one, so none is run."""
    directory = tmp_path_factory.mktemp("real")
    accepted = Result(verdict=Verdict.ACCEPTED, isolation=Isolation.FULL).model_dump(mode="json")
    rows = [{"id": s.id, "problem_id": s.problem_id, **accepted} for s in read_samples([TRAIN]).samples]
    verdicts = directory / "verdicts.jsonl"
    verdicts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = directory / "crpl"
    done = run_recode("build", "crpl", "--samples", TRAIN, "--verdicts", verdicts, "--out", out, "--json", timeout=600)
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


@pytest.fixture(scope="module")
def pairs(built: tuple[Path, dict[str, object]]) -> list[PreferencePair]:
    return read_pairs(built[0])


def test_rules_make_five_thousand_pairs_over_fifteen_hundred_problems(pairs: list[PreferencePair]) -> None:
    assert len(pairs) >= 5000
    assert len({pair.problem_id for pair in pairs}) >= 1500
    assert {pair.kind for pair in pairs} == {PairKind.DEGRADED, PairKind.STRONG}


def test_neither_form_nor_words_tell_the_better_side(built: tuple[Path, dict[str, object]]) -> None:
    audit = built[1]["audit"]
    assert isinstance(audit, dict)
    found = {row["predictor"]: row["result"]["accuracy"] for row in audit["rows"]}
    assert max(found.values()) <= 0.55, found


def test_every_sample_is_used_or_told(built: tuple[Path, dict[str, object]]) -> None:
    told = built[1]
    assert told["samples"] == 1890 and isinstance(told["drops"], dict)
    assert told["drops"].keys() <= {"short_reasoning", "length_ratio", "format", "no_variant", "unbalanced"}
