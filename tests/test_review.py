import json
import re
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reviewing
from builders.commands.review import review
from builders.filters import Drop, Keep
from builders.release import Parts
from builders.release import build as build_release
from builders.review.answers import Answer, Judgement, checked_name, opened, read_answers
from builders.review.blind import make_sheet, text_hash
from builders.review.merging import REASONS, confirm, merge
from builders.review.reporting import agreement_line
from builders.review.server import Desk, ReviewServer
from factories import make_pair, make_problem, make_sample, run_recode
from lcb_rb.cards import read_card
from lcb_rb.errors import InputError
from lcb_rb.hub.dataset_checks import check_dataset
from lcb_rb.metrics import cohen_kappa
from lcb_rb.pairs import data_revision, pair_files, read_pairs
from reviewing import BETTER, Client, make_dataset, numbered_pair, sitting

REVISION = "r1"
PAIRS = [numbered_pair(number) for number in range(10)]
VOTES = st.sampled_from(["chosen", "rejected", "equal", "unsure"])
SECRETS = ("secret", "degraded/", "kind", "chosen", "rejected", "natural", "problem_id", "dimension", "revision")


def sheet_of(reviewer="Ada", pairs=PAIRS, **options):
    return make_sheet(pairs, reviewer, revision=REVISION, **options)


def write_votes(path: Path, reviewer: str, votes: dict[str, str], pairs=PAIRS) -> Path:
    """The file of a reviewer with these votes, as the page would make it."""
    sheet = sheet_of(reviewer, pairs)
    with opened(path, sheet) as book:
        desk = Desk(sheet, book)
        for place, pair in enumerate(sheet.pairs):
            if vote := votes.get(pair.id):
                chosen_left = sheet.sides(place)[0] == pair.chosen_reasoning
                side = "left" if chosen_left is (vote == "chosen") else "right"
                choice = vote if vote in ("equal", "unsure") else side
                desk.enter(Judgement(place=place, choice=choice))
    return path


def merged(tmp_path: Path, votes: list[list[str | None]], confirmations: int = 2):
    """The merge of reviewers whose votes on the first pairs are given, a list a reviewer."""
    files = [
        write_votes(tmp_path / f"{number}.jsonl", f"R{number}", dict(zip((p.id for p in PAIRS), given, strict=False)))
        for number, given in enumerate(votes)
    ]
    return merge(PAIRS, files, revision=REVISION, confirmations=confirmations)


@pytest.fixture
def served(tmp_path: Path):
    """A page's server in this process, on ten pairs."""
    with reviewing.served(sheet_of(), tmp_path / "ada.jsonl") as server:
        yield Client(server.url), server, tmp_path / "ada.jsonl"


# What a reviewer is shown


def test_sides_and_order_differ_between_reviewers_and_are_the_same_again() -> None:
    ada, again, bob = sheet_of(), sheet_of(pairs=PAIRS[::-1]), sheet_of("Bob")
    sides = [[sheet.sides(place) for place in range(10)] for sheet in (ada, again, bob)]
    assert [pair.id for pair in ada.pairs] == [pair.id for pair in again.pairs]
    assert sides[0] == sides[1] != sides[2]
    assert [pair.id for pair in ada.pairs] != [pair.id for pair in bob.pairs]
    assert sheet_of(seed=1).pairs != ada.pairs


def test_the_better_side_is_on_the_left_about_half_of_the_time_whatever_the_order() -> None:
    pairs = [numbered_pair(number) for number in range(2000)]
    sheet = sheet_of(pairs=pairs)
    left = [sheet.sides(place)[0].startswith(BETTER) for place in range(2000)]
    assert 0.45 < sum(left) / 2000 < 0.55
    assert 0.4 < sum(a == b for a, b in pairwise(left)) / 1999 < 0.6


def test_a_sample_is_the_same_for_all_and_part_of_a_greater_one() -> None:
    few, more = ({pair.id for pair in sheet_of(sample=n).pairs} for n in (3, 6))
    assert {pair.id for pair in sheet_of("Bob", sample=3).pairs} == few < more
    assert len(sheet_of(sample=99).pairs) == 10


def test_nothing_that_is_sent_gives_the_label_away(served) -> None:
    client, _, _ = served
    for path in ("state", *(f"pairs/{place}" for place in range(10))):
        text = client.ask(path)[1].lower()
        assert not [secret for secret in SECRETS if secret in text], path
    assert client.ask("")[1].count("degraded") == 0
    assert client.json("pairs/0").keys() == {"place", "problem", "left", "right", "answer"}


# Answers and their file


def test_an_answer_is_on_the_disk_before_the_page_hears_of_it(served) -> None:
    client, _, path = served
    state = client.answer(3, "left", reasons=["gap"], note="Why?\u2028\n", seconds=1.5)
    assert (state["answered"], state["next"]) == (1, 0)
    (line,) = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
    stored = json.loads(line)
    assert (stored["choice"], stored["reasons"], stored["note"]) == ("left", ["gap"], "Why?\u2028\n")
    assert stored["left"] == text_hash(client.json("pairs/3")["left"])
    assert client.json("pairs/3")["answer"] == {"choice": "left", "reasons": ["gap"], "note": "Why?\u2028\n"}


def test_the_last_answer_counts_and_can_be_taken_back(served) -> None:
    client, _, path = served
    client.answer(0, "left")
    assert client.answer(0, "unsure")["answered"] == 1
    assert client.json("pairs/0")["answer"]["choice"] == "unsure"
    assert client.answer(0, None)["answered"] == 0
    assert client.json("pairs/0")["answer"] is None
    assert read_answers(path, REVISION) == ("Ada", {})


def test_answers_of_many_tabs_at_once_are_all_there_and_whole(served) -> None:
    client, _, path = served
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: client.answer(n % 10, ["left", "right"][n % 2], note=str(n) * 500), range(80)))
    lines = [line for line in path.read_text().split("\n") if line]
    assert Counter(Answer.model_validate_json(line).pair for line in lines) == {pair.id: 8 for pair in PAIRS}
    assert len(read_answers(path, REVISION)[1]) == 10


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(min_value=1, max_value=250))
def test_a_torn_line_is_passed_over_and_the_review_goes_on(tmp_path_factory, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "ada.jsonl"
    write_votes(path, "Ada", {pair.id: "chosen" for pair in PAIRS[:3]})
    whole = path.read_bytes()
    path.write_bytes(whole[: -min(cut, len(whole.splitlines()[-1]))])
    sheet = sheet_of()
    with opened(path, sheet) as book:
        assert Desk(sheet, book).state()["answered"] == (3 if cut == 1 else 2)
    write_votes(path, "Ada", {PAIRS[5].id: "chosen"})
    assert len(read_answers(path, REVISION)[1]) == (4 if cut == 1 else 3)


@pytest.mark.parametrize(
    ("sheet", "fault"),
    [
        (sheet_of("Bob"), "holds answers of 'Ada', not of 'Bob'"),
        (sheet_of(seed=1), "was begun with --seed 0"),
        (make_sheet(PAIRS, "Ada", revision="r2"), "holds answers about other pairs"),
    ],
)
def test_a_file_of_another_review_is_refused_and_left_alone(tmp_path: Path, sheet, fault: str) -> None:
    path = write_votes(tmp_path / "a.jsonl", "Ada", {PAIRS[0].id: "chosen"})
    with pytest.raises(InputError, match=fault), opened(path, sheet):
        pass
    assert len(read_answers(path, REVISION)[1]) == 1


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\n")
    with pytest.raises(InputError, match="holds no answers"), opened(path, sheet_of()):
        pass
    assert path.read_text().strip() == "milk"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\nb", "x" * 65, "a:b"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="--reviewer"):
        checked_name(name)


# The server


def test_only_who_knows_the_address_is_served(served) -> None:
    client, server, path = served
    for base in ("/", "/x/", f"/{server.token[:-1]}/", f"/{server.token}x/"):
        client.base = base
        for way in ("", "state", "pairs/0"):
            assert client.ask(way)[0] == 403, base
        assert client.ask("answers", {"place": 0, "choice": "left"})[0] == 403
    assert not path.read_text().strip()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""])
def test_another_name_for_this_host_is_refused(served, host: str) -> None:
    client, server, _ = served
    assert client.ask("state", Host=host.format(port=server.server_port))[0] == 403
    assert client.ask("state", Host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize(
    ("status", "path", "body", "headers"),
    [
        (403, "answers", {"place": 0, "choice": "left"}, {"Origin": "http://evil.example"}),
        (403, "answers", {"place": 0, "choice": "left"}, {"Origin": "null"}),
        (415, "answers", {"place": 0, "choice": "left"}, {"Content_Type": "text/plain"}),
        (415, "answers", {"place": 0, "choice": "left"}, {"Content_Type": "application/x-www-form-urlencoded"}),
        (413, "answers", b"x" * (2**16 + 1), {}),
        (400, "answers", b"{", {}),
        (400, "answers", {"place": 0, "choice": "best"}, {}),
        (400, "answers", {"place": 0, "choice": "left", "reasons": ["ugly"]}, {}),
        (400, "answers", {"place": 0, "choice": "left", "note": "x" * 4001}, {}),
        (400, "answers", {"place": -1, "choice": "left"}, {}),
        (400, "answers", {"place": 0, "choice": "left", "pair": "x"}, {}),
        (404, "answers", {"place": 10, "choice": "left"}, {}),
        (404, "elsewhere", {"place": 0, "choice": "left"}, {}),
        (404, "pairs/10", None, {}),
        (404, "pairs/-1", None, {}),
        (404, "pairs/+1", None, {}),
        (404, "../../etc/passwd", None, {}),
        (404, "page.html", None, {}),
    ],
)
def test_what_is_not_asked_for_rightly_is_refused_and_changes_nothing(served, status, path, body, headers) -> None:
    client, _, file = served
    found, text = client.ask(path, body, **headers)
    assert (found, "error" in json.loads(text)) == (status, True)
    assert not file.read_text().strip()
    assert client.json("state")["answered"] == 0


def test_a_body_without_a_length_is_refused(served) -> None:
    client, _, _ = served
    with socket.create_connection(client.address, timeout=20) as raw:
        head = f"POST {client.base}answers HTTP/1.1\r\nHost: 127.0.0.1:{client.address[1]}\r\n"
        raw.sendall(f"{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode())
        assert b" 411 " in raw.recv(100)


def test_the_page_allows_nothing_but_its_own_code(served) -> None:
    client, _, _ = served
    _, text, headers = client.reply("")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert policy.count("'nonce-") == 2 and policy.split("'nonce-")[1].split("'")[0] in text
    assert client.reply("")[2]["Content-Security-Policy"] != policy
    assert "//" not in text.replace("// ", "") and "innerHTML" not in text
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"


def test_the_server_listens_on_this_machine_only(served) -> None:
    _, server, _ = served
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(InputError, match=f"--port {server.server_port}: cannot be listened on"):
        ReviewServer(None, server.server_port)


def test_a_review_goes_on_after_a_kill_and_ends_with_where_the_answers_lie(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "pairs")
    with sitting(data, "--reviewer", "Ada") as first:
        for place in range(4):
            first.client.answer(place, "left")
        with pytest.raises(InputError, match="another run"):
            review(data, reviewer="Ada", no_open=True)
        first.end(signal.SIGKILL)
    path = tmp_path / "pairs.reviews" / "Ada.jsonl"
    with sitting(data, "--reviewer", "Ada", "--json") as second:
        assert second.client.json("state")["next"] == 4
        code, out, err = second.end()
    assert (code, err) == (0, "")
    assert json.loads(out) == {"answered": 4, "pairs": 10, "out": str(path)}


def test_a_sitting_without_an_answer_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "ada.jsonl"
    with reviewing.served(sheet_of(sample=2), path) as server:
        assert Client(server.url).json("state")["total"] == 2
        assert path.exists()
    assert not path.exists()


# Merging


def test_the_merge_counts_agrees_and_confirms(tmp_path: Path) -> None:
    found = merged(
        tmp_path,
        [
            ["chosen", "chosen", "rejected", "equal", "chosen", "unsure", "chosen", None],
            ["chosen", "rejected", "rejected", "chosen", "equal", "chosen", None, "chosen"],
        ],
    )
    assert [reviewer.votes for reviewer in found.reviewers] == [
        {"chosen": 4, "rejected": 1, "equal": 1, "unsure": 1},
        {"chosen": 4, "rejected": 2, "equal": 1, "unsure": 0},
    ]
    first = found.reviewers[0].label
    assert (first.n, first.n_unscored, first.n_ties, first.accuracy) == (7, 1, 1, pytest.approx(4.5 / 6))
    assert found.confirmed == [PAIRS[0].id]
    assert found.drops == {"not_reviewed": 2, "contradicted": 2, "too_few": 3, "no_majority": 2}
    assert [item.pair for item in found.disagreements] == [PAIRS[place].id for place in (1, 3, 4)]
    assert found.disagreements[0].votes == {"R0": "chosen", "R1": "rejected"}
    agreement = found.agreement
    assert (agreement.n, agreement.n_left_out, agreement.observed) == (8, 3, pytest.approx(2 / 5))


def test_kappa_counts_every_pair_both_ways_round(tmp_path: Path) -> None:
    votes = [["chosen"] * 7 + ["rejected", "equal", "chosen"], ["chosen"] * 6 + ["rejected"] * 2 + ["equal"] * 2]
    found = merged(tmp_path, votes).agreement
    swap = {"chosen": "rejected", "rejected": "chosen", "equal": "equal"}
    both = [[*given, *(swap[vote] for vote in given)] for given in votes]
    expected = cohen_kappa(*both, [pair.problem_id for pair in PAIRS] * 2, resamples=10)
    assert found.kappa == pytest.approx(expected.kappa)
    assert (found.n, found.n_problems, found.labels) == (10, 5, {"chosen": 14, "equal": 3, "rejected": 3})


def test_reviewers_who_all_confirm_agree_wholly_and_guessers_do_not(tmp_path: Path) -> None:
    same = merged(tmp_path, [["chosen"] * 10] * 2)
    assert (same.agreement.kappa, same.agreement.expected) == (1.0, 0.5)
    assert len(same.confirmed) == 10
    assert "Cohen's kappa: 1.000, 95 % interval [1.000, 1.000]" in agreement_line(same.agreement)
    other = merged(tmp_path / "other", [["chosen"] * 10, ["chosen", "rejected"] * 5])
    assert other.agreement.kappa == pytest.approx(0.0)


def test_three_reviewers_have_fleiss_kappa_and_one_has_none(tmp_path: Path) -> None:
    three = merged(tmp_path, [["chosen"] * 10, ["chosen"] * 10, ["chosen"] * 9 + ["rejected"]])
    assert (three.agreement.raters, three.agreement.kappa) == (3, pytest.approx(1 - (1 - 28 / 30) / 0.5))
    assert three.confirmed == [pair.id for pair in PAIRS[:9]]
    assert "Fleiss' kappa of 3 reviewers" in agreement_line(three.agreement)
    one = merged(tmp_path / "one", [["chosen"] * 4], confirmations=1)
    assert (one.agreement, len(one.confirmed)) == (None, 4)


@settings(deadline=None)
@given(st.lists(VOTES, max_size=6), st.integers(min_value=1, max_value=4))
def test_a_pair_is_confirmed_by_enough_and_most_and_never_against_a_reviewer(votes: list[str], least: int) -> None:
    found, counts = confirm(votes, least), Counter(votes)
    kept = not counts["rejected"] and counts["chosen"] >= least and counts["chosen"] > counts["equal"]
    assert isinstance(found, Keep if kept else Drop)
    assert kept or found.reason in REASONS
    assert isinstance(confirm(votes[::-1], least), type(found))
    assert isinstance(confirm([*votes, "unsure"], least), type(found))
    assert isinstance(confirm([*votes, "rejected"], least), Drop)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda text: text.replace('"r1"', '"r2"'), "holds answers about other pairs"),
        (lambda text: "\n", "holds no answers"),
        (lambda text: text.replace('"left":"', '"left":"x'), "is none of the dataset"),
        (lambda text: text.replace('"pair":"degraded/0"', '"pair":"new"'), "is none of the dataset"),
        (lambda text: text.replace('"Ada"', '"Bob"'), "is by 'Bob', as is"),
    ],
)
def test_a_file_that_does_not_belong_is_an_error(tmp_path: Path, change, fault: str) -> None:
    bob = write_votes(tmp_path / "bob.jsonl", "Bob", {PAIRS[0].id: "chosen"})
    ada = write_votes(tmp_path / "ada.jsonl", "Ada", {PAIRS[0].id: "chosen"})
    ada.write_text(change(ada.read_text()))
    with pytest.raises(InputError, match=fault):
        merge(PAIRS, [bob, ada], revision=REVISION)


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pairs`, the files of two reviewers, and `out`, their merge."""
    folder = tmp_path_factory.mktemp("reviewed")
    data = make_dataset(folder / "pairs")
    revision = data_revision(pair_files(data))
    for name, wrong in (("Ada", set()), ("Bob", {2, 5})):
        sheet = make_sheet(read_pairs(data), name, revision=revision)
        votes = {pair.id: "rejected" if int(pair.id[-1]) in wrong else "chosen" for pair in sheet.pairs}
        with opened(folder / f"{name}.jsonl", sheet) as book:
            for place, pair in enumerate(sheet.pairs):
                left = sheet.sides(place)[0].startswith(BETTER)
                Desk(sheet, book).enter(
                    Judgement(place=place, choice="left" if left is (votes[pair.id] == "chosen") else "right")
                )
    done = run_recode("review", data, *merging(folder), "--out", folder / "out", "--json")
    assert done.returncode == 0, done.stderr
    (folder / "report.json").write_text(done.stdout)
    return folder


def merging(folder: Path, *names: str) -> list[str | Path]:
    files = [folder / f"{name}.jsonl" for name in names or ("Ada", "Bob")]
    return [word for path in files for word in ("--merge", path)]


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_the_reviewed_config_loads_beside_the_others(reviewed: Path) -> None:
    found = datasets.load_dataset(str(reviewed / "out"), "reviewed", split="test")
    assert found["id"] == [f"degraded/{number}" for number in (0, 1, 3, 4, 6, 7, 8, 9)]
    assert len(datasets.load_dataset(str(reviewed / "out"), split="test")) == 10
    assert [pair.id for pair in read_pairs(reviewed / "out", config="reviewed")] == found["id"]
    out = reviewed / "out"
    check_dataset({str(path.relative_to(out)): path for path in out.rglob("*.*")}, read_card(out / "README.md")[0])


def test_the_card_says_who_reviewed_and_what_was_left_out(reviewed: Path) -> None:
    card = (reviewed / "out" / "README.md").read_text()
    section = card.partition("## Reviewed by people\n")[2].partition("## Columns\n")[0]
    assert "| Ada | 10 | 10 | 0 | 0 | 0 | 1.000 | [1.000, 1.000] |" in section
    assert "Cohen's kappa: 0.600" in section and "10 pairs over 5 problems" in section
    assert "| contradicted | 2 | a reviewer finds the other side better |" in section
    assert "`recode review pairs --merge Ada.jsonl --merge Bob.jsonl --confirmations 2 --out DIR`" in section
    assert "## How the pairs were made\n\nSo.\n\n## Reviewed" in card and card.endswith("## Columns\n\nMany.\n")


def test_the_report_is_whole(reviewed: Path) -> None:
    report = json.loads((reviewed / "report.json").read_text())
    assert report["agreement"]["kappa"] == pytest.approx(0.6)
    assert report["agreement"]["interval"]["low"] < 0.6 < report["agreement"]["interval"]["high"]
    assert [item["pair"] for item in report["disagreements"]] == ["degraded/2", "degraded/5"]
    assert (len(report["confirmed"]), report["drops"]) == (8, {"contradicted": 2})


def test_files_in_another_order_give_the_same_bytes_and_replace_the_old_ones(reviewed: Path) -> None:
    before = contents(reviewed / "out")
    (reviewed / "out" / "reviewed" / "old.parquet").write_text("old")
    done = run_recode("review", reviewed / "pairs", *merging(reviewed, "Bob", "Ada"), "--out", reviewed / "out")
    assert (done.returncode, contents(reviewed / "out")) == (0, before)
    assert "Cohen's kappa: 0.600" in done.stdout
    assert (
        before["data/test-00000-of-00001.parquet"] == contents(reviewed / "pairs")["data/test-00000-of-00001.parquet"]
    )


def test_answers_to_the_dataset_hold_for_the_dataset_with_reviews(reviewed: Path) -> None:
    revision = data_revision(pair_files(reviewed / "out"))
    assert len(read_answers(reviewed / "Ada.jsonl", revision)[1]) == 10


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"out": "pairs"}, "a dataset is not changed in place"),
        ({"out": "pairs/data/new"}, "a dataset is not changed in place"),
        ({"directory": "out", "out": "new"}, "holds config 'reviewed' already"),
        ({"out": "new", "confirmations": 3}, "no pair is confirmed"),
        ({"out": "mine"}, "was not built by this command"),
        ({"reviewer": "Ada"}, "leave out --reviewer"),
        ({"split": "train"}, "has no split 'train'"),
        ({"merge": ["missing.jsonl"]}, "missing.jsonl: cannot be read"),
        ({"merge": ["mine/README.md"]}, "holds no answers"),
    ],
)
def test_what_cannot_be_merged_is_an_error_and_changes_nothing(
    reviewed: Path, changed, fault: str, monkeypatch
) -> None:
    (reviewed / "mine").mkdir(exist_ok=True)
    (reviewed / "mine" / "README.md").write_text("# Mine\n")
    monkeypatch.chdir(reviewed)
    before = contents(reviewed)
    options = {"directory": "pairs", "merge": ["Ada.jsonl", "Bob.jsonl"], **changed}
    options["merge"] = [Path(path) for path in options["merge"]]
    options |= {name: Path(options[name]) for name in ("directory", "out") if name in options}
    with pytest.raises(InputError, match=re.escape(fault)):
        review(**options)
    assert contents(reviewed) == before


def test_a_release_carries_the_reviewed_pairs(reviewed: Path, tmp_path: Path) -> None:
    crpl = make_dataset(tmp_path / "crpl", [make_pair("t", problem_id="another")])
    (tmp_path / "problems.jsonl").write_text(make_problem().model_dump_json() + "\n")
    sample = make_sample(passed=True).model_dump(include={"id", "problem_id", "model", "reasoning", "code", "passed"})
    (tmp_path / "samples.jsonl").write_text(json.dumps(sample) + "\n")
    files = {"problems": [tmp_path / "problems.jsonl"], "samples": [tmp_path / "samples.jsonl"]}
    for data, counts in ((reviewed / "out", [10, 8]), (reviewed / "pairs", [10])):
        built = build_release(Parts(data, crpl, **files), tmp_path / "release")
        found = [config.counts["test"] for name, config in built.items() if name in ("default", "reviewed")]
        card = (tmp_path / "release" / "README.md").read_text()
        assert found == counts
        assert card.count("## Reviewed by people\n") == len(counts) - 1
        assert (tmp_path / "release" / "reviewed").is_dir() is (len(counts) > 1)


def test_equal_texts_on_both_sides_do_no_harm(tmp_path: Path) -> None:
    twins = [make_pair("t", chosen_reasoning="same", rejected_reasoning="same")]
    path = write_votes(tmp_path / "a.jsonl", "Ada", {"t": "chosen"}, twins)
    assert merge(twins, [path], revision=REVISION).reviewers[0].votes["unsure"] == 0
