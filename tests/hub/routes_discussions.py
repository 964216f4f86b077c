"""Discussions and pull requests: list, open, show, comment, rename, close, merge."""

from collections.abc import Callable

from hub.access import HubError, User, check_contributor
from hub.discussions import OPEN, comment, conflicting, event, merge, open_discussion
from hub.routing import API, Call, Reply, Route, as_json
from hub.storage import Json, Repository

PAGE_SIZE = 10


def list_all(call: Call) -> Reply:
    """A page of discussions, the newest first."""
    repo = call.readable()
    kind, status = call.query.get("type"), call.query.get("status")
    chosen = [found for found in reversed(repo.discussions) if _wanted(found, kind, status, call.query.get("author"))]
    start = int(call.query.get("p", 0)) * PAGE_SIZE
    page = [_short(repo, found) for found in chosen[start : start + PAGE_SIZE]]
    return as_json({"discussions": page, "count": len(chosen), "start": start})


def _wanted(found: Json, kind: str | None, status: str | None, author: str | None) -> bool:
    if kind in ("discussion", "pull_request") and found["isPullRequest"] != (kind == "pull_request"):
        return False
    if status in ("open", "closed") and (found["status"] in OPEN) != (status == "open"):
        return False
    return author in (None, found["author"]["name"])


def _short(repo: Repository, found: Json) -> Json:
    told = {key: found[key] for key in ("num", "title", "status", "isPullRequest", "createdAt", "author")}
    return told | {"repo": {"name": repo.id, "type": repo.type}, "repoOwner": {"name": repo.owner}}


def show(call: Call) -> Reply:
    repo = call.readable()
    found = _find(repo.discussions, call)
    told = _short(repo, found) | {"events": found["events"]}
    return as_json(told | _pull_request(repo, found) if found["isPullRequest"] else told)


def _pull_request(repo: Repository, found: Json) -> Json:
    tip = f"refs/pr/{found['num']}"
    merged = {"mergeCommitId": found["merge"]} if found["merge"] else {}
    return {
        "changes": {"base": "refs/heads/main"} | merged,
        "filesWithConflicts": conflicting(repo, repo.commit_of("main"), tip) if found["status"] in OPEN else [],
        "diff": repo.git.run("diff", found["base"], tip).decode(errors="replace"),
    }


def _find(stored: list[Json], call: Call) -> Json:
    number = int(call.found["number"])
    for found in stored:
        if found["num"] == number:
            return found
    raise HubError(404, "Discussion not found")


def open_new(call: Call) -> Reply:
    """Opens a discussion, or a draft of a pull request that commits to `refs/pr/N` fill."""
    repo, user, asked = call.readable(), call.signed_in(), call.json()
    pull = bool(asked.get("pullRequest"))
    with repo.lock:
        base = repo.commit_of("main") if pull else None
        number = open_discussion(
            repo, user, asked["title"], asked.get("description", ""), base, "draft" if pull else "open"
        )
        if base:
            repo.git.move(f"refs/pr/{number}", base, None)
    return as_json({"num": number, "url": f"{call.page_url(repo)}/discussions/{number}", "pullRequest": pull})


def add_comment(call: Call) -> Reply:
    return _change(call, call.signed_in(), lambda repo, user, found: comment(user, call.json()["comment"]))


def rename(call: Call) -> Reply:
    return _change(call, _editor(call), lambda repo, user, found: _rename(user, found, call.json()["title"]))


def _rename(user: User, found: Json, title: str) -> Json:
    told = event(user, "title-change", {"from": found["title"], "to": title})
    found["title"] = title
    return told


def change_status(call: Call) -> Reply:
    return _change(call, _editor(call), lambda repo, user, found: _set_status(user, found, call.json()["status"]))


def _set_status(user: User, found: Json, status: str) -> Json:
    if status not in ("open", "closed"):
        raise HubError(400, f"Invalid status {status!r}")
    if found["status"] == "merged":
        raise HubError(400, "Pull request is merged")
    found["status"] = status
    return event(user, "status-change", {"status": status})


def merge_pull_request(call: Call) -> Reply:
    user, _ = call.writable()
    return _change(call, user, _merge)


def _merge(repo: Repository, user: User, found: Json) -> Json:
    if not found["isPullRequest"] or found["status"] not in OPEN:
        raise HubError(400, "Pull request is not open")
    found["merge"] = merge(repo, found, user)
    found["status"] = "merged"
    return event(user, "status-change", {"status": "merged"})


def _editor(call: Call) -> User:
    """Whoever may write, and the author."""
    return check_contributor(call.user, call.repo, f"refs/pr/{call.found['number']}", create_pr=False)


def _change(call: Call, user: User, work: Callable[[Repository, User, Json], Json]) -> Reply:
    """Does something to a discussion and stores the event that tells of it."""
    repo = call.readable()
    with repo.lock:
        stored = repo.discussions
        found = _find(stored, call)
        told = work(repo, user, found)
        found["events"].append(told)
        repo.save_discussions(stored)
    answer = {"newMessage": told, "newTitle": told, "newStatus": told}
    return as_json(answer | {"status": found["status"], "mergeCommitId": found["merge"]})


ONE = rf"{API}/discussions/(?P<number>\d+)"
ROUTES = [
    Route("GET", f"{API}/discussions", list_all),
    Route("POST", f"{API}/discussions", open_new),
    Route("GET", ONE, show),
    Route("POST", f"{ONE}/comment", add_comment),
    Route("POST", f"{ONE}/title", rename),
    Route("POST", f"{ONE}/status", change_status),
    Route("POST", f"{ONE}/merge", merge_pull_request),
]
