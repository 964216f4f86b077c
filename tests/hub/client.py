"""The real client on a test server, in few words; every repository is a dataset."""

import io
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi

from hub.fixture import HubServer


def client(server: HubServer, token: str | bool = "hf_owner") -> HfApi:
    """A client in this process; False: anonymous. Uploads through Xet need a process of their own."""
    return HfApi(endpoint=server.url, token=token)


def commit(
    api: HfApi,
    repo: str,
    files: Mapping[str, bytes | None],
    *,
    parent_commit: str | None = None,
    revision: str | None = None,
    create_pr: bool = False,
) -> CommitInfo:
    """Commits files; None deletes one."""
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete(path) if content is None else CommitOperationAdd(path, content)
        for path, content in files.items()
    ]
    return api.create_commit(
        repo,
        operations,
        commit_message="change",
        repo_type="dataset",
        parent_commit=parent_commit,
        revision=revision,
        create_pr=create_pr,
    )


def put_large(api: HfApi, repo: str, path: str, content: bytes) -> CommitInfo:
    """Commits a file through LFS, which is the way of file objects."""
    operations = [CommitOperationAdd(path, io.BytesIO(content))]
    return api.create_commit(repo, operations, commit_message="large", repo_type="dataset")


def head(api: HfApi, repo: str, revision: str | None = None) -> str | None:
    """The newest commit of a revision."""
    return api.dataset_info(repo, revision=revision).sha


def download(api: HfApi, repo: str, path: str, cache: Path) -> bytes:
    """A file as the client caches it."""
    return Path(api.hf_hub_download(repo, path, repo_type="dataset", cache_dir=cache)).read_bytes()


def read(server: HubServer, repo: str, path: str, revision: str = "main", **headers: str) -> bytes:
    """A file by a plain request that no client library takes part in."""
    place = f"datasets/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"
    request = Request(f"{server.url}/{place}", headers=headers)
    with build_opener(ProxyHandler({})).open(request) as response:
        content: bytes = response.read()
    return content
