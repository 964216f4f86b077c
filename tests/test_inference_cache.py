"""Replies that outlive a run, and what they cost: whole or missing, shared, paid once, counted exactly."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import Answer, failed, said, serving
from factories import ROOT
from lcb_rb.errors import InputError
from lcb_rb.inference import Cache, Failure, Prices, Reply, Spent, asked, endpoint, failures
from lcb_rb.inference.cache import PLACE, cache_directory
from lcb_rb.inference.spending import OTHER, REASONS
from processes import within
from test_inference import request

KEY = "ab" + "0" * 62


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(failures, "BACKOFF_S", 0.001)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def reply(prompt=100, completion=2, attempts=1):
    return Reply({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}, attempts)


# ---- the files


def test_a_reply_is_found_by_any_later_run(tmp_path):
    Cache(tmp_path).put(KEY, Reply({"text": "half \ud800 \u2028 é"}, 3))
    assert Cache(tmp_path).get(KEY) == Reply({"text": "half \ud800 \u2028 é"}, 3)
    assert Cache(tmp_path).get("cd" + KEY[2:]) is None
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")] == [f"ab/{KEY}.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b'{"key": "', b"[1]", b"\xff\xfe", b"[" * 100_000, json.dumps({"key": "other", "attempts": 1}).encode()],
    ids=["empty", "torn", "foreign", "no text", "deep", "incomplete"],
)
def test_a_file_that_holds_no_reply_counts_as_missing_and_is_written_anew(tmp_path, content):
    cache = Cache(tmp_path)
    cache.put(KEY, reply())
    (tmp_path / "ab" / f"{KEY}.json").write_bytes(content)
    assert cache.get(KEY) is None
    cache.put(KEY, reply(attempts=2))
    assert cache.get(KEY) == reply(attempts=2)


def test_a_file_under_the_name_of_another_request_counts_as_missing(tmp_path):
    cache = Cache(tmp_path)
    cache.put(KEY, reply())
    (tmp_path / "ab" / f"{KEY}.json").rename(tmp_path / "ab" / f"{KEY[:-1]}1.json")
    assert cache.get(KEY[:-1] + "1") is None


def test_a_place_that_cannot_be_written_is_one_line_before_anything_is_asked(tmp_path):
    (tmp_path / "file").write_text("x")
    with serving(lambda body, count: said("7")) as server:
        with pytest.raises(InputError, match=r"file: replies cannot be kept there .*; choose another --cache"):
            asked(endpoint(server.url, "m"), [request()], Cache(tmp_path / "file"))
        assert server.bodies == []


def test_a_cache_that_nobody_asks_leaves_no_trace(tmp_path):
    Cache(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_place_is_the_given_one_then_the_environments_then_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv(PLACE, str(tmp_path / "named"))
    assert cache_directory(tmp_path) == tmp_path
    assert cache_directory() == tmp_path / "named"
    monkeypatch.delenv(PLACE)
    assert cache_directory() == Path.home() / ".cache" / "recode" / "replies"


WRITER = """
import sys
from pathlib import Path
from lcb_rb.inference import Cache, Reply

cache, name = Cache(Path(sys.argv[1])), sys.argv[2]
for number in range(int(sys.argv[3])):
    for key in (f"{number % 50:064x}", f"{name}{number:063x}"):
        cache.put(key, Reply({"text": "x" * 5000}, 1))
"""


def write(directory, name, count):
    command = [sys.executable, "-c", WRITER, str(directory), name, str(count)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_processes_share_a_cache_and_a_killed_one_leaves_only_whole_files(tmp_path):
    patient, killed = write(tmp_path, "a", 60), write(tmp_path, "b", 10**9)
    try:
        assert within(60, lambda: len(list(tmp_path.glob("b*/*.json"))) > 60)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert patient.wait(60) == 0
    keys = [path.stem for path in tmp_path.rglob("*.json")]
    assert len([key for key in keys if key[0] == "a"]) == 60
    assert [key for key in keys if Cache(tmp_path).get(key) != Reply({"text": "x" * 5000}, 1)] == []


# ---- asking with it


def test_what_was_asked_stands_beside_the_reply_and_nothing_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with serving(lambda body, count: said("7")) as server:
        asked(endpoint(server.url, "m"), [request(seed=3)], Cache(tmp_path))
    (path,) = tmp_path.rglob("*.json")
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["request"] == {
        "url": server.url,
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 5,
        "temperature": 0.0,
        "seed": 3,
        "top_logprobs": None,
    }
    assert kept["reply"]["usage"]["prompt_tokens"] == 100
    assert "sk-secret" not in path.read_text(encoding="utf-8")


def test_a_second_run_pays_for_what_is_new_alone_and_says_so(tmp_path):
    prices = Prices(prompt=1000.0, completion=10_000.0)
    with serving(lambda body, count: said("7") if count else failed(500)) as server:
        first, second = Spent(), Spent()
        asked(endpoint(server.url, "m"), [request(str(i)) for i in range(3)], Cache(tmp_path), spent=first)
        asked(endpoint(server.url, "m"), [request(str(i)) for i in range(5)], Cache(tmp_path), spent=second)
    assert len(server.bodies) == 10
    assert (first.requests, first.answered, first.known, first.attempts) == (3, 3, 0, 6)
    assert (second.requests, second.answered, second.known, second.attempts) == (5, 2, 3, 4)
    told = second.as_dict(prices)
    assert (told["prompt_tokens"], told["completion_tokens"], told["cost"]) == (200, 4, 0.24)
    assert (told["total_prompt_tokens"], told["total_completion_tokens"], told["total_cost"]) == (500, 10, 0.6)
    assert told["wall_s"] > 0
    assert "3 replies were there already; with them: 500 tokens" in second.as_text(prices)


def test_a_reply_is_stored_before_anybody_is_told(tmp_path):
    found = []
    with serving(lambda body, count: said("7")) as server:
        place, cache = endpoint(server.url, "m"), Cache(tmp_path)
        asked(place, [request()], cache, lambda: found.append(len(list(tmp_path.rglob("*.json")))))
    assert found == [1]


# ---- counting

NOTES = st.lists(
    st.one_of(
        st.tuples(st.builds(reply, st.integers(0, 9), st.integers(0, 9), st.integers(1, 6)), st.booleans()),
        st.tuples(st.builds(Failure, st.sampled_from("abc"), st.integers(1, 6), st.booleans()), st.just(False)),
    )
)


def spent_on(notes):
    spent = Spent()
    for found, known in notes:
        spent.note(found, known=known)
    return spent.as_dict(Prices(1.0, 2.0))


@given(NOTES)
def test_every_request_is_counted_once_and_the_order_is_nothing(notes):
    told = spent_on(notes)
    assert told["requests"] == len(notes) == told["answered"] + told["from_cache"] + sum(told["failed"].values())
    assert told["attempts"] == sum(found.attempts for found, known in notes if not known)
    assert told["refused"] == sum(isinstance(found, Failure) and found.refused for found, _ in notes)
    assert told["total_prompt_tokens"] == sum(found.tokens[0] for found, _ in notes if isinstance(found, Reply))
    assert told["prompt_tokens"] == sum(f.tokens[0] for f, known in notes if isinstance(f, Reply) and not known)
    assert told["cost"] <= told["total_cost"]
    assert told == spent_on(notes[::-1])


def test_without_both_prices_there_is_no_cost():
    spent = Spent()
    spent.note(reply())
    assert spent.as_dict()["cost"] is None
    assert spent.as_dict(Prices(prompt=1.0))["cost"] is None
    assert spent.as_dict(Prices(1.0, 1.0))["cost"] == 0.000102


def test_replies_that_do_not_say_their_tokens_are_counted(tmp_path):
    with serving(lambda body, count: Answer({"choices": said("7").body["choices"]})) as server:
        spent = Spent()
        asked(endpoint(server.url, "m"), [request()], Cache(tmp_path), spent=spent)
    assert spent.untold == 1


def test_reasons_that_differ_each_time_do_not_fill_the_memory():
    spent = Spent()
    for number in range(10 * REASONS):
        spent.note(Failure(f"400: prompt has {number} tokens", 1))
    assert len(spent.failed) == REASONS + 1
    assert spent.failed[OTHER] == 9 * REASONS
