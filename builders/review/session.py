"""One reviewer's sitting: the page is served until Ctrl-C."""

import contextlib
import webbrowser
from pathlib import Path
from threading import Thread

from builders.review.answers import opened
from builders.review.blind import Sheet
from builders.review.server import Desk, ReviewServer
from lcb_rb.progress import say


def default_path(directory: Path, reviewer: str) -> Path:
    """Returns the file of a reviewer's answers: beside the dataset, which holds nothing but what its build made."""
    whole = directory.resolve()
    return whole.with_name(f"{whole.name}.reviews") / f"{reviewer}.jsonl"


def sit(sheet: Sheet, path: Path, *, port: int = 0, opens: bool = True) -> dict[str, object]:
    """Serves the page until Ctrl-C and returns how far the review is.

    Args:
        sheet: What is shown.
        path: File of the answers.
        port: Of the page; 0 chooses a free one.
        opens: Whether to open a browser.

    Raises:
        InputError: the file or the port cannot be used.
    """
    with opened(path, sheet) as book:
        desk = Desk(sheet, book)
        with ReviewServer(desk, port) as server:
            say(f"{sheet.reviewer}: open {server.url} (Ctrl-C ends)")
            if opens:  # beside: a browser in the terminal does not return
                Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()
        return desk.state()
