"""Taking pairs and reward models from the Hub, at a pinned commit; from the cache where the network is away."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download

from lcb_rb.errors import InputError
from lcb_rb.hub.failures import HUB_ERRORS, explained
from lcb_rb.options import RepoType

WEIGHTS = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
"""Files that a classifier and its tokenizer are made of; never code, never pickles."""

_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository in the local cache."""

    directory: Path
    """Where its files lie."""
    repo_id: str
    """Owner and name."""
    commit: str
    """Sha of the revision."""


def is_repo_id(text: str) -> bool:
    """Returns whether a text names a repository, as `owner/name` or `owner/name@revision`, and no directory here."""
    return bool(_ID.fullmatch(text)) and not Path(text).exists()


def fetch_pairs(name: str, folder: str) -> Fetched:
    """Returns a dataset, only one folder of it and its card.

    Args:
        name: `owner/name` or `owner/name@revision`.
        folder: With the parquet files.

    Raises:
        InputError: no such dataset, revision or folder, or no right to read it.
        HubError: neither the Hub nor the cache has it.
    """
    fetched = _fetch(name, "dataset", ("README.md", f"{folder}/*.parquet"))
    if not any((fetched.directory / folder).glob("*.parquet")):
        raise InputError(f"dataset {name}: has no {folder}/*.parquet; check the id, and --config")
    return fetched


def fetch_model(name: str) -> Fetched:
    """Returns a model; only weights, configuration and tokenizer, never code.

    Args:
        name: `owner/name` or `owner/name@revision`.

    Raises:
        InputError: no such model or revision, or no right to read it.
        HubError: neither the Hub nor the cache has it.
    """
    return _fetch(name, "model", WEIGHTS)


def _fetch(name: str, kind: RepoType, patterns: Sequence[str]) -> Fetched:
    found = _ID.fullmatch(name)
    if not found:
        raise InputError(f"{name}: is no repository id; give it as owner/name or owner/name@revision")
    try:
        directory = Path(
            snapshot_download(
                found["repo"],
                repo_type=kind,
                revision=found["revision"],
                allow_patterns=list(patterns),
                library_name="lcb-rb",
            )
        )
    except HUB_ERRORS as error:
        raise explained(error, f"{kind} {name} (no directory here has that name)") from error
    return Fetched(directory, found["repo"], directory.name)
