"""`recode publish` against a Hub: one commit, nothing lost, nothing half done; with plain LFS and with Xet."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from builders.card import CARD
from factories import ROOT, make_pair, run_recode
from hub import HubServer, environment
from hub.client import client, commit
from lcb_rb.pairs import write_pairs
from processes import within
from publishable import OWNER, contents, downloaded, make_dataset, make_model, make_space
from publisher import Publisher, publisher

REPO, PLACE = "recode/it", "datasets/recode/it"
PARQUET = "data/test-00000-of-00001.parquet"


def surroundings(hub: HubServer, folder: Path, token: str | None = OWNER) -> dict[str, str]:
    return environment(hub, folder / f"home-{token}", token, hub.xet)


@pytest.fixture
def publish(hub, tmp_path) -> Iterator[Publisher]:
    with publisher(surroundings(hub, tmp_path)) as found:
        yield found


def commits(hub: HubServer, repo_type: str = "dataset", revision: str = "main") -> list[str]:
    api = client(hub, OWNER)
    return [commit.commit_id for commit in api.list_repo_commits(REPO, repo_type=repo_type, revision=revision)]


@pytest.mark.parametrize(("kind", "make"), [("dataset", make_dataset), ("model", make_model), ("space", make_space)])
def test_one_commit_holds_everything_and_a_second_run_makes_none(hub, publish, tmp_path, kind, make):
    directory = make(tmp_path / "it")
    first = publish(directory, REPO, kind, tag="v1.0.0")
    place = REPO if kind == "model" else f"{kind}s/{REPO}"
    assert downloaded(hub, place) == downloaded(hub, place, "v1.0.0") == contents(directory)
    assert sorted(first["uploaded"]) == sorted(contents(directory))
    assert first["url"] == f"{hub.url}/{place}/tree/{first['commit']}"
    before = commits(hub, kind)
    assert len(before) == 2 and before[0] == first["commit"]  # the first is the Hub's own
    hub.clear_log()
    again = publish(directory, REPO, kind, tag="v1.0.0")
    assert (again["commit"], again["uploaded"], again["tag"]) == (first["commit"], [], "v1.0.0")
    assert commits(hub, kind) == before
    assert {seen.method for seen in hub.log() if seen.path.startswith(f"/api/{kind}s/{REPO}/")} == {"GET"}


def test_a_published_version_is_never_edited(hub, publish, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, REPO, tag="v1.0.0")
    make_dataset(directory, n_pairs=4)
    refused = publish(directory, REPO, tag="v1.0.0")
    assert refused["exit_code"] == 2 and "version v1.0.0 is published" in refused["error"]
    assert len(commits(hub)) == 2
    publish(directory, REPO, tag="v1.1.0")
    assert downloaded(hub, PLACE, "v1.0.0") != downloaded(hub, PLACE, "v1.1.0") == contents(directory)


def test_a_new_repository_may_be_private_and_a_branch_new(hub, publish, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, REPO, private=True, revision="dev")
    assert client(hub, OWNER).dataset_info(REPO).private
    assert downloaded(hub, PLACE, "dev") == contents(directory)
    assert not downloaded(hub, PLACE)


def test_what_new_shards_replace_is_removed_and_the_rest_stays(hub, publish, tmp_path):
    directory = make_dataset(tmp_path / "it")
    (directory / PARQUET).rename(directory / "data/test-00000-of-00002.parquet")
    more = write_pairs([make_pair("q/a", problem_id="q")], directory, "test")
    more.rename(directory / "data/test-00001-of-00002.parquet")
    (directory / "NOTES.md").write_text("Keep me.\n")
    publish(directory, REPO)
    new = make_dataset(tmp_path / "new")
    removed = publish(new, REPO)["removed"]
    assert removed == ["data/test-00000-of-00002.parquet", "data/test-00001-of-00002.parquet"]
    assert downloaded(hub, PLACE) == {**contents(new), "NOTES.md": b"Keep me.\n"}


@pytest.mark.parametrize("action", ["drop", "lose_response"])
def test_a_cut_at_any_request_leaves_the_old_revision_or_the_new_one(hub, tmp_path, action):
    """Without attempts of our own, every cut that the clients do not survive by themselves is seen."""
    directory, old = make_dataset(tmp_path / "it"), {}
    failures = 0
    with publisher(surroundings(hub, tmp_path), attempts=1) as publish:
        for place in range(100):
            make_dataset(directory, n_pairs=3 + place, note=f"version {place}")
            hub.clear_faults()
            hub.clear_log()
            hub.fault(action=action, skip=place)
            found = publish(directory, REPO, tag=f"v{place}")
            cut = [seen for seen in hub.log() if seen.fault]
            hub.clear_faults()
            now = downloaded(hub, PLACE) if place or "error" not in found else {}
            assert now in (old, contents(directory)), (place, cut)
            if "error" in found:
                failures += 1
                assert found["exit_code"] == 1 and "run the same command again" in found["error"], (found, cut)
                assert publish(directory, REPO, tag=f"v{place}")["commit"]
            assert downloaded(hub, PLACE) == downloaded(hub, PLACE, f"v{place}") == contents(directory), cut
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
def test_what_passes_is_waited_for_and_done_once(hub, publish, tmp_path, fault):
    directory = make_dataset(tmp_path / "it")
    hub.fault(**fault)
    assert publish(directory, REPO, tag="v1.0.0")["tag"] == "v1.0.0"
    assert downloaded(hub, PLACE, "v1.0.0") == contents(directory)
    assert len(commits(hub)) == 2


def test_a_hub_that_goes_on_failing_is_our_failure(hub, publish, tmp_path):
    hub.fault(action="status", status=503, path="/commit/", times=1000)
    found = publish(make_dataset(tmp_path / "it"), REPO)
    assert found["exit_code"] == 1 and "run the same command again later" in found["error"]


@contextmanager
def others_commit(hub: HubServer, files: dict[str, bytes]) -> Iterator[None]:
    """Lets somebody else commit while our first commit is on its way."""
    hub.clear_log()
    hub.hold("/commit/", 1.5)

    def run() -> None:
        assert within(60, lambda: any("/preupload/" in seen.path for seen in hub.log()))
        time.sleep(0.4)  # ours is held by now
        commit(client(hub, OWNER), REPO, files)

    with ThreadPoolExecutor() as threads:
        done = threads.submit(run)
        yield
        done.result()
    hub.clear_faults()


def test_another_commit_goes_below_ours_unless_it_changes_the_same_file(hub, publish, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, REPO)
    make_dataset(directory, n_pairs=5)
    with others_commit(hub, {"OTHER.md": b"theirs\n"}):
        ours = publish(directory, REPO)
    assert downloaded(hub, PLACE) == {**contents(directory), "OTHER.md": b"theirs\n"}
    assert ours["commit"] == commits(hub)[0] and len(commits(hub)) == 4
    make_dataset(directory, n_pairs=6, note="ours")
    with others_commit(hub, {CARD: b"---\nlicense: mit\n---\ntheirs\n"}):
        refused = publish(directory, REPO)
    assert refused["exit_code"] == 1 and f"somebody else has changed {CARD}" in refused["error"]
    assert downloaded(hub, PLACE)[CARD].endswith(b"theirs\n")


def test_eight_publishers_at_once_lose_nothing(hub, tmp_path):
    directories = [make_dataset(tmp_path / str(number)) for number in range(8)]
    for number, directory in enumerate(directories):
        (directory / f"part-{number}.jsonl").write_text(json.dumps({"number": number}) + "\n")
    command = [sys.executable, "-m", "recode", "publish", "--type", "dataset", "--json"]
    settings = {**surroundings(hub, tmp_path), "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen([*command, directory, REPO], env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for directory in directories
    ]
    answers = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, [error.decode() for _, error in answers]
    assert downloaded(hub, PLACE) == {
        name: data for found in map(contents, directories) for name, data in found.items()
    }
    assert len({json.loads(output)["commit"] for output, _ in answers}) == 8
    assert len(commits(hub)) == 9


def test_who_may_not_write_proposes_once(hub, publish, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, REPO)
    before = downloaded(hub, PLACE)
    make_dataset(directory, n_pairs=5)
    with publisher(surroundings(hub, tmp_path, "hf_reader")) as reader:
        refused = reader(directory, REPO)
        assert refused["exit_code"] == 2 and "--create-pr" in refused["error"]
        hub.fault(action="lose_response", path="/commit/")
        proposed = reader(directory, REPO, create_pr=True)
        assert reader(directory, REPO, create_pr=True) == {**proposed, "uploaded": proposed["uploaded"]}
    assert proposed["pull_request"] == "refs/pr/1"
    assert downloaded(hub, PLACE, "refs%2Fpr%2F1") == contents(directory)
    assert downloaded(hub, PLACE) == before
    assert len(list(client(hub, OWNER).get_repo_discussions(REPO, repo_type="dataset"))) == 1


@pytest.mark.parametrize(
    ("token", "options", "said"),
    [
        (None, {}, "is not on the Hub, or is private"),
        ("hf_bogus", {}, "the token is not valid"),
        ("hf_readonly", {}, "the token may not do this"),
        ("hf_reader", {}, "the token may not do this"),
        ("hf_full", {"repo_id": "full/it"}, "over a limit of the account"),
        ("hf_owner", {"repo_id": "elsewhere/it"}, "the token may not do this"),
        ("hf_owner", {"repo_id": "recode/missing", "create_pr": True}, "is not on the Hub, or is private"),
    ],
)
def test_refusals_are_told_apart(hub, publish, tmp_path, token, options, said):
    directory = make_dataset(tmp_path / "it")
    publish(directory, REPO, private=token == "hf_reader")
    make_dataset(directory, n_pairs=5)
    with publisher(surroundings(hub, tmp_path, token)) as other:
        found = other(directory, **{"repo_id": REPO, **options})
    assert found["exit_code"] == 2 and said in found["error"], found
    assert len(commits(hub)) == 2


def test_a_gated_repository_says_so(hub, publish, tmp_path):
    directory = make_dataset(tmp_path / "it")
    publish(directory, REPO)
    client(hub, OWNER).update_repo_settings(REPO, repo_type="dataset", gated="manual")
    with publisher(surroundings(hub, tmp_path, "hf_reader")) as reader:
        make_dataset(directory, n_pairs=5)
        found = reader(directory, REPO, create_pr=True)
    assert found["exit_code"] == 2 and "is gated; ask for access" in found["error"], found


def test_the_command_prints_address_and_commit(hub, tmp_path):
    directory = make_dataset(tmp_path / "it")
    settings = surroundings(hub, tmp_path)
    done = run_recode("publish", directory, REPO, "--type", "dataset", "--tag", "v1.0.0", environment=settings)
    assert done.returncode == 0, done.stderr
    sha = commits(hub)[0]
    assert done.stdout.splitlines()[-2:] == [f"commit {sha}", f"{hub.url}/{PLACE}/tree/{sha}"]
    again = run_recode("publish", directory, REPO, "--type", "dataset", environment=settings)
    assert again.stdout.startswith("nothing changed") and commits(hub)[0] == sha


def test_a_hub_that_is_away_is_one_line(hub, tmp_path):
    settings = {**surroundings(hub, tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    with publisher(settings, attempts=2) as publish:
        found = publish(make_dataset(tmp_path / "it"), REPO)
    assert found["exit_code"] == 1 and "the connection failed" in found["error"], found
