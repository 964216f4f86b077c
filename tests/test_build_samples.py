"""`recode build samples` against a server of its own: what is asked, written, counted, paid, and never paid twice."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.sampling_recipe import samples_recipe
from builders.sampling_requests import SEED_BITS, Asking, seeds
from chat_server import Answer, failed, said, serving
from factories import ROOT, make_problem
from lcb_rb.inference import failures
from lcb_rb.schema import CallTests
from lcb_rb.sources import read_samples
from processes import within
from test_bad_input import refusal, run_here
from test_grade_command import write_rows

RIGHT, WRONG = "print(2 * int(input()))", "print(0)"
WRITTEN = "<think>\nTwice the number.\n</think>\n<answer>\n```python\n{}\n```\n</answer>"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(failures, "BACKOFF_S", 0.001)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def by_seed(body, count=0):
    """Right for odd seeds, wrong for even ones: half of the samples each, and the same in every run."""
    return said(WRITTEN.format(RIGHT if body["seed"] % 2 else WRONG))


def files(folder, *problems):
    return write_rows(
        folder / "problems.jsonl", *(each.model_dump(mode="json") for each in problems or [make_problem()])
    )


def arguments(folder, server, *more, problems=()):
    given = ["--problems", files(folder, *problems), "--model", "m", "--base-url", server.url]
    return ["build", "samples", *given, "--out", folder / "out.jsonl", "--cache", folder / "cache", *more]


def sampled(folder, server, *more, problems=()):
    """What the command says."""
    code, out, err = run_here(*arguments(folder, server, *more, "--json", problems=problems))
    assert code in (0, None), err
    return json.loads(out)


def rows(folder, name="out.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


# ---- what is asked


@given(st.integers(0, 2**40), st.text(max_size=8), st.integers(1, 60), st.integers(0, 20))
def test_seeds_differ_and_more_samples_leave_the_first_as_they_are(seed, problem_id, n, more):
    found = seeds(seed, problem_id, n)
    assert len(set(found)) == n
    assert all(0 <= each < 2**SEED_BITS for each in found)
    assert seeds(seed, problem_id, n + more)[:n] == found


def test_seeds_depend_on_the_run_and_on_the_problem():
    assert not set(seeds(0, "a", 50)) & (set(seeds(1, "a", 50)) | set(seeds(0, "b", 50)))


CALL = CallTests(fn_name="twice", inputs=["1"], outputs=["2"])


@pytest.mark.parametrize(
    ("fields", "said_of_it"),
    [
        ({}, "reads standard input and prints to standard output"),
        ({"tests": CALL}, "Define `twice`; the tests call it."),
        ({"tests": CALL, "starter_code": "class Solution:\n    def twice(self, n):"}, "Complete this code"),
    ],
)
def test_the_prompt_says_what_the_tests_need(fields, said_of_it):
    problem = make_problem(**fields)
    (request,) = Asking(samples_recipe(n=1)).requests(problem)
    text = request.messages[0].content
    assert said_of_it in text
    assert problem.statement in text and problem.starter_code in text
    assert "<think>" in text and "<answer>" in text


# ---- what is written


def test_a_row_a_sample_graded_and_readable(tmp_path):
    problems = [make_problem("b"), make_problem("a", statement="Once more: print the double.")]
    with serving(by_seed) as server:
        found = sampled(tmp_path, server, "-n", "8", "--max-tokens", "77", problems=problems)
    asked = {(body["messages"][0]["content"], body["seed"]) for body in server.bodies}
    assert len(asked) == len(server.bodies) == found["samples"] == 16
    assert {(body["temperature"], body["max_tokens"], body["model"]) for body in server.bodies} == {(0.8, 77, "m")}
    assert [(row["problem_id"], row["metadata"]["number"]) for row in rows(tmp_path)] == [
        (name, number) for name in "ab" for number in range(8)
    ]
    assert all(row["passed"] is (row["metadata"]["seed"] % 2 == 1) for row in rows(tmp_path))
    metadata = rows(tmp_path)[0]["metadata"]
    assert metadata["prompt_sha256"] == Asking(samples_recipe()).prompt_sha256
    assert (metadata["finish_reason"], metadata["prompt_tokens"], metadata["completion_tokens"]) == ("stop", 100, 2)
    read = read_samples([tmp_path / "out.jsonl"]).samples
    assert {(sample.reasoning, sample.code.strip(), sample.model) for sample in read} == {
        ("Twice the number.", RIGHT, "m"),
        ("Twice the number.", WRONG, "m"),
    }
    passed = sum(row["passed"] for row in rows(tmp_path))
    assert found["passed"] == passed
    assert found["pass_at_1"]["value"] == passed / 16
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out.jsonl", "problems.jsonl"]


def test_more_samples_pay_for_the_new_ones_alone(tmp_path):
    with serving(by_seed) as server:
        sampled(tmp_path, server, "-n", "5")
        first = rows(tmp_path)
        spent = sampled(tmp_path, server, "-n", "7")["spent"]
    assert rows(tmp_path)[:5] == first
    assert (len(server.bodies), spent["answered"], spent["from_cache"]) == (7, 2, 5)
    assert (spent["prompt_tokens"], spent["total_prompt_tokens"]) == (200, 700)


def test_prices_of_the_recipe_make_a_cost(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("n: 3\nprompt_price: 10\ncompletion_price: 1000\n")
    with serving(by_seed) as server:
        assert sampled(tmp_path, server, "--recipe", recipe)["spent"]["cost"] == pytest.approx(3 * 0.003)
        code, out, _ = run_here(*arguments(tmp_path, server, "--recipe", recipe))
    assert code in (0, None)
    assert "3 replies were there already; with them: 300 tokens of prompts, 6 of answers, cost 0.009" in out


def test_without_grading_or_tests_there_is_no_grade(tmp_path):
    with serving(by_seed) as server:
        assert sampled(tmp_path, server, "-n", "2", "--no-grade")["pass_at_1"] is None
        assert [row["passed"] for row in rows(tmp_path)] == [None, None]
        problems = [make_problem("a", tests=None), make_problem("b")]
        found = sampled(tmp_path, server, "-n", "2", problems=problems)
    assert [row["passed"] is None for row in rows(tmp_path)] == [True, True, False, False]
    assert found["pass_at_1"]["n_samples"] == 2


def test_thinking_that_the_endpoint_takes_out_is_put_back(tmp_path):
    with serving(lambda body, count: said(f"<answer>{RIGHT}</answer>", reasoning_content="Twice.")) as server:
        sampled(tmp_path, server, "-n", "1")
    (sample,) = read_samples([tmp_path / "out.jsonl"]).samples
    assert (sample.reasoning, sample.code, sample.passed) == ("Twice.", RIGHT, True)


def test_half_characters_can_be_written(tmp_path):
    with serving(
        lambda body, count: said("<think>a\ud83d \ud83d\ude00</think><answer>" + RIGHT + "</answer>")
    ) as server:
        sampled(tmp_path, server, "-n", "1")
    assert rows(tmp_path)[0]["completion"].startswith("<think>a\ufffd \U0001f600</think>")


# ---- what fails


def test_a_request_that_fails_gives_no_row_and_is_asked_again_next_time(tmp_path):
    bad = seeds(0, "p1", 6)[2]
    held_back = seeds(0, "p1", 6)[4]

    def script(body, count):
        if body["seed"] == held_back:
            answer = said("")
            answer.body["choices"][0]["finish_reason"] = "content_filter"
            return answer
        return failed(500) if body["seed"] == bad and count < 6 else by_seed(body)

    with serving(script) as server:
        found = sampled(tmp_path, server, "-n", "6")
        assert [row["metadata"]["number"] for row in rows(tmp_path)] == [0, 1, 3, 5]
        again = sampled(tmp_path, server, "-n", "6")
    held = "the endpoint holds the answer back (content_filter)"
    assert found["failed"] == {"500: no": 1, held: 1}
    assert again["failed"] == {held: 1}
    assert [row["metadata"]["number"] for row in rows(tmp_path)] == [0, 1, 2, 3, 5]
    assert len(server.bodies) == 5 + 6 + 1


@pytest.mark.parametrize(
    ("status", "code", "said_of_it"),
    [
        (401, 2, "the key is refused; set OPENAI_API_KEY"),
        (404, 2, "no such model or address"),
        (400, 2, "every request is refused (400: no); mend what it names"),
        (500, 1, "none of 3 requests gave a sample; 3 of them: 500: no; run it again later"),
    ],
)
def test_where_nothing_is_answered_there_is_one_line_and_no_file(tmp_path, status, code, said_of_it):
    with serving(lambda body, count: failed(status)) as server:
        found, out, err = run_here(*arguments(tmp_path, server, "-n", "3"))
    assert (found, out) == (code, "")
    assert said_of_it in err.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "problems.jsonl"]


def test_nobody_at_the_address_is_one_line(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        given = ["--problems", files(tmp_path), "--model", "m", "--base-url", url]
        code, _, err = run_here("build", "samples", *given, "--out", tmp_path / "o", "--cache", tmp_path / "c")
    assert (code, "cannot be reached; start the server" in err) == (1, True)


@pytest.mark.parametrize(
    ("more", "said_of_it"),
    [
        (["-n", "0"], "-n"),
        (["--temperature", "-1"], "--temperature"),
        (["--recipe", "nope"], "nope: no such recipe"),
        (["--engine", "slurm"], "'local', 'ray'"),
        (["--base-url", "localhost:8000"], "no address of a server"),
        (["--model", "vllm:x"], "leave out --base-url"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(tmp_path, more, said_of_it):
    with serving(by_seed) as server:
        given = arguments(tmp_path, server, *more)
        assert said_of_it in refusal(tmp_path, *given)
    assert server.bodies == []


# ---- kills

SIX = [make_problem(f"p{number}") for number in range(6)]


def started(folder, server):
    command = [
        sys.executable,
        "-m",
        "recode",
        *arguments(folder, server, "-n", "8", "--concurrency", "3", problems=SIX),
    ]
    settings = {**os.environ, "PYTHONPATH": str(ROOT)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(list(map(str, command)), env=settings, cwd=ROOT, **streams)


def stored(folder):
    """What was asked, of the replies that are in the cache."""
    kept = [json.loads(path.read_text(encoding="utf-8"))["request"] for path in (folder / "cache").rglob("*.json")]
    return Counter((request["messages"][0]["content"], request["seed"]) for request in kept)


def asked_of(server):
    return Counter((body["messages"][0]["content"], body["seed"]) for body in server.bodies)


def slowly(body, count):
    return Answer(by_seed(body).body, pause=lambda: time.sleep(0.05))


def test_killed_anywhere_it_repeats_no_reply_that_was_stored_and_ends_in_the_same_bytes(tmp_path):
    with serving(slowly) as server:
        for moment in (1, 14, 40):
            with started(tmp_path, server) as process:
                assert within(120, lambda due=moment: len(server.bodies) >= due)
                process.send_signal(signal.SIGKILL)
                process.communicate()
            before, known = asked_of(server), stored(tmp_path)
            assert not (tmp_path / "out.jsonl").exists()
            assert before.total() - known.total() <= 3 * (1 + (1, 14, 40).index(moment))
        found = sampled(tmp_path, server, "-n", "8", "--concurrency", "3", problems=SIX)
        repeated = asked_of(server) - before
        assert not set(repeated) & set(known)
        assert found["spent"]["from_cache"] == known.total()
        assert found["spent"]["answered"] == repeated.total() == 48 - known.total()
        bytes_of = (tmp_path / "out.jsonl").read_bytes()
        (tmp_path / "undisturbed").mkdir()
        sampled(tmp_path / "undisturbed", server, "-n", "8", problems=SIX)
    assert (tmp_path / "undisturbed" / "out.jsonl").read_bytes() == bytes_of
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out.jsonl", "problems.jsonl", "undisturbed"]


def test_an_interrupted_run_says_so_in_one_line_and_keeps_what_was_answered(tmp_path):
    with serving(slowly) as server, started(tmp_path, server) as process:
        assert within(120, lambda: len(server.bodies) >= 4)
        code, _, err = run_here(*arguments(tmp_path, server, "-n", "8", problems=SIX))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (code, "another recode process is writing it" in err) == (2, True)
    assert (process.returncode, output) == (1, "")
    assert errors.splitlines()[-1] == "recode: interrupted; run it again to go on" and "Traceback" not in errors
    assert len(server.bodies) - 3 <= stored(tmp_path).total() < 48


# ---- a real server

SERVES = all(map(importlib.util.find_spec, ("torch", "transformers", "fastapi", "uvicorn", "openai")))
CHATML = """{% for message in messages %}<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not SERVES, reason="needs pip install 'transformers[serving]'")
def test_transformers_serve_is_sampled_and_paid_once(tmp_path):
    from tiny_models import save_model

    model = save_model(tmp_path / "tiny", "qwen2", labels=None)
    (model / "chat_template.jinja").write_text(CHATML)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = ["--host", "127.0.0.1", "--port", port, "--device", "cpu"]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model), *place]
    with subprocess.Popen(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL) as process:
        try:
            given = ["--problems", files(tmp_path), "--model", str(model), "--base-url", f"http://127.0.0.1:{port}/v1"]
            given += ["--out", tmp_path / "o", "--cache", tmp_path / "c", "--max-tokens", "8", "--json"]
            assert within(120, lambda: listens(int(port)))
            first = json.loads(run_here("build", "samples", *given, "-n", "2")[1])
            second = json.loads(run_here("build", "samples", *given, "-n", "3")[1])
        finally:
            process.kill()
    assert (first["samples"], first["spent"]["answered"], first["spent"]["completion_tokens"]) == (2, 2, 16)
    assert (second["samples"], second["spent"]["answered"], second["spent"]["from_cache"]) == (3, 1, 2)
