import datetime
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import DatasetCard

from builders import crpl, lcb_rb
from builders.card import CARD, count_table, drop_table, input_table, refuse_foreign, render_card, window_table
from builders.command_line import command
from builders.dataset import facts_of
from builders.filters import REASONS, Selection
from builders.inputs import Inputs
from builders.recipe import NaturalRecipe
from builders.shards import File, Index
from factories import LONG, make_pair, make_problem, make_sample
from lcb_rb.errors import InputError
from lcb_rb.pairs import SCHEMA, pair_schema
from lcb_rb.schema import Isolation, PreferencePair
from lcb_rb.window import Window

FIELDS = (
    *("longer", "longer_share", "n_pairs", "n_after", "n_samples", "n_used", "grades", "kinds", "models", "inputs"),
    *("drops", "command", "audit", "audit_before", "judges", "offenders", "recipe"),
)


STATEMENTS = {
    "p1": "Print the double of the number on stdin.",
    "p2": "Read a list and print how many of its items are even.",
    "p3": "For each line, print it backwards, in upper case.",
}


def small_inputs(directory: Path) -> Inputs:
    """Two files of samples with stored grades: two problems with pairs, and a sample for most reasons to drop one."""
    days = {"p1": "2025-01-31", "p2": "2024-12-01", "p3": None}
    problems = [
        make_problem(name, statement=STATEMENTS[name], difficulty=level, date=day, source=source)
        for (name, day), level, source in zip(days.items(), ("easy", "hard", None), ("a", "b", "a"), strict=True)
    ]
    samples = [
        make_sample("p1/1", passed=True, model="one"),
        make_sample("p1/2", passed=False, model="two|more", reasoning=LONG * 4),
        make_sample("p1/3", passed=False, model="two|more"),
        make_sample("p2/1", problem_id="p2", passed=True, model="two|more", reasoning=LONG * 3),
        make_sample("p2/2", problem_id="p2", passed=False, model="one"),
        make_sample("p2/3", problem_id="p2", passed=True, model="one", reasoning="Short."),
        make_sample("p3/1", problem_id="p3", passed=True, model="one"),
        make_sample("p3/2", problem_id="p3", passed=False, model="one", code=""),
        make_sample("p9/1", problem_id="p9", passed=True, model="one"),
    ]
    directory.mkdir(parents=True, exist_ok=True)
    write(directory / "problems.jsonl", [problem.model_dump(mode="json") for problem in problems])
    fields = {"id", "problem_id", "model", "reasoning", "code", "passed"}
    rows = [sample.model_dump(mode="json", include=fields) for sample in samples]
    write(directory / "one.jsonl", rows[:4])
    write(directory / "two.jsonl", rows[4:])
    return Inputs([directory / "two.jsonl", directory / "one.jsonl"], [directory / "problems.jsonl"])


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def card_of(*pairs: PreferencePair, **fields: str) -> str:
    facts = facts_of({"test": pairs})
    return render_card(
        "lcb_rb", "LCB-RB", {"test": facts}, pair_schema(pairs), {**dict.fromkeys(FIELDS, "x"), **fields}
    )


def header(card: str) -> dict[str, object]:
    found: dict[str, object] = DatasetCard(card).data.to_dict()
    return found


def test_the_card_of_a_small_build_is_the_golden_one(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    lcb_rb.build(small_inputs(tmp_path), tmp_path / "out")
    golden("card_lcb_rb.md", (tmp_path / "out" / CARD).read_text(encoding="utf-8"))


def test_the_header_of_a_card_is_read_by_the_hub(tmp_path: Path) -> None:
    lcb_rb.build(small_inputs(tmp_path), tmp_path / "out")
    fields = header((tmp_path / "out" / CARD).read_text(encoding="utf-8"))
    (declared,) = fields.pop("dataset_info")
    assert declared["config_name"] == "default" and declared["splits"] == [{"name": "test", "num_examples": 2}]
    assert [column["name"] for column in declared["features"]] == [*SCHEMA.names, "place"]
    assert fields == {
        "pretty_name": "LCB-RB",
        "language": ["en"],
        "license": "other",
        "size_categories": ["n<1K"],
        "task_categories": ["text-classification"],
        "tags": ["code", "reasoning", "reward-model", "preference", "lcb-rb"],
        "configs": [
            {"config_name": "default", "default": True, "data_files": [{"split": "test", "path": "data/test-*"}]}
        ],
    }


def test_the_header_of_rewritten_pairs_names_their_splits(tmp_path: Path) -> None:
    crpl.build(small_inputs(tmp_path), tmp_path / "out")
    files = header((tmp_path / "out" / CARD).read_text(encoding="utf-8"))["configs"][0]["data_files"]
    assert files == [
        {"split": "train", "path": "data/train-*"},
        {"split": "validation", "path": "data/validation-*"},
    ]


@pytest.mark.parametrize("build", [lcb_rb.build, crpl.build])
def test_no_field_of_a_template_is_left(tmp_path: Path, build: Callable[[Inputs, Path], object]) -> None:
    build(small_inputs(tmp_path), tmp_path / "out")
    assert "{{" not in (tmp_path / "out" / CARD).read_text(encoding="utf-8")


def test_a_single_licence_is_stated() -> None:
    assert header(card_of(make_pair(source="starter")))["license"] == "apache-2.0"


def test_sources_of_different_licences_are_other() -> None:
    pairs = make_pair("a", source="starter"), make_pair("b", source="livecodebench")
    assert header(card_of(*pairs))["license"] == "other"


def test_a_source_that_we_do_not_know_states_no_licence() -> None:
    assert "| handmade | 1 | not stated: ask whoever made the files |" in card_of(make_pair())


def test_the_licence_facts_are_complete() -> None:
    text = (Path(lcb_rb.__file__).parent / "cards" / "sources.yaml").read_text(encoding="utf-8")
    assert all(facts.keys() == {"spdx", "licence", "provenance"} for facts in yaml.safe_load(text).values())


@pytest.mark.parametrize(("count", "size"), [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K")])
def test_the_size_category_is_that_of_the_hub(count: int, size: str) -> None:
    assert header(card_of(*[make_pair()] * count))["size_categories"] == [size]


def test_the_window_goes_from_the_first_day_to_the_last() -> None:
    days = [datetime.date(2025, 1, day) for day in (9, 30, 2)]
    pairs = [make_pair(str(day), date=day) for day in days]
    assert "Dates of the problems: 2025-01-02 to 2025-01-30." in card_of(*pairs)


def test_pairs_without_a_date_are_counted() -> None:
    pairs = make_pair("a", date=datetime.date(2025, 1, 2)), make_pair("b")
    assert "2025-01-02 to 2025-01-02 (1 pairs without a date)" in card_of(*pairs)


def test_no_dates_are_said_to_be_none() -> None:
    assert "Dates of the problems: none stated (1 pairs without a date)." in card_of(make_pair())


@pytest.mark.parametrize("name", ["a|b", "a\nb", "a\r\n\tb", "| a |\n| --- |"])
def test_no_name_breaks_a_table(name: str) -> None:
    assert [line.count("|") for line in count_table("model", {name: 1}).splitlines()] == [3, 3, 3]


def test_a_table_counts_the_most_frequent_first() -> None:
    assert count_table("level", Counter("cabba")).splitlines()[2:] == ["| a | 2 |", "| b | 2 |", "| c | 1 |"]


def test_dropped_samples_are_listed_with_what_the_reason_means() -> None:
    rows = drop_table(Counter(no_code=1, no_failed=3, ungraded=0)).splitlines()[2:]
    assert rows == [f"| no_failed | 3 | {REASONS['no_failed']} |", f"| no_code | 1 | {REASONS['no_code']} |"]


def test_input_files_are_listed_by_name() -> None:
    samples = [File(name=name, sha256=name * 20, samples=count) for name, count in (("a", 2), ("b", 1))]
    index = Index(samples=samples, problems=[File(name="p", sha256="c" * 64)], verdicts=[], counts={})
    assert input_table(index).splitlines()[2:] == [
        f"| a | 2 | {'a' * 16} |",
        f"| b | 1 | {'b' * 16} |",
        f"| p | problems | {'c' * 16} |",
    ]


def test_pairs_are_counted_by_the_release_of_their_days() -> None:
    days = {"2023-07-01": 2, "2024-04-01": 1, "2025-01-05": 3, "2026-01-01": 1, "": 4}
    assert window_table(days).splitlines()[2:] == [
        "| release_v1 | to 2024-03-31 | 2 |",
        "| release_v2 | to 2024-05-31 | 1 |",
        "| release_v5 | to 2025-01-31 | 3 |",
        "| later |  | 1 |",
        "| undated |  | 4 |",
    ]


def test_the_command_names_every_choice() -> None:
    selection = Selection(100, Window(start=datetime.date(2025, 1, 2)), frozenset({"p1"}))
    inputs = Inputs(
        samples=[Path("x/b c"), Path("a")],
        problems=[Path("x/p")],
        verdicts=[Path("x/v")],
        selection=selection,
        excluded_files=[Path("x/e")],
        least_isolation=Isolation.RLIMITS_ONLY,
    )
    assert command("lcb-rb", inputs, NaturalRecipe(seed=1)) == (
        "recode build lcb-rb --samples a 'b c' --problems p --verdicts v --min-reasoning-chars 100 "
        "--window 2025-01-02: --exclude-problems e --allow-weak-isolation --recipe RECIPE --out DIR"
    )


def test_the_command_of_a_default_build_is_short() -> None:
    inputs = Inputs([Path("a")])
    assert (
        command("lcb-rb", inputs, NaturalRecipe())
        == "recode build lcb-rb --samples a --min-reasoning-chars 200 --out DIR"
    )


def _foreign(out: Path, *names: str, card: str = "`recode build lcb-rb ") -> Path:
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(card if name == CARD else "")
    return out


@pytest.mark.parametrize(
    ("names", "card"),
    [
        ((CARD,), "# My project"),
        ((CARD, "data/test.parquet"), "built by `recode build crpl --samples x`"),
        ((CARD, "src/main.py"), "`recode build lcb-rb --samples x`"),
        ((CARD, ".git/config"), "`recode build lcb-rb --samples x`"),
        (("data/test.parquet",), ""),
    ],
)
def test_a_directory_with_anything_else_is_never_replaced(tmp_path: Path, names: tuple[str, ...], card: str) -> None:
    with pytest.raises(InputError, match="was not built by this command"):
        refuse_foreign(_foreign(tmp_path, *names, card=card), "lcb-rb")


@pytest.mark.parametrize("names", [(), (CARD,), (CARD, "data/test.parquet")])
def test_what_the_same_command_built_may_be_replaced(tmp_path: Path, names: tuple[str, ...]) -> None:
    refuse_foreign(_foreign(tmp_path / "out", *names), "lcb-rb")
