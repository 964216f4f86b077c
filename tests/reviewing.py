"""A dataset to review, `recode review` in a process of its own, and requests to its page's server."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from builders.card import configs, metadata
from builders.review.answers import opened
from builders.review.blind import Sheet, make_sheet
from builders.review.server import Desk, ReviewServer
from builders.review.session import default_path
from factories import ROOT, make_pair
from lcb_rb.pairs import data_revision, pair_files, pair_schema, read_pairs, write_pairs
from lcb_rb.schema import PreferencePair

BETTER, WORSE = "This one is sound.", "This one is flawed."
"""How the texts of `make_dataset` begin."""


def make_dataset(directory: Path, pairs: list[PreferencePair] | None = None, n: int = 10) -> Path:
    """A dataset directory as `recode build` makes them, two pairs a problem."""
    pairs = pairs if pairs is not None else [numbered_pair(number) for number in range(n)]
    write_pairs(pairs, directory, "test")
    places = configs({"default": ("data", pair_schema(pairs), {"test": len(pairs)})})
    text = f"---\n{metadata('Pairs', ['handmade'], len(pairs), places)}\n---\n\n# Pairs\n\nMade by hand.\n"
    (directory / "README.md").write_text(f"{text}\n## How the pairs were made\n\nSo.\n\n## Columns\n\nMany.\n")
    return directory


def numbered_pair(number: int) -> PreferencePair:
    """A pair whose texts say which is the better one, for the tests alone."""
    return make_pair(
        f"degraded/{number}",
        problem_id=f"p{number // 2}",
        problem=f"Problem {number // 2}: print the double.",
        chosen_reasoning=f"{BETTER} Number {number}.",
        rejected_reasoning=f"{WORSE} Number {number}.",
        chosen_model="secret-model-a",
        rejected_model="secret-model-b",
        chosen_code="print('secret code')",
    )


class Client:
    """Requests to a page's server."""

    def __init__(self, url: str) -> None:
        found = urlsplit(url)
        self.url, self.address, self.base = url, (found.hostname, found.port), found.path

    def ask(self, path: str, body: object = None, *, method: str | None = None, **headers: str) -> tuple[int, str]:
        """Status and text of the reply; headers with _ for -."""
        status, text, _ = self.reply(path, body, method=method, **headers)
        return status, text

    def reply(self, path: str, body: object = None, *, method: str | None = None, **headers: str):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        if data is not None:
            given = {"Content-Type": "application/json", **given}
        connection = HTTPConnection(*self.address, timeout=20)
        try:
            connection.request(method or ("POST" if data is not None else "GET"), self.base + path, data, given)
            found = connection.getresponse()
            return found.status, found.read().decode(), dict(found.headers)
        finally:
            connection.close()

    def json(self, path: str, body: object = None) -> dict:
        status, text = self.ask(path, body)
        assert status == 200, text
        return json.loads(text)

    def answer(self, place: int, choice: str | None, **fields: object) -> dict:
        return self.json("answers", {"place": place, "choice": choice, **fields})

    def answer_all(self, wrong: set[int] = frozenset()) -> None:
        """Answers every pair rightly, those with the given numbers wrongly."""
        for place in range(self.json("state")["total"]):
            pair = self.json(f"pairs/{place}")
            left_is_better = pair["left"].startswith(BETTER)
            number = int(re.search(r"\d+", pair["left"])[0])
            self.answer(place, "left" if left_is_better is (number not in wrong) else "right", reasons=["gap"])


@contextmanager
def served(sheet: Sheet, path: Path) -> Iterator[ReviewServer]:
    """A page's server in this process."""
    with opened(path, sheet) as book, ReviewServer(Desk(sheet, book)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def served_dataset(directory: Path, reviewer: str, pairs: list[PreferencePair] | None = None) -> Iterator[Client]:
    """The same on a dataset, made if it is new, with the file where `recode review` has it."""
    if not directory.exists():
        make_dataset(directory, pairs)
    sheet = make_sheet(read_pairs(directory), reviewer, revision=data_revision(pair_files(directory)))
    with served(sheet, default_path(directory, reviewer)) as server:
        yield Client(server.url)


class Sitting:
    """A running `recode review`."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "recode", "review", *map(str, arguments), "--no-open"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        line = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+/", line)
        assert found, line + self.process.stderr.read()
        self.client = Client(found[0])

    def end(self, how: int = signal.SIGINT) -> tuple[int, str, str]:
        """Exit code and output."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def sitting(*arguments: str | Path) -> Iterator[Sitting]:
    """`recode review`, ended at the end of the block if it still runs."""
    running = Sitting(*arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)
