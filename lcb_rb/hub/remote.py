"""A repository on the Hub, every request repeated when the failure passes by itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from lcb_rb import __version__
from lcb_rb.errors import HubError, InputError
from lcb_rb.hub.failures import HUB_ERRORS, patiently, status_of
from lcb_rb.hub.files import LocalFile
from lcb_rb.options import RepoType


@dataclass(frozen=True, slots=True)
class Target:
    """Where something is published."""

    repo_id: str
    """Owner and name."""
    type: RepoType
    """Kind of repository."""
    revision: str | None = None
    """Branch; main when None."""
    private: bool = False
    """Whether a repository that does not exist yet is made private."""
    tag: str | None = None
    """Version that the revision is given."""
    create_pr: bool = False
    """Whether it is proposed as a pull request."""
    sdk: str | None = None
    """Of a Space."""

    @property
    def branch(self) -> str:
        """The branch that is written, or that a pull request is for."""
        return self.revision or "main"

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"{self.type} {self.repo_id}"


class Remote:
    """The repository of a target."""

    def __init__(self, target: Target, token: str | None = None, endpoint: str | None = None) -> None:
        """Makes no request yet."""
        self.target = target
        self._api = HfApi(endpoint=endpoint, token=token, library_name="lcb-rb", library_version=__version__)
        self._where: dict[str, Any] = {"repo_id": target.repo_id, "repo_type": target.type}

    def url(self, revision: str) -> str:
        """Returns the page of a revision."""
        prefix = "" if self.target.type == "model" else f"{self.target.type}s/"
        return f"{self._api.endpoint}/{prefix}{self.target.repo_id}/tree/{revision}"

    def head(self, revision: str | None = None) -> str:
        """Returns the commit of a revision, the target's branch when None."""
        return str(patiently(lambda: self._api.repo_info(revision=revision or self.target.branch, **self._where)).sha)

    def opened(self, card: str) -> str:
        """Returns the commit of the target's branch; repository and branch are made where they do not exist.

        Args:
            card: Text of the card; one that the Hub refuses makes no repository.

        Raises:
            InputError: the card is refused, or what must be private is public.
        """
        try:
            info = patiently(lambda: self._api.repo_info(revision=self.target.branch, **self._where))
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            if self.target.create_pr:
                raise
            self._refuse_card(card)
            self._create()
        except RevisionNotFoundError:
            if self.target.create_pr:
                raise
        else:
            self._refuse_public(info.private)
            return str(info.sha)
        if self.target.branch != "main":
            patiently(lambda: self._api.create_branch(branch=self.target.branch, exist_ok=True, **self._where))
        info = patiently(lambda: self._api.repo_info(revision=self.target.branch, **self._where))
        self._refuse_public(info.private)
        return str(info.sha)

    def _refuse_card(self, card: str) -> None:
        try:
            patiently(lambda: self._api._validate_yaml(card, repo_type=self.target.type))
        except ValueError as error:
            raise self._of_client(error) from error

    def _refuse_public(self, private: bool | None) -> None:
        if self.target.private and not private:
            raise InputError(
                f"{self.target.place}: is public already; make it private on its page, or leave out --private"
            )

    def _create(self) -> None:
        target = self.target
        sdk = target.sdk if target.type == "space" else None
        patiently(lambda: self._api.create_repo(private=target.private, exist_ok=True, space_sdk=sdk, **self._where))

    def files(self, commit: str) -> dict[str, RepoFile]:
        """Returns the files of a commit by path."""
        tree = patiently(lambda: list(self._api.list_repo_tree(recursive=True, revision=commit, **self._where)))
        return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def commit(self, files: Sequence[LocalFile], removed: Sequence[str], parent: str, message: str) -> CommitInfo:
        """Makes one commit on top of a parent; not repeated here, as one that failed may have come through.

        Raises:
            InputError: a file has changed since it was checked, or the Hub would leave it out or refuses the card.
        """
        try:
            additions = [CommitOperationAdd(file.name, str(file.path)) for file in files]
            for file, addition in zip(files, additions, strict=True):
                if addition.upload_info.sha256.hex() != file.sha256:
                    raise InputError(f"{file.path}: has changed since it was checked; run the same command again")
            self._upload(additions)
            deletions = [CommitOperationDelete(name) for name in removed]
            made: CommitInfo = self._api.create_commit(
                operations=[*additions, *deletions],
                commit_message=message,
                revision=None if self.target.create_pr else self.target.branch,
                parent_commit=parent,
                create_pr=self.target.create_pr,
                **self._where,
            )
        except (HfHubHTTPError, json.JSONDecodeError):
            raise
        except ValueError as error:
            raise self._of_client(error) from error
        return made

    def _upload(self, additions: list[CommitOperationAdd]) -> None:
        """Sends large files, and refuses what a .gitignore of the repository would leave out."""
        self._api.preupload_lfs_files(
            additions=additions,
            revision=self.target.branch,
            create_pr=self.target.create_pr,
            free_memory=False,
            **self._where,
        )
        ignored = next((addition for addition in additions if addition._should_ignore), None)
        if ignored:
            what = f"{ignored.path_in_repo} would be left out by its .gitignore"
            raise InputError(f"{self.target.place}: {what}; remove that file there")

    def _of_client(self, error: ValueError) -> InputError:
        """Returns what the client refuses by itself: mostly the card, which it has shown the Hub."""
        said = " ".join(line.strip(" -") for line in str(error).splitlines() if line.strip())
        return InputError(f"{self.target.place}: {said[:300]}; mend it and run the same command again")

    def proposals(self, title: str) -> list[str]:
        """Returns the revisions of the open pull requests with a title, newest first."""
        found = patiently(
            lambda: list(
                self._api.get_repo_discussions(discussion_type="pull_request", discussion_status="open", **self._where)
            )
        )
        numbers = sorted((entry.num for entry in found if entry.title == title), reverse=True)
        return [f"refs/pr/{number}" for number in numbers]

    def tagged(self, tag: str) -> str | None:
        """Returns the commit of a tag, None where there is no such tag."""
        refs = patiently(lambda: self._api.list_repo_refs(**self._where))
        return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)

    def tag(self, tag: str, commit: str) -> None:
        """Gives a commit a tag, unless it has it already."""
        try:
            patiently(lambda: self._api.create_tag(tag=tag, revision=commit, **self._where))
        except HUB_ERRORS as error:
            if status_of(error) != 409:
                raise
            if self.tagged(tag) != commit:
                raise HubError(
                    f"{self.target.place}: somebody else has made {tag} meanwhile; choose a new --tag"
                ) from error
