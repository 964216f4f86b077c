import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_pair, make_problem
from lcb_rb.errors import InputError
from lcb_rb.pairs import SCHEMA, data_revision, from_row, pair_files, problem_text, read_pairs, to_row, write_pairs
from lcb_rb.schema import Dimension, Edit, PairKind, PreferencePair

COLUMNS = [
    "id",
    "problem_id",
    "prompt",
    "chosen",
    "rejected",
    "problem",
    "chosen_reasoning",
    "rejected_reasoning",
    "chosen_code",
    "rejected_code",
    "chosen_model",
    "rejected_model",
    "kind",
    "dimension",
    "difficulty",
    "platform",
    "date",
    "source",
    "chosen_chars",
    "rejected_chars",
]
EDIT = Edit(rule="false_claim", dimension=Dimension.FACTUAL_ACCURACY, start=4, before="first", after="last")

text = st.text(max_size=20)
maybe = st.none() | text
edits = st.builds(
    Edit, rule=text, dimension=st.sampled_from(Dimension), start=st.integers(0, 2**31 - 1), before=text, after=text
)
pairs = st.builds(
    PreferencePair,
    id=st.text(min_size=1, max_size=20),
    problem_id=text,
    problem=text,
    chosen_reasoning=text,
    rejected_reasoning=text,
    chosen_code=text,
    rejected_code=text,
    chosen_model=text,
    rejected_model=text,
    kind=st.sampled_from(PairKind),
    dimension=st.none() | st.sampled_from(Dimension),
    difficulty=maybe,
    platform=maybe,
    date=st.none() | st.dates(),
    source=text,
    edits=st.lists(edits, max_size=2).map(tuple),
)


@pytest.fixture
def change(tmp_path: Path) -> Callable[..., Path]:
    """Writes a dataset of two pairs whose table a test has changed."""

    def write(edit: Callable[[pa.Table], pa.Table]) -> Path:
        path = write_pairs([make_pair("p1/a"), make_pair("p1/b")], tmp_path, "test")
        pq.write_table(edit(pq.read_table(path)), path)
        return tmp_path

    return write


def replaced(column: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(column), column, pa.array(values))


@given(pairs)
@settings(deadline=None, max_examples=100)
def test_a_row_leads_back_to_its_pair(pair: PreferencePair) -> None:
    assert from_row(to_row(pair)) == pair


@given(st.lists(pairs, min_size=1, max_size=4, unique_by=lambda pair: pair.id))
@settings(deadline=None, max_examples=40)
def test_a_written_split_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, some: list[Any]) -> None:
    directory = tmp_path_factory.mktemp("pairs")
    write_pairs(some, directory, "test")
    assert read_pairs(directory) == some


def test_equal_pairs_give_equal_bytes(tmp_path: Path) -> None:
    some = [make_pair(f"p1/{i}", edits=(EDIT,) if i % 2 else ()) for i in range(50)]
    paths = [write_pairs(list(some), tmp_path / name, "test") for name in ("one", "two")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_columns_are_those_of_the_benchmark(tmp_path: Path) -> None:
    assert pq.read_schema(write_pairs([make_pair()], tmp_path, "test")).names == COLUMNS == SCHEMA.names


def test_rewritten_pairs_have_one_column_more(tmp_path: Path) -> None:
    path = write_pairs([make_pair(edits=(EDIT,))], tmp_path, "train")
    assert pq.read_schema(path).names == [*COLUMNS, "edits"]


def test_the_conversation_is_the_preference_format_of_trl() -> None:
    row = to_row(make_pair())
    assert [row[name] for name in ("prompt", "chosen", "rejected")] == [
        [{"role": "user", "content": "Print the double."}],
        [{"role": "assistant", "content": "Twice the number is the answer."}],
        [{"role": "assistant", "content": "The square is the answer."}],
    ]


def test_lengths_are_counted_in_characters() -> None:
    row = to_row(make_pair(chosen_reasoning="\u00e9\U0001f40d", rejected_reasoning=""))
    assert (row["chosen_chars"], row["rejected_chars"]) == (2, 0)


def test_swapping_a_pair_twice_changes_nothing() -> None:
    assert make_pair().swap().swap() == make_pair() != make_pair().swap()


def test_load_dataset_loads_a_directory(tmp_path: Path) -> None:
    write_pairs([make_pair(date=datetime.date(2025, 1, 31))], tmp_path / "data-set", "test")
    loaded = datasets.load_dataset(str(tmp_path / "data-set"), split="test", cache_dir=str(tmp_path / "cache"))
    assert (loaded.column_names, from_row(loaded[0])) == (COLUMNS, make_pair(date=datetime.date(2025, 1, 31)))


def test_one_split_is_read_alone(tmp_path: Path) -> None:
    write_pairs([make_pair("p1/a")], tmp_path, "train")
    write_pairs([make_pair("p1/b")], tmp_path, "validation")
    assert [pair.id for pair in read_pairs(tmp_path, "validation")] == ["p1/b"]


def test_all_splits_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for split in ("validation", "train"):
        write_pairs([make_pair(split)], tmp_path, split)
    assert [pair.id for pair in read_pairs(tmp_path)] == ["train", "validation"]


def test_the_revision_changes_with_the_content_alone(tmp_path: Path) -> None:
    for name, model in (("one", "m"), ("two", "m"), ("three", "n")):
        write_pairs([make_pair(chosen_model=model)], tmp_path / name, "test")
    one, two, three = (data_revision(pair_files(tmp_path / name)) for name in ("one", "two", "three"))
    assert one == two != three


@pytest.mark.parametrize("column", [name for name in COLUMNS if name in PreferencePair.model_fields])
def test_a_missing_column_is_named(change: Callable[..., Path], column: str) -> None:
    with pytest.raises(InputError, match=f"test-00000-of-00001.parquet, field '{column}': is missing; build it again"):
        read_pairs(change(lambda table: table.drop_columns([column])))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("kind", ["natural", "odd"]),
        ("id", ["p1/a", ""]),
        ("id", ["p1/a", None]),
        ("problem", ["p", None]),
        ("chosen_reasoning", [None, None]),
        ("rejected_code", [1.5, 2.5]),
        ("date", ["2025-01-31", "yesterday"]),
        ("dimension", ["style", None]),
        ("source", [[1], [2]]),
    ],
)
def test_a_wrong_value_is_named_with_its_row(change: Callable[..., Path], column: str, values: list[Any]) -> None:
    with pytest.raises(InputError, match=rf"row [01], field '{column}'.*; build it again$"):
        read_pairs(change(replaced(column, values)))


@pytest.mark.parametrize("values", [[1, 2], ["x", "y"], [[1], [2]], [[{"rule": "r"}], []], [[{"odd": 1}], []]])
def test_edits_of_another_shape_are_refused(change: Callable[..., Path], values: list[Any]) -> None:
    with pytest.raises(InputError, match="row 0, field 'edits"):
        read_pairs(change(lambda table: table.append_column("edits", pa.array(values))))


def test_text_that_is_not_utf_8_is_refused(change: Callable[..., Path]) -> None:
    def spoil(table: pa.Table) -> pa.Table:
        broken = pa.array([b"\xff\xfe", b"fine"]).view(pa.string())
        return table.set_column(table.column_names.index("problem"), "problem", broken)

    with pytest.raises(InputError, match=r"cannot be read|is not a parquet file"):
        read_pairs(change(spoil))


def test_an_id_that_comes_twice_is_named(change: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="pair 'p1/a' comes twice"):
        read_pairs(change(replaced("id", ["p1/a", "p1/a"])))


def test_an_id_that_comes_in_two_splits_is_named(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        write_pairs([make_pair("p1/a")], tmp_path, split)
    with pytest.raises(InputError, match="pair 'p1/a' comes twice"):
        read_pairs(tmp_path)


def test_a_column_that_is_not_ours_is_passed_over(change: Callable[..., Path]) -> None:
    directory = change(lambda table: table.append_column("note", pa.array(["x", "y"])))
    assert [pair.id for pair in read_pairs(directory)] == ["p1/a", "p1/b"]


@pytest.mark.parametrize("keep", [0, 1, 4, 200, -1])
def test_a_file_that_is_cut_is_one_clear_line(tmp_path: Path, keep: int) -> None:
    path = write_pairs([make_pair()], tmp_path, "test")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as caught:
        read_pairs(tmp_path)
    assert str(caught.value).startswith(f"{path}: is not a parquet file")
    assert "\n" not in str(caught.value)


@given(st.integers(0, 10**6), st.integers(0, 255))
@settings(deadline=None, max_examples=200)
def test_a_wrong_byte_never_makes_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    directory = tmp_path_factory.mktemp("byte")
    path = write_pairs([make_pair()], directory, "test")
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content)
    try:
        read_pairs(directory)
    except InputError as error:  # a byte that changes nothing, or one in the text, is no error
        assert "\n" not in str(error)


def test_no_rows_are_an_error(tmp_path: Path) -> None:
    write_pairs([], tmp_path, "test")
    with pytest.raises(InputError, match="holds no pairs"):
        read_pairs(tmp_path)


@pytest.mark.parametrize("name", ["missing", "a-file"])
def test_a_place_that_is_no_directory_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").write_text("x")
    with pytest.raises(InputError, match="is not a directory; give a directory made by `recode build`"):
        read_pairs(tmp_path / name)


@pytest.mark.parametrize("split", [None, "train", "**", "[", "../test"])
def test_a_split_that_is_not_there_is_refused(tmp_path: Path, split: str | None) -> None:
    if split:
        write_pairs([make_pair()], tmp_path, "test")
    with pytest.raises(InputError, match=r"has no (data/|split )"):
        read_pairs(tmp_path, split)


def test_starter_code_follows_the_statement() -> None:
    problem = make_problem(statement=" Double it. \n", starter_code="def f(x):\n    ")
    assert problem_text(problem) == "Double it.\n\nStarter code:\ndef f(x):"


def test_a_statement_without_starter_code_stands_alone() -> None:
    assert problem_text(make_problem(statement=" Double it. \n", starter_code=" \n")) == "Double it."


def card(*configs: dict[str, object]) -> str:
    return f"---\n{yaml.safe_dump({'configs': list(configs)})}---\n"


def test_a_split_of_which_a_file_is_missing_is_refused(tmp_path):
    write_pairs([make_pair()], tmp_path, "test").rename(tmp_path / "data" / "test-00000-of-00002.parquet")
    with pytest.raises(InputError, match="holds 1 of 2 files of split 'test'"):
        read_pairs(tmp_path)


def test_the_card_says_which_files_belong_to_a_config(tmp_path):
    """Files of an older version, which the card no longer names, are not read."""
    for split in ("train", "test"):
        write_pairs([make_pair(f"{split}/a", problem_id=split)], tmp_path, split)
    write_pairs([make_pair("x/a", problem_id="x")], tmp_path, "train", "crpl")
    files = {"split": "test", "path": "data/test-*"}
    (tmp_path / "README.md").write_text(
        card({"config_name": "default", "data_files": [files]}, {"config_name": "crpl", "data_dir": "crpl"})
    )
    assert [pair.problem_id for pair in read_pairs(tmp_path)] == ["test"]
    assert [pair.problem_id for pair in read_pairs(tmp_path, config="crpl")] == ["x"]
    with pytest.raises(InputError, match="has no config 'problems'; choose one of default, crpl"):
        read_pairs(tmp_path, config="problems")


@pytest.mark.parametrize("config", ["../data", "a/b", "", ".."])
def test_a_config_is_no_path(tmp_path, config):
    write_pairs([make_pair()], tmp_path, "test")
    with pytest.raises(InputError, match="has no config"):
        read_pairs(tmp_path, config=config)
