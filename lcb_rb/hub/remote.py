"""A repository on the Hub, every request repeated when the failure passes by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile

from lcb_rb import __version__
from lcb_rb.hub.failures import HUB_ERRORS, patiently, status_of
from lcb_rb.hub.files import LocalFile
from lcb_rb.options import RepoType

_Found = TypeVar("_Found")


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
        return str(self._ask(lambda: self._api.repo_info(revision=revision or self.target.branch, **self._where)).sha)

    def opened(self) -> str:
        """Returns the commit of the target's branch; repository and branch are made where they do not exist."""
        try:
            return self.head()
        except GatedRepoError:
            raise
        except RepositoryNotFoundError:
            if self.target.create_pr:
                raise
            self._create()
        except RevisionNotFoundError:
            if self.target.create_pr:
                raise
        if self.target.branch != "main":
            self._ask(lambda: self._api.create_branch(branch=self.target.branch, exist_ok=True, **self._where))
        return self.head()

    def _create(self) -> None:
        target = self.target
        self._ask(
            lambda: self._api.create_repo(
                private=target.private,
                exist_ok=True,
                space_sdk=target.sdk if target.type == "space" else None,
                **self._where,
            )
        )

    def files(self, commit: str) -> dict[str, RepoFile]:
        """Returns the files of a commit by path."""
        tree = self._ask(lambda: list(self._api.list_repo_tree(recursive=True, revision=commit, **self._where)))
        return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def commit(self, files: Sequence[LocalFile], removed: Sequence[str], parent: str, message: str) -> CommitInfo:
        """Makes one commit on top of a parent; not repeated here, as one that failed may have come through."""
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(file.name, str(file.path)) for file in files),
            *(CommitOperationDelete(name) for name in removed),
        ]
        made: CommitInfo = self._api.create_commit(
            operations=operations,
            commit_message=message,
            revision=None if self.target.create_pr else self.target.branch,
            parent_commit=parent,
            create_pr=self.target.create_pr,
            **self._where,
        )
        return made

    def proposals(self, title: str) -> list[str]:
        """Returns the revisions of the open pull requests with a title, newest first."""
        found = self._ask(
            lambda: list(
                self._api.get_repo_discussions(discussion_type="pull_request", discussion_status="open", **self._where)
            )
        )
        numbers = sorted((entry.num for entry in found if entry.title == title), reverse=True)
        return [f"refs/pr/{number}" for number in numbers]

    def tagged(self, tag: str) -> str | None:
        """Returns the commit of a tag, None where there is no such tag."""
        refs = self._ask(lambda: self._api.list_repo_refs(**self._where))
        return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)

    def tag(self, tag: str, commit: str) -> None:
        """Gives a commit a tag, unless it has it already."""
        try:
            self._ask(lambda: self._api.create_tag(tag=tag, revision=commit, **self._where))
        except HUB_ERRORS as error:
            if status_of(error) != 409 or self.tagged(tag) != commit:
                raise

    def _ask(self, request: Callable[[], _Found]) -> _Found:
        return patiently(request)
