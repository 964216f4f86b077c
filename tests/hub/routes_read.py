"""Reading what repositories hold: information, lists, trees, paths, references, commits and leaderboards."""

import hashlib
import json
import re
from typing import Any

import yaml

from hub.access import HubError
from hub.git import Entry, timestamp
from hub.routing import API, REPO, REVISION, Call, Reply, Route, as_json
from hub.storage import Json, Repository

EVAL_RESULTS = re.compile(r"\.eval_results/[^/]+\.ya?ml")
PAGE_SIZE = 1000
REF_KINDS = {
    "branches": "refs/heads/",
    "tags": "refs/tags/",
    "converts": "refs/convert/",
    "pullRequests": "refs/pr/",
}


def info(call: Call) -> Reply:
    repo = call.visible()
    return as_json(_info(repo, repo.commit_of(call.revision), "blobs" in call.query))


def _info(repo: Repository, sha: str, blobs: bool = False) -> Json:
    settings, card = repo.settings, repo.card(sha)
    shared = {
        "_id": hashlib.sha1(repo.id.encode(), usedforsecurity=False).hexdigest()[:24],
        "id": repo.id,
        "author": repo.owner,
        "sha": sha,
        "private": settings.private,
        "gated": settings.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [str(tag) for tag in card.get("tags") or []],
        "createdAt": settings.created,
        "lastModified": timestamp(int(repo.git.run("show", "-s", "--format=%ct", sha))),
        "cardData": _plain(card) or None,
        "siblings": [_sibling(entry, blobs) for entry in repo.git.files(sha).values()],
    }
    return shared | _of_type(repo, sha, card)


def _of_type(repo: Repository, sha: str, card: Json) -> Json:
    """What models and Spaces tell besides."""
    if repo.type == "model":
        named = {key: _plain(card.get(key)) for key in ("pipeline_tag", "library_name", "model-index")}
        return {"modelId": repo.id, **named, "evalResults": _eval_results(repo, sha)}
    if repo.type == "space":
        runtime = {"stage": "NO_APP_FILE"}
        sdk = card.get("sdk") or repo.settings.sdk
        return {"sdk": sdk, "subdomain": repo.id.replace("/", "-"), "runtime": runtime}
    return {}


def _plain(value: Any) -> Any:
    """YAML as JSON can hold it: dates become text."""
    return json.loads(json.dumps(value, default=str))


def _sibling(entry: Entry, blobs: bool) -> Json:
    told: Json = {"rfilename": entry.path}
    if blobs:
        told |= {"size": entry.size, "blobId": entry.oid}
        if entry.lfs:
            lfs = entry.lfs
            told["lfs"] = {"sha256": lfs.oid, "size": lfs.size, "pointerSize": lfs.pointer_size}
    return told


def list_repos(call: Call) -> Reply:
    user, found = call.user, []
    for repo in call.hub.all(call.repo_type):
        if repo.settings.private and not (user and user.belongs_to(repo.id)):
            continue
        if call.query.get("author", repo.owner) != repo.owner:
            continue
        if call.query.get("search", "").lower() not in repo.id.lower():
            continue
        told = _info(repo, repo.commit_of("main"))
        if set(call.query.getall("filter", [])) <= set(told["tags"]):
            found.append(told)
    return as_json(found)


def tree(call: Call) -> Reply:
    repo = call.readable()
    sha, folder = repo.commit_of(call.revision), call.found.get("path", "").strip("/")
    entries = repo.git.tree(sha)
    if folder and (folder not in entries or entries[folder].is_file):
        raise HubError(404, f'{folder} does not exist on "{call.revision}"', "EntryNotFound")
    inside = _inside(entries, folder, call.flag("recursive"))
    start, limit = int(call.query.get("cursor", 0)), int(call.query.get("limit", PAGE_SIZE))
    page = [_entry(repo, sha, entry, call.flag("expand")) for entry in inside[start : start + limit]]
    return as_json(page, headers=_next_page(call, start + limit) if start + limit < len(inside) else {})


def _inside(entries: dict[str, Entry], folder: str, recursive: bool) -> list[Entry]:
    head = f"{folder}/" if folder else ""
    paths = [path for path in sorted(entries) if path.startswith(head)]
    return [entries[path] for path in paths if recursive or "/" not in path.removeprefix(head)]


def _next_page(call: Call, start: int) -> dict[str, str]:
    path, _, query = call.address.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("cursor=")]
    return {"Link": f'<{call.base}{path}?{"&".join([*kept, f"cursor={start}"])}>; rel="next"'}


def _entry(repo: Repository, sha: str, entry: Entry, expand: bool) -> Json:
    told: Json = {"type": entry.kind, "oid": entry.oid, "size": entry.size, "path": entry.path}
    if entry.lfs:
        told["lfs"] = {"oid": entry.lfs.oid, "size": entry.lfs.size, "pointerSize": entry.lfs.pointer_size}
    if expand:
        log = repo.git.run("log", "-1", "--format=%H%x00%ct%x00%s", sha, "--", entry.path)
        commit, seconds, title = log.decode().strip().split("\0")
        told["lastCommit"] = {"id": commit, "title": title, "date": timestamp(int(seconds))}
    return told


def paths_info(call: Call) -> Reply:
    repo = call.readable()
    sha = repo.commit_of(call.revision)
    if call.headers.get("Content-Type", "").startswith("application/json"):
        asked = call.json()
        paths, expand = asked.get("paths", []), bool(asked.get("expand"))
    else:
        form = call.form()
        paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() in ("1", "true")
    entries = repo.git.tree(sha)
    known = [path.strip("/") for path in paths if path.strip("/") in entries]
    return as_json([_entry(repo, sha, entries[path], expand) for path in known])


def refs(call: Call) -> Reply:
    repo = call.readable()
    kinds = {key: head for key, head in REF_KINDS.items() if key != "pullRequests" or "include_prs" in call.query}
    return as_json(
        {
            key: [
                {"name": ref.removeprefix(head), "ref": ref, "targetCommit": sha}
                for ref, sha in repo.git.refs()
                if ref.startswith(head)
            ]
            for key, head in kinds.items()
        }
    )


def commits(call: Call) -> Reply:
    repo = call.readable()
    log = repo.git.run("log", "--format=%H%x00%an%x00%ct%x00%s%x00%b%x01", repo.commit_of(call.revision))
    records = (record.strip("\n") for record in log.decode().split("\x01"))
    return as_json([_commit(*record.split("\0")) for record in records if record])


def _commit(sha: str, author: str, seconds: str, title: str, text: str) -> Json:
    authors = [{"user": author, "avatar": ""}]
    return {"id": sha, "title": title, "message": text.strip(), "authors": authors, "date": timestamp(int(seconds))}


def leaderboard(call: Call) -> Reply:
    """The results in `.eval_results` of all public models for a dataset that has an `eval.yaml`."""
    repo = call.readable()
    if "eval.yaml" not in repo.git.files(repo.commit_of("main")):
        raise HubError(404, "This dataset does not have a leaderboard")
    models = [model for model in call.hub.all("model") if not model.settings.private]
    rows = [row for model in models for row in _scores(model, repo.id)]
    rows.sort(key=lambda row: -float(row["value"]))
    return as_json([row | {"rank": rank} for rank, row in enumerate(rows, 1)])


def _scores(model: Repository, dataset_id: str) -> list[Json]:
    found = [result for result in _eval_results(model, model.commit_of("main")) if "data" in result]
    return [
        {
            "modelId": model.id,
            "value": result["data"]["value"],
            "verified": False,
            "pullRequest": None,
            "filename": result["filename"],
            "source": result["data"].get("source"),
            "author": {"name": model.owner},
            "task_id": result["data"]["dataset"]["task_id"],
            "notes": result["data"].get("notes"),
        }
        for result in found
        if result["data"]["dataset"]["id"] == dataset_id
    ]


def _eval_results(repo: Repository, sha: str) -> list[Json]:
    """The results in the files of a model, an error in place of those of a file that cannot be read."""
    found: list[Json] = []
    for path, entry in repo.git.files(sha).items():
        if EVAL_RESULTS.fullmatch(path):
            try:
                results = [_checked(result) for result in yaml.safe_load(repo.git.blob(entry.oid)) or []]
            except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
                found.append({"filename": path, "error": f"{type(error).__name__}: {error}"})
            else:
                found += [{"filename": path, "verified": False, "data": result} for result in results]
    return found


def _checked(result: Json) -> Json:
    for key in ("id", "task_id"):
        result["dataset"][key]
    float(result["value"])
    plain: Json = _plain(result)
    return plain


ROUTES = [
    Route("GET", API, info),
    Route("GET", f"{API}/revision/{REVISION}", info),
    Route("GET", "/api/(?P<kind>models|datasets|spaces)", list_repos),
    Route("GET", f"{API}/tree/{REVISION}(?:/(?P<path>.*))?", tree),
    Route("POST", f"{API}/paths-info/{REVISION}", paths_info),
    Route("GET", f"{API}/refs", refs),
    Route("GET", f"{API}/commits/{REVISION}", commits),
    Route("GET", f"/api/(?P<kind>datasets)/{REPO}/leaderboard", leaderboard),
]
