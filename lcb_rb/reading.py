"""Reading JSON Lines and JSON arrays, plain or compressed, with errors that name the file and the line."""

import codecs
import gzip
import hashlib
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from lcb_rb.errors import input_error

MAX_LINE_BYTES = 32 * 2**20
MAX_FILE_BYTES = 4 * 2**30
SUFFIXES = (".gz", ".xz", ".zst")

_OPENING = re.compile(r"\s*\[\s*")
_SEPARATOR = re.compile(r"\s*([,\]])\s*")
_HALF_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile(r"[\ud800-\udfff]")
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class ConstantError(ValueError):
    """The text holds NaN or Infinity, which Python writes and JSON does not know."""


def bare_name(path: Path) -> str:
    """Returns the file name without a compression suffix."""
    return path.stem if path.suffix in SUFFIXES else path.name


def read_json_lines(
    path: Path, may_hold_nan: Callable[[dict[str, Any]], bool] = lambda _: False
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (line number from 1, object) of a JSON Lines file; blank lines are passed over.

    Args:
        path: the file.
        may_hold_nan: says which objects may hold NaN and Infinity, which are not JSON; others are refused.

    Raises:
        InputError: the file is missing, no regular file, empty, cut, not UTF-8, not JSON, or has a line over 32 MiB.
    """
    seen = False
    for number, text in _lines(path):
        if text.strip():
            seen = True
            yield number, _as_object(path, number, _parse(path, number, text, may_hold_nan))
    if not seen:
        raise input_error(path, "is empty", "give a file with at least one record")


def read_json_array(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (line where it starts, object) of a file that holds one JSON array of objects; errors as above."""
    text = "".join(line for _, line in _lines(path))
    opening = _OPENING.match(text)
    if not opening:
        raise input_error(path, "is not a JSON array", "give a list of records", line=1)
    position, line = opening.end(), 1 + text.count("\n", 0, opening.end())
    if text[position : position + 1] == "]":
        raise input_error(path, "holds an empty list", "give a file with at least one record")
    while True:
        value, end = _parse_at(path, text, position)
        yield line, _as_object(path, line, value)
        separator = _SEPARATOR.match(text, end)
        if not separator:
            line = 1 + text.count("\n", 0, end)
            raise input_error(path, "invalid JSON: the list is cut", "get the file again", line=line)
        if separator[1] == "]" and separator.end() < len(text):
            line = 1 + text.count("\n", 0, separator.end())
            raise input_error(path, "invalid JSON: text after the list", "put all records in one list", line=line)
        if separator[1] == "]":
            return
        line += text.count("\n", position, separator.end())
        position = separator.end()


def is_json_array(path: Path) -> bool:
    """Returns whether the text starts with `[`; errors as `read_json_lines`."""
    for number, raw in _raw_lines(path):
        text = (raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw).lstrip()
        if text:
            return text[:1] == b"["
    raise input_error(path, "is empty", "give a file with at least one record")


def sha256_of(path: Path) -> str:
    """Returns the sha256 of a file's bytes.

    Raises:
        InputError: it cannot be read.
    """
    try:
        _refuse_special(path)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise input_error(path, "does not exist", "check the path") from error
    except OSError as error:
        raise input_error(path, f"cannot be read: {error}", "get the file again") from error


def parse_json(text: str) -> object:
    """Returns the value of a JSON text.

    Raises:
        ValueError: not JSON, nested too deeply, or it holds NaN, an infinite number or half a character.
    """
    try:
        value: object = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    _refuse_half_characters(value, text)
    return value


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, raw in _raw_lines(path):
        if len(raw) > MAX_LINE_BYTES:
            what = f"is longer than {MAX_LINE_BYTES >> 20} MiB"
            raise input_error(path, what, "write one record a line, or the list with indent=4", line=number)
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            what = f"is not UTF-8 (byte {error.start})"
            raise input_error(path, what, "convert the file to UTF-8", line=number) from error


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = total = 0
    try:
        _refuse_special(path)
        with _open(path) as stream:
            while raw := stream.readline(MAX_LINE_BYTES + 1):
                number, total = number + 1, total + len(raw)
                if total > MAX_FILE_BYTES and path.suffix in SUFFIXES:  # a bomb; a plain file is as large as it looks
                    raise input_error(path, f"is over {MAX_FILE_BYTES >> 30} GiB", "split it")
                yield number, raw
    except FileNotFoundError as error:
        raise input_error(path, "does not exist", "check the path") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise input_error(path, f"cannot be read: {error}", "get the file again", line=number + 1) from error


def _refuse_special(path: Path) -> None:
    if path.is_dir():
        raise input_error(path, "is a directory", "name the files in it")
    if path.is_fifo() or path.is_socket():
        raise input_error(path, "is a pipe", "save it to a file first: the name and a second reading are needed")
    if _BAD_NAME.search(path.name):
        raise input_error(ascii(str(path)), "has a name with control characters or not in UTF-8", "rename it")


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    if path.suffix == ".zst":
        import pyarrow as pa  # its reader notices a cut file, that of zstandard does not

        return io.BufferedReader(pa.CompressedInputStream(path.open("rb"), "zstd"))
    return path.open("rb")


def _parse(path: Path, line: int, text: str, may_hold_nan: Callable[[dict[str, Any]], bool]) -> object:
    try:
        return parse_json(text)
    except ConstantError as error:
        lenient = _parse_lenient(text)
        if isinstance(lenient, dict) and may_hold_nan(lenient):
            return lenient
        raise input_error(path, _json_fault(error), "mend or remove the line", line=line) from error
    except ValueError as error:
        raise input_error(path, _json_fault(error), "mend or remove the line", line=line) from error


def _parse_lenient(text: str) -> object:
    """Returns the value of a text that may hold NaN and Infinity, None where it has other faults."""
    try:
        value: object = _LENIENT.decode(text)
        _refuse_half_characters(value, text)
        return value
    except (ValueError, RecursionError):
        return None


def _parse_at(path: Path, text: str, position: int) -> tuple[object, int]:
    try:
        value, end = _DECODER.raw_decode(text, position)
        _refuse_half_characters(value, text, position, end)
        return value, end
    except (ValueError, RecursionError) as error:
        fault = error.pos if isinstance(error, json.JSONDecodeError) else position
        line = 1 + text.count("\n", 0, fault)
        raise input_error(path, _json_fault(error), "mend or remove the record", line=line) from error


def _json_fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON: {error.msg}"
    return "invalid JSON: nested too deeply" if isinstance(error, RecursionError) else f"invalid JSON: {error}"


def _refuse_constant(name: str) -> float:
    raise ConstantError(f"{name} is not a JSON value")


def _finite_float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is out of range")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float)
_LENIENT = json.JSONDecoder(parse_float=_finite_float)


def _refuse_half_characters(value: object, text: str, start: int = 0, end: int | None = None) -> None:
    """Refuses one half of a surrogate pair: JSON can escape it, no UTF-8 file can hold it."""
    if not _HALF_ESCAPE.search(text, start, len(text) if end is None else end):
        return
    for string in _strings(value):
        half = _HALF.search(string)
        if half:
            raise ValueError(f"{half[0]!a} is half a character")


def _strings(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item


def _as_object(path: Path, line: int, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        what = f"expected a JSON object, found {type(value).__name__}"
        raise input_error(path, what, "write one object a record", line=line)
    return cast("dict[str, Any]", value)
