"""The flag that refreshes golden files, the fixture that reads them, and a Hub on the loopback."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hub import HubServer

DATA = Path(__file__).parent / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-golden", action="store_true", help="Write the golden files in tests/data anew.")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with a golden file; with --refresh-golden it writes the file."""

    def check(name: str, text: str) -> None:
        if request.config.getoption("--refresh-golden"):
            (DATA / name).write_text(text, encoding="utf-8")
        assert text == (DATA / name).read_text(encoding="utf-8")

    return check


@pytest.fixture(params=["off", "local"], ids=["lfs", "xet"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[HubServer]":
    """An empty Hub, once with plain LFS and once with Xet."""
    from hub import running

    with running(tmp_path / "hub", xet=request.param) as server:
        yield server
