"""Many requests: read as they are needed, always as many under way, each settled once whatever the server does."""

import email.utils
import hashlib
import itertools
import json
import sys
import threading
import time
from collections import Counter
from contextlib import closing

import pytest

from chat_server import DROP, Answer, failed, said, serving
from lcb_rb.errors import EndpointError, InputError, MissingExtraError
from lcb_rb.inference import Cache, Failure, Replies, Reply, Spent, asked, endpoint, failures, offline, place_of, stream
from lcb_rb.inference.streams import AHEAD, THREAD
from processes import within
from test_inference import request


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(failures, "BACKOFF_S", 0.001)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def text_of(body):
    return body["messages"][0]["content"]


def test_every_request_comes_back_with_its_number():
    with serving(lambda body, count: said(text_of(body))) as server:
        found = dict(stream(endpoint(server.url, "m"), (request(str(i)) for i in range(40)), Replies(), concurrency=7))
    assert {number: reply.text for number, reply in found.items()} == {i: str(i) for i in range(40)}


def test_one_slow_answer_holds_nobody_else_up():
    gate = threading.Event()

    def script(body, count):
        if text_of(body) == "0":
            gate.wait(60)
        elif text_of(body) == "30":
            gate.set()
        return said("7")

    with serving(script) as server:
        numbers = [
            n for n, _ in stream(endpoint(server.url, "m"), map(request, map(str, range(31))), Replies(), concurrency=2)
        ]
    assert numbers[-2:] in ([30, 0], [0, 30])
    assert not any(number == 0 for number in numbers[:-2])


def test_requests_are_read_only_as_far_as_they_are_made():
    read = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield request(str(number))

    with serving(lambda body, count: said("7")) as server:
        replies = Replies()
        with closing(stream(endpoint(server.url, "m"), endless(), replies, concurrency=4)) as answers:
            next(answers)
            assert within(30, lambda: len(read) >= AHEAD)
            time.sleep(0.2)
            assert len(read) <= 1 + AHEAD + 2 * 4
            assert len([next(answers) for _ in range(200)]) == 200


def test_who_stops_early_leaves_nothing_running():
    gate = threading.Event()
    with serving(
        lambda body, count: said("7") if text_of(body) == "0" else Answer(pause=lambda: gate.wait(60))
    ) as server:
        with closing(stream(endpoint(server.url, "m"), map(request, "0123"), Replies())) as answers:
            next(answers)
            start = time.monotonic()
        assert time.monotonic() - start < 10
        gate.set()
    assert THREAD not in {thread.name for thread in threading.enumerate()}


def test_of_equal_requests_the_later_ones_find_the_reply_of_the_first(tmp_path):
    spent = Spent()
    with serving(lambda body, count: said("7")) as server:
        found = list(stream(endpoint(server.url, "m"), [request()] * 5, Cache(tmp_path), spent=spent))
    assert sorted(number for number, _ in found) == [0, 1, 2, 3, 4]
    assert (len(server.bodies), spent.answered, spent.known) == (1, 1, 4)


def test_what_ends_the_work_is_raised_where_the_answers_are_read():
    with serving(lambda body, count: failed(401)) as server, pytest.raises(InputError, match="the key is refused"):
        list(stream(endpoint(server.url, "m"), map(request, "abc"), Replies()))


def test_a_server_that_refuses_everything_is_no_server_that_fails():
    def ended(answer, kind, said_of_it):
        with serving(lambda body, count: answer) as server, pytest.raises(kind, match=said_of_it) as error:
            list(stream(endpoint(server.url, "m"), map(request, map(str, range(60))), Replies()))
        assert type(error.value) is kind

    ended(failed(400, "too long"), InputError, r"every request is refused \(400: too long\); mend what it names")
    ended(failed(500), EndpointError, "no request succeeds")


def test_what_fastapi_says_is_told():
    with serving(lambda body, count: Answer({"detail": "no such thing"}, 400)) as server:
        (found,) = asked(endpoint(server.url, "m"), [request()], Replies())
    assert found.reason == "400: no such thing"


def test_what_was_thought_is_found_where_the_endpoint_takes_it_out():
    for field, expected in (("reasoning_content", "why"), ("reasoning", "why"), ("other", "")):
        with serving(lambda body, count, field=field: said("code", **{field: "why"})) as server:
            (reply,) = asked(endpoint(server.url, "m"), [request()], Replies())
        assert (reply.text, reply.reasoning) == ("code", expected)
    assert Reply({"choices": [{"message": {"content": "x", "reasoning": [1]}}]}, 1).text == "x"


def test_more_requests_than_one_client_makes_are_under_way():
    gate = threading.Barrier(150)

    def script(body, count):
        return Answer(said("7").body, pause=lambda: gate.wait(60))

    with serving(script) as server:
        found = list(stream(endpoint(server.url, "m"), map(request, map(str, range(150))), Replies(), concurrency=150))
    assert len(found) == 150
    assert server.most_busy == 150


# ---- faults, mixed

DATE = email.utils.formatdate(time.time() - 5, usegmt=True)
FAULTS = [
    failed(429, Retry_After="0"),
    failed(429, Retry_After="0.05"),
    failed(429, Retry_After=DATE),
    failed(500),
    failed(503, Retry_After="0"),
    Answer(b'{"choices": [{"mess'),
    Answer({"choices": []}),
    Answer(DROP),
]
HOPELESS, REFUSED, SLOW = range(3)
"""Requests that fail each time, that are refused, that time out once."""


def drawn(*parts):
    """A number that the parts decide."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4])


def fate(text):
    """What becomes of a request: one in 40 each is hopeless, refused; one in 150 is slow."""
    return {0: HOPELESS, 1: REFUSED}.get(drawn(text) % 40, SLOW if drawn(text, "slow") % 150 == 0 else None)


def test_every_request_ends_answered_or_counted_and_none_twice(tmp_path):
    texts = [str(number) for number in range(300)]
    answered = Counter()
    gate = threading.Event()

    def script(body, count):
        text = text_of(body)
        if fate(text) == REFUSED:
            return failed(400)
        if fate(text) == SLOW and count == 0:
            return Answer(DROP, pause=lambda: gate.wait(60))
        if fate(text) == HOPELESS or (count < 4 and drawn(text, count) % 3 == 0):
            return FAULTS[drawn(text, count, "fault") % len(FAULTS)]
        answered[text] += 1
        return said(text)

    spent = Spent()
    with serving(script) as server:
        place = endpoint(server.url, "m")
        found = dict(stream(place, map(request, texts), Cache(tmp_path), timeout_s=8, spent=spent))
        gate.set()
        sent = len(server.bodies)
        again = dict(stream(place, map(request, texts), Cache(tmp_path), timeout_s=8))
    failing = {text for text in texts if fate(text) in (HOPELESS, REFUSED)}
    assert sorted(found) == sorted(again) == list(range(300))
    assert {texts[number] for number, each in found.items() if isinstance(each, Failure)} == failing
    assert all(each.text == texts[number] for number, each in found.items() if isinstance(each, Reply))
    assert answered == Counter(text for text in texts if text not in failing)
    assert {text_of(body) for body in server.bodies[sent:]} == failing
    assert (spent.requests, spent.attempts, spent.failed.total()) == (300, sent, len(failing))
    assert spent.refused == spent.failed["400: no"] == sum(fate(text) == REFUSED for text in texts)
    assert sum(fate(text) == SLOW for text in texts) > 0


# ---- vLLM in this process; a stand-in of its interface, since the real one needs a GPU

STAND_IN = '''
"""What is used of vLLM."""

from types import SimpleNamespace as Made

CALLS = []


class SamplingParams(Made):
    pass


class LLM:
    def __init__(self, model):
        CALLS.append(model)

    def chat(self, messages, sampling_params, use_tqdm):
        assert len(messages) == len(sampling_params) and use_tqdm is False
        CALLS.append(len(messages))
        if any(chat[0]["content"] == "long" for chat in messages):
            raise ValueError("prompt is too long")
        texts = [f"{chat[0]['content']} {p.seed} {p.temperature} {p.max_tokens}"
                 for chat, p in zip(messages, sampling_params, strict=True)]
        return [
            Made(prompt_token_ids=[0] * 3, outputs=[Made(text=text, token_ids=[0] * 4, finish_reason="stop")])
            for text in texts
        ]
'''


@pytest.fixture
def vllm(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "vllm.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path / "site")
    import vllm

    yield vllm
    del sys.modules["vllm"]
    offline._loaded.cache_clear()


def test_a_model_in_this_process_answers_in_batches_and_in_the_form_of_an_endpoint(tmp_path, vllm):
    place, cache, spent = place_of("vllm:org/m", None), Cache(tmp_path / "c"), Spent()
    requests = [request(text, seed=1, temperature=0.5) for text in ("a", "long", "b", "a", "c")]
    found = dict(stream(place, requests, cache, spent=spent))
    assert [getattr(found[n], "text", None) for n in range(5)] == [
        "a 1 0.5 5",
        None,
        "b 1 0.5 5",
        "a 1 0.5 5",
        "c 1 0.5 5",
    ]
    assert (found[0].finish_reason, found[0].tokens, found[0].model) == ("stop", (3, 4), "org/m")
    assert found[1] == Failure("prompt is too long", 1, refused=True)
    assert vllm.CALLS[:2] == ["org/m", 4]
    calls = len(vllm.CALLS)
    assert asked(place, [requests[0], requests[2]], cache, spent=spent) == [found[0], found[2]]
    assert len(vllm.CALLS) == calls
    assert json.loads(next((tmp_path / "c").rglob("*.json")).read_text())["request"]["url"] == "vllm:"


def test_without_vllm_the_command_to_install_it_is_told():
    with pytest.raises(MissingExtraError, match=r"pip install 'lcb-rb\[vllm\]'"):
        asked(place_of("vllm:org/m", None), [request()], Replies())


def test_a_model_in_this_process_has_no_address():
    with pytest.raises(InputError, match="leave out --base-url"):
        place_of("vllm:org/m", "http://h/v1")
