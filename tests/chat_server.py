"""A real HTTP server on the loopback that speaks the OpenAI chat protocol, well or badly, as a test scripts it."""

import json
import math
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


@dataclass
class Answer:
    """What the server sends."""

    body: Any = None
    """JSON, or bytes as they are; DROP closes the connection without an answer."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: Callable[[], object] = lambda: None
    """Called before sending."""


DROP = object()
ServerT = TypeVar("ServerT", bound="ChatServer")
Script = Callable[[dict[str, Any], int], Answer]
"""What to answer to a request, which has come so often before."""


def said(text: str | None, tops: dict[str, float] | None = None, *, split: bool = True, **message: Any) -> Answer:
    """A completion, whose last character is a token with these rivals (probabilities) when there are any."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    choice["message"].update(message)
    if tops is not None and text is not None:
        rivals = [{"token": token, "logprob": math.log(chance)} for token, chance in tops.items()]
        tokens = [text[:-1], text[-1]] if split and text[:-1] else [text]
        content = [{"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": []} for token in tokens]
        content[-1] = {"token": tokens[-1], "logprob": math.log(tops.get(tokens[-1], 0.001)), "top_logprobs": rivals}
        choice["logprobs"] = {"content": content}
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 102}
    return Answer({"id": "c", "object": "chat.completion", "created": 1, "choices": [choice], "usage": usage})


def failed(status: int, message: str = "no", **headers: str) -> Answer:
    """An error in OpenAI's form; underscores of header names are dashes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"error": {"message": message, "type": "t"}}, status, sent)


class ChatServer:
    """Counts what it is asked."""

    path = "/v1/chat/completions"
    """Where it answers requests."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.seen: Counter[str] = Counter()
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.http.socket.listen(256)  # five are the default: clients that come at once would be kept waiting, or reset

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.bodies]

    def told(self, path: str) -> Answer:
        """What it says of itself."""
        return failed(404, "no such path")

    def _answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Answer:
        with self.lock:
            key = json.dumps(body, sort_keys=True)
            count, self.seen[key] = self.seen[key], self.seen[key] + 1
            self.bodies.append(body)
            self.headers.append(headers)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            if path != self.path:
                return failed(404, "no such path")
            answer = self.script(body, count)
            answer.pause()
            return answer
        finally:
            with self.lock:
                self.busy -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send(server.told(self.path))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._send(server._answer(self.path, body, dict(self.headers)))

            def _send(self, answer: Answer) -> None:
                if answer.body is DROP:
                    linger = struct.pack("ii", 1, 0)  # the peer sees a reset, not an end
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    return
                data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                try:
                    self.send_response(answer.status)
                    for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except ConnectionError:
                    self.close_connection = True  # the client was killed, or has waited long enough

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler


@contextmanager
def serving(script: Script) -> Iterator[ChatServer]:
    """A server in a thread."""
    with running(ChatServer(script)) as server:
        yield server


@contextmanager
def running(server: ServerT) -> Iterator[ServerT]:
    """The server, in a thread."""
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
