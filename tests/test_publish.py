"""`recode publish` against a Hub: one commit, nothing lost, nothing half done; with plain LFS and with Xet."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from factories import ROOT, make_pair, run_recode
from hub import HubServer, environment, running
from hub.client import client, commit, put_large
from lcb_rb.cards import CARD
from lcb_rb.pairs import write_pairs
from processes import within
from publishable import OWNER, contents, downloaded, make_dataset, make_model, make_space
from publisher import Publisher, publisher

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the client's LFS uploads

PARQUET = "data/test-00000-of-00001.parquet"


@pytest.fixture(scope="module", params=["off", "local"], ids=["lfs", "xet"])
def shared(request, tmp_path_factory) -> Iterator[tuple[HubServer, Publisher, dict[str, str]]]:
    """One server and one publishing process for all tests: a repository for each keeps them apart."""
    folder = tmp_path_factory.mktemp("hub")
    with running(folder / "server", xet=request.param) as server:
        settings = environment(server, folder / "home", OWNER, server.xet)
        with publisher(settings) as process:
            yield server, process, settings


@pytest.fixture
def hub(shared) -> Iterator[HubServer]:
    server = shared[0]
    server.clear_log()
    yield server
    server.clear_faults()


@pytest.fixture
def publish(shared) -> Publisher:
    return shared[1]


@pytest.fixture
def settings(shared) -> dict[str, str]:
    return shared[2]


@pytest.fixture
def repo(request) -> str:
    return f"recode/{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"


def commits(hub: HubServer, repo: str, repo_type: str = "dataset") -> list[str]:
    return [commit.commit_id for commit in client(hub, OWNER).list_repo_commits(repo, repo_type=repo_type)]


@pytest.mark.parametrize(("kind", "make"), [("dataset", make_dataset), ("model", make_model), ("space", make_space)])
def test_one_commit_holds_everything_and_a_second_run_makes_none(hub, publish, repo, tmp_path, kind, make):
    directory = make(tmp_path / "it")
    first = publish(directory, repo, kind, tag="v1.0.0")
    place = repo if kind == "model" else f"{kind}s/{repo}"
    assert downloaded(hub, place) == downloaded(hub, place, "v1.0.0") == contents(directory)
    assert sorted(first["uploaded"]) == sorted(contents(directory))
    assert first["url"] == f"{hub.url}/{place}/tree/{first['commit']}"
    before = commits(hub, repo, kind)
    assert len(before) == 2 and before[0] == first["commit"]  # the first is the Hub's own
    hub.clear_log()
    again = publish(directory, repo, kind, tag="v1.0.0")
    assert (again["commit"], again["uploaded"], again["tag"]) == (first["commit"], [], "v1.0.0")
    assert commits(hub, repo, kind) == before
    assert {seen.method for seen in hub.log() if seen.path.startswith(f"/api/{kind}s/{repo}/")} == {"GET"}


def test_a_published_version_is_never_edited(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo, tag="v1.0.0")
    make_dataset(directory, n_pairs=4)
    refused = publish(directory, repo, tag="v1.0.0")
    assert refused["exit_code"] == 2 and "version v1.0.0 is published" in refused["error"]
    assert len(commits(hub, repo)) == 2
    publish(directory, repo, tag="v1.1.0")
    assert (
        downloaded(hub, f"datasets/{repo}", "v1.0.0")
        != downloaded(hub, f"datasets/{repo}", "v1.1.0")
        == contents(directory)
    )


def test_a_new_repository_may_be_private_and_a_branch_new(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo, private=True, revision="dev")
    assert client(hub, OWNER).dataset_info(repo).private
    assert downloaded(hub, f"datasets/{repo}", "dev") == contents(directory)
    assert not downloaded(hub, f"datasets/{repo}")


def test_what_new_shards_replace_is_removed_and_the_rest_stays(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    (directory / PARQUET).rename(directory / "data/test-00000-of-00002.parquet")
    more = write_pairs([make_pair("q/a", problem_id="q")], directory, "test")
    more.rename(directory / "data/test-00001-of-00002.parquet")
    (directory / "NOTES.md").write_text("Keep me.\n")
    publish(directory, repo)
    new = make_dataset(tmp_path / "new")
    removed = publish(new, repo)["removed"]
    assert removed == ["data/test-00000-of-00002.parquet", "data/test-00001-of-00002.parquet"]
    assert downloaded(hub, f"datasets/{repo}") == {**contents(new), "NOTES.md": b"Keep me.\n"}


@pytest.mark.parametrize("action", ["drop", "lose_response"])
def test_a_cut_at_any_request_leaves_the_old_revision_or_the_new_one(hub, publish, repo, tmp_path, action):
    """Without attempts of our own, every cut that the clients do not survive by themselves is seen."""
    directory, old = make_dataset(tmp_path / "it"), {}
    failures = 0
    for place in range(100):
        make_dataset(directory, n_pairs=3 + place, note=f"version {place}")
        hub.clear_faults()
        hub.clear_log()
        hub.fault(action=action, skip=place)
        found = publish(directory, repo, tag=f"v{place}", attempts=1)
        cut = [seen for seen in hub.log() if seen.fault]
        hub.clear_faults()
        now = downloaded(hub, f"datasets/{repo}") if place or "error" not in found else {}
        assert now in (old, contents(directory)), (place, cut)
        if "error" in found:
            failures += 1
            assert found["exit_code"] == 1 and "run the same command again" in found["error"], (found, cut)
            assert publish(directory, repo, tag=f"v{place}")["commit"]
        assert (
            downloaded(hub, f"datasets/{repo}")
            == downloaded(hub, f"datasets/{repo}", f"v{place}")
            == contents(directory)
        ), cut
        old = contents(directory)
        if not cut:
            break
    assert 8 <= place < 99 and failures >= 5


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "status", "status": 503, "path": "/commit/", "times": 2},
        {"action": "status", "status": 429, "path": "/commit/", "headers": {"Retry-After": "1"}},
        {"action": "status", "status": 500, "path": "/tree/"},
        {"action": "lose_response", "path": "/commit/"},
        {"action": "lose_response", "path": "/repos/create"},
        {"action": "lose_response", "path": "/tag/"},
        {"action": "drop", "path": "/refs"},
    ],
    ids=lambda fault: " ".join(str(value) for value in fault.values()),
)
def test_what_passes_is_waited_for_and_done_once(hub, publish, repo, tmp_path, fault):
    directory = make_dataset(tmp_path / "it")
    hub.fault(**fault)
    assert publish(directory, repo, tag="v1.0.0")["tag"] == "v1.0.0"
    assert downloaded(hub, f"datasets/{repo}", "v1.0.0") == contents(directory)
    assert len(commits(hub, repo)) == 2


def test_a_hub_that_goes_on_failing_is_our_failure(hub, publish, repo, tmp_path):
    hub.fault(action="status", status=503, path="/commit/", times=1000)
    found = publish(make_dataset(tmp_path / "it"), repo)
    assert found["exit_code"] == 1 and "run the same command again later" in found["error"]


@contextmanager
def others_commit(hub: HubServer, repo: str, files: dict[str, bytes]) -> Iterator[None]:
    """Lets somebody else commit while our first commit is on its way."""
    hub.clear_log()
    hub.hold("/commit/", 1.5)

    def run() -> None:
        assert within(60, lambda: any("/preupload/" in seen.path for seen in hub.log()))
        time.sleep(0.4)  # ours is held by now
        for name in [name for name in files if name.endswith(".parquet")]:
            put_large(client(hub, OWNER), repo, name, files.pop(name))
        if files:
            commit(client(hub, OWNER), repo, files)

    with ThreadPoolExecutor() as threads:
        done = threads.submit(run)
        yield
        done.result()
    hub.clear_faults()


def test_another_commit_goes_below_ours_unless_it_changes_the_same_file(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo)
    make_dataset(directory, n_pairs=5)
    with others_commit(hub, repo, {"OTHER.md": b"theirs\n"}):
        ours = publish(directory, repo)
    assert downloaded(hub, f"datasets/{repo}") == {**contents(directory), "OTHER.md": b"theirs\n"}
    assert ours["commit"] == commits(hub, repo)[0] and len(commits(hub, repo)) == 4
    make_dataset(directory, n_pairs=6, note="ours")
    with others_commit(hub, repo, {CARD: b"---\nlicense: mit\n---\ntheirs\n"}):
        refused = publish(directory, repo)
    assert refused["exit_code"] == 1 and f"somebody else has changed {CARD}" in refused["error"]
    assert downloaded(hub, f"datasets/{repo}")[CARD].endswith(b"theirs\n")


def test_shards_that_others_publish_meanwhile_are_not_removed(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo)
    ours = make_dataset(tmp_path / "ours", n_pairs=4)
    (ours / PARQUET).rename(ours / "data/test-00000-of-00002.parquet")
    write_pairs([make_pair("q/a", problem_id="q")], ours, "test").rename(ours / "data/test-00001-of-00002.parquet")
    theirs = "data/test-00000-of-00003.parquet"
    with others_commit(hub, repo, {theirs: b"theirs"}):
        refused = publish(ours, repo)
    assert refused["exit_code"] == 1 and f"somebody else has changed {theirs}" in refused["error"]
    assert downloaded(hub, f"datasets/{repo}")[theirs] == b"theirs"


def test_a_file_that_changes_meanwhile_is_not_published(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    (directory / "a.txt").write_text("one\n")
    hub.hold("/api/datasets/", 1.0)
    with ThreadPoolExecutor() as threads:
        done = threads.submit(publish, directory, repo)
        time.sleep(0.7)  # it has been checked by now
        (directory / "a.txt").write_text("two\n")
    assert done.result()["exit_code"] == 2 and "has changed since it was checked" in done.result()["error"]
    assert not downloaded(hub, f"datasets/{repo}")


def test_what_the_repository_would_leave_out_is_refused_before_the_commit(hub, publish, repo, tmp_path):
    client(hub, OWNER).create_repo(repo, repo_type="dataset")
    commit(client(hub, OWNER), repo, {".gitignore": b"*.parquet\n"})
    refused = publish(make_dataset(tmp_path / "it"), repo)
    assert refused["exit_code"] == 2 and "would be left out by its .gitignore" in refused["error"]
    assert len(commits(hub, repo)) == 2


def test_what_reads_back_otherwise_is_said(hub, repo, tmp_path, monkeypatch):
    from lcb_rb.errors import HubError
    from lcb_rb.hub import publish as module
    from lcb_rb.hub.files import local_file
    from lcb_rb.hub.remote import Remote, Target

    client(hub, OWNER).create_repo(repo, repo_type="dataset")
    (tmp_path / "a.txt").write_text("one\n")
    publication = module._Publication(
        [local_file("a.txt", tmp_path / "a.txt")], Remote(Target(repo, "dataset"), OWNER, hub.url)
    )
    monkeypatch.setattr(publication, "_committed", lambda: None)  # it says that it has committed, and has not
    with pytest.raises(HubError, match=r"a\.txt is not what was sent"):
        publication.run("---\nlicense: mit\n---\n")


def test_a_public_repository_is_not_taken_for_a_private_one(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo)
    make_dataset(directory, n_pairs=4)
    refused = publish(directory, repo, private=True)
    assert refused["exit_code"] == 2 and "is public already" in refused["error"] and len(commits(hub, repo)) == 2


def test_a_card_that_only_the_hub_refuses_is_one_line_and_makes_no_repository(hub, publish, repo, tmp_path):
    directory = make_model(tmp_path / "it")
    (directory / CARD).write_text("---\nlicense: mit\nmodel-index: 5\n---\n")
    refused = publish(directory, repo, "model")
    assert refused["exit_code"] == 2 and "Invalid metadata in README.md" in refused["error"], refused
    assert not client(hub, OWNER).repo_exists(repo)


def test_eight_publishers_at_once_lose_nothing(hub, settings, repo, tmp_path):
    directories = [make_dataset(tmp_path / str(number)) for number in range(8)]
    for number, directory in enumerate(directories):
        (directory / f"part-{number}.jsonl").write_text(json.dumps({"number": number}) + "\n")
    command = [sys.executable, "-m", "recode", "publish", "--type", "dataset", "--json"]
    processes = [
        subprocess.Popen(
            [*command, directory, repo],
            env={**settings, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for directory in directories
    ]
    answers = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, [error.decode() for _, error in answers]
    assert downloaded(hub, f"datasets/{repo}") == {
        name: data for found in map(contents, directories) for name, data in found.items()
    }
    assert len({json.loads(output)["commit"] for output, _ in answers}) == 8
    assert len(commits(hub, repo)) == 9


def test_who_may_not_write_proposes_once(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo)
    before = downloaded(hub, f"datasets/{repo}")
    make_dataset(directory, n_pairs=5)
    refused = publish(directory, repo, token="hf_reader")
    assert refused["exit_code"] == 2 and "--create-pr" in refused["error"]
    hub.fault(action="lose_response", path="/commit/")
    proposed = publish(directory, repo, token="hf_reader", create_pr=True)
    assert publish(directory, repo, token="hf_reader", create_pr=True) == {**proposed, "uploaded": []}
    assert proposed["pull_request"] == "refs/pr/1"
    assert downloaded(hub, f"datasets/{repo}", "refs%2Fpr%2F1") == contents(directory)
    assert downloaded(hub, f"datasets/{repo}") == before
    assert len(list(client(hub, OWNER).get_repo_discussions(repo, repo_type="dataset"))) == 1


@pytest.mark.parametrize(
    ("token", "options", "said"),
    [
        (False, {}, "is not on the Hub, or is private; check the id, and log in"),
        ("hf_bogus", {}, "the token is not valid"),
        ("hf_readonly", {}, "the token may not do this"),
        ("hf_reader", {}, "the token may not do this"),
        ("hf_full", {"repo_id": "full/it"}, "over a limit of the account"),
        ("hf_owner", {"repo_id": "elsewhere/it"}, "the token may not do this"),
        ("hf_owner", {"repo_id": "recode/missing", "create_pr": True}, "is not on the Hub, or is private"),
    ],
)
def test_refusals_are_told_apart(hub, publish, repo, tmp_path, token, options, said):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo, private=token == "hf_reader")
    make_dataset(directory, n_pairs=5)
    found = publish(directory, **{"repo_id": repo, "token": token, **options})
    assert found["exit_code"] == 2 and said in found["error"], found
    assert len(commits(hub, repo)) == 2


def test_a_gated_repository_says_so(hub, publish, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, repo)
    client(hub, OWNER).update_repo_settings(repo, repo_type="dataset", gated="manual")
    make_dataset(directory, n_pairs=5)
    found = publish(directory, repo, token="hf_reader", create_pr=True)
    assert found["exit_code"] == 2 and "is gated; ask for access" in found["error"], found


def test_the_command_prints_address_and_commit(hub, settings, repo, tmp_path):
    directory = make_dataset(tmp_path / "it")
    done = run_recode("publish", directory, repo, "--type", "dataset", "--tag", "v1.0.0", environment=settings)
    assert done.returncode == 0, done.stderr
    sha = commits(hub, repo)[0]
    assert done.stdout.splitlines()[-2:] == [f"commit {sha}", f"{hub.url}/datasets/{repo}/tree/{sha}"]
    again = run_recode("publish", directory, repo, "--type", "dataset", environment=settings)
    assert again.stdout.startswith("nothing changed") and commits(hub, repo)[0] == sha


def test_a_hub_that_is_away_is_one_line(publish, repo, tmp_path):
    found = publish(make_dataset(tmp_path / "it"), repo, endpoint="http://127.0.0.1:9", attempts=2)
    assert found["exit_code"] == 1 and "the connection failed" in found["error"], found
