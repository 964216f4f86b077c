"""The Hub on the loopback does to the real client what the real Hub does."""

import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from urllib.error import URLError
from urllib.request import Request, urlopen

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, close_session, errors
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from factories import ROOT
from hub import HubServer, environment, running
from hub.client import client, commit, download, head, put_large, read
from hub.control import Action
from processes import within

LARGE = bytes(range(256)) * 400
PUBLISHERS = 8

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # how the client sends LFS objects


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with running(tmp_path_factory.mktemp("hub")) as server:
        yield server
    close_session()


@pytest.fixture
def server(shared: HubServer) -> Iterator[HubServer]:
    yield shared
    shared.clear_faults()
    shared.clear_log()


@pytest.fixture
def api(server: HubServer) -> HfApi:
    return client(server)


@pytest.fixture
def repo(api: HfApi, request: pytest.FixtureRequest) -> str:
    """A dataset with one commit of our own."""
    digest = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    name = f"recode/{digest}"
    api.create_repo(name, repo_type="dataset")
    commit(api, name, {"a.txt": b"one"})
    return name


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return error.value.response.status_code


def test_a_repository_is_made_once(api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError) as error:
        api.create_repo(repo, repo_type="dataset")
    assert status(error) == 409
    assert api.create_repo(repo, repo_type="dataset", exist_ok=True).repo_id == repo


def test_a_deleted_repository_is_gone_and_can_be_made_anew(api: HfApi, repo: str) -> None:
    api.delete_repo(repo, repo_type="dataset")
    assert not api.repo_exists(repo, repo_type="dataset")
    api.create_repo(repo, repo_type="dataset")
    assert api.list_repo_files(repo, repo_type="dataset") == [".gitattributes"]


def test_a_file_is_downloaded_as_it_was_committed(api: HfApi, repo: str, tmp_path: Path) -> None:
    commit(api, repo, {"folder/\u00e4 b.txt": b"two\r\n"})
    assert download(api, repo, "folder/\u00e4 b.txt", tmp_path) == b"two\r\n"


def test_a_large_file_comes_back_and_is_sent_only_once(
    server: HubServer, api: HfApi, repo: str, tmp_path: Path
) -> None:
    put_large(api, repo, "a.parquet", LARGE[2:])
    put_large(api, repo, "b.parquet", LARGE[2:])
    assert download(api, repo, "b.parquet", tmp_path) == LARGE[2:]
    assert [seen.method for seen in server.log()].count("PUT") == 1


def test_an_object_that_is_not_what_it_is_named_is_refused(server: HubServer) -> None:
    request = Request(f"{server.url}/_lfs/upload/{'0' * 64}", b"other", method="PUT")
    with pytest.raises(URLError, match="400") as error:
        urlopen(request)
    error.value.close()


def test_a_range_of_a_file_can_be_read(server: HubServer, api: HfApi, repo: str) -> None:
    put_large(api, repo, "a.parquet", LARGE)
    assert read(server, repo, "a.parquet", Range="bytes=2-4") == LARGE[2:5]
    assert read(server, repo, "a.parquet", Range="bytes=-3") == LARGE[-3:]


def test_git_finds_no_fault_in_a_repository(
    server: HubServer, api: HfApi, repo: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    put_large(api, repo, "a.parquet", LARGE)
    [folder] = [path for path in tmp_path_factory.getbasetemp().glob(f"**/{repo}/git") if path.is_dir()]
    done = subprocess.run(["git", "--git-dir", folder, "fsck", "--strict"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_is_replaced_in_one_commit(api: HfApi, repo: str) -> None:
    commit(api, repo, {"data/old.txt": b"1"})
    operations = [CommitOperationDelete("data/", is_folder=True), CommitOperationAdd("data/new.txt", b"2")]
    api.create_commit(repo, operations, commit_message="replace", repo_type="dataset")
    assert api.list_repo_files(repo, repo_type="dataset") == [".gitattributes", "a.txt", "data/new.txt"]


def test_trees_paths_and_commits_can_be_listed(api: HfApi, repo: str) -> None:
    put_large(api, repo, "data/a.parquet", LARGE)
    paths = [entry.path for entry in api.list_repo_tree(repo, repo_type="dataset", recursive=True)]
    assert paths == [".gitattributes", "a.txt", "data", "data/a.parquet"]
    found = api.get_paths_info(repo, ["data/a.parquet", "none"], repo_type="dataset", expand=True)
    assert [(entry.size, entry.last_commit.title) for entry in found] == [(len(LARGE), "large")]
    titles = [entry.title for entry in api.list_repo_commits(repo, repo_type="dataset")]
    assert titles == ["large", "change", "initial commit"]


def test_parts_and_another_host_carry_a_large_file(tmp_path: Path) -> None:
    with running(tmp_path / "hub", multipart=30_000, cdn_host="localhost") as server:
        api = client(server)
        api.create_repo("recode/parts", repo_type="dataset", private=True)
        put_large(api, "recode/parts", "a.parquet", LARGE)
        assert download(api, "recode/parts", "a.parquet", tmp_path) == LARGE
        assert sum("/_lfs/part/" in seen.path for seen in server.log()) == 4
        assert [seen.authorized for seen in server.log() if "/_cdn/" in seen.path] == [False]


PUBLISH = """
import pathlib, random, sys
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
api, folder = HfApi(), pathlib.Path(sys.argv[1])
content = random.Random(0).randbytes(400_000)
versions = [content, content[:300_000] + b"new" + content[300_000:]]
api.create_repo("recode/x", repo_type="dataset")
for content in versions:
    (folder / "x.parquet").write_bytes(content)
    card = CommitOperationAdd("README.md", b"---\\na: 1\\n---\\n")
    operations = [CommitOperationAdd("x.parquet", folder / "x.parquet"), card]
    sha = api.create_commit("recode/x", operations, commit_message="m", repo_type="dataset").oid
    path = hf_hub_download("recode/x", "x.parquet", repo_type="dataset", revision=sha)
    assert pathlib.Path(path).read_bytes() == content
print(sha)
"""


def test_a_client_process_publishes_and_reads_versions_both_ways(hub: HubServer, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PUBLISH, str(tmp_path)]
    settings = environment(hub, tmp_path / "home", "hf_owner", hub.xet)
    done = subprocess.run(command, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == head(client(hub), "recode/x")
    paths = [seen.path for seen in hub.log()]
    assert any("xet-write-token" in path for path in paths) == hub.xet
    assert any("/_lfs/upload/" in path for path in paths) != hub.xet


def test_a_commit_on_a_stale_parent_is_refused(api: HfApi, repo: str) -> None:
    parent = head(api, repo)
    commit(api, repo, {"b.txt": b"two"}, parent_commit=parent)
    with pytest.raises(HfHubHTTPError) as error:
        commit(api, repo, {"c.txt": b"three"}, parent_commit=parent)
    assert status(error) == 412
    assert "c.txt" not in api.list_repo_files(repo, repo_type="dataset")


def test_of_commits_on_one_parent_exactly_one_wins(api: HfApi, repo: str) -> None:
    parent, together = head(api, repo), Barrier(PUBLISHERS)

    def publish(number: int) -> str | int | None:
        together.wait()
        try:
            return commit(api, repo, {f"{number}.txt": b"x"}, parent_commit=parent).oid
        except HfHubHTTPError as error:
            return error.response.status_code

    with ThreadPoolExecutor(PUBLISHERS) as threads:
        outcomes = list(threads.map(publish, range(PUBLISHERS)))
    assert outcomes.count(412) == PUBLISHERS - 1
    assert head(api, repo) in outcomes


def test_publishers_who_try_again_lose_nothing(api: HfApi, repo: str) -> None:
    def publish(number: int) -> str | int | None:
        while True:
            try:
                return commit(api, repo, {f"{number}.txt": b"x"}, parent_commit=head(api, repo)).oid
            except HfHubHTTPError as error:
                assert error.response.status_code == 412

    with ThreadPoolExecutor(PUBLISHERS) as threads:
        shas = set(threads.map(publish, range(PUBLISHERS)))
    files = api.list_repo_files(repo, repo_type="dataset")
    assert len(shas) == PUBLISHERS
    assert {f"{number}.txt" for number in range(PUBLISHERS)} <= set(files)


@pytest.mark.parametrize(
    ("token", "setting", "expected", "kind"),
    [
        (False, {"private": True}, 401, RepositoryNotFoundError),
        ("hf_reader", {"private": True}, 404, RepositoryNotFoundError),
        (False, {"gated": "auto"}, 401, errors.GatedRepoError),
        ("hf_reader", {"gated": "manual"}, 403, errors.GatedRepoError),
        ("hf_bogus", {"private": False}, 401, HfHubHTTPError),
    ],
)
def test_reading_is_refused_as_the_hub_refuses(
    server: HubServer,
    api: HfApi,
    repo: str,
    token: str | bool,
    setting: dict[str, object],
    expected: int,
    kind: type[HfHubHTTPError],
) -> None:
    api.update_repo_settings(repo, repo_type="dataset", **setting)
    with pytest.raises(HfHubHTTPError) as error:
        list(client(server, token).list_repo_tree(repo, repo_type="dataset"))
    assert (status(error), type(error.value)) == (expected, kind)


@pytest.mark.parametrize(("token", "expected"), [(False, 401), ("hf_reader", 404)])
def test_a_missing_repository_looks_like_a_private_one(server: HubServer, token: str | bool, expected: int) -> None:
    with pytest.raises(RepositoryNotFoundError) as error:
        client(server, token).dataset_info("recode/none")
    assert status(error) == expected


@pytest.mark.parametrize(
    ("token", "expected", "kind"),
    [
        (False, 401, RepositoryNotFoundError),
        ("hf_reader", 403, HfHubHTTPError),
        ("hf_readonly", 403, HfHubHTTPError),
    ],
)
def test_writing_is_refused_as_the_hub_refuses(
    server: HubServer, api: HfApi, repo: str, token: str | bool, expected: int, kind: type[HfHubHTTPError]
) -> None:
    before = head(api, repo)
    with pytest.raises(HfHubHTTPError) as error:
        commit(client(server, token), repo, {"b.txt": b"two"})
    assert (status(error), type(error.value)) == (expected, kind)
    assert head(api, repo) == before


def test_whoever_is_let_in_reads_a_gated_repository(server: HubServer, api: HfApi, repo: str) -> None:
    api.update_repo_settings(repo, repo_type="dataset", gated="manual")
    assert client(server, "hf_reader").dataset_info(repo).gated == "manual"
    api.grant_access(repo, "reader", repo_type="dataset")
    assert read(server, repo, "a.txt", Authorization="Bearer hf_reader") == b"one"


def test_missing_revisions_and_files_are_told_apart(api: HfApi, repo: str, tmp_path: Path) -> None:
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(repo, revision="none")
    with pytest.raises(errors.EntryNotFoundError):
        download(api, repo, "none.txt", tmp_path)


@pytest.mark.parametrize(("private", "message"), [(True, "Private repository storage limit"), (False, "storage")])
def test_no_large_file_fits_where_the_storage_is_full(server: HubServer, private: bool, message: str) -> None:
    full, repo = client(server, "hf_full"), f"full/private-{private}"
    full.create_repo(repo, repo_type="dataset", private=private)
    commit(full, repo, {"a.txt": b"small"})
    with pytest.raises(HfHubHTTPError, match=message) as error:
        put_large(full, repo, "a.parquet", LARGE)
    assert status(error) == 403


def test_private_repositories_are_listed_to_members_alone(server: HubServer, api: HfApi, repo: str) -> None:
    api.update_repo_settings(repo, repo_type="dataset", private=True)
    assert repo in {found.id for found in api.list_datasets(author="recode")}
    assert repo not in {found.id for found in client(server, False).list_datasets(author="recode")}


def test_a_tag_is_made_once_and_names_its_commit_for_good(api: HfApi, repo: str) -> None:
    sha = head(api, repo)
    api.create_tag(repo, tag="v1.0.0", repo_type="dataset")
    commit(api, repo, {"b.txt": b"two"})
    with pytest.raises(HfHubHTTPError) as error:
        api.create_tag(repo, tag="v1.0.0", repo_type="dataset")
    assert status(error) == 409
    assert head(api, repo, "v1.0.0") == sha


def test_a_branch_grows_apart_from_main(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="next", repo_type="dataset")
    sha = commit(api, repo, {"b.txt": b"two"}, revision="next").oid
    found = api.list_repo_refs(repo, repo_type="dataset")
    assert {ref.name: ref.target_commit for ref in found.branches} == {"main": head(api, repo), "next": sha}
    api.delete_branch(repo, branch="next", repo_type="dataset")
    assert [ref.name for ref in api.list_repo_refs(repo, repo_type="dataset").branches] == ["main"]


def test_a_pull_request_of_a_reader_is_merged_by_a_member(server: HubServer, api: HfApi, repo: str) -> None:
    before = head(api, repo)
    opened = commit(client(server, "hf_reader"), repo, {"b.txt": b"two"}, create_pr=True)
    assert opened.pr_num == 1
    assert head(api, repo) == before
    api.merge_pull_request(repo, 1, repo_type="dataset")
    told = api.get_discussion_details(repo, 1, repo_type="dataset")
    assert (told.status, told.merge_commit_oid) == ("merged", head(api, repo))
    assert read(server, repo, "b.txt") == b"two"


def test_only_the_author_and_members_add_to_a_pull_request(server: HubServer, api: HfApi, repo: str) -> None:
    reader, stranger = client(server, "hf_reader"), client(server, "hf_free")
    number = reader.create_pull_request(repo, title="Draft", repo_type="dataset").num
    commit(reader, repo, {"b.txt": b"two"}, revision=f"refs/pr/{number}")
    with pytest.raises(HfHubHTTPError) as error:
        commit(stranger, repo, {"b.txt": b"three"}, revision=f"refs/pr/{number}")
    assert status(error) == 403
    assert read(server, repo, "b.txt", f"refs/pr/{number}") == b"two"


def test_a_pull_request_in_conflict_is_not_merged(server: HubServer, api: HfApi, repo: str) -> None:
    commit(client(server, "hf_reader"), repo, {"a.txt": b"theirs", "b.txt": b"two"}, create_pr=True)
    before = commit(api, repo, {"a.txt": b"ours"}).oid
    assert api.get_discussion_details(repo, 1, repo_type="dataset").conflicting_files == ["a.txt"]
    with pytest.raises(HfHubHTTPError, match=r"a\.txt") as error:
        api.merge_pull_request(repo, 1, repo_type="dataset")
    assert status(error) == 409
    assert head(api, repo) == before


def test_changes_to_different_files_and_equal_changes_merge(server: HubServer, api: HfApi, repo: str) -> None:
    commit(api, repo, {"b.txt": b"two"}, create_pr=True)
    commit(api, repo, {"b.txt": b"two", "c.txt": b"three"})
    api.merge_pull_request(repo, 1, repo_type="dataset")
    assert (read(server, repo, "b.txt"), read(server, repo, "c.txt")) == (b"two", b"three")


def test_a_pull_request_starts_at_the_parent_that_is_named(api: HfApi, repo: str) -> None:
    parent = head(api, repo)
    commit(api, repo, {"b.txt": b"two"})
    commit(api, repo, {"c.txt": b"three"}, create_pr=True, parent_commit=parent)
    assert api.list_repo_files(repo, repo_type="dataset", revision="refs/pr/1") == [".gitattributes", "a.txt", "c.txt"]
    with pytest.raises(RevisionNotFoundError):
        commit(api, repo, {"d.txt": b"four"}, create_pr=True, parent_commit="0" * 40)
    assert len(list(api.get_repo_discussions(repo, repo_type="dataset"))) == 1


def test_a_discussion_is_renamed_commented_and_closed(server: HubServer, api: HfApi, repo: str) -> None:
    api.create_discussion(repo, title="Old", repo_type="dataset")
    api.rename_discussion(repo, 1, new_title="New", repo_type="dataset")
    client(server, "hf_reader").comment_discussion(repo, 1, comment="Yes.", repo_type="dataset")
    api.change_discussion_status(repo, 1, new_status="closed", repo_type="dataset")
    told = api.get_discussion_details(repo, 1, repo_type="dataset")
    assert (told.title, told.status) == ("New", "closed")
    assert [event.type for event in told.events] == ["comment", "title-change", "comment", "status-change"]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [("a: [1", "YAML: "), ("- a\n- b", "must be a mapping"), ("configs:\n- data_files: x", "config_name")],
)
def test_a_card_that_cannot_be_read_is_refused(api: HfApi, repo: str, metadata: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        commit(api, repo, {"README.md": f"---\n{metadata}\n---\n# Title\n".encode()})
    assert "README.md" not in api.list_repo_files(repo, repo_type="dataset")


def test_a_card_without_metadata_is_warned_of(api: HfApi, repo: str) -> None:
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        commit(api, repo, {"README.md": b"# Title\n"})


def test_results_of_models_make_a_leaderboard(api: HfApi, repo: str) -> None:
    commit(api, repo, {"eval.yaml": b"name: x\n"})
    for name, value in (("recode/low", 0.5), ("recode/high", 0.7)):
        api.create_repo(name)
        entry = f"- dataset: {{id: {repo}, task_id: t}}\n  value: {value}\n".encode()
        api.upload_file(path_or_fileobj=entry, path_in_repo=".eval_results/x.yaml", repo_id=name)
    rows = api.get_dataset_leaderboard(repo)
    assert [(row.rank, row.model_id, row.value) for row in rows] == [(1, "recode/high", 0.7), (2, "recode/low", 0.5)]


def test_a_request_dropped_before_the_work_leaves_no_trace(server: HubServer, api: HfApi, repo: str) -> None:
    before = head(api, repo)
    server.fault(action="drop", method="POST", path="/commit/")
    with pytest.raises(httpx2.TransportError):
        commit(api, repo, {"b.txt": b"two"})
    assert head(api, repo) == before
    assert [(seen.status, seen.fault) for seen in server.log() if "/commit/" in seen.path][-1] == (0, "drop")


def test_a_lost_response_leaves_the_work_done(server: HubServer, api: HfApi, repo: str) -> None:
    before = head(api, repo)
    server.fault(action="lose_response", method="POST", path="/commit/")
    with pytest.raises(httpx2.TransportError):
        commit(api, repo, {"b.txt": b"two"})
    assert read(server, repo, "b.txt") == b"two"
    assert head(api, repo) != before


def test_a_status_comes_as_often_as_asked(server: HubServer, api: HfApi) -> None:
    server.fault(action="status", status=503, path="/api/whoami-v2", times=2)
    for _ in range(2):
        with pytest.raises(HfHubHTTPError) as error:
            api.whoami()
        assert status(error) == 503
    assert api.whoami()["name"] == "owner"


def test_a_rate_limit_says_when_to_come_back(server: HubServer, api: HfApi) -> None:
    server.fault(action="status", status=429, headers={"Retry-After": "7"})
    with pytest.raises(HfHubHTTPError) as error:
        api.whoami()
    assert (status(error), error.value.response.headers["Retry-After"]) == (429, "7")


def test_an_upload_cut_in_the_middle_is_sent_again(server: HubServer, api: HfApi, repo: str) -> None:
    server.fault(action="drop", method="PUT", after=len(LARGE) // 2)
    put_large(api, repo, "a.parquet", LARGE[1:])
    assert [seen.status for seen in server.log() if seen.method == "PUT"] == [0, 200]
    assert read(server, repo, "a.parquet") == LARGE[1:]


@pytest.mark.parametrize("action", ["drop", "lose_response"])
@pytest.mark.parametrize("place", range(3))
def test_the_request_at_any_place_of_a_run_can_be_cut(
    server: HubServer, api: HfApi, repo: str, action: Action, place: int
) -> None:
    server.clear_log()
    server.fault(action=action, skip=place)
    with suppress(httpx2.TransportError):  # the client asks some things again
        commit(api, repo, {"b.txt": b"two"}, parent_commit=head(api, repo))
    assert [seen.fault for seen in server.log()][: place + 1] == [None] * place + [action]


def test_a_request_can_be_held(server: HubServer, api: HfApi) -> None:
    server.hold("/api/whoami-v2", 0.2)
    assert api.whoami()["name"] == "owner"
    assert [seen.duration_ms >= 200 for seen in server.log()] == [True]


@pytest.mark.parametrize("name", ["a..b", "a b", "a~1"])
def test_a_tag_needs_a_name_that_git_takes(api: HfApi, repo: str, name: str) -> None:
    with pytest.raises(errors.BadRequestError):
        api.create_tag(repo, tag=name, repo_type="dataset")


def test_an_unknown_action_is_refused(server: HubServer) -> None:
    with pytest.raises(ValueError, match="choose one of drop, status, lose_response, hold"):
        server.fault(action="explode")


def test_a_client_process_inherits_no_settings_of_the_hub(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "https_proxy", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.setenv(name, "1")
    settings = environment(server, tmp_path, None, xet=False)
    assert settings.keys().isdisjoint({"HF_TOKEN", "HF_HUB_OFFLINE", "https_proxy", "HUGGING_FACE_HUB_TOKEN"})
    assert (settings["HF_ENDPOINT"], settings["HF_HUB_DISABLE_XET"]) == (server.url, "1")
    assert "HF_HUB_DISABLE_XET" not in environment(server, tmp_path, "hf_owner", xet=True)


def test_the_server_ends_with_a_killed_parent(tmp_path: Path) -> None:
    script = f"""
import pathlib, sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from hub import running
with running(pathlib.Path({str(tmp_path)!r})) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        url = parent.stdout.readline().strip()
        parent.kill()

    def refused() -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0

    assert within(10, refused)


def test_a_server_starts_again_on_what_it_kept(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        client(server).create_repo("recode/kept", repo_type="dataset")
        sha = head(client(server), "recode/kept")
    with running(tmp_path) as server:
        assert head(client(server), "recode/kept") == sha
