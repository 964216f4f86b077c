"""What is checked of a Space before it is published: its card, its page, and that `evaluate` can load its module."""

import ast
import re
from pathlib import Path
from typing import Any

from lcb_rb.cards import CARD, SpaceCard, understood
from lcb_rb.errors import input_error
from lcb_rb.hub.files import Files

_OWN_VERSION = re.compile(r"v0\.4(\..*)?")
"""Tags that `evaluate` 0.4 asks for by itself, before main, and so would load for ever."""


def check_space(files: Files, fields: dict[str, Any]) -> None:
    """Refuses a Space that would show no page, or a metric that could not be loaded.

    Raises:
        InputError: the card, or the module's imports.
    """
    path = files[CARD]
    card = understood(SpaceCard, fields, path)
    page = (card.app_file or ("index.html" if card.sdk == "static" else "app.py")).removeprefix("./")
    if card.sdk != "docker" and page not in files:
        raise input_error(path, f"is {page!r}, which is missing", "add the file, or mend the card", field="app_file")
    if "metric" in card.tags:
        for name, module in files.items():
            if name.endswith(".py"):
                _check_module(module)


def refuse_tag(tag: str | None, fields: dict[str, Any]) -> None:
    """Refuses a version of a metric that `evaluate` would prefer to all later ones.

    Raises:
        InputError: the tag is one of evaluate's own versions.
    """
    if tag and "metric" in (fields.get("tags") or []) and _OWN_VERSION.fullmatch(tag):
        what = "is a version of evaluate, which loads it instead of main"
        raise input_error(f"--tag {tag}", what, "choose v1.0.0 or later")


def _check_module(path: Path) -> None:
    """Refuses imports that evaluate's own search for them does not understand."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8-sig"))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise input_error(path, f"is not valid Python ({error})", "mend it") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and len(node.names) > 1:
            what = "imports several modules in one statement"
            raise input_error(path, what, "write one import a line: evaluate reads them so", line=node.lineno)
