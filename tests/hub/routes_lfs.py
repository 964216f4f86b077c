"""Large files: the LFS protocol for uploads in one or many parts, and the tokens for Xet."""

import re
import time

from hub.access import HubError, check_space_left
from hub.routing import API, LFS, Call, Reply, Route, as_json
from hub.storage import Json, Repository

OID = "(?P<oid>[0-9a-f]{64})"
TOKEN_LIFE_S = 3600


def batch(call: Call) -> Reply:
    """Tells where to put or get each object; one that is there already needs no upload."""
    repo, user, asked = call.readable(), call.signed_in(), call.json()
    if asked["operation"] == "upload":
        check_space_left(user, repo)
    parts = bool(call.hub.setup.multipart) and "multipart" in asked.get("transfers", [])
    objects = [_object(call, repo, asked["operation"], wanted, parts) for wanted in asked["objects"]]
    return as_json({"transfer": "multipart" if parts else "basic", "objects": objects, "hash_algo": "sha256"})


def _object(call: Call, repo: Repository, operation: str, wanted: Json, parts: bool) -> Json:
    told: Json = {"oid": wanted["oid"], "size": wanted["size"]}
    if not re.fullmatch("[0-9a-f]{64}", wanted["oid"]):
        return told | {"error": {"code": 422, "message": "invalid oid"}}
    if operation == "download":
        return told | {"actions": {"download": {"href": f"{call.base}/_cdn/{wanted['oid']}"}}}
    if call.hub.large.has(wanted["oid"]):
        return told
    verify = {"href": f"{call.page_url(repo)}.git/info/lfs/objects/verify", "header": {}}
    return told | {"actions": {"upload": _upload(call, wanted["oid"], wanted["size"], parts), "verify": verify}}


def _upload(call: Call, oid: str, size: int, parts: bool) -> Json:
    part_size = call.hub.setup.multipart
    if not parts or size <= part_size:
        return {"href": f"{call.base}/_lfs/upload/{oid}", "header": {}}
    numbers = range(1, -(-size // part_size) + 1)
    places = {f"{number:05d}": f"{call.base}/_lfs/part/{oid}/{number}" for number in numbers}
    return {"href": f"{call.base}/_lfs/complete/{oid}", "header": {"chunk_size": str(part_size)} | places}


def put(call: Call) -> Reply:
    call.hub.large.add(call.found["oid"], call.body)
    return Reply(headers={"ETag": f'"{call.found["oid"]}"'})


def put_part(call: Call) -> Reply:
    oid, number = call.found["oid"], int(call.found["number"])
    call.hub.large.add_part(oid, number, call.body)
    return Reply(headers={"ETag": f'"{oid}-{number}"'})


def complete(call: Call) -> Reply:
    call.hub.large.join(call.found["oid"], [part["partNumber"] for part in call.json()["parts"]])
    return as_json({})


def verify(call: Call) -> Reply:
    call.readable()
    asked = call.json()
    if not call.hub.large.has(asked["oid"]) or call.hub.large.size(asked["oid"]) != asked["size"]:
        raise HubError(404, "object missing or wrong size")
    return as_json({})


def xet_write_token(call: Call) -> Reply:
    user, repo = call.contributed()
    check_space_left(user, repo)
    return _token(call)


def xet_read_token(call: Call) -> Reply:
    call.readable()
    return _token(call)


def _token(call: Call) -> Reply:
    mode = call.hub.setup.xet
    if mode == "off":
        raise HubError(404, "Xet storage is not available on this server")
    url, expires = call.hub.xet.new() if mode == "local" else f"{call.base}/_xet", int(time.time()) + TOKEN_LIFE_S
    headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": "x", "X-Xet-Token-Expiration": str(expires)}
    return as_json({"casUrl": url, "accessToken": "x", "exp": expires}, headers=headers)


ROUTES = [
    Route("POST", f"{LFS}/batch", batch),
    Route("POST", f"{LFS}/verify", verify),
    Route("PUT", f"/_lfs/upload/{OID}", put),
    Route("PUT", rf"/_lfs/part/{OID}/(?P<number>\d+)", put_part),
    Route("POST", f"/_lfs/complete/{OID}", complete),
    Route("GET", f"{API}/xet-write-token(?:/(?P<revision>[^/]*))?", xet_write_token),
    Route("GET", f"{API}/xet-read-token(?:/(?P<revision>[^/]*))?", xet_read_token),
]
