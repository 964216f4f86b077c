"""Taking pairs and reward models from the Hub, at a pinned commit; from the cache where the network is away."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.utils.tqdm import disable_progress_bars

from lcb_rb.cards import CARD
from lcb_rb.errors import InputError
from lcb_rb.hub.failures import HUB_ERRORS, explained
from lcb_rb.options import RepoType
from lcb_rb.pairs import patterns_of

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


def fetch_pairs(name: str, config: str) -> Fetched:
    """Returns a dataset: its card, and the files of one config.

    Args:
        name: `owner/name` or `owner/name@revision`.
        config: Part of it.

    Raises:
        InputError: no such dataset, revision or config, or no right to read it.
        HubError: neither the Hub nor the cache has it.
    """
    card = _fetch(name, "dataset", [CARD])
    patterns = [
        pattern for found in patterns_of(card.directory, config, f"dataset {name}").values() for pattern in found
    ]
    return _fetch(f"{card.repo_id}@{card.commit}", "dataset", [CARD, *patterns])


def fetch_model(name: str, *, weights: bool = True) -> Fetched:
    """Returns a model; only weights, configuration and tokenizer, never code.

    Args:
        name: `owner/name` or `owner/name@revision`.
        weights: Whether they are wanted; without them it is what a server's model is asked with.

    Raises:
        InputError: no such model or revision, or no right to read it.
        HubError: neither the Hub nor the cache has it.
    """
    return _fetch(name, "model", WEIGHTS if weights else [name for name in WEIGHTS if name != "*.safetensors"])


def _fetch(name: str, kind: RepoType, patterns: Sequence[str]) -> Fetched:
    found = _ID.fullmatch(name)
    if not found:
        raise InputError(f"{name}: is no repository id; give it as owner/name or owner/name@revision")
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        directory = Path(
            snapshot_download(
                found["repo"],
                repo_type=kind,
                revision=found["revision"],
                allow_patterns=list(patterns),
                ignore_patterns=None if kind == "dataset" else ["*/*"],
                library_name="lcb-rb",
            )
        )
    except HUB_ERRORS as error:
        raise explained(error, f"{kind} {name} (no directory here has that name)") from error
    return Fetched(directory, found["repo"], directory.name)
