"""The process reward: in [0, 1] by a calibration, the same in any thread and behind HTTP, None where it fails."""

import math
import os
import pickle
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from chat_server import Answer, failed, running
from classify_server import ClassifyServer, answered, changed
from factories import ROOT, needs
from lcb_rb.errors import EndpointError, InputError
from lcb_rb.inference import failures
from lcb_rb.scorers.base import Item
from lcb_rb.scorers.calibrated import RewardScale, sigmoid, write_scale
from lcb_rb.sources import STARTER, read_samples
from recode_models.policy.process import open_process
from recode_models.policy.recipe import ProcessRecipe

needs("torch", "transformers")

WORDS = ["we", "walk", "over", "the", "list", "once", "and", "keep", "the", "sum", "of", "what", "we", "saw"]
ITEMS = [Item(f"p{n}", "Print the double.", " ".join(WORDS[: 2 + n])) for n in range(9)]
LONG = " ".join(WORDS * 30)
SCALE = RewardScale(mu=0.1, sigma=0.5, n=9, source="reasonings")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two reward models, the second with other weights, and the first without weights."""
    from tiny_models import save_model

    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(["one", "other"]):
        write_scale(save_model(folder / name, "qwen2", seed=seed), SCALE)
    shutil.copytree(folder / "one", folder / "hollow", ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


@pytest.fixture(scope="module")
def local(models):
    return open_process(ProcessRecipe(model=str(models / "one")))


@pytest.fixture(scope="module")
def served(models):
    with running(ClassifyServer(models / "one")) as server:
        yield server


@pytest.fixture
def server(served, monkeypatch):
    """The server, at its best, and asked without long pauses."""
    monkeypatch.setattr(failures, "BACKOFF_S", 0.001)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    served.script = served.classified
    served.bodies.clear(), served.headers.clear(), served.seen.clear()
    return served


def asking(served, models, **options):
    """What asks the server, without the map to rewards."""
    from lcb_rb.scorers import ModelOptions
    from lcb_rb.scorers.classifier_endpoint import EndpointClassifier
    from lcb_rb.scorers.loading import Place

    return EndpointClassifier(served.url, Place(models / "one", "one"), ModelOptions(over_long="middle"), **options)


@pytest.fixture(scope="module")
def shared(served, models):
    return asking(served, models)


@pytest.fixture
def remote(server, shared):
    """One that asks, and asks without long pauses."""
    return shared


class ZeroThree:
    """What transformers holds on to while a policy is trained with ZeRO-3."""

    config: ClassVar = {"zero_optimization": {"stage": 3}}

    def is_zero3(self):
        return True


def recipe(models, name="one", **fields):
    return ProcessRecipe(model=str(models / name), **fields)


def reward(score):
    return sigmoid((score - SCALE.mu) / SCALE.sigma)


def test_a_baseline_is_scaled_by_the_recipe():
    scorer = open_process(ProcessRecipe(model="length", mu=20, sigma=10))
    assert scorer.score(ITEMS[:2]) == [sigmoid((len(item.reasoning) - 20) / 10) for item in ITEMS[:2]]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": "length"}, "give mu, the score that is worth 1/2, and sigma"),
        ({"model": "length", "mu": 0, "sigma": 1, "device": "cpu"}, r"process\.device"),
        ({"model": "tfidf", "mu": 0, "sigma": 1}, "give a trained reward model"),
        ({"model": "no-such-thing"}, "neither a directory"),
    ],
)
def test_what_gives_no_reward_is_refused(fields, says):
    with pytest.raises(InputError, match=says):
        open_process(ProcessRecipe(**fields))


def test_a_model_without_calibration_is_refused_unless_the_recipe_has_one(models, tmp_path):
    shutil.copytree(models / "one", tmp_path / "plain")
    write_scale(tmp_path / "plain", None)
    with pytest.raises(InputError, match="'recode_calibration': no map from scores to rewards"):
        open_process(recipe(tmp_path, "plain"))
    assert open_process(recipe(tmp_path, "plain", mu=0, sigma=1)).score(ITEMS[:1])[0] is not None


def test_the_models_own_calibration_is_used_unless_the_recipe_has_another(models, local):
    from lcb_rb.scorers import load_scorer

    logits = load_scorer(str(models / "one")).score(ITEMS)
    assert local.score(ITEMS) == [reward(score) for score in logits]
    other = open_process(recipe(models, mu=0.3, sigma=2))
    assert other.score(ITEMS) == [sigmoid((score - 0.3) / 2) for score in logits]


def test_no_autocast_or_gradient_reaches_the_model_from_any_thread(local):
    import torch

    expected = local.score(ITEMS)
    states = []
    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda module, inputs, output: states.append((torch.is_inference_mode_enabled(), module.training))
    )

    def elsewhere():
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return local.score(ITEMS)

    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), ThreadPoolExecutor(1) as pool:
            assert pool.submit(local.score, ITEMS).result() == expected
            assert pool.submit(elsewhere).result() == expected
            assert local.score(ITEMS) == expected
    finally:
        hook.remove()
    assert set(states) == {(True, False)}


def test_a_long_reasoning_keeps_its_end(models, local):
    ends = [Item("p", "Print.", f"{LONG} {end}") for end in ("so we print the sum", "step by step by step")]
    middles = [Item("p", "Print.", f"{LONG}{middle} {LONG}") for middle in (" we saw it", " the list")]
    first, second = local.score(ends)
    assert first != second
    assert len(set(local.score(middles))) == 1
    assert open_process(recipe(models, max_tokens=32)).score(ends)[0] != first


def test_a_device_that_is_not_here_is_refused(models):
    with pytest.raises(InputError, match="device cuda:77: not on this machine; give cpu"):
        open_process(recipe(models, device="cuda:77"))
    assert open_process(recipe(models, device="cpu")).score(ITEMS[:1])[0] is not None


def test_a_rank_of_a_sharded_training_has_a_whole_model_and_scores_all_its_texts(models, local, tmp_path, monkeypatch):
    import torch.distributed as dist
    from transformers.integrations import deepspeed

    expected = local.score(ITEMS)
    for name, value in {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2, "ACCELERATE_USE_FSDP": "true"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    zero = ZeroThree()
    deepspeed.set_hf_deepspeed_config(zero)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        assert open_process(recipe(models)).score(ITEMS) == expected
        assert deepspeed.is_deepspeed_zero3_enabled()
    finally:
        dist.destroy_process_group()
        deepspeed.unset_hf_deepspeed_config()
    assert os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "true"


def test_an_endpoint_gives_the_rewards_of_the_model_here(models, local, server):
    scorer = open_process(recipe(models, endpoint=server.url))
    texts = [*ITEMS, Item("p", "Print.", LONG), Item("p", "Druck größer", "≤ é 漢")]
    assert scorer.score(texts) == pytest.approx(local.score(texts), abs=1e-5)
    assert {body["use_activation"] for body in server.bodies} == {False}
    assert max(len(ids) for body in server.bodies for ids in body["input"]) == 256, "cut here, by our rule"


def test_an_endpoint_needs_no_weights_here(models, local, server):
    scorer = open_process(recipe(models, "hollow", endpoint=f"{server.url}/v1/"))
    assert scorer.score(ITEMS) == pytest.approx(local.score(ITEMS), abs=1e-5)


def test_requests_are_bounded_and_many_at_a_time(remote, server, monkeypatch):
    from lcb_rb.scorers import classifier_endpoint

    monkeypatch.setattr(classifier_endpoint, "TEXTS", 2)
    together = threading.Barrier(4)
    server.script = lambda body, count: (together.wait(20), server.classified(body, count))[1]
    scores = remote.score(ITEMS[:8])
    assert [len(body["input"]) for body in server.bodies] == [2, 2, 2, 2]
    server.script = server.classified
    assert [remote.score([item])[0] for item in ITEMS[:8]] == pytest.approx(scores, abs=1e-5)


def test_equal_texts_are_asked_once(remote, server):
    assert len(set(remote.score(ITEMS[:1] * 5))) == 1
    assert [len(body["input"]) for body in server.bodies] == [1]


@pytest.mark.parametrize("fault", [failed(500), failed(429, Retry_After="0"), Answer({"data": []}), Answer(b"<html>")])
def test_failures_that_pass_are_waited_out(remote, server, fault):
    expected = remote.score(ITEMS)
    server.seen.clear()
    server.script = lambda body, count: fault if count < 2 else server.classified(body, count)
    assert remote.score(ITEMS) == expected


BROKEN = {
    "server error": lambda rows: None,
    "fewer results": lambda rows: rows[:-1],
    "no label": lambda rows: [[] for row in rows],
    "words": lambda rows: [["high"] for row in rows],
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_fails_for_good_is_none(remote, server, fault, caplog):
    change = changed(server.classified, BROKEN[fault])
    server.script = change if fault != "server error" else lambda body, count: failed(503, "busy")
    assert remote.score(ITEMS) == [None] * len(ITEMS)
    assert fault == "no label" or "9 of 9 texts unscored" in caplog.text


def test_a_value_that_is_no_number_is_none_alone(remote, server):
    odd = [math.nan, math.inf, None]
    server.script = lambda body, count: answered([[odd[i] if i < 3 else 0.5] for i in range(len(body["input"]))])
    assert sorted(remote.score(ITEMS), key=str) == [0.5] * 6 + [None] * 3


def test_results_in_another_order_go_to_their_texts(remote, server):
    expected = remote.score(ITEMS)

    def turned(body, count):
        answer = server.classified(body, count)
        answer.body["data"].reverse()
        return answer

    server.script = turned
    assert remote.score(ITEMS) == expected


def test_a_text_that_the_server_refuses_costs_no_other(remote, server):
    expected = remote.score(ITEMS)
    longest = max(len(ids) for body in server.bodies for ids in body["input"])
    server.max_model_len = longest - 1
    try:
        found = remote.score(ITEMS)
    finally:
        server.max_model_len = 256
    assert found[:-1] == pytest.approx(expected[:-1], abs=1e-6)
    assert found[-1] is None


def test_a_slow_server_costs_its_texts_and_no_more_than_the_deadline(models, server, monkeypatch):
    from lcb_rb.scorers import classifier_endpoint

    monkeypatch.setattr(classifier_endpoint, "TEXTS", 3)
    scorer, over = asking(server, models, deadline_s=0.5), threading.Event()
    slow = {"wait": True}

    def script(body, count):
        if slow.pop("wait", False):
            over.wait(30)
        return server.classified(body, count)

    server.script = script
    found = scorer.score(ITEMS)
    over.set()
    assert found.count(None) == 3


def test_the_limit_of_the_server_is_kept(models, server):
    server.max_model_len = 64
    try:
        assert asking(server, models).score([Item("p", "Print.", LONG)])[0] is not None
    finally:
        server.max_model_len = 256
    assert [len(ids) for ids in server.bodies[0]["input"]] == [64]


@pytest.mark.parametrize("name", ["one", "hollow"])
def test_a_server_that_always_applies_an_activation_is_refused(models, server, name):
    server.script = lambda body, count: server.classified(body | {"use_activation": True}, count)
    with pytest.raises(InputError, match="use_activation: false"):
        open_process(recipe(models, name, endpoint=server.url))


def test_a_server_with_another_model_is_refused(models, server):
    with pytest.raises(InputError, match="another model, revision or tokenizer"):
        open_process(recipe(models, "other", endpoint=server.url))


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (failed(401), InputError, "the key is refused"),
        (failed(404), InputError, "no /classify as vLLM has it"),
        (failed(500), EndpointError, "no request succeeds"),
        (Answer({}, 307, {"Location": "http://127.0.0.1:9/classify"}), InputError, "leads elsewhere"),
    ],
)
def test_a_server_that_answers_nothing_is_refused_at_the_start(models, server, answer, error, says):
    server.script = lambda body, count: answer
    with pytest.raises(error, match=says):
        open_process(recipe(models, endpoint=server.url))


def test_no_server_and_no_address_are_refused(models, monkeypatch):
    monkeypatch.setattr(failures, "BACKOFF_S", 0.001)
    with pytest.raises(EndpointError, match="cannot be reached"):
        open_process(recipe(models, endpoint="http://127.0.0.1:1"))
    for wrong in ("ftp://host", "http://key@host", "localhost:8000"):
        with pytest.raises(InputError, match=r"process\.endpoint"):
            open_process(recipe(models, endpoint=wrong))


def test_the_key_of_the_environment_is_sent_and_the_hubs_is_not(remote, server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    remote.score(ITEMS[:1])
    assert "Authorization" not in {name.title() for name in server.headers[-1]}
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    remote.score(ITEMS[:1])
    assert server.headers[-1]["Authorization"] == "Bearer sk-ours"


def test_a_remote_model_goes_to_other_processes(models, server):
    scorer = open_process(recipe(models, endpoint=server.url))
    assert pickle.loads(pickle.dumps(scorer)).score(ITEMS) == scorer.score(ITEMS)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    """What each system of benchmarks/policy_step.py gives the same completions of the starter set."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import policy_step
        import policy_systems
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    folder = tmp_path_factory.mktemp("benchmark")
    samples = read_samples([Path(STARTER)]).samples
    policy_step.make_model(folder, 64, 1, [sample.reasoning for sample in samples])
    job = {"problems": ["starter"], "generations": ["starter"], "group": 4, "groups": 2, "steps": 1, "seed": 1}
    job |= {"model": str(folder), "workers": 2, "threads": 1, "watched": 1, "timeout_s": 6.0}
    return {name: policy_systems.prepare({**job, "system": name})()["steps"][0] for name in policy_step.SYSTEMS}


def test_all_systems_of_the_benchmark_give_the_same_rewards(benchmark):
    values = {name: found["values"] for name, found in benchmark.items() if name != "ours, no gate"}
    assert len(values) == 4
    for found in values.values():
        assert found == pytest.approx(values["ours"], abs=1e-4)
    assert {value > 1.5 for value in values["ours"]} == {True, False}, "some pass, some do not"


def test_the_gate_saves_reading(benchmark):
    assert benchmark["ours"]["scored"] < benchmark["ours, no gate"]["scored"] == 8
    assert benchmark["straightforward"]["scored"] == 8
