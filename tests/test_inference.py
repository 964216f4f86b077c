"""Asking an endpoint: what passes is waited out, what was answered is not asked again, keys stay where they belong."""

import asyncio
import email.utils
import json
import socket
import threading
import time

import pytest

from chat_server import DROP, Answer, failed, said, serving
from lcb_rb.errors import EndpointError, InputError
from lcb_rb.inference import ChatRequest, Endpoint, Failure, Message, Replies, Reply, asked, endpoint, failures, opened
from lcb_rb.inference.chat import NO_KEY, request_key, used


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(failures, "BACKOFF_S", 0.001)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def request(text="hello", **fields):
    return ChatRequest(messages=(Message(role="user", content=text),), max_tokens=5, **fields)


def answered(script, *requests, replies=None, **options):
    """What comes back, and the server."""
    with serving(script) as server:
        found = asked(endpoint(server.url, "m"), requests or [request()], replies or Replies(), **options)
    return found, server


def test_a_reply_is_what_the_server_said():
    (reply,), server = answered(lambda body, count: said("7", {"7": 0.5, " 7": 0.25}), request(seed=3, top_logprobs=20))
    assert (reply.text, reply.finish_reason, reply.attempts, reply.tokens) == ("7", "stop", 1, (100, 2))
    assert [rival.token for rival in reply.spots[0].top_logprobs] == ["7", " 7"]
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": 5,
            "temperature": 0.0,
            "seed": 3,
            "logprobs": True,
            "top_logprobs": 20,
            "stream": False,
        }
    ]


def test_a_refusal_is_kept_although_the_client_has_no_field_for_it():
    (reply,), _ = answered(lambda body, count: said(None, refusal="I will not."))
    assert (reply.text, reply.refusal) == ("", "I will not.")


PASSING = {
    "limit": failed(429, Retry_After="0"),
    "server": failed(500),
    "gateway": Answer(b"<html>bad gateway</html>", 502, {"Content-Type": "text/html"}),
    "odd error": Answer(b"[1]", 503),
    "dropped": Answer(DROP),
    "no JSON": Answer(b"<html>login</html>"),
    "no text": Answer(b"\xff\xfe"),
    "torn JSON": Answer(b'{"choices": [{"mess'),
    "error with 200": Answer({"error": {"message": "overloaded", "code": 529}}),
    "no choices": Answer({"choices": []}),
}


def test_what_passes_is_waited_out():
    def script(body, count):
        return said("7") if count == 2 else PASSING[body["messages"][0]["content"]]

    found, server = answered(script, *map(request, PASSING))
    assert {fault: reply.attempts for fault, reply in zip(PASSING, found, strict=True)} == dict.fromkeys(PASSING, 3)
    assert {reply.text for reply in found} == {"7"}
    assert len(server.bodies) == 3 * len(PASSING)


def test_six_attempts_are_a_failure_of_this_request_alone():
    found, server = answered(
        lambda body, count: PASSING.get(body["messages"][0]["content"], said("7")), *map(request, ["good", *PASSING])
    )
    good, *bad = found
    assert good.text == "7"
    assert {(type(each), each.attempts, each.refused) for each in bad} == {(Failure, 6, False)}
    assert len(server.bodies) == 1 + 6 * len(PASSING)
    said_of = dict(zip(PASSING, [each.reason for each in bad], strict=True))
    assert "\n" not in "".join(said_of.values())
    assert said_of["server"] == "500: no"
    assert said_of["no JSON"] == said_of["no text"] == said_of["torn JSON"] == "a reply that is no JSON"
    assert said_of["no choices"] == "a reply without an answer"


def test_a_slow_answer_is_asked_for_again():
    gate = threading.Event()

    def script(body, count):
        return Answer(said("7").body, pause=(lambda: None) if count else (lambda: gate.wait(5)))

    with serving(script) as server:
        found = asked(endpoint(server.url, "m"), [request()], Replies(), timeout_s=0.3)
        gate.set()
    assert (found[0].text, found[0].attempts) == ("7", 2)


def test_the_server_says_how_long_to_wait(monkeypatch):
    monkeypatch.setattr(failures, "BACKOFF_S", 100.0)
    start = time.monotonic()
    (reply,), _ = answered(lambda body, count: said("7") if count else failed(429, Retry_After="0.3"))
    assert reply.attempts == 2
    assert 0.3 <= time.monotonic() - start < 5


def test_the_server_may_say_it_as_a_date(monkeypatch):
    monkeypatch.setattr(failures, "BACKOFF_S", 100.0)
    date = email.utils.formatdate(time.time() - 5, usegmt=True)
    (reply,), _ = answered(lambda body, count: said("7") if count else failed(503, Retry_After=date))
    assert reply.attempts == 2


def test_a_refused_request_is_not_repeated():
    (found,), server = answered(lambda body, count: failed(400, "prompt is too long"))
    assert found.refused
    assert "prompt is too long" in found.reason
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("status", "said_of_it"), [(401, "the key is refused; set OPENAI_API_KEY"), (404, "check the model's name")]
)
def test_what_every_request_would_meet_ends_the_work_at_once(status, said_of_it):
    with serving(lambda body, count: failed(status, "nope")) as server, pytest.raises(InputError) as error:
        asked(endpoint(server.url, "m"), [request(str(i)) for i in range(50)], Replies(), concurrency=4)
    assert said_of_it in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.bodies) <= 4


def test_nobody_at_the_address_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = endpoint(f"http://127.0.0.1:{free.getsockname()[1]}/v1", "m")
        with pytest.raises(EndpointError, match=r"m at 127\.0\.0\.1:.* cannot be reached; start the server"):
            asked(place, [request()], Replies())


def test_a_server_that_only_fails_is_given_up():
    with serving(lambda body, count: failed(500)) as server, pytest.raises(EndpointError, match="no request succeeds"):
        asked(endpoint(server.url, "m"), [request(str(i)) for i in range(60)], Replies())
    assert len(server.bodies) < 6 * 50


def test_refusals_do_not_end_the_work_once_something_was_answered():
    def script(body, count):
        return said("7") if body["messages"][0]["content"] == "0" else failed(400)

    found, _ = answered(script, *[request(str(i)) for i in range(25)], concurrency=1)
    assert [type(each) for each in found] == [Reply] + [Failure] * 24


def test_offline_mode_is_one_line(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        asked(endpoint("http://127.0.0.1:9/v1", "m"), [request()], Replies())


def test_only_so_many_requests_are_under_way():
    def script(body, count):
        return Answer(said("7").body, pause=lambda: time.sleep(0.02))

    _, server = answered(script, *[request(str(i)) for i in range(20)], concurrency=3)
    assert server.most_busy == 3


def test_equal_requests_are_made_once_and_settled_each():
    calls = []
    found, server = answered(lambda body, count: said("7"), *[request()] * 4, advance=lambda: calls.append(1))
    assert (len(found), len(server.bodies), len(calls)) == (4, 1, 4)


def test_it_works_inside_a_running_loop():
    """As in a notebook."""

    async def cell(place):
        return asked(place, [request()], Replies())

    with serving(lambda body, count: said("7")) as server:
        assert asyncio.run(cell(endpoint(server.url, "m")))[0].text == "7"


def test_known_replies_are_not_asked_for_again(tmp_path):
    lines = said("half\ud800 \u2028 é", {"A": 1.0}).body  # what a strict writer or reader of lines would lose
    with serving(lambda body, count: Answer(lines)) as server:
        place = endpoint(server.url, "m")
        with opened(tmp_path / "j") as replies:
            first = asked(place, [request("1"), request("2")], replies)
        with (tmp_path / "j").open("a", encoding="utf-8") as stream:
            stream.write('{"key": "torn", "attem')
        with opened(tmp_path / "j") as replies:
            again = asked(place, [request("1"), request("2"), request("3")], replies)
        with opened(tmp_path / "j") as replies:
            assert asked(place, [request("3")], replies) == again[2:]
    assert len(server.bodies) == 3
    assert again[:2] == first
    assert used(again) == (300, 6)


def test_failures_are_asked_for_again(tmp_path):
    for expected in (Failure, Reply):
        with serving(lambda body, count, known=expected: said("7") if known is Reply else failed(500)) as server:
            place = Endpoint(server.url, "m")
            with opened(tmp_path / "j") as replies:
                assert type(asked(place, [request()], replies)[0]) is expected
        assert not (tmp_path / "j").exists() or expected is Reply


def test_the_key_of_a_request_is_of_all_that_decides_the_answer():
    place = endpoint("http://h/v1", "m")
    keys = {
        request_key(place, request()),
        request_key(endpoint("http://i/v1", "m"), request()),
        request_key(endpoint("http://h/v1", "n"), request()),
        request_key(place, request("other")),
        request_key(place, request(seed=1)),
        request_key(place, request(temperature=1.0)),
        request_key(place, request(top_logprobs=5)),
    }
    assert len(keys) == 7


def test_the_hubs_token_goes_to_hugging_face_alone(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    _, server = answered(lambda body, count: said("7"))
    assert server.headers[0]["authorization"] == f"Bearer {NO_KEY}"
    assert "hf_secret" not in json.dumps(server.headers)
    for host in ("router.huggingface.co", "x.us-east-1.aws.endpoints.huggingface.cloud", "me-judge.hf.space"):
        assert endpoint(f"https://{host}/v1", "m").key == "hf_secret"
    for host in ("huggingface.co.evil.org", "nothuggingface.co", "api.openai.com"):
        assert endpoint(f"https://{host}/v1", "m").key == NO_KEY


def test_the_key_is_sent_and_shown_nowhere(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    bad = request("bad")

    def script(body, count):
        return failed(400, "bad key sk-secret") if "bad" in str(body) else said("7")

    with serving(script) as server, opened(tmp_path / "j") as replies:
        _, found = asked(endpoint(server.url, "m"), [request(), bad], replies)
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    assert "bad key ***" in found.reason
    assert "sk-secret" not in (tmp_path / "j").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("url", "said_of_it"),
    [
        ("localhost:8000", "no address of a server"),
        ("ftp://h/v1", "no address of a server"),
        ("http://", "no address of a server"),
        ("http://h:port/v1", "no address of a server"),
        ("http://me:pw@h/v1", "put the key into OPENAI_API_KEY"),
        ("http://h/v1?key=sk-1", "put the key into OPENAI_API_KEY"),
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_without_showing_it(url, said_of_it):
    with pytest.raises(InputError) as error:
        endpoint(url, "m")
    assert said_of_it in str(error.value)
    assert "pw" not in str(error.value)
    assert "sk-1" not in str(error.value)
