"""What the server keeps: the repositories, the large files, the users, and how it was set up."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from hub.access import Tokens
from hub.control import Control
from hub.storage import LargeFiles, Repository
from hub.xet import XetFolders

XetMode = Literal["off", "stub", "local"]
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Setup:
    """How a server differs from others."""

    root: Path
    """Folder of everything it stores; reused when it exists."""
    xet: XetMode = "off"
    """`off` refuses Xet tokens, `stub` names a store that is not there, `local` one that works."""
    multipart: int = 0
    """Bytes per part of an LFS upload; 0: in one piece."""
    cdn_host: str | None = None
    """Another name of this machine, to which downloads of large files are redirected."""
    lfs_threshold: int = 10 * MIB
    """Larger files go to LFS whatever their name."""

    def __post_init__(self) -> None:
        if self.xet not in get_args(XetMode):
            raise ValueError(f"xet {self.xet!r}: choose one of {', '.join(get_args(XetMode))}")


@dataclass
class Hub:
    """The state of a running server."""

    setup: Setup
    tokens: Tokens = field(default_factory=Tokens)
    control: Control = field(default_factory=Control)

    def __post_init__(self) -> None:
        root = self.setup.root.resolve()
        self.large = LargeFiles(root / "large")
        self.xet = XetFolders(root / "xet")
        self._folder = root / "repositories"
        self._known: dict[tuple[str, str], Repository] = {}
        self._lock = threading.Lock()

    def repository(self, repo_type: str, repo_id: str) -> Repository:
        """The one object of a repository, also for one that is not there."""
        with self._lock:
            key = (repo_type, repo_id)
            if key not in self._known:
                self._known[key] = Repository(self._folder / f"{repo_type}s" / repo_id, repo_type, repo_id)
            return self._known[key]

    def all(self, repo_type: str) -> Iterator[Repository]:
        """The repositories of a type, by name."""
        for path in sorted((self._folder / f"{repo_type}s").glob("*/*/settings.json")):
            yield self.repository(repo_type, f"{path.parent.parent.name}/{path.parent.name}")

    def fetch_object(self, oid: str) -> bool:
        """Whether a large file is there, after a look at what came through Xet."""
        if self.setup.xet == "local" and not self.large.has(oid):
            self.xet.rebuild(oid, self.large)
        return self.large.has(oid)
