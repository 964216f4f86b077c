"""Requests and replies as the handlers see them: a request whose body is read, and plain bytes to answer with."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from hub.access import User, check_contributor, check_readable, check_visible, check_writable, signed_in
from hub.state import Hub
from hub.storage import Json, Repository

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy, MultiDictProxy

REPO = r"(?P<owner>[\w.\-]+)/(?P<name>[\w.\-]+)"
API = rf"/api/(?P<kind>models|datasets|spaces)/{REPO}"
REVISION = r"(?P<revision>[^/]+)"
PAGE = rf"/(?:(?P<kind>datasets|spaces)/)?{REPO}"
LFS = r"/(?:(?P<kind>datasets|spaces)/)?(?P<owner>[\w.\-]+)/(?P<name>[\w.\-]+?)\.git/info/lfs/objects"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(json.dumps(data).encode(), status, {"Content-Type": "application/json"} | dict(headers or {}))


@dataclass(frozen=True, slots=True)
class Call:
    """A request; `found` are the named groups of its route's pattern, decoded."""

    hub: Hub
    method: str
    host: str
    address: str
    """Path and query as sent."""
    query: "MultiDictProxy[str]"
    headers: "CIMultiDictProxy[str]"
    body: bytes
    found: Mapping[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://{self.host}"

    @property
    def repo_type(self) -> str:
        return self.found.get("kind", "models").removesuffix("s")

    @property
    def repo(self) -> Repository:
        """The repository that the path names, nothing checked."""
        return self.hub.repository(self.repo_type, f"{self.found['owner']}/{self.found['name']}")

    @property
    def revision(self) -> str:
        return self.found.get("revision", "main")

    @property
    def user(self) -> User | None:
        return self.hub.tokens.holder(self.headers)

    @property
    def create_pr(self) -> bool:
        return self.query.get("create_pr", "").lower() in ("1", "true")

    def signed_in(self) -> User:
        return signed_in(self.user, "RepoNotFound" if "name" in self.found else None)

    def visible(self) -> Repository:
        check_visible(self.user, self.repo)
        return self.repo

    def readable(self) -> Repository:
        check_readable(self.user, self.repo)
        return self.repo

    def writable(self) -> tuple[User, Repository]:
        return check_writable(self.user, self.repo), self.repo

    def contributed(self) -> tuple[User, Repository]:
        """The repository for a commit, which may be a proposal."""
        return check_contributor(self.user, self.repo, self.revision, self.create_pr), self.repo

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def json(self) -> Json:
        return json.loads(self.body) if self.body else {}

    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())

    def page_url(self, repo: Repository) -> str:
        return f"{self.base}/{repo.address}"


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """Which requests a handler answers: a method and a pattern of the whole percent-encoded path."""

    method: str
    pattern: str
    handler: Handler

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The decoded groups of the pattern; HEAD is answered as GET is."""
        if self.method != ("GET" if method == "HEAD" else method):
            return None
        match = re.fullmatch(self.pattern, path)
        return match and {name: unquote(value) for name, value in match.groupdict().items() if value is not None}
