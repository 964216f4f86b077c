"""The same rows from every way a file may be written, and one clear error for every broken one."""

import codecs
import gzip
import json
import lzma
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcb_rb import reading
from lcb_rb.errors import InputError
from lcb_rb.reading import bare_name, is_json_array, parse_json, read_json_array, read_json_lines

ROWS: list[dict[str, Any]] = [{"id": f"é{i}", "text": "one\ntwo\u2028three \U0001f600", "n": i} for i in range(40)]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
records = st.lists(st.dictionaries(st.text(max_size=5), values, max_size=4), min_size=1, max_size=6)
modest = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


def zst(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


def plain(data: bytes) -> bytes:
    return data


PACKERS: dict[str, Callable[[bytes], bytes]] = {"": plain, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zst}
packed = pytest.mark.parametrize("suffix", list(PACKERS))
compressed = pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])


def as_lines(rows: list[dict[str, Any]], **options: Any) -> bytes:
    return "".join(json.dumps(row, **options) + "\n" for row in rows).encode()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """All rows, in the form that the content shows."""
    reader = read_json_array if is_json_array(path) else read_json_lines
    return [row for _, row in reader(path)]


def fault(path: Path) -> str:
    """What is said of a file that cannot be read, without its path."""
    with pytest.raises(InputError) as raised:
        read(path)
    return str(raised.value).removeprefix(str(path))


@packed
def test_lines_read_the_same_however_they_are_packed(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.jsonl{suffix}", PACKERS[suffix](as_lines(ROWS, ensure_ascii=False)))
    assert read(path) == ROWS


@packed
def test_a_list_reads_the_same_however_it_is_packed(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.json{suffix}", PACKERS[suffix](json.dumps(ROWS).encode()))
    assert read(path) == ROWS


@compressed
def test_all_members_of_a_concatenated_file_are_read(tmp_path: Path, suffix: str) -> None:
    pack = PACKERS[suffix]
    path = write(tmp_path / f"a.jsonl{suffix}", pack(as_lines(ROWS[:7])) + pack(b"") + pack(as_lines(ROWS[7:])))
    assert read(path) == ROWS


@compressed
def test_a_compressed_file_cut_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    whole = PACKERS[suffix](as_lines(ROWS))
    for length in range(len(whole)):
        assert fault(write(tmp_path / f"{length}.jsonl{suffix}", whole[:length])), f"cut at {length} of {len(whole)}"


@pytest.mark.parametrize("suffix", [".gz", ".xz"])  # a zst file need not carry a checksum
def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path, suffix: str) -> None:
    whole = PACKERS[suffix](as_lines(ROWS))
    for index in range(len(whole)):
        path = write(tmp_path / f"a.jsonl{suffix}", whole[:index] + bytes([whole[index] ^ 4]) + whole[index + 1 :])
        try:
            rows = read(path)
        except InputError:
            continue
        assert rows == ROWS, f"byte {index} of {len(whole)}"


@modest
@given(records, st.sampled_from([None, 0, 4]), st.booleans())
def test_a_list_gives_back_what_was_dumped(
    tmp_path: Path, rows: list[dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    assert read(write(tmp_path / "a.json", text.encode())) == rows


@modest
@given(records, st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\n"]), st.booleans())
def test_lines_give_back_what_was_dumped(
    tmp_path: Path, rows: list[dict[str, Any]], ascii_only: bool, end: str, last: bool
) -> None:
    text = end.join(json.dumps(row, ensure_ascii=ascii_only) for row in rows) + (end if last else "")
    assert read(write(tmp_path / "a.jsonl", text.encode())) == rows


@modest
@given(st.binary(max_size=60) | st.text(alphabet='[]{},:"\\ud8e1n \n', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "a.json", data)
    try:
        assert read(path)
    except InputError as error:
        assert len(str(error).splitlines()) == 1


@modest
@given(st.sampled_from([".gz", ".xz", ".zst"]), st.binary(max_size=40))
def test_any_bytes_under_a_compressed_name_are_refused(tmp_path: Path, suffix: str, data: bytes) -> None:
    assert fault(write(tmp_path / f"a.json{suffix}", data))


def test_lines_are_counted_from_one_with_the_blank_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b'\n{"a": 1}\n\n \n{"a": 2}')
    assert [number for number, _ in read_json_lines(path)] == [2, 5]


def test_a_record_of_a_list_stands_on_the_line_where_it_starts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", b'\n[\n {"a":\n  1},\n\n {"a": 2}, {"a": 3}\n,\n{"a": 4}]\n')
    assert [number for number, _ in read_json_array(path)] == [3, 6, 6, 8]


@pytest.mark.parametrize("form", ["lines", "list"])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, form: str) -> None:
    data = as_lines(ROWS) if form == "lines" else json.dumps(ROWS).encode()
    assert read(write(tmp_path / "a.json", codecs.BOM_UTF8 + data)) == ROWS


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ": is empty;"),
        (b" \n\t\r\n", ": is empty;"),
        (codecs.BOM_UTF8 + b"\n", ": is empty;"),
        (b"[]", ": holds an empty list;"),
        (b"[ \n ]", ": holds an empty list;"),
        (b"\n\n{]", ", line 3: invalid JSON: Expecting property name"),
        (b'{"a": 1}{"a": 2}', ", line 1: invalid JSON: Extra data;"),
        (b'{"a": 1},\n{"a": 2},\n', ", line 1: invalid JSON: Extra data;"),
        (b'[{"a": 1}', ", line 1: invalid JSON: the list is cut;"),
        (b'[\n{"a": 1}\n{"a": 2}]', ", line 2: invalid JSON: the list is cut;"),
        (b'[\n{"a": 1},\n]', ", line 3: invalid JSON: Expecting value;"),
        (b'[\n{"a": 1},\n{"a": "', ", line 3: invalid JSON: Unterminated string"),
        (b'[\n{"a": 1}\n]\n[{"a": 2}]', ", line 4: invalid JSON: text after the list;"),
        (b'[{"a": 1}]]', ", line 1: invalid JSON: text after the list;"),
        (b'[{"a": 1},\n\n7]', ", line 3: expected a JSON object, found int;"),
        (b"[[{}]]", ", line 1: expected a JSON object, found list;"),
        (b"null", ", line 1: expected a JSON object, found NoneType;"),
        (b'{"a": 1}\n{"a": NaN}', ", line 2: invalid JSON: NaN is not a JSON value;"),
        (b'[{"a": 1},\n{"a": -Infinity}]', ", line 2: invalid JSON: -Infinity is not a JSON value;"),
        (b'{"a": 1e999}', ", line 1: invalid JSON: 1e999 is out of range;"),
        (b'{"a": ' + b"9" * 5000 + b"}", ", line 1: invalid JSON: Exceeds the limit"),
        (b'{"a": 1}\n{"a": "\xe9"}', ", line 2: is not UTF-8 (byte 7);"),
        ('{"a": 1}'.encode("utf-16"), ", line 1: is not UTF-8 (byte 0);"),
        (b'{"a": "\\ud800"}', r", line 1: invalid JSON: '\ud800' is half a character;"),
        (b'[{"a": [{"\\udfff": 1}]}]', r", line 1: invalid JSON: '\udfff' is half a character;"),
        (b'{"a": ' * 100_000, ", line 1: invalid JSON: nested too deeply;"),
        (b"[" * 100_000, ", line 1: invalid JSON: nested too deeply;"),
        (b'{"a": "\x00"}', ", line 1: invalid JSON: Invalid control character"),
        (b"\x00" * 20, ", line 1: invalid JSON: Expecting value;"),
    ],
)
def test_a_broken_file_is_named_with_line_and_cause(tmp_path: Path, data: bytes, said: str) -> None:
    assert fault(write(tmp_path / "a.json", data)).startswith(said)


def test_an_escaped_pair_of_halves_is_one_character() -> None:
    assert parse_json(r'"\ud83d\ude00 \\ud800"') == "\U0001f600 \\ud800"


def test_a_line_may_be_as_long_as_the_limit_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 20)
    fitting, longer = b'{"a": "123456789ab"}', b'{"a": "123456789abc"}'
    assert read(write(tmp_path / "fits.jsonl", fitting)) == [{"a": "123456789ab"}]
    assert fault(write(tmp_path / "long.jsonl", b"\n" + longer)).startswith(", line 2: is longer than")


def test_a_small_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 2**20)
    path = write(tmp_path / "bomb.jsonl.gz", gzip.compress((b" " * 999 + b"\n") * 2000))
    assert ": is over" in fault(path)


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.json.zst", "file/below.json", "n" * 300])
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "file", b"x")
    assert fault(tmp_path / name)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert fault(tmp_path) == ": is a directory; name the files in it"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    assert fault(tmp_path / "pipe.json").startswith(": is a pipe;")


@pytest.mark.parametrize("name", [b"a\xff.json", b"a\nb.json", b"a\x1b[31m.json"])
def test_a_name_that_no_card_could_hold_is_refused(tmp_path: Path, name: bytes) -> None:
    path = write(tmp_path / os.fsdecode(name), b"{}")
    with pytest.raises(InputError, match="has a name with control characters or not in UTF-8; rename it") as raised:
        read(path)
    assert str(raised.value).isprintable()


@packed
def test_no_file_stays_open_after_a_fault(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.jsonl{suffix}", PACKERS[suffix](as_lines(ROWS) + b"{bad\n" + as_lines(ROWS)))
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert fault(path).startswith(", line 41:")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("end", ["", "\n"])
def test_reading_takes_linear_time(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "a.json", ("[" + f",{end}".join(['{"a": "\\ud83d\\ude00"}'] * 100_000) + "]").encode())
    start = time.process_time()
    assert len(read(path)) == 100_000
    assert time.process_time() - start < 10  # half a second; counting lines from the start each time takes minutes


def test_the_bare_name_has_no_compression_suffix() -> None:
    names = ["a.json", "a.json.gz", "a.jsonl.xz", "a.tar.zst", "gz"]
    assert [bare_name(Path(name)) for name in names] == ["a.json", "a.json", "a.jsonl", "a.tar", "gz"]
