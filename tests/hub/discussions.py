"""Discussions and pull requests as they are stored, and what two lines of commits change alike and differently."""

import uuid
from collections.abc import Mapping

from hub.access import HubError, User
from hub.git import Change, Entry, timestamp
from hub.storage import Json, Repository

OPEN = ("open", "draft")


def open_discussion(repo: Repository, user: User, title: str, text: str, base: str | None, status: str = "open") -> int:
    """Stores a discussion, or with a base a pull request on that commit, and returns its number."""
    stored = repo.discussions
    number = len(stored) + 1
    stored.append(
        {
            "num": number,
            "title": title,
            "status": status,
            "isPullRequest": base is not None,
            "createdAt": timestamp(),
            "base": base,
            "merge": None,
            "author": {"name": user.name, "type": "user"},
            "events": [comment(user, text)],
        }
    )
    repo.save_discussions(stored)
    return number


def event(user: User, kind: str, data: Json) -> Json:
    author = {"name": user.name}
    return {"id": uuid.uuid4().hex[:24], "type": kind, "createdAt": timestamp(), "author": author, "data": data}


def comment(user: User, text: str) -> Json:
    latest = {"raw": text, "html": text, "updatedAt": timestamp(), "author": {"name": user.name}}
    data = {"latest": latest, "hidden": False, "edited": False, "history": [], "numEdits": 0}
    return event(user, "comment", data)


def merge(repo: Repository, found: Json, user: User) -> str:
    """Brings the changes of a pull request to the main branch as one commit, whose sha is returned."""
    head = repo.commit_of("main")
    tip = f"refs/pr/{found['num']}"
    conflicts = conflicting(repo, head, tip)
    if conflicts:
        raise HubError(409, f"Merge conflict in: {', '.join(conflicts)}")
    changes = [
        Change(path, repo.git.blob(entry.oid) if entry else None) for path, entry in _proposed(repo, head, tip).items()
    ]
    return repo.git.commit("refs/heads/main", head, changes, f"{found['title']} (#{found['num']})", user.name, head)


def conflicting(repo: Repository, head: str, revision: str) -> list[str]:
    """The files that both sides have changed since they parted, and not to the same content."""
    tip = repo.commit_of(revision)
    base = _parting(repo, head, tip)
    ours, theirs = (_changed(repo.git.files(base), repo.git.files(sha)) for sha in (head, tip))
    return sorted(path for path in ours.keys() & theirs.keys() if _oid(ours[path]) != _oid(theirs[path]))


def _proposed(repo: Repository, head: str, revision: str) -> dict[str, Entry | None]:
    """What a pull request without conflicts changes and the head does not have yet."""
    tip = repo.commit_of(revision)
    known, changed = (
        repo.git.files(head),
        _changed(repo.git.files(_parting(repo, head, tip)), repo.git.files(tip)),
    )
    return {path: entry for path, entry in changed.items() if _oid(entry) != _oid(known.get(path))}


def _parting(repo: Repository, head: str, tip: str) -> str:
    return repo.git.run("merge-base", head, tip).decode().strip()


def _changed(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> dict[str, Entry | None]:
    """The files that differ, with what they became; None: deleted."""
    return {
        path: after.get(path)
        for path in before.keys() | after.keys()
        if _oid(before.get(path)) != _oid(after.get(path))
    }


def _oid(entry: Entry | None) -> str | None:
    return entry.oid if entry else None
