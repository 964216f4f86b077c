"""A process that publishes what it is told, a line of JSON each way; its environment decides on server and storage."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from factories import ROOT


class Publisher:
    """The test's side."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(
        self,
        directory: Path,
        repo_id: str,
        kind: str = "dataset",
        *,
        token: str | bool | None = None,
        endpoint: str | None = None,
        attempts: int = 6,
        **options: Any,
    ) -> dict[str, Any]:
        """What came of it, as `Published`, or `error` and `exit_code`; False as the token: nobody's."""
        target = {"repo_id": repo_id, "type": kind, **options}
        job = {"directory": str(directory), "token": token, "endpoint": endpoint, "attempts": attempts}
        job["target"] = target
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def publisher(environment: Mapping[str, str]) -> Iterator[Publisher]:
    """Starts the process; it pauses little between its attempts."""
    command = [sys.executable, __file__]
    places = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**environment, **places}
    ) as process:
        try:
            yield Publisher(process)
        finally:
            process.kill()


def main() -> None:
    from lcb_rb.errors import RecodeError
    from lcb_rb.hub import failures
    from lcb_rb.hub import publish as module
    from lcb_rb.hub.remote import Target

    failures.BACKOFF_S = 0.02
    for line in sys.stdin:
        job = json.loads(line)
        failures.ATTEMPTS = module.ATTEMPTS = job["attempts"]
        try:
            target = Target(**job["target"])
            found = asdict(module.publish(Path(job["directory"]), target, job["token"], job["endpoint"]))
        except RecodeError as error:
            found = {"error": str(error), "exit_code": error.exit_code}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
