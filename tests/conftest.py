"""The flag that refreshes golden files, and the fixture that reads them."""

from collections.abc import Callable
from pathlib import Path

import pytest

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
