import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import shards
from builders.shards import bucket_of, deal
from factories import make_problem, make_sample
from lcb_rb.errors import InputError
from lcb_rb.schema import Isolation, Result, Sample, Verdict

FIELDS = {"id", "problem_id", "model", "reasoning", "code", "passed"}


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def files(directory: Path, samples: list[Sample], graded: tuple[str, ...] = ()) -> tuple[list[Path], ...]:
    """Files of samples, of their problems, and of verdicts on some."""
    rows = [sample.model_dump(mode="json", include=FIELDS) for sample in samples]
    problems = sorted({sample.problem_id for sample in samples})
    accepted = Result(verdict=Verdict.ACCEPTED, isolation=Isolation.FULL).model_dump(mode="json")
    verdicts = [{"id": s.id, "problem_id": s.problem_id, **accepted} for s in samples if s.id in graded]
    return (
        [write(directory / "samples.jsonl", rows)],
        [write(directory / "problems.jsonl", [make_problem(name).model_dump(mode="json") for name in problems])],
        [write(directory / "verdicts.jsonl", verdicts)] if verdicts else [],
    )


def some(n: int, problems: int = 3) -> list[Sample]:
    return [make_sample(f"s{i}", problem_id=f"p{i % problems}", passed=True) for i in range(n)]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 400), min_size=1, max_size=40, unique=True))
def test_every_sample_is_in_one_unit_with_all_others_of_its_problem(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("shards")
    samples = [make_sample(f"s{i}", problem_id=f"p{i % 97}") for i in numbers]
    found = deal(*files(directory, samples), directory / "work")
    loaded = [found.load(unit) for unit in found.units]
    assert sorted(s.id for one in loaded for s in one.samples) == sorted(s.id for s in samples)
    problems = [{sample.problem_id for sample in one.samples} for one in loaded]
    assert sum(map(len, problems)) == len(set().union(*problems))
    assert all(set(one.problems) == names for one, names in zip(loaded, problems, strict=True))


def test_a_verdict_lies_with_its_sample(tmp_path: Path) -> None:
    found = deal(*files(tmp_path, some(6), graded=("s1", "s4")), tmp_path / "work")
    results = {name: result for unit in found.units for name, result in found.load(unit).results.items()}
    assert {name: result.verdict for name, result in results.items()} == dict.fromkeys(("s1", "s4"), Verdict.ACCEPTED)


def test_units_hold_whole_buckets_and_are_closed_when_large_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "UNIT", 4)
    found = deal(*files(tmp_path, some(40, problems=20)), tmp_path / "work")
    sizes = [len(found.load(unit).samples) for unit in found.units]
    assert sum(sizes) == 40 and all(size >= 4 for size in sizes[:-1])
    assert [bucket for unit in found.units for bucket in unit] == sorted({bucket_of(f"p{i}") for i in range(20)})


def test_dealt_files_are_not_dealt_again(tmp_path: Path) -> None:
    given = files(tmp_path, some(6))
    first = deal(*given, tmp_path / "work")
    marker = first.directory / "marker"
    marker.touch()
    assert deal(*given, tmp_path / "work") == first
    assert marker.exists()


def test_a_deal_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    given = files(tmp_path, some(6))
    first = deal(*given, tmp_path / "work")
    (first.directory / shards.INDEX).unlink()
    again = deal(*given, tmp_path / "work")
    assert sum(len(again.load(unit).samples) for unit in again.units) == 6


def test_other_bytes_are_dealt_anew(tmp_path: Path) -> None:
    first = deal(*files(tmp_path, some(6)), tmp_path / "work")
    assert deal(*files(tmp_path, some(7)), tmp_path / "work").directory != first.directory


def test_the_files_are_remembered_with_hash_and_count(tmp_path: Path) -> None:
    (file,) = deal(*files(tmp_path, some(6)), tmp_path / "work").index.samples
    assert (file.name, file.samples, len(file.sha256)) == ("samples.jsonl", 6, 64)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl: does not exist; check the path"):
        deal([tmp_path / "nowhere.jsonl"], [], [], tmp_path / "work")


def test_a_sample_that_comes_twice_is_refused(tmp_path: Path) -> None:
    rows = [make_sample("s1").model_dump(mode="json", include=FIELDS)] * 2
    with pytest.raises(InputError, match="comes twice"):
        deal([write(tmp_path / "a.jsonl", rows)], [], [], tmp_path / "work")
