"""What is checked of a directory before the first request."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcb_rb.errors import InputError
from lcb_rb.hub.cards import read_card
from lcb_rb.hub.dataset_checks import check_dataset
from lcb_rb.hub.files import file_names
from lcb_rb.hub.model_checks import check_model, refuse_pickles
from lcb_rb.hub.secrets import refuse_secrets
from lcb_rb.hub.space_checks import check_space, refuse_tag

if TYPE_CHECKING:
    from lcb_rb.hub.remote import Target

_CHECKS: dict[str, Callable[[Path, list[str], dict[str, Any]], None]] = {
    "dataset": check_dataset,
    "model": check_model,
    "space": check_space,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A directory that may be published."""

    names: list[str]
    """Of its files."""
    sdk: str | None
    """Of a Space."""


def check(directory: Path, target: "Target") -> Checked:
    """Returns what is to be published, after a look at all of it.

    Raises:
        InputError: the target, or a file: which, why, and what to do.
    """
    _check_target(target)
    names = file_names(directory)
    refuse_pickles(directory, names)
    card, _ = read_card(directory)
    _CHECKS[target.type](directory, names, card)
    refuse_secrets(directory, names)
    refuse_tag(target.tag, card)
    return Checked(names, card.get("sdk"))


def _check_target(target: "Target") -> None:
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
    if target.create_pr and (target.tag or target.revision not in (None, "main")):
        raise InputError("--create-pr proposes a change of main; leave out --tag and --revision")
