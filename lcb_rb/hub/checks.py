"""What is checked of a directory before the first request."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcb_rb.cards import CARD, read_card
from lcb_rb.errors import InputError, input_error
from lcb_rb.hub.dataset_checks import check_dataset
from lcb_rb.hub.files import Files
from lcb_rb.hub.model_checks import check_model, refuse_pickles
from lcb_rb.hub.secrets import refuse_secrets
from lcb_rb.hub.space_checks import check_space, refuse_tag

if TYPE_CHECKING:
    from lcb_rb.hub.remote import Target

_REF = re.compile(r"[\w][\w./+-]*")
_BAD_REF = re.compile(r"\.\.|//|/\.|\.lock(/|$)|[./]$|@\{")
"""Names that git does not take."""

_CHECKS: dict[str, Callable[[Files, dict[str, Any]], None]] = {
    "dataset": check_dataset,
    "model": check_model,
    "space": check_space,
}


def check(files: Files, target: "Target", directory: Path) -> dict[str, Any]:
    """Returns the metadata of the card, after a look at everything that is to be published.

    Args:
        files: What is to be published.
        target: Where to.
        directory: Where it comes from, for messages.

    Raises:
        InputError: a file: which, why, and what to do.
    """
    ignored = next((path for path in files.values() if path.name == ".gitignore"), None)
    if ignored:
        raise input_error(ignored, "makes the Hub leave files out without a word", "remove it")
    refuse_pickles(files)
    card, _ = read_card(files.get(CARD, directory / CARD))
    _CHECKS[target.type](files, card)
    refuse_secrets(files, directory)
    if target.type == "space":
        refuse_tag(target.tag, card)
    return card


def check_target(target: "Target") -> None:
    """Refuses a wrong request.

    Raises:
        InputError: the id is none, or options contradict each other.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(target.repo_id)
    except HFValidationError as error:
        raise InputError(f"{target.repo_id}: is no repository id; give it as owner/name") from error
    if target.repo_id.count("/") != 1:
        raise InputError(f"{target.repo_id}: names no owner; give it as owner/name")
    if target.type not in _CHECKS:
        raise InputError(f"--type {target.type!r} is not known; choose one of {', '.join(_CHECKS)}")
    for option, name in (("--tag", target.tag), ("--revision", target.revision)):
        if name is not None and (not _REF.fullmatch(name) or _BAD_REF.search(name)):
            raise InputError(f"{option} {name!r}: is no name of a version or branch; give one such as v1.0.0")
    if target.tag in ("main", "HEAD") or (target.tag or "").startswith("refs/"):
        raise InputError(f"--tag {target.tag}: is a name of the Hub's own; give one such as v1.0.0")
    if target.create_pr and (target.tag or target.revision not in (None, "main")):
        raise InputError("--create-pr proposes a change of main; leave out --tag and --revision")
