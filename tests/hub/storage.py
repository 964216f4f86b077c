"""A repository of the Hub, a bare git repository with settings and discussions; and the store of large files."""

import hashlib
import json
import shutil
import threading
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hub.access import HubError
from hub.cards import split_card
from hub.git import Change, Git

Json = dict[str, Any]

LFS_ENDINGS = (
    "7z arrow bin bz2 ckpt ftz gz h5 joblib lz4 mds mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt pth "
    "rar safetensors tar tflite tgz wasm xz zip zst"
)
LFS_PATTERNS = [*(f"*.{ending}" for ending in LFS_ENDINGS.split()), "saved_model/**/*", "*tfevents*"]
GIT_ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the owner of a repository decides."""

    created: str
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    granted: tuple[str, ...] = ()


class Repository:
    """One repository, there or not; hold `lock` around everything that reads first and writes then."""

    def __init__(self, folder: Path, repo_type: str, repo_id: str) -> None:
        self.folder = folder
        self.type = repo_type
        self.id = repo_id
        self.git = Git(folder / "git")
        self.lock = threading.RLock()

    @property
    def owner(self) -> str:
        return self.id.partition("/")[0]

    @property
    def address(self) -> str:
        """Its path on the server, without the first slash."""
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    @property
    def exists(self) -> bool:
        return (self.folder / "settings.json").exists()

    @property
    def settings(self) -> Settings:
        stored = json.loads((self.folder / "settings.json").read_text(encoding="utf-8"))
        return Settings(**stored | {"granted": tuple(stored["granted"])})

    def change(self, **changes: Any) -> None:
        with self.lock:
            self._save("settings.json", asdict(replace(self.settings, **changes)))

    def create(self, settings: Settings) -> None:
        """Makes the repository with the first commit that the Hub writes; its settings, saved last, make it exist."""
        self.git.create()
        first = [Change(".gitattributes", GIT_ATTRIBUTES.encode())]
        self.git.commit("refs/heads/main", None, first, "initial commit", "system", None)
        self._save("settings.json", asdict(settings))

    def remove(self) -> None:
        with self.lock:
            shutil.rmtree(self.folder)
            self.git.forget()

    def commit_of(self, revision: str) -> str:
        """The commit that a revision names."""
        sha = self.git.resolve(revision)
        if sha is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return sha

    def card(self, sha: str) -> Json:
        """The metadata of the README at a commit, empty where there is none."""
        entry = self.git.files(sha).get("README.md")
        return split_card(self.git.blob(entry.oid).decode(errors="replace"))[0] if entry and not entry.lfs else {}

    @property
    def discussions(self) -> list[Json]:
        path = self.folder / "discussions.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []

    def discussion(self, number: int) -> Json | None:
        return next((found for found in self.discussions if found["num"] == number), None)

    def save_discussions(self, discussions: list[Json]) -> None:
        self._save("discussions.json", discussions)

    def _save(self, name: str, value: object) -> None:
        """Replaces a file in one step: a reader sees the old or the new one."""
        draft = self.folder / f"{name}.{uuid.uuid4().hex}"
        draft.write_text(json.dumps(value), encoding="utf-8")
        draft.replace(self.folder / name)


class LargeFiles:
    """The LFS store of all repositories: objects by the sha256 of their content, each whole or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = folder / "parts"
        self._parts.mkdir(parents=True, exist_ok=True)

    def path(self, oid: str) -> Path:
        return self._folder / oid[:2] / oid

    def has(self, oid: str) -> bool:
        return self.path(oid).exists()

    def read(self, oid: str) -> bytes:
        return self.path(oid).read_bytes()

    def size(self, oid: str) -> int:
        return self.path(oid).stat().st_size

    def add(self, oid: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != oid:
            raise HubError(400, "sha256 mismatch")
        path = self.path(oid)
        path.parent.mkdir(exist_ok=True)
        draft = path.with_name(f"{oid}.{uuid.uuid4().hex}")
        draft.write_bytes(content)
        draft.replace(path)

    def add_part(self, oid: str, number: int, content: bytes) -> None:
        part = self._part(oid, number)
        draft = part.with_name(f"{part.name}.{uuid.uuid4().hex}")
        draft.write_bytes(content)
        draft.replace(part)

    def join(self, oid: str, numbers: list[int]) -> None:
        """Makes an object of its parts, which are removed."""
        parts = [self._part(oid, number) for number in numbers]
        missing = [part.name for part in parts if not part.exists()]
        if missing:
            raise HubError(400, f"parts not uploaded: {', '.join(missing)}")
        self.add(oid, b"".join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink(missing_ok=True)

    def _part(self, oid: str, number: int) -> Path:
        return self._parts / f"{oid}-{number}"
