"""Who may do what, and the refusals that clients tell apart by status and `X-Error-Code`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.storage import Repository

FULL_PRIVATE = (
    "Private repository storage limit reached, please upgrade your plan to increase your private storage limit."
)
FULL_PUBLIC = "Your storage patterns tripped our internal systems! Please contact us to unlock more storage."


class HubError(Exception):
    """A refusal; its code goes into `X-Error-Code`."""

    def __init__(
        self, status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class User:
    """The holder of a token."""

    name: str
    orgs: tuple[str, ...] = ()
    role: str = "write"
    plan: str = "pro"
    storage_full: bool = False

    @property
    def namespaces(self) -> set[str]:
        return {self.name, *self.orgs}

    def belongs_to(self, repo_id: str) -> bool:
        return repo_id.partition("/")[0] in self.namespaces


@dataclass(frozen=True, slots=True)
class Tokens:
    """The users that the server knows, by token."""

    users: Mapping[str, User] = field(
        default_factory=lambda: {
            "hf_owner": User("owner", ("recode",)),
            "hf_readonly": User("owner", ("recode",), role="read"),
            "hf_reader": User("reader"),
            "hf_free": User("freeuser", plan="free"),
            "hf_full": User("full", ("recode",), storage_full=True),
        }
    )

    def holder(self, headers: Mapping[str, str]) -> User | None:
        """The user who asks; None: nobody in particular."""
        given = headers.get("Authorization", "")
        if not given:
            return None
        user = self.users.get(given.removeprefix("Bearer ").strip())
        if user is None:
            raise HubError(401, "Invalid credentials in Authorization header")
        return user


def signed_in(user: User | None, code: str | None = None) -> User:
    """The user, if there is one.

    Clients take any 401 of a repository's address on https for a missing repository; on http only with the code.
    """
    if user is None:
        raise HubError(401, "Invalid username or password.", code)
    return user


def check_visible(user: User | None, repo: "Repository") -> None:
    """A private repository looks to others as if it were not there."""
    if repo.exists and not (repo.settings.private and not _member(user, repo)):
        return
    if user is None:
        raise HubError(401, "Invalid username or password.", "RepoNotFound")
    raise HubError(404, "Repository not found", "RepoNotFound")


def check_readable(user: User | None, repo: "Repository") -> None:
    """A gated repository is seen by everyone, its files by members and by those who were let in."""
    check_visible(user, repo)
    if not repo.settings.gated or _member(user, repo) or (user and user.name in repo.settings.granted):
        return
    message = f"Access to {repo.type} {repo.id} is restricted and you are not in the authorized list."
    raise HubError(401 if user is None else 403, message, "GatedRepo")


def check_writable(user: User | None, repo: "Repository") -> User:
    check_readable(user, repo)
    user = signed_in(user, "RepoNotFound")
    if not _member(user, repo) or user.role == "read":
        raise _forbidden(repo)
    return user


def check_contributor(user: User | None, repo: "Repository", revision: str, create_pr: bool) -> User:
    """Whoever may write; and anyone with a write token into a new pull request or into one of their own."""
    check_readable(user, repo)
    user = signed_in(user, "RepoNotFound")
    if not create_pr and _author(repo, revision) != user.name:
        return check_writable(user, repo)
    if user.role == "read":
        raise _forbidden(repo)
    return user


def check_space_left(user: User, repo: "Repository") -> None:
    """Large files are refused where the quota is used up; text files still fit."""
    if user.storage_full:
        raise HubError(403, FULL_PRIVATE if repo.settings.private else FULL_PUBLIC)


def _forbidden(repo: "Repository") -> HubError:
    return HubError(403, f"Forbidden: you must have write access to {repo.id} to perform this action")


def _member(user: User | None, repo: "Repository") -> bool:
    return user is not None and user.belongs_to(repo.id)


def _author(repo: "Repository", revision: str) -> str | None:
    """Who opened the pull request that a reference belongs to."""
    match = re.fullmatch(r"refs/pr/(\d+)", revision)
    found = repo.discussion(int(match[1])) if match else None
    return found["author"]["name"] if found else None
