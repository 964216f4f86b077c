"""Xet without a server: `local://` folders that hf_xet writes to, and files rebuilt from them for plain downloads."""

import shutil
import struct
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub.storage import LargeFiles

BLOCK = 48
"""Size of the head of a shard, and of every record in it."""
END = b"\xff" * 32
HAS_VERIFICATION, HAS_SHA256 = 1 << 31, 1 << 30


@dataclass(frozen=True, slots=True)
class XetFile:
    """A file as the shard that lists it knows it."""

    xet_hash: str
    size: int
    folder: Path


class XetFolders:
    """One folder for every token given out: the store takes one writing process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read: set[Path] = set()
        self._files: dict[str, XetFile] = {}

    def new(self) -> str:
        """The address of an empty store."""
        return f"local://{self._folder / uuid.uuid4().hex}"

    def rebuild(self, oid: str, into: LargeFiles) -> None:
        """Puts an object that came through Xet into the store of large files, as the Hub's bridge does."""
        with self._lock:
            if into.has(oid):
                return
            self._index()
            found = self._files.get(oid)
            if found is not None:
                into.add(oid, self._download(found))

    def _index(self) -> None:
        for path in sorted(self._folder.glob("*/**/shards/*.mdb")):
            if path not in self._read:
                folder = self._folder / path.relative_to(self._folder).parts[0]
                with suppress(struct.error):  # cut short: still written to, or its writer was killed
                    self._files |= _files_in(path.read_bytes(), folder)
                    self._read.add(path)

    def _download(self, file: XetFile) -> bytes:
        import hf_xet

        # the uploading process may still hold the lock of its store: read from a copy
        copy = self._folder.parent / f"copy-{uuid.uuid4().hex}"
        shutil.copytree(file.folder, copy)
        try:
            with hf_xet.XetSession().new_file_download_group(
                endpoint=f"local://{copy}",
                token="x",
                token_expiry_unix_secs=int(time.time()) + 3600,
                token_refresh_url=None,
                token_refresh_headers={},
                custom_headers={},
            ) as group:
                group.start_download_file(hf_xet.XetFileInfo(file.xet_hash, file.size), str(copy / "rebuilt"))
            return (copy / "rebuilt").read_bytes()
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def _files_in(shard: bytes, folder: Path) -> dict[str, XetFile]:
    """The files of a shard by sha256.

    Each has a record (hash, flags, number of segments), the segments (hash, flags, length), as many verification
    records if the flags say so, and if they say so a record with the sha256.
    """
    found, at = {}, BLOCK
    while shard[at : at + 32] != END:
        xet_hash = _hexadecimal(shard[at : at + 32])
        flags, n_segments = struct.unpack("<II", shard[at + 32 : at + 40])
        at += BLOCK
        lengths = [struct.unpack_from("<I", shard, at + BLOCK * index + 36)[0] for index in range(n_segments)]
        at += BLOCK * n_segments * (2 if flags & HAS_VERIFICATION else 1)
        if flags & HAS_SHA256:
            found[_hexadecimal(shard[at : at + 32])] = XetFile(xet_hash, sum(lengths), folder)
            at += BLOCK
    return found


def _hexadecimal(value: bytes) -> str:
    """A hash as Xet writes it: four little-endian numbers."""
    return "".join(f"{part:016x}" for part in struct.unpack("<4Q", value))
