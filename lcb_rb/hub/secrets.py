"""Finds what must not be published: tokens, keys, and the paths of the machine that made a file."""

import codecs
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lcb_rb.errors import input_error
from lcb_rb.hub.files import Files

TOKENS = {
    "a Hugging Face token": r"(?:hf_|api_org_)[A-Za-z0-9]{20,40}(?:[^A-Za-z0-9_]|$)",
    "a GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "an API key": r"\bsk-(?:ant-|proj-|or-|svcacct-)?[A-Za-z_-]*[A-Z0-9][A-Za-z_-]*[0-9][A-Za-z0-9_-]{16,}",
    "an AWS key": r"(?:^|[^A-Za-z0-9/+])(?:AKIA|ASIA)[0-9A-Z]{16}(?:[^A-Za-z0-9/+=]|$)",
    "a Google key": r"\bAIza[A-Za-z0-9_-]{35}",
    "a Slack token": r"\bxox[abeprs]-[0-9][A-Za-z0-9-]{10,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\r|\n|\\n|\\r)+[A-Za-z0-9+/]{16,}",
}
"""Regular expressions, for Python and RE2 alike, of what only its owner may know."""

MACHINE_PATH = r"(?<![\w.-])(?:/(?:root|(?:home|Users)/[\w.-]+)/[\w.]|[A-Za-z]:\\+Users\\+\w)"
PATHLESS = (".jsonl", ".csv", ".tsv", ".jsonl.gz", ".csv.gz", ".tsv.gz")
"""Ends of names of data, in which paths are part of what a problem says."""

VOCABULARIES = frozenset(("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json"))
PRIVATE_NAMES = re.compile(r"\.env(\..+)?|\.netrc|\.npmrc|\.pypirc|\.git-credentials|id_(rsa|dsa|ecdsa|ed25519)")
PRIVATE_SUFFIXES = frozenset((".pem", ".key", ".p12", ".pfx"))

DEEP = 2
"""Paths with no more parts are too common to mean anything: /, /tmp, /work."""

_TOKEN = re.compile(
    "|".join(f"(?P<t{number}>{pattern})" for number, pattern in enumerate(TOKENS.values())), re.MULTILINE
)
_PATH = re.compile(MACHINE_PATH)
_CHUNK, _OVERLAP = 2**22, 2**12
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))


def refuse_secrets(files: Files, directory: Path) -> None:
    """Refuses files that tell more than they should.

    Args:
        files: What is to be published.
        directory: Where it comes from.

    Raises:
        InputError: the first such file, its line, and what it holds; never the secret itself.
    """
    own = _own_places(directory)
    for name, path in files.items():
        if PRIVATE_NAMES.fullmatch(path.name.lower()) or path.suffix.lower() in PRIVATE_SUFFIXES:
            raise input_error(path, "is a file for credentials", "remove it")
        if _TOKEN.search(name):
            raise input_error(path.parent, "has a file whose name holds a token", "rename it, and have it revoked")
        if path.suffix.lower() == ".parquet":
            _refuse_in_columns(path)
        else:
            _refuse_in_text(path, own)


def _own_places(directory: Path) -> list[str]:
    """Returns the paths of this machine that a file may have taken in."""
    places = {Path.home(), Path.cwd(), directory.resolve(), directory.resolve().parent}
    return sorted(str(place) for place in places if len(place.parts) > DEEP)


def _refuse_in_text(path: Path, own: list[str]) -> None:
    wants_paths = not path.name.lower().endswith(PATHLESS) and path.name not in VOCABULARIES
    for lines_before, text in _chunks(path):
        found = _TOKEN.search(text)
        if found:
            line = lines_before + text.count("\n", 0, found.start()) + 1
            raise input_error(path, f"holds {_kind(found)}", "remove it, and have it revoked", line=line)
        if not wants_paths or _is_binary(path):
            continue
        where = _PATH.search(text)
        if where:
            line = lines_before + text.count("\n", 0, where.start()) + 1
            what = f"holds a path of a machine ({where[0]}...)"
            raise input_error(path, what, "write it relative, or remove it", line=line)
        place = next((place for place in own if place in text), None)
        if place:
            line = lines_before + text.count("\n", 0, text.index(place)) + 1
            what = f"holds a path of this machine ({place})"
            raise input_error(path, what, "write it relative, or remove it", line=line)


def _kind(found: re.Match[str]) -> str:
    return list(TOKENS)[int((found.lastgroup or "t0")[1:])]


def _is_binary(path: Path) -> bool:
    with path.open("rb") as stream:
        return _encoding(start := stream.read(2**13)) == "utf-8" and b"\0" in start


def _chunks(path: Path) -> Iterator[tuple[int, str]]:
    """Yields a file's text, or what reads so, in overlapping parts, each with the number of lines before it."""
    lines, tail = 0, ""
    with _opened(path) as stream:
        decoder = codecs.getincrementaldecoder(_encoding(data := stream.read(_CHUNK)))(errors="replace")
        while data:
            part = tail + decoder.decode(data)
            yield lines, part
            tail = part[-_OVERLAP:]
            lines += part.count("\n", 0, len(part) - len(tail))
            data = stream.read(_CHUNK)


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _encoding(start: bytes) -> str:
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")


def _refuse_in_columns(path: Path) -> None:
    """Looks through the texts of a parquet file, a row group at a time, and through what it says of itself."""
    with pq.ParquetFile(path) as file:
        told = " ".join([*file.schema_arrow.names, *_metadata(file.schema_arrow)])
        found = _TOKEN.search(told)
        if found:
            raise input_error(path, f"holds {_kind(found)} in its metadata", "remove it, and have it revoked")
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            for column in table.column_names:
                for texts in _texts(table[column].combine_chunks()):
                    for kind, pattern in TOKENS.items():
                        if pc.any(pc.match_substring_regex(texts, pattern)).as_py():
                            raise input_error(path, f"holds {kind}", "remove it, and have it revoked", field=column)


def _metadata(schema: pa.Schema) -> list[str]:
    given = schema.metadata or {}
    return [part.decode("utf-8", "replace") for pair in given.items() for part in pair]


def _texts(array: Any) -> Iterator[Any]:
    """Yields the arrays of strings in an array, however deep; bytes are taken for texts."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from _texts(array.dictionary)
    elif pa.types.is_map(kind):
        yield from _texts(array.keys)
        yield from _texts(array.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _texts(array.flatten())
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _texts(part)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        yield array
    elif pa.types.is_string_view(kind):
        yield array.cast(pa.large_string())
