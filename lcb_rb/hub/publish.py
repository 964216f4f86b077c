"""Publishing a directory: checked here, one commit, read back, tagged."""

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import disable_progress_bars

from lcb_rb.cards import CARD
from lcb_rb.errors import HubError, InputError
from lcb_rb.hub.checks import check, check_target
from lcb_rb.hub.failures import ATTEMPTS, HUB_ERRORS, MOVED, explained, passes, pause, status_of
from lcb_rb.hub.files import LocalFile, changed, files_of, local_file, stale
from lcb_rb.hub.model_card import model_files
from lcb_rb.hub.remote import Remote, Target

MOST_RACES = 100
"""How often others may commit first before we give up."""

MESSAGE = "Publish with recode"


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it."""

    url: str
    """Page of the revision."""
    commit: str
    """Sha of the commit that holds the files."""
    uploaded: list[str]
    """Files that the commit changed; none when all were there."""
    removed: list[str]
    """Files that the new ones replace."""
    tag: str | None
    """Version that the commit has."""
    pull_request: str | None = None
    """Revision of the pull request that holds it."""


def publish(directory: Path, target: Target, token: str | None = None, endpoint: str | None = None) -> Published:
    """Makes a revision of a Hub repository hold the files of a directory, all of them or none.

    The directory is checked before the first request. What is not in it stays in the repository, but for shards and
    weights that the new ones replace. A commit by somebody else is never overwritten: it goes below ours, and where it
    changes the same file, nothing is published.

    Args:
        directory: Dataset, model or Space; `lcb_rb.hub.checks` says what is checked.
        target: Where to.
        token: Of the Hub; the one of `hf auth login` or HF_TOKEN when None.
        endpoint: Of the Hub; HF_ENDPOINT or the public one when None.

    Raises:
        InputError: a file, the card, the token or the target is wrong.
        HubError: the Hub failed for too long; the same call finishes the work.
    """
    check_target(target)
    if not sys.stderr.isatty():
        disable_progress_bars()
    with tempfile.TemporaryDirectory(prefix="recode-") as made:
        paths = files_of(directory)
        if target.type == "model":
            paths |= model_files(directory, paths, target.repo_id, Path(made))
        files = [local_file(name, path) for name, path in sorted(paths.items())]  # before the checks: what they saw
        card = check(paths, target, directory)
        remote = Remote(replace(target, sdk=card.get("sdk")), token, endpoint)
        try:
            return _Publication(files, remote).run(paths[CARD].read_text(encoding="utf-8"))
        except HUB_ERRORS as error:
            raise explained(error, target.place) from error


class _Publication:
    """One run of `publish`."""

    def __init__(self, files: Sequence[LocalFile], remote: Remote) -> None:
        self._files, self._remote, self._target = files, remote, remote.target
        self._head = ""
        self._held: dict[str, RepoFile] = {}
        self._sent: list[str] = []
        self._removed: list[str] = []

    def run(self, card: str) -> Published:
        """Returns what came of it; raises what the clients raise."""
        self._head = self._remote.opened(card)
        self._held = self._remote.files(self._head)
        tagged = self._remote.tagged(self._target.tag) if self._target.tag else None
        if tagged:
            return self._as_tagged(tagged)
        proposed = self._committed()
        self._read_back(proposed or self._head)
        if self._target.tag:
            self._remote.tag(self._target.tag, self._head)
        return Published(
            url=self._remote.url(proposed or self._head),
            commit=self._remote.head(proposed) if proposed else self._head,
            uploaded=self._sent,
            removed=self._removed,
            tag=self._target.tag,
            pull_request=proposed,
        )

    def _as_tagged(self, commit: str) -> Published:
        """Returns the version that is there already; published versions are never edited."""
        other = changed(self._files, self._remote.files(commit))
        if other:
            raise InputError(
                f"{self._target.place}: version {self._target.tag} is published, with another {other[0].name}; "
                f"choose a new --tag"
            )
        return Published(self._remote.url(commit), commit, [], [], self._target.tag)

    def _committed(self) -> str | None:
        """Brings the files into the head, or into a pull request, whose revision is returned."""
        failures = 0
        for race in range(MOST_RACES):
            todo, gone = changed(self._files, self._held), stale(self._files, self._held)
            if not todo and not gone:
                return None
            proposed = self._proposed() if self._target.create_pr else None
            if proposed:
                return proposed
            self._sent, self._removed = [file.name for file in todo], gone
            try:
                made = self._remote.commit(todo, gone, self._head, MESSAGE)
            except HUB_ERRORS as error:
                failures += status_of(error) not in MOVED
                self._await_turn(error, race, failures)
                self._look_again()
            else:
                self._head = self._head if self._target.create_pr else made.oid
                return made.pr_revision
        raise HubError(f"{self._target.place}: others committed first {MOST_RACES} times; run the same command again")

    def _await_turn(self, error: Exception, race: int, failures: int) -> None:
        """Waits until a failed commit may be tried again; raises the error when it may not."""
        if status_of(error) in MOVED:
            time.sleep(random.uniform(0, min(0.1 * (race + 1), 2.0)))
        elif passes(error) and failures < ATTEMPTS:
            pause(failures, error)
        else:
            raise error

    def _look_again(self) -> None:
        """Takes up what others have committed, unless it changes what is ours to change."""
        head = self._remote.head()
        held = self._remote.files(head)
        for file in self._files:
            before, after = _content(self._held.get(file.name)), _content(held.get(file.name))
            if before != after and not file.is_same(held.get(file.name)):
                raise self._conflict(file.name, head)
        theirs = sorted(set(stale(self._files, held)) - set(self._held))
        if theirs:
            raise self._conflict(theirs[0], head)
        self._head, self._held = head, held

    def _conflict(self, name: str, head: str) -> HubError:
        said = f"somebody else has changed {name} meanwhile, in {head[:12]}"
        return HubError(f"{self._target.place}: {said}; look at it, then run the same command again")

    def _proposed(self) -> str | None:
        """Returns an open pull request that holds the files: of an earlier run, or of one whose answer was lost."""
        revisions = self._remote.proposals(MESSAGE)
        return next((it for it in revisions if not changed(self._files, self._remote.files(it))), None)

    def _read_back(self, revision: str) -> None:
        """Compares every file's hash with what the Hub now has."""
        other = changed(self._files, self._remote.files(revision))
        if other:
            raise HubError(
                f"{self._target.place}: {other[0].name} is not what was sent, in {revision}; run the same command again"
            )


def _content(file: RepoFile | None) -> str | None:
    """Returns what tells a file's content."""
    if file is None:
        return None
    return file.lfs.sha256 if file.lfs else file.blob_id
