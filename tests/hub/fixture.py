"""The server as a test uses it: a process of its own that ends with the test, told what to do over the loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from hub.control import Action, Rule, Seen

TESTS = Path(__file__).parents[1]
ANSWER_WITHIN_S = 30
FOREIGN = ("HF_", "HUGGING", "TRANSFORMERS_")


@dataclass(frozen=True, slots=True)
class HubServer:
    """A running server."""

    url: str
    """Without a slash at the end: clients differ in what they make of one."""
    xet: bool
    """Whether large files come through Xet."""

    def log(self) -> list[Seen]:
        """The requests so far, in the order in which they ended."""
        return [Seen(**seen) for seen in json.loads(self._ask("GET", "log"))]

    def clear_log(self) -> None:
        self._ask("DELETE", "log")

    def fault(
        self,
        *,
        action: Action = "drop",
        method: str = ".*",
        path: str = ".*",
        times: int = 1,
        skip: int = 0,
        status: int = 503,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        after: int = 0,
    ) -> None:
        """Makes a fault of the requests that match, once or `times` times, after `skip` that pass; see `Rule`."""
        self._add(Rule(action, method, path, times, skip, status, body, dict(headers or {}), after))

    def hold(self, path: str, seconds: float, *, times: int = 1, skip: int = 0) -> None:
        """Lets requests wait before they are worked on."""
        self._add(Rule("hold", path=path, seconds=seconds, times=times, skip=skip))

    def clear_faults(self) -> None:
        self._ask("DELETE", "rule")

    def _add(self, rule: Rule) -> None:
        self._ask("POST", "rule", json.dumps(asdict(rule)).encode())

    def _ask(self, method: str, what: str, data: bytes | None = None) -> bytes:
        request = Request(f"{self.url}/_admin/{what}", data, method=method)
        with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_WITHIN_S) as response:
            told: bytes = response.read()
        return told


@contextmanager
def running(
    root: Path,
    *,
    xet: str = "off",
    multipart: int = 0,
    cdn_host: str | None = None,
    lfs_threshold: int | None = None,
) -> Iterator[HubServer]:
    """Starts a server that keeps its data in a folder, on a free port; see `Setup` for the options."""
    options = {"root": root, "xet": xet, "multipart": multipart, "cdn-host": cdn_host, "lfs-threshold": lfs_threshold}
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    root.mkdir(parents=True, exist_ok=True)
    environment = _clean() | {"PYTHONPATH": str(TESTS), "HF_HOME": str(root / "home")}
    command = [sys.executable, "-m", "hub", "--attached", *given]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout
            port = process.stdout.readline().strip()
            if not port:
                raise RuntimeError(f"the hub did not start: exit status {process.wait()}")
            yield HubServer(f"http://127.0.0.1:{port}", xet=xet == "local")
        finally:
            process.kill()


def environment(server: HubServer, home: Path, token: str | None, xet: bool) -> dict[str, str]:
    """The environment of a client process: this one's without its own settings of the Hub, and without proxies."""
    settings = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "NO_PROXY": "*",
    }
    chosen = ({"HF_TOKEN": token} if token else {}) | ({} if xet else {"HF_HUB_DISABLE_XET": "1"})
    return _clean() | settings | chosen


def _clean() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
    }
