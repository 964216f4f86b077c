"""The server: every request goes past the faults to the one route that fits it, in a thread of its own."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

from aiohttp import web

from hub import routes_commit, routes_discussions, routes_download, routes_lfs, routes_read, routes_repos
from hub.access import HubError
from hub.control import Rule, Seen
from hub.routing import Call, Reply, as_json
from hub.state import Hub

ROUTES = [
    *routes_repos.ROUTES,
    *routes_read.ROUTES,
    *routes_commit.ROUTES,
    *routes_lfs.ROUTES,
    *routes_discussions.ROUTES,
    *routes_download.ROUTES,
]
THREADS = 32
CHUNK = 1 << 16
AGENT_LENGTH = 60
OF_A_REPOSITORY = re.compile(r"/resolve/|^/api/(models|datasets|spaces)/")


def application(hub: Hub) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/_admin/{what}", Admin(hub).handle)
    app.router.add_route("*", "/{tail:.*}", Server(hub).handle)
    return app


def respond(call: Call, path: str) -> Reply:
    """The answer of the route that fits, or a refusal as the Hub words it."""
    try:
        for route in ROUTES:
            found = route.match(call.method, path)
            if found is not None:
                return route.handler(replace(call, found=found))
        if OF_A_REPOSITORY.search(path):  # ids of one part and the like name no repository
            raise HubError(404 if call.user else 401, "Repository not found", "RepoNotFound")
        raise HubError(404, f"Not part of the test hub: {call.method} {path}")
    except HubError as error:
        return _refusal(error)


def _refusal(error: HubError) -> Reply:
    told = re.sub(r"\s+", " ", error.message).encode("ascii", "replace").decode()
    code = {"X-Error-Code": error.code} if error.code else {}
    return as_json({"error": error.message}, error.status, {"X-Error-Message": told} | code | error.headers)


class Server:
    """Answers requests to the Hub's interface and keeps a record of them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._threads = ThreadPoolExecutor(THREADS)

    async def handle(self, request: web.Request) -> web.Response:
        rules = self._hub.control.fired(request.method, request.rel_url.raw_path)
        start, status = time.time(), 500
        try:
            reply = await self._answer(request, rules)
            status = reply.status if reply else 0
        finally:
            self._hub.control.seen.append(_seen(request, rules, status, start))
        if reply is None:
            _cut(request)
            return web.Response(status=500)
        return web.Response(body=reply.body, status=reply.status, headers=_headers(reply.headers))

    async def _answer(self, request: web.Request, rules: Sequence[Rule]) -> Reply | None:
        """The answer after the faults; None: there shall be none."""
        for rule in rules:
            await asyncio.sleep(rule.seconds)
        fault = rules[-1] if rules else Rule("hold")
        if fault.action == "drop":
            await _read(request, fault.after)
            return None
        body = await _read(request)
        if fault.action == "status":
            return Reply(fault.body.encode(), fault.status, fault.headers)
        reply = await asyncio.get_running_loop().run_in_executor(
            self._threads, respond, _call(self._hub, request, body), request.rel_url.raw_path
        )
        return None if fault.action == "lose_response" else reply


def _call(hub: Hub, request: web.Request, body: bytes) -> Call:
    return Call(hub, request.method, request.host, str(request.rel_url), request.rel_url.query, request.headers, body)


async def _read(request: web.Request, at_most: int | None = None) -> bytes:
    """The body, or the start of it."""
    if at_most is None:
        return b"".join([chunk async for chunk in request.content.iter_any()])
    received = 0
    while received < at_most and (chunk := await request.content.read(min(CHUNK, at_most - received))):
        received += len(chunk)
    return b""


def _cut(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {"X-Request-Id": uuid.uuid4().hex} | dict(headers)


def _seen(request: web.Request, rules: Sequence[Rule], status: int, start: float) -> Seen:
    return Seen(
        method=request.method,
        path=request.rel_url.raw_path,
        query=request.rel_url.raw_query_string,
        status=status,
        fault=rules[-1].action if rules else None,
        time=start,
        duration_ms=round(1000 * (time.time() - start)),
        agent=request.headers.get("User-Agent", "")[:AGENT_LENGTH],
        authorized="Authorization" in request.headers,
        host=request.host,
    )


class Admin:
    """Takes the orders of a test; no rule hits these requests and no record is kept of them."""

    def __init__(self, hub: Hub) -> None:
        self._control = hub.control

    async def handle(self, request: web.Request) -> web.Response:
        control = self._control
        match request.method, request.match_info["what"]:
            case "GET", "log":
                return web.json_response([asdict(seen) for seen in control.seen])
            case "DELETE", "log":
                control.seen.clear()
            case "POST", "rule":
                control.rules.append(Rule(**json.loads(await request.read())))
            case "DELETE", "rule":
                control.rules.clear()
            case _:
                raise web.HTTPNotFound
        return web.Response(status=204)
