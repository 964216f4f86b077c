"""The page's server: on this machine only, for whoever knows the address, which holds a secret."""

import hmac
import json
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from sys import exception

from pydantic import ValidationError

from builders.review.answers import REASONS, Answer, Book, Judgement
from builders.review.blind import Sheet, text_hash
from lcb_rb.errors import InputError
from lcb_rb.templates import fill

HOST = "127.0.0.1"
MAX_BODY_BYTES = 64 * 2**10
PAGE = Path(__file__).parent / "page.html"
JSON = "application/json"

_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Refused(Exception):
    """A request that gets nothing but a status and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class Desk:
    """One reviewer's pairs and answers, as the page asks for them; pairs are named by place, ids can tell a side."""

    def __init__(self, sheet: Sheet, book: Book) -> None:
        """Shows the sheet's pairs and enters answers into the book."""
        self._sheet, self._book = sheet, book

    def state(self) -> dict[str, object]:
        """Returns how far the review is, and the first place without an answer."""
        missing = [place for place, pair in enumerate(self._sheet.pairs) if not self._book.get(pair.id)]
        total = len(self._sheet.pairs)
        return {
            "reviewer": self._sheet.reviewer,
            "total": total,
            "answered": total - len(missing),
            "next": missing[0] if missing else None,
            "reasons": REASONS,
        }

    def pair(self, place: int) -> dict[str, object]:
        """Returns what is shown at a place.

        Raises:
            Refused: there is no such place.
        """
        self._refuse_beyond(place)
        left, right = self._sheet.sides(place)
        pair = self._sheet.pairs[place]
        known = self._book.get(pair.id)
        answer = known and known.model_dump(include={"choice", "reasons", "note"})
        return {"place": place, "problem": pair.problem, "left": left, "right": right, "answer": answer}

    def enter(self, judgement: Judgement) -> dict[str, object]:
        """Saves an answer and returns the state.

        Raises:
            Refused: there is no such place.
            OSError: it could not be saved.
        """
        self._refuse_beyond(judgement.place)
        sheet = self._sheet
        answer = Answer(
            pair=sheet.pairs[judgement.place].id,
            left=text_hash(sheet.sides(judgement.place)[0]),
            reviewer=sheet.reviewer,
            seed=sheet.seed,
            revision=sheet.revision,
            **judgement.model_dump(exclude={"place"}),
        )
        self._book.put(answer)
        return self.state()

    def _refuse_beyond(self, place: int) -> None:
        if not 0 <= place < len(self._sheet.pairs):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such pair")


class ReviewServer(ThreadingHTTPServer):
    """Serves one review at `url`."""

    daemon_threads = True

    def __init__(self, desk: Desk, port: int = 0) -> None:
        """Listens on a port of the loopback interface; 0 chooses a free one.

        Raises:
            InputError: the port is taken.
        """
        self.desk, self.token = desk, secrets.token_urlsafe(24)
        try:
            super().__init__((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"--port {port}: cannot be listened on ({error}); choose another, or leave it out"
            ) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """Address of the page; whoever has it can read and answer."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Passes over a browser that hung up."""
        if not isinstance(exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: ReviewServer
    timeout = 30
    server_version = "recode"
    sys_version = ""

    def do_GET(self) -> None:
        """Sends the page, the state or a pair."""
        self._answer(self._found)

    def do_POST(self) -> None:
        """Takes an answer."""
        self._answer(self._entered)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet: the address holds the secret."""

    def _answer(self, work: Callable[[str], dict[str, object] | None]) -> None:
        try:
            found = work(self._asked_path())
        except Refused as error:
            self._send_json(error.status, {"error": str(error)})
        except OSError as error:
            self._send_json(HTTPStatus.INSUFFICIENT_STORAGE, {"error": f"not saved: {error.strerror}"})
        else:
            self._send_page() if found is None else self._send_json(HTTPStatus.OK, found)

    def _asked_path(self) -> str:
        """Returns the path behind the secret; another name for this host is a page elsewhere that reaches for it."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "wrong host")
        token, _, path = self.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "this address is not, or no longer, that of a review")
        return path

    def _found(self, path: str) -> dict[str, object] | None:
        folder, _, place = path.partition("/")
        if path == "":
            return None
        if path == "state":
            return self.server.desk.state()
        if folder == "pairs" and place.isascii() and place.isdecimal() and len(place) < 10:
            return self.server.desk.pair(int(place))
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")

    def _entered(self, path: str) -> dict[str, object]:
        if path != "answers":
            raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "wrong origin")
        if self.headers.get_content_type() != JSON:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
        try:
            return self.server.desk.enter(Judgement.model_validate_json(self._body()))
        except ValidationError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, error.errors()[0]["msg"]) from error

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and len(length) < 10):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "say how long it is")
        if int(length) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        return self.rfile.read(int(length))

    def _send_page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        body = fill(PAGE.read_text(encoding="utf-8"), {"nonce": nonce})
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", body, nonce)

    def _send_json(self, status: HTTPStatus, value: dict[str, object]) -> None:
        self._send(status, JSON, json.dumps(value), "")

    def _send(self, status: HTTPStatus, kind: str, body: str, nonce: str) -> None:
        data = body.encode()
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), **_HEADERS}
        policy = _POLICY.format(nonce=nonce) if nonce else "default-src 'none'; frame-ancestors 'none'"
        self.send_response(status)
        for name, value in {**headers, "Content-Security-Policy": policy}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
