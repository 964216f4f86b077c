"""Downloads, whole or a range of bytes, with the headers that clients rely on."""

import re
from urllib.parse import quote

from hub.access import HubError
from hub.git import Entry
from hub.routing import PAGE, REVISION, Call, Reply, Route

BINARY, TEXT = "application/octet-stream", "text/plain; charset=utf-8"


def resolve(call: Call) -> Reply:
    """A file of a revision; what a large file points to, and a redirect if that lies on another host."""
    return _file(call, follow=True)


def raw(call: Call) -> Reply:
    """A file as git holds it."""
    return _file(call, follow=False)


def _file(call: Call, follow: bool) -> Reply:
    repo = call.readable()
    sha, path = repo.commit_of(call.revision), call.found["path"]
    entry = repo.git.files(sha).get(path)
    if entry is None:
        raise HubError(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": sha})
    headers = _headers(sha, path)
    if entry.lfs and follow:
        return _large(call, entry, headers)
    return _part(call, repo.git.blob(entry.oid), headers | {"ETag": f'"{entry.oid}"', "Content-Type": TEXT})


def _headers(sha: str, path: str) -> dict[str, str]:
    name = quote(path.rpartition("/")[2])
    return {
        "X-Repo-Commit": sha,
        "Accept-Ranges": "bytes",
        "Access-Control-Expose-Headers": "*",
        "Content-Disposition": f"inline; filename*=UTF-8''{name}; filename=\"{name}\";",
    }


def _large(call: Call, entry: Entry, headers: dict[str, str]) -> Reply:
    oid, cdn_host = entry.content_id, call.hub.setup.cdn_host
    headers = headers | {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(entry.size)}
    if cdn_host:
        port = call.host.rpartition(":")[2]
        return Reply(status=302, headers=headers | {"Location": f"http://{cdn_host}:{port}/_cdn/{oid}?X-Sig=ok"})
    return _part(call, call.hub.large.read(oid), headers | {"ETag": f'"{oid}"', "Content-Type": BINARY})


def cdn(call: Call) -> Reply:
    """The other host, which a client must not show its token to."""
    if "Authorization" in call.headers:
        raise HubError(400, "Only one auth mechanism allowed: the client sent its Hub token to another host")
    oid = call.found["oid"]
    if not call.hub.large.has(oid):
        raise HubError(404, "NoSuchKey")
    headers = {"ETag": f'"{oid}"', "Content-Type": BINARY, "Accept-Ranges": "bytes"}
    return _part(call, call.hub.large.read(oid), headers)


def _part(call: Call, content: bytes, headers: dict[str, str]) -> Reply:
    """The range that is asked for; HEAD is told of the whole."""
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("Range", ""))
    if call.method == "HEAD" or asked is None or not any(asked.groups()):
        return Reply(content, headers=headers)
    size = len(content)
    if asked[1]:
        first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
    else:
        first, last = max(0, size - int(asked[2])), size - 1
    if first >= size:
        return Reply(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    return Reply(content[first : last + 1], 206, headers | {"Content-Range": f"bytes {first}-{last}/{size}"})


ROUTES = [
    Route("GET", f"{PAGE}/resolve/{REVISION}/(?P<path>.*)", resolve),
    Route("GET", f"{PAGE}/raw/{REVISION}/(?P<path>.*)", raw),
    Route("GET", "/_cdn/(?P<oid>[0-9a-f]{64})", cdn),
]
