"""The files of a directory that is to be published, and what a revision of a Hub repository holds of them."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb.errors import input_error

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

IGNORED = frozenset((".git", ".cache", ".DS_Store", ".ipynb_checkpoints", "__pycache__"))
"""Names of what is never published."""

CHUNK = 2**20

Files = dict[str, Path]
"""Where files lie, by their path in the repository."""

_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})(?P<suffix>\.\w+)")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """One file to publish."""

    name: str
    """Path in the repository."""
    path: Path
    """Where it lies."""
    size: int
    """Bytes."""
    sha256: str
    """Of its content, as LFS has it."""
    git_sha1: str
    """Of its content, as git has it."""

    def is_same(self, other: "RepoFile | None") -> bool:
        """Returns whether the repository's file has this content."""
        if other is None:
            return False
        if other.lfs:
            return other.lfs.sha256 == self.sha256
        return other.blob_id == self.git_sha1


def files_of(directory: Path) -> Files:
    """Returns all files to publish, by their path in the repository, sorted.

    Raises:
        InputError: no such directory, nothing in it, or something that is neither file nor directory.
    """
    if not directory.is_dir():
        raise input_error(directory, "is not a directory", "give the directory to publish")
    files = {}
    for path in sorted(_walked(directory)):
        name = path.relative_to(directory).as_posix()
        if path.is_symlink() or not path.is_file():
            raise input_error(path, "is a link or no regular file", "replace it with a copy, or remove it")
        if not os.access(path, os.R_OK):
            raise input_error(path, "cannot be read", "change its permissions")
        if any(not character.isprintable() or "\ud800" <= character <= "\udfff" for character in name):
            raise input_error(ascii(str(path)), "has a name that is not plain text", "rename it")
        files[name] = path
    if not files:
        raise input_error(directory, "holds no files", "give the directory to publish")
    return files


def _walked(directory: Path) -> Iterator[Path]:
    """Yields everything below a directory that is no directory.

    Raises:
        InputError: a directory cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise input_error(error.filename, f"cannot be read ({error.strerror})", "change its permissions") from error

    for place, folders, names in os.walk(directory, onerror=refuse):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in IGNORED and name not in links]
        yield from (Path(place) / name for name in [*names, *links] if name not in IGNORED)


def local_file(name: str, path: Path) -> LocalFile:
    """Returns a file with its hashes."""
    size = path.stat().st_size
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            sha256.update(chunk)
            sha1.update(chunk)
    return LocalFile(name, path, size, sha256.hexdigest(), sha1.hexdigest())


def changed(files: Iterable[LocalFile], remote: Mapping[str, "RepoFile"]) -> list[LocalFile]:
    """Returns the files whose content a revision does not have."""
    return [file for file in files if not file.is_same(remote.get(file.name))]


def stale(files: Iterable[LocalFile], remote: Iterable[str]) -> list[str]:
    """Returns files of a revision that would be loaded beside the new ones although these replace them.

    They are shards of the same split or weights in another number, and the other form of weights: one file or shards.
    """
    names = {file.name for file in files}
    counts = {found["stem"] + found["suffix"]: found["count"] for found in map(_SHARD.fullmatch, names) if found}
    old = set()
    for name in set(remote) - names:
        found = _SHARD.fullmatch(name)
        if found and counts.get(found["stem"] + found["suffix"], found["count"]) != found["count"]:
            old.add(name)
        if found and found["suffix"] == ".safetensors" and found["stem"] + found["suffix"] in names:
            old.add(name)
        if name.endswith(".safetensors") and f"{name}.index.json" in names:
            old.add(name)
        if name.endswith(".safetensors.index.json") and name.removesuffix(".index.json") in names:
            old.add(name)
    return sorted(old)
