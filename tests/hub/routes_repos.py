"""Users and repositories: who asks, making and deleting, settings, branches, tags, and the check of a card."""

import re
from dataclasses import replace

from hub.access import HubError, User
from hub.cards import SDKS, check_card
from hub.git import timestamp
from hub.routing import API, REVISION, Call, Reply, Route, as_json
from hub.storage import Json, Repository, Settings

PAID_SDKS = ("gradio", "docker")
NEEDS_PLAN = "Creating a Gradio or Docker Space requires a paid plan. Static Spaces are free for everyone."


def whoami(call: Call) -> Reply:
    user = call.signed_in()
    return as_json(
        {
            "type": "user",
            "id": user.name,
            "name": user.name,
            "fullname": user.name,
            "email": f"{user.name}@localhost",
            "orgs": [{"name": org, "type": "org", "roleInOrg": user.role} for org in user.orgs],
            "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": user.role}},
        }
    )


def create(call: Call) -> Reply:
    user, asked = call.signed_in(), call.json()
    owner, repo_type = asked.get("organization") or user.name, asked.get("type") or "model"
    _check_new(user, owner, repo_type, asked)
    repo = call.hub.repository(repo_type, f"{owner}/{asked['name']}")
    with repo.lock:
        if repo.exists:
            return _exists(call, repo)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        repo.create(Settings(timestamp(), private, sdk=asked.get("sdk")))
    return as_json({"url": call.page_url(repo), "name": repo.id, "id": repo.id})


def _check_new(user: User, owner: str, repo_type: str, asked: Json) -> None:
    if owner not in user.namespaces or user.role == "read":
        raise HubError(403, f"You don't have the rights to create a {repo_type} under the namespace {owner!r}")
    name = asked["name"]
    if not re.fullmatch(r"[\w\-.]{1,96}", name) or ".." in name or "--" in name:
        raise HubError(400, "Invalid repo name")
    if repo_type == "space" and asked.get("sdk") not in SDKS:
        raise HubError(400, "Invalid sdk")
    if repo_type == "space" and asked["sdk"] in PAID_SDKS and user.plan == "free":
        raise HubError(402, NEEDS_PLAN)


def _exists(call: Call, repo: Repository) -> Reply:
    """Clients read the url of the repository from the refusal."""
    message = f"You already created this {repo.type} repo"
    return as_json({"error": message, "url": call.page_url(repo)}, 409, {"X-Error-Message": message})


def delete(call: Call) -> Reply:
    asked = call.json()
    owner = asked.get("organization") or call.signed_in().name
    named = {"kind": f"{asked.get('type') or 'model'}s", "owner": owner, "name": asked["name"]}
    _, repo = replace(call, found=named).writable()
    repo.remove()
    return Reply(b"OK")


def change_settings(call: Call) -> Reply:
    _, repo = call.writable()
    asked = call.json()
    changes: Json = {"gated": asked["gated"]} if "gated" in asked else {}
    if "visibility" in asked or "private" in asked:
        changes["private"] = asked.get("visibility") == "private" or bool(asked.get("private"))
    repo.change(**changes)
    return as_json({"private": repo.settings.private, "gated": repo.settings.gated})


def grant_access(call: Call) -> Reply:
    """Lets somebody read a gated repository."""
    _, repo = call.writable()
    name = call.json()["user"]
    with repo.lock:
        granted = repo.settings.granted
        if name in granted:
            raise HubError(400, f"The user {name} already has access to this repo")
        repo.change(granted=(*granted, name))
    return as_json({})


def may_read(call: Call) -> Reply:
    call.readable()
    return as_json({})


def may_write(call: Call) -> Reply:
    call.writable()
    return as_json({})


def create_branch(call: Call) -> Reply:
    _, repo = call.writable()
    if call.revision.startswith("refs/"):
        raise HubError(400, "Invalid branch name")
    return _create(repo, f"refs/heads/{call.revision}", call.json().get("startingPoint") or "main")


def create_tag(call: Call) -> Reply:
    _, repo = call.writable()
    return _create(repo, f"refs/tags/{call.json()['tag']}", call.revision)


def _create(repo: Repository, ref: str, start: str) -> Reply:
    if repo.git.ask("check-ref-format", ref) is None:
        raise HubError(400, f"Invalid reference name {ref}")
    with repo.lock:
        if repo.git.resolve(ref):
            raise HubError(409, "Reference already exists" if "/heads/" in ref else "Tag reference exists already")
        repo.git.move(ref, repo.commit_of(start), None)
    return as_json({})


def delete_branch(call: Call) -> Reply:
    _, repo = call.writable()
    if call.revision == "main":
        raise HubError(403, "Cannot delete the main branch")
    return _delete(repo, f"refs/heads/{call.revision}")


def delete_tag(call: Call) -> Reply:
    _, repo = call.writable()
    return _delete(repo, f"refs/tags/{call.revision}")


def _delete(repo: Repository, ref: str) -> Reply:
    with repo.lock:
        if repo.git.resolve(ref) is None:
            raise HubError(404, f"{ref} not found", "RevisionNotFound")
        repo.git.delete(ref)
    return as_json({})


def validate_card(call: Call) -> Reply:
    asked = call.json()
    found = check_card(asked["content"], asked.get("repoType", "model"))
    errors, warnings = ([{"message": text} for text in texts] for texts in (found.errors, found.warnings))
    return as_json({"errors": errors, "warnings": warnings}, 400 if errors else 200)


ROUTES = [
    Route("GET", "/api/whoami-v2", whoami),
    Route("POST", "/api/repos/create", create),
    Route("DELETE", "/api/repos/delete", delete),
    Route("POST", "/api/validate-yaml", validate_card),
    Route("PUT", f"{API}/settings", change_settings),
    Route("POST", f"{API}/user-access-request/grant", grant_access),
    Route("GET", f"{API}/auth-check", may_read),
    Route("GET", f"{API}/auth-check/write", may_write),
    Route("POST", f"{API}/branch/{REVISION}", create_branch),
    Route("DELETE", f"{API}/branch/{REVISION}", delete_branch),
    Route("POST", f"{API}/tag/{REVISION}", create_tag),
    Route("DELETE", f"{API}/tag/{REVISION}", delete_tag),
]
