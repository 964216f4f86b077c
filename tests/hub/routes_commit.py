"""Writing: which way each file goes, and the commit, which is refused when the branch has moved on."""

import base64
import json
from collections.abc import Iterator
from fnmatch import fnmatch

from hub.access import HubError, User
from hub.discussions import open_discussion
from hub.git import STALE, Change, Entry, pointer_file
from hub.routing import API, REVISION, Call, Reply, Route, as_json
from hub.storage import Json, Repository

ALWAYS_TEXT = (".gitattributes", "README.md")
NOT_A_PATH = ("", ".", "..", ".git")
NO_OBJECT = "Your push was rejected because an LFS pointer pointed to a file that does not exist. Offending file: - "
FILE, LARGE_FILE, DELETED_FILE, DELETED_FOLDER = "file", "lfsFile", "deletedFile", "deletedFolder"


def preupload(call: Call) -> Reply:
    """Tells for each file whether it goes to LFS, whether it is ignored, and what is there already."""
    _, repo = call.contributed()
    sha, asked = repo.commit_of(call.revision), call.json()
    patterns, files = _lfs_patterns(repo, sha), repo.git.files(sha)
    ignoring = asked.get("gitIgnore") or _text(repo, sha, ".gitignore")
    ignored = [line.strip() for line in ignoring.splitlines() if not line.startswith("#")]
    threshold = call.hub.setup.lfs_threshold
    told = [
        {
            "path": file["path"],
            "uploadMode": "lfs" if _is_large(file, patterns, threshold) else "regular",
            "shouldIgnore": _is_ignored(file["path"], [pattern for pattern in ignored if pattern]),
            "oid": files[file["path"]].content_id if file["path"] in files else None,
        }
        for file in asked["files"]
    ]
    return as_json({"files": told, "commitOid": sha})


def _lfs_patterns(repo: Repository, sha: str) -> list[str]:
    return [line.split()[0] for line in _text(repo, sha, ".gitattributes").splitlines() if "filter=lfs" in line]


def _text(repo: Repository, sha: str, name: str) -> str:
    entry = repo.git.files(sha).get(name)
    return repo.git.blob(entry.oid).decode() if entry else ""


def _is_large(file: Json, patterns: list[str], threshold: int) -> bool:
    """By its name, its size, or a NUL byte at its start."""
    path, sample = file["path"], base64.b64decode(file.get("sample", ""))
    if path in ALWAYS_TEXT:
        return False
    return _fits(path, patterns) or file["size"] > threshold or b"\0" in sample


def _is_ignored(path: str, patterns: list[str]) -> bool:
    return _fits(path, patterns) or any(path.startswith(f"{pattern.rstrip('/')}/") for pattern in patterns)


def _fits(path: str, patterns: list[str]) -> bool:
    names = (path, path.rpartition("/")[2])
    return any(fnmatch(name, pattern) for pattern in patterns for name in names)


def commit(call: Call) -> Reply:
    user, repo = call.contributed()
    lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    header: Json = next((line["value"] for line in lines if line["key"] == "header"), {})
    if not header.get("summary"):
        raise HubError(400, "Missing commit summary")
    work = [(line["key"], line["value"]) for line in lines if line["key"] != "header"]
    for key, value in work:
        _check_path(key, value["path"])
        if key == LARGE_FILE and not call.hub.fetch_object(value["oid"]):
            raise HubError(400, f"{NO_OBJECT}{value['path']}")
    with repo.lock:
        if call.create_pr:
            return _propose(call, repo, user, header, work)
        return _commit(call, repo, user, header, work)


def _check_path(key: str, path: str) -> None:
    parts = (path.removesuffix("/") if key == DELETED_FOLDER else path).split("/")
    if any(part in NOT_A_PATH for part in parts):
        raise HubError(400, f"Invalid path {path!r}")


def _commit(call: Call, repo: Repository, user: User, header: Json, work: list[tuple[str, Json]]) -> Reply:
    """Commits to a branch or a pull request, whose head has to be the parent that the client names, if any."""
    ref = call.revision if call.revision.startswith("refs/") else f"refs/heads/{call.revision}"
    head = repo.git.resolve(ref)
    if head is None:
        raise HubError(404, f"Cannot commit to {call.revision}: not a branch", "RevisionNotFound")
    parent = header.get("parentCommit")
    if parent and repo.git.resolve(parent) != head:
        raise HubError(412, STALE)
    new = repo.git.commit(ref, head, list(_changes(call, repo, head, work)), _message(header), user.name, head)
    return as_json(_told(call, repo, new))


def _propose(call: Call, repo: Repository, user: User, header: Json, work: list[tuple[str, Json]]) -> Reply:
    """Opens a pull request with one commit, on the parent that the client names or on the head of the branch."""
    parent = repo.commit_of(header.get("parentCommit") or call.revision)
    ref = f"refs/pr/{len(repo.discussions) + 1}"
    changes = list(_changes(call, repo, parent, work))
    new = repo.git.commit(ref, parent, changes, _message(header), user.name, None)
    number = open_discussion(repo, user, header["summary"], header.get("description") or "", parent, "open")
    return as_json(_told(call, repo, new) | {"pullRequestUrl": f"{call.page_url(repo)}/discussions/{number}"})


def _message(header: Json) -> str:
    return "\n\n".join(part for part in (header["summary"], header.get("description")) if part)


def _told(call: Call, repo: Repository, sha: str) -> Json:
    url = f"{call.page_url(repo)}/commit/{sha}"
    return {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""}


def _changes(call: Call, repo: Repository, parent: str, work: list[tuple[str, Json]]) -> Iterator[Change]:
    entries = repo.git.tree(parent)
    for key, value in work:
        if key == FILE:
            yield Change(value["path"], _content(value))
        elif key == LARGE_FILE:
            oid = value["oid"]
            yield Change(value["path"], pointer_file(oid, call.hub.large.size(oid)))
        elif key in (DELETED_FILE, DELETED_FOLDER):
            yield _deletion(entries, key, value["path"].removesuffix("/"))
        else:
            raise HubError(400, f"Unknown operation {key!r}")


def _content(value: Json) -> bytes:
    if value.get("encoding") == "base64":
        return base64.b64decode(value["content"])
    content: str = value["content"]
    return content.encode()


def _deletion(entries: dict[str, Entry], key: str, path: str) -> Change:
    kind = "file" if key == DELETED_FILE else "directory"
    if path not in entries or entries[path].kind != kind:
        name = "file" if kind == "file" else "folder"
        raise HubError(404, f"A {name} with the name {path} does not exist", "EntryNotFound")
    return Change(path, None)


ROUTES = [
    Route("POST", f"{API}/preupload/{REVISION}", preupload),
    Route("POST", f"{API}/commit/{REVISION}", commit),
]
