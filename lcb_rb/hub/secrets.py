"""Finds what must not be published: tokens, keys, and the paths of the machine that made a file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lcb_rb.errors import input_error
from lcb_rb.hub.files import Files

TOKENS = {
    "a Hugging Face token": r"\b(?:hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,})",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,})",
    "a GitLab token": r"\bglpat-[\w-]{20,}",
    "an API key": r"\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9][\w-]{19,}",
    "an AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a Google key": r"\bAIza[\w-]{35}",
    "a Slack token": r"\bxox[abeprs]-[\w-]{10,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}
"""Regular expressions, for Python and RE2, of what only its owner may know."""

MACHINE_PATH = r"(?<![\w./-])(?:/(?:root|(?:home|Users)/[\w.-]+)/[\w.]|[A-Za-z]:\\+Users\\+\w)"
PATHLESS = frozenset((".jsonl", ".csv", ".tsv"))
"""Suffixes of data, in which paths are part of what a problem says."""

VOCABULARIES = frozenset(("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt"))
PRIVATE_NAMES = frozenset((".env", ".netrc", ".npmrc", ".pypirc", ".git-credentials", "id_rsa", "id_ed25519"))
PRIVATE_SUFFIXES = frozenset((".pem", ".key", ".p12", ".pfx"))

_TOKEN = re.compile("|".join(f"(?P<t{number}>{pattern})" for number, pattern in enumerate(TOKENS.values())))
_PATH = re.compile(MACHINE_PATH)
_CHUNK, _OVERLAP = 2**22, 2**12


def refuse_secrets(files: Files) -> None:
    """Refuses files that tell more than they should.

    Raises:
        InputError: the first such file, its line, and what it holds; never the secret itself.
    """
    for path in files.values():
        if path.name in PRIVATE_NAMES or path.suffix in PRIVATE_SUFFIXES:
            raise input_error(path, "is a file for credentials", "remove it")
        if path.suffix == ".parquet":
            _refuse_in_columns(path)
        elif not _is_binary(path):
            _refuse_in_text(path)


def _is_binary(path: Path) -> bool:
    with path.open("rb") as stream:
        return b"\0" in stream.read(2**13)


def _refuse_in_text(path: Path) -> None:
    wants_paths = path.suffix not in PATHLESS and path.name not in VOCABULARIES
    for lines_before, text in _chunks(path):
        found = _TOKEN.search(text)
        if found:
            line = lines_before + text.count("\n", 0, found.start()) + 1
            raise input_error(path, f"holds {_kind(found)}", "remove it, and have it revoked", line=line)
        where = _PATH.search(text) if wants_paths else None
        if where:
            line = lines_before + text.count("\n", 0, where.start()) + 1
            what = f"holds a path of a machine ({where[0]}...)"
            raise input_error(path, what, "write it relative, or remove it", line=line)


def _kind(found: re.Match[str]) -> str:
    return list(TOKENS)[int((found.lastgroup or "t0")[1:])]


def _chunks(path: Path) -> Iterator[tuple[int, str]]:
    """Yields a file's text in overlapping parts, each with the number of lines before it."""
    lines, tail = 0, ""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
        while text := stream.read(_CHUNK):
            part = tail + text
            yield lines, part
            tail = part[-_OVERLAP:]
            lines += part.count("\n", 0, len(part) - len(tail))


def _refuse_in_columns(path: Path) -> None:
    """Looks through the texts of a parquet file, a row group at a time."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            for column in table.column_names:
                for texts in _texts(table[column].combine_chunks()):
                    for kind, pattern in TOKENS.items():
                        if pc.any(pc.match_substring_regex(texts, pattern)).as_py():
                            raise input_error(path, f"holds {kind}", "remove it, and have it revoked", field=column)


def _texts(array: Any) -> Iterator[Any]:
    """Yields the arrays of strings in an array, however deep."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield array
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts(array.flatten())
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _texts(part)
