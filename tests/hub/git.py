"""What the Hub needs of git: commits written without a work tree, references moved by compare-and-swap."""

import os
import re
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hub.access import HubError

NO_COMMIT = "0" * 40
POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n")
LONGEST_POINTER = 200
STALE = "A commit has happened since. Please refresh and try again."


@dataclass(frozen=True, slots=True)
class Pointer:
    """What git holds of a file in the LFS store."""

    oid: str
    size: int
    pointer_size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a commit; the size is that of the content, also for LFS."""

    path: str
    kind: str
    oid: str
    size: int
    lfs: Pointer | None = None

    @property
    def is_file(self) -> bool:
        return self.kind == "file"

    @property
    def content_id(self) -> str:
        """git's sha1 of a regular file, the sha256 of one in LFS."""
        return self.lfs.oid if self.lfs else self.oid


@dataclass(frozen=True, slots=True)
class Change:
    """A file written, or with no content a file or folder deleted."""

    path: str
    content: bytes | None


def timestamp(seconds: float | None = None) -> str:
    """Now, or a time of git's, as the Hub writes it."""
    moment = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def pointer_file(oid: str, size: int) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


class Git:
    """A bare repository. What a sha names never changes and is remembered; callers lock around changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trees: dict[str, dict[str, Entry]] = {}
        self._blobs: dict[str, bytes] = {}

    def ask(self, *arguments: str, given: bytes | None = None) -> bytes | None:
        """The output of a git command, or None when it fails."""
        done = self._run(arguments, given)
        return done.stdout if done.returncode == 0 else None

    def run(self, *arguments: str, given: bytes | None = None) -> bytes:
        """The output of a git command that has to work."""
        done = self._run(arguments, given)
        if done.returncode:
            raise HubError(500, f"git {arguments[0]}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def _run(self, arguments: Sequence[str], given: bytes | None) -> subprocess.CompletedProcess[bytes]:
        # nothing of the user's settings, and no GIT_DIR of a hook that runs the tests
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "--git-dir", str(self.folder), *arguments]
        return subprocess.run(command, input=given or b"", capture_output=True, env=environment)

    def create(self) -> None:
        self.folder.mkdir(parents=True)
        self.run("init", "-q", "--bare", "-b", "main")

    def forget(self) -> None:
        """Drops what is remembered, for a repository that is deleted."""
        self._trees.clear()
        self._blobs.clear()

    def resolve(self, revision: str) -> str | None:
        """The commit of a branch, a tag, a full reference or a full or short sha."""
        names = [revision] if revision.startswith("refs/") else [f"refs/heads/{revision}", f"refs/tags/{revision}"]
        if re.fullmatch(r"[0-9a-f]{5,40}", revision):
            names.append(revision)
        for name in names:
            found = self.ask("rev-parse", "-q", "--verify", f"{name}^{{commit}}")
            if found:
                return found.decode().strip()
        return None

    def tree(self, sha: str) -> dict[str, Entry]:
        """Every file and folder of a commit, by path."""
        if sha not in self._trees:
            listed = [_listed(line) for line in self.run("ls-tree", "-rtlz", sha).split(b"\0") if line]
            small = [entry.oid for entry in listed if entry.is_file and entry.size < LONGEST_POINTER]
            known = self._read(small)
            self._trees[sha] = {entry.path: _with_pointer(entry, known.get(entry.oid, b"")) for entry in listed}
        return self._trees[sha]

    def files(self, sha: str) -> dict[str, Entry]:
        return {path: entry for path, entry in self.tree(sha).items() if entry.is_file}

    def blob(self, oid: str) -> bytes:
        if oid not in self._blobs:
            self._blobs[oid] = self.run("cat-file", "blob", oid)
        return self._blobs[oid]

    def _read(self, oids: Sequence[str]) -> dict[str, bytes]:
        """Many blobs by one process, which answers `oid type size`, a newline, the content, a newline."""
        answer, at = self.run("cat-file", "--batch", given="".join(f"{oid}\n" for oid in oids).encode()), 0
        found = {}
        for oid in oids:
            start = answer.index(b"\n", at) + 1
            at = start + int(answer[at:start].split()[2])
            found[oid] = answer[start:at]
            at += 1
        return found

    def refs(self) -> list[tuple[str, str]]:
        """Every reference with its commit, annotated tags peeled."""
        lines = self.run("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)").decode().splitlines()
        return [(fields[0], fields[-1]) for fields in (line.split() for line in lines)]

    def move(self, ref: str, new: str, expected: str | None) -> None:
        """Points a reference to a commit if it still points to the expected one; None: if it is not there yet."""
        if self.ask("update-ref", ref, new, expected or NO_COMMIT) is None:
            raise HubError(412, STALE)

    def delete(self, ref: str) -> None:
        self.run("update-ref", "-d", ref)

    def commit(
        self, ref: str, parent: str | None, changes: Sequence[Change], message: str, author: str, expected: str | None
    ) -> str:
        """Writes a commit on a parent, moves the reference from the expected commit to it, and returns its sha."""
        draft = f"refs/tmp/{uuid.uuid4().hex}"
        self.run("fast-import", "--quiet", "--date-format=raw", given=_import(draft, parent, changes, message, author))
        new = self.run("rev-parse", draft).decode().strip()
        try:
            self.move(ref, new, expected)
        finally:
            self.delete(draft)
        return new


def _listed(line: bytes) -> Entry:
    """One entry of `git ls-tree -l`, LFS not looked at."""
    fields, path = line.split(b"\t", 1)
    _, kind, oid, size = fields.split()
    if kind == b"blob":
        return Entry(path.decode(), "file", oid.decode(), int(size))
    return Entry(path.decode(), "directory", oid.decode(), 0)


def _with_pointer(entry: Entry, content: bytes) -> Entry:
    match = POINTER.fullmatch(content)
    if not entry.is_file or match is None:
        return entry
    pointer = Pointer(match[1].decode(), int(match[2]), entry.size)
    return Entry(entry.path, entry.kind, entry.oid, pointer.size, pointer)


def _import(ref: str, parent: str | None, changes: Sequence[Change], message: str, author: str) -> bytes:
    """What `git fast-import` reads; deletions come first, so that a folder can be replaced in one commit."""
    blobs, deleted, written = [], [], []
    for mark, change in enumerate(changes, 1):
        if change.content is None:
            deleted.append(b"D %s\n" % _quoted(change.path))
        else:
            blobs.append(b"blob\nmark :%d\ndata %d\n%s\n" % (mark, len(change.content), change.content))
            written.append(b"M 100644 :%d %s\n" % (mark, _quoted(change.path)))
    who = f"{author} <{author}@users.noreply.localhost> {int(time.time())} +0000"
    text = message.encode()
    head = f"commit {ref}\nauthor {who}\ncommitter {who}\ndata {len(text)}\n".encode() + text + b"\n"
    origin = f"from {parent}\n".encode() if parent else b""
    return b"".join([*blobs, head, origin, *deleted, *written])


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"' + escaped.encode() + b'"'
