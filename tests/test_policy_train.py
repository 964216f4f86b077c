"""Trainings of tiny policies: forked from this process, which imports the libraries once."""

import hashlib
import json
import os
import re
import signal
import socket
import sys

import pytest
import yaml

import trainings
from factories import make_problem, needs, run_recode
from recode_models.policy.recipe import RECIPES, PolicyRecipe, load_recipe

needs("torch", "trl")

GROUP = 8
RECIPE = {
    "cpu_threads": 1,
    "model": {"config": trainings.RECIPE["model"]["config"] | {"max_position_embeddings": 64}, "vocab_size": 300},
    "warm_start": {"samples": "micro", "epochs": 6, "learning_rate": 0.01, "batch_size": 32},
    "data": {"problems": ["micro"], "window": None, "prompt": "micro", "held_out": 0.02},
    "process": {"model": "length", "mu": 10.0, "sigma": 5.0},
    "alarm": {"window": 2},
    "training": {
        "max_steps": 6,
        "num_generations": GROUP,
        "per_device_train_batch_size": 16,
        "per_device_eval_batch_size": 16,
        "num_generations_eval": 2,
        "max_completion_length": 24,
        "learning_rate": 0.001,
        "lr_scheduler_type": "constant",
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "eval_strategy": "steps",
        "eval_steps": 2,
        "save_steps": 2,
    },
}


def recipe(**changes):
    training = RECIPE["training"] | changes.pop("training", {})
    return PolicyRecipe.model_validate(RECIPE | changes | {"training": training})


def forked(work, environment=(), before=None):
    """Runs `work` in a copy of this process; returns what it returned, or the message of its error, or the signal."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ.update(environment)
        os.close(reading)
        if before:
            before()
        try:
            told = {"result": work()}
        except BaseException as error:  # noqa: BLE001
            told = {"error": f"{type(error).__name__}: {error}"}
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    return child, reading


def ended(started):
    child, reading = started
    text = b""
    while part := os.read(reading, 65536):
        text += part
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return json.loads(text) if text else {"signal": os.WTERMSIG(status)}


def trained(made, out):
    """Trains here, so in the child; what comes back must fit into JSON."""
    from recode_models.policy.train import train

    found = train(made, out)
    return {"steps": found.steps, "best": found.best_step, "after": found.after.passes.value if found.after else None}


def run(made, out, **options):
    return ended(forked(lambda: trained(made, out), **options))


def weights(directory):
    return hashlib.sha256((directory / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module", autouse=True)
def _libraries():
    """Imported here, so that no child imports them again; no thread is started."""
    import torch
    import trl.trainer.grpo_trainer  # noqa: F401

    import recode_models.policy.trainer  # noqa: F401

    torch.set_num_threads(1)


def logged_to(path):
    """Adds a logger in the place of the reporters: it is there before ours are."""
    from transformers import TrainerCallback
    from trl import GRPOTrainer

    plain = GRPOTrainer.__init__

    class Logger(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **kwargs):
            with path.open("a") as stream:
                stream.write(json.dumps(logs) + "\n")

    def init(self, *args, **fields):
        plain(self, *args, **fields)
        self.add_callback(Logger())

    GRPOTrainer.__init__ = init


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("policy") / "policy"
    found = run(recipe(), out, before=lambda: logged_to(out.with_name("logged.jsonl")))
    assert "result" in found, found
    return out, found["result"]


@pytest.fixture(scope="module")
def metrics(undisturbed):
    return [json.loads(line) for line in (undisturbed[0] / "metrics.jsonl").read_text().splitlines()]


def test_the_policy_loads_with_transformers_and_writes(undisturbed):
    def written():
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model, tokenizer = (kind.from_pretrained(undisturbed[0]) for kind in (AutoModelForCausalLM, AutoTokenizer))
        asked = [{"role": "user", "content": "+1+2+3"}]
        ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        found = model.generate(**ids, max_new_tokens=24, do_sample=False)
        return tokenizer.decode(found[0][ids["input_ids"].shape[1] :])

    found = ended(forked(written))
    assert "<think>" in found["result"], found


def test_every_step_is_logged_with_its_rates_and_groups(metrics):
    steps = [line for line in metrics if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 7))
    wanted = {"cg/pass_rate", "cg/format_rate", "cg/gate_open", "cg/groups_mixed", "cg/length", "cg/ungraded"}
    for line in steps:
        assert wanted <= line.keys()
        assert line["cg/groups_right"] + line["cg/groups_mixed"] + line["cg/groups_wrong"] == pytest.approx(1)
    assert not any(name.startswith("time/") for line in metrics for name in line)
    assert max(line["cg/format_rate"] for line in steps) > 0.3  # so that rewards differ, and gradients flow
    assert any(line["grad_norm"] > 0 for line in steps)


def test_the_checkpoint_is_chosen_by_the_pass_rate_on_held_out_problems(undisturbed, metrics):
    measured = [
        (line["eval_pass_rate"], -line["step"]) for line in metrics if "eval_pass_rate" in line and line["step"]
    ]
    assert len(measured) == 3
    assert undisturbed[1]["best"] == -max(measured)[1]


def test_the_record_says_what_was_done_with_what(undisturbed):
    record = json.loads((undisturbed[0] / "recode.json").read_text())
    assert record["data"]["counts"]["given"] == 400
    assert record["data"]["sources"][0]["name"] == "micro"
    assert record["after"]["pass_rate"]["n_problems"] == record["data"]["counts"]["held_out"]
    assert record["after"]["pass_rate"]["interval"]["level"] == 0.95
    assert record["before"]["pass_rate"]["value"] is not None
    assert record["process"]["name"] == "length"
    assert str(undisturbed[0].parent) not in json.dumps(record)


def test_loggers_get_the_times_of_every_step(undisturbed):
    lines = [json.loads(line) for line in undisturbed[0].with_name("logged.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert len(steps) == 6
    assert all(line["time/reward_s"] <= line["time/step_s"] for line in steps)


def test_what_was_trained_can_be_published(undisturbed, tmp_path):
    from lcb_rb.hub.files import files_of
    from lcb_rb.hub.model_card import model_files

    found = model_files(undisturbed[0], files_of(undisturbed[0]), "me/policy", tmp_path)
    assert "| after, step" in found["README.md"].read_text()


def test_timings_samples_and_curves_lie_beside_the_policy(undisturbed):
    out = undisturbed[0]
    timings = [json.loads(line) for line in (out / "timings.jsonl").read_text().splitlines()]
    assert [line["step"] for line in timings] == list(range(1, 7))
    for line in timings:
        parts = line["generation_s"] + line["reward_s"] + line["update_s"]
        assert parts == pytest.approx(line["step_s"], abs=0.05)
        assert line["grading_s"] <= line["reward_s"]
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert {row["step"] for row in samples} == set(range(1, 7))
    assert all("<think>" in row["completion"] for row in samples)
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_killed_run_goes_on_to_the_same_policy(undisturbed, tmp_path):
    """Killed by its own reward function, in the middle of a step that is not a checkpoint's."""
    out = tmp_path / "policy"

    def kill():
        from recode_models.policy.instruments import Failures

        plain, calls = Failures.add, []

        def deadly(self, grades, values):
            calls.append(1)
            if len(calls) == 11:  # evaluations count, too
                os.kill(os.getpid(), signal.SIGKILL)
            plain(self, grades, values)

        Failures.add = deadly

    def kill_saving():
        from recode_models import trainers

        trainers.save = lambda *args: os.kill(os.getpid(), signal.SIGKILL)

    assert run(recipe(), out, before=kill) == {"signal": signal.SIGKILL}
    assert not out.exists()
    stage = out.with_name(".policy.partial")
    assert list(stage.glob("checkpoints-*.journal/checkpoint-*"))
    assert run(recipe(), out, before=kill_saving) == {"signal": signal.SIGKILL}  # once more, when all steps are done
    assert run(recipe(), out) == {"result": undisturbed[1]}
    for name in ("metrics.jsonl", "samples.jsonl", "curves.png"):
        assert (out / name).read_bytes() == (undisturbed[0] / name).read_bytes(), name
    assert weights(out) == weights(undisturbed[0])
    assert not stage.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": {"steps_per_generation": 4, "save_steps": 2}}, "save_steps 2 falls within a generation of 4"),
        ({"training": {"metric_for_best_model": "reward"}}, "can be raised without solving more"),
        ({"training": {"shuffle_dataset": True}}, "shuffle_dataset is not for the recipe"),
        ({"training": {"learnin_rate": 1.0}}, "learnin_rate"),
        ({"warm_start": None, "training": {"max_completion_length": 60}}, "has room for 4 beside the completion"),
        (
            {"warm_start": None, "training": {"max_steps": -1, "num_train_epochs": 1.5}},
            "num_train_epochs 1.5 is no whole number",
        ),
        (
            {"warm_start": None, "data": RECIPE["data"] | {"max_prompt_tokens": 3}},
            "every prompt has more than 3 tokens; raise",
        ),
        ({"warm_start": RECIPE["warm_start"] | {"epochs": 1, "least_pass_rate": 0.9}}, "less than 0.9: there is too"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:20],
)
def test_what_cannot_work_is_refused_in_a_line(changes, said, tmp_path):
    found = run(recipe(**changes), tmp_path / "policy")
    assert re.search(said, found.get("error", "")), found
    assert "\n" not in found["error"]
    assert not (tmp_path / "policy").exists()


def test_a_problem_of_which_nothing_was_graded_is_counted_and_not_failed():
    from recode_models.policy.reward_function import Attempt
    from recode_models.policy.trainer import measured

    found = measured([Attempt(name, passed, None, 5) for name, passed in [("a", True), ("a", None), ("b", None)]], 0)
    assert (found.passes.value, found.passes.n_problems, found.passes.n_ungraded) == (1.0, 1, 2)


def test_a_process_that_does_not_see_the_directory_of_the_others_says_so(tmp_path, monkeypatch):
    from lcb_rb.errors import InputError
    from recode_models.launch import shared_stage

    monkeypatch.setenv("RANK", "1")
    with (
        pytest.raises(InputError, match=r"\.policy\.partial is not seen by process 1; all machines must share"),
        shared_stage(tmp_path / "policy", "recode.json", lambda: None),
    ):
        pass


def test_a_group_that_is_split_among_processes_is_refused(tmp_path):
    from lcb_rb.errors import InputError
    from recode_models.policy.trainer import refuse_split_groups, training_arguments

    arguments = training_arguments(recipe(), tmp_path, measures=True)
    refuse_split_groups(arguments)
    arguments.per_device_train_batch_size = 4  # as where four processes share sixteen completions
    with pytest.raises(InputError, match=r"each process has 4 completions a generation, no whole groups of 8"):
        refuse_split_groups(arguments)


def test_an_executor_that_fails_ends_the_run_with_the_cause(tmp_path):
    def kill():
        from lcb_rb.execution import Executor

        async def broken(self, problem, solution, limits=None):
            raise OSError("no space left on device")

        Executor.grade_async = broken

    found = run(recipe(warm_start=None), tmp_path / "policy", before=kill)
    assert found["error"].startswith("TrainingError: 16 of the last 16 completions could not be graded or scored")
    assert "no space left on device" in found["error"]


TEXTS = ["<think>aa</think><answer>x=1</answer>", "<think>aaaaaaaa</think><answer>x=1</answer>", "<think>a"]


class Told:
    """An executor that knows what passes."""

    async def grade_async(self, problem, solution):
        from lcb_rb.schema import Isolation, Result, Verdict

        verdict = Verdict.ACCEPTED if solution == "x=1" else Verdict.NO_CODE
        return Result(verdict=verdict, isolation=Isolation.FULL)


def texts_of(seed):
    """Sixteen completions of two groups; of each group some are right, by careful or careless reasoning."""
    import random

    draw = random.Random(seed)
    return [draw.choice(TEXTS) for _ in range(2 * GROUP)]


def advantages_of(made, directory):
    """The advantages that TRL's trainer used in one step on given completions, and the weights afterwards."""
    import torch
    from datasets import Dataset

    from recode_models.fresh import make_policy
    from recode_models.policy.grading import BatchGrader
    from recode_models.policy.process import open_process
    from recode_models.policy.reward_function import CGReward
    from recode_models.policy.trainer import PolicyTrainer, training_arguments
    from recode_models.trainers import known_warnings

    given = texts_of(1)

    model, tokenizer = make_policy(made.model.config, TEXTS, 300, ["<think>", "</think>", "<answer>", "</answer>"], 0)
    arguments = training_arguments(made, directory, measures=False)
    reward = CGReward(
        {name: make_problem(name) for name in ("p0", "p1")},
        made.rule,
        GROUP,
        BatchGrader(Told(), 60.0),
        open_process(made.process),
        max_failed_share=1.0,
    )

    def rollout(prompts, trainer):
        rank, n = trainer.accelerator.process_index, len(prompts)
        ids = [tokenizer(text)["input_ids"] + [tokenizer.eos_token_id] for text in given[rank * n : (rank + 1) * n]]
        return {"prompt_ids": [[1, 2]] * n, "completion_ids": ids, "logprobs": [[0.0] * len(one) for one in ids]}

    rows = Dataset.from_list([{"prompt": [{"role": "user", "content": n}], "problem_id": n} for n in ("p0", "p1")])
    with known_warnings():
        trainer = PolicyTrainer(
            reward, model=model, args=arguments, train_dataset=rows, processing_class=tokenizer, rollout_func=rollout
        )
        trainer.train()
    total = sum(float(weight.detach().double().abs().sum()) for weight in model.parameters())
    assert torch.isfinite(torch.tensor(total))
    return {"advantages": list(trainer._logs["advantages"]), "weights": total}


def one_step(mode, scale=None, size=1, **changes):
    training = {"max_steps": 1, "per_device_train_batch_size": 16 // size, "beta": 0.0, "save_strategy": "no"}
    training |= {"eval_strategy": "no"} | ({"scale_rewards": scale} if scale else {})
    return recipe(mode=mode, warm_start=None, training=training | changes)


def expected(mode, scale=None):
    """The same by the pure functions."""
    from lcb_rb.scorers.base import Item
    from recode_models.policy.completions import read_completion
    from recode_models.policy.process import open_process
    from recode_models.policy.rewards import SCALES, Parts, advantages, signals

    made = one_step(mode, scale)
    texts = [read_completion(text) for text in texts_of(1)]
    scores = open_process(made.process).score([Item("p", "?", text.reasoning) for text in texts])
    right = [text.code == "x=1" for text in texts]
    parts = [
        Parts(float(text.well_formed), float(ok), score if ok else None)
        for text, ok, score in zip(texts, right, scores, strict=True)
    ]
    return advantages(signals(parts, made.rule, GROUP), GROUP, scale or SCALES[mode])


MODES = [("grpo", None), ("grpo", "group"), ("dr_grpo", None), ("papo", None), ("gdpo", None)]


def test_trl_makes_the_advantages_of_every_mode(tmp_path):
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

    def work():
        return [advantages_of(one_step(*mode), tmp_path)["advantages"] for mode in MODES]

    found = ended(forked(work))
    assert "result" in found, found
    for mode, values in zip(MODES, found["result"], strict=True):
        assert values == pytest.approx(expected(*mode), abs=2e-4), mode
        assert max(values) > 0.1 > -0.1 > min(values)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


def test_two_processes_make_the_same_advantages_as_one(tmp_path):
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    place = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}

    def work(size):
        return lambda: [advantages_of(one_step(*mode, size=size), tmp_path / str(size)) for mode in MODES]

    alone = ended(forked(work(1)))
    both = [forked(work(2), environment=place | {"RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")]
    found = [ended(one) for one in both]
    assert all("result" in one for one in [alone, *found]), found
    for one, two, other, mode in zip(alone["result"], *(rank["result"] for rank in found), MODES, strict=True):
        assert two["advantages"] == pytest.approx(one["advantages"], abs=1e-5), mode
        assert two["weights"] == other["weights"]
        assert two["weights"] == pytest.approx(one["weights"], rel=1e-5), mode


def test_two_processes_train_save_and_measure(tmp_path):
    place = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    made = recipe(warm_start=None, training={"max_steps": 2, "per_device_train_batch_size": 8})
    out = tmp_path / "policy"
    both = [
        forked(lambda: trained(made, out), environment=place | {"RANK": rank, "LOCAL_RANK": rank})
        for rank in ("0", "1")
    ]
    found = [ended(one) for one in both]
    assert all("result" in one for one in found), found
    record = json.loads((out / "recode.json").read_text())
    assert record["steps"] == 2
    assert record["after"]["pass_rate"]["n_problems"] == record["data"]["counts"]["held_out"]


def test_a_completion_that_is_lost_moves_no_weight(tmp_path):
    """All of a batch ungraded: no advantage, so the weights stay as they are."""
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

    def work():
        async def lost(self, problem, solution):
            raise OSError("lost")

        kept = advantages_of(one_step("grpo", learning_rate=0.0), tmp_path)["weights"]
        Told.grade_async = lost
        found = advantages_of(one_step("grpo", weight_decay=0.0), tmp_path)
        return {"same": found["weights"] == kept, "advantages": found["advantages"]}

    assert ended(forked(work)) == {"result": {"same": True, "advantages": [0.0] * 16}}


def test_the_command_runs_the_recipe_and_prints_what_came_out(tmp_path):
    path, told = tmp_path / "tiny.yaml", tmp_path / "stdout"
    path.write_text(yaml.safe_dump(RECIPE | {"warm_start": None, "training": RECIPE["training"] | {"max_steps": 2}}))

    def work():
        import recode

        os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT), 1)
        sys.stdout = os.fdopen(1, "w")
        sys.argv = ["recode", "train", "policy", str(path), "--out", str(tmp_path / "policy"), "--json"]
        try:
            recode.main()
        except SystemExit as stop:
            sys.stdout.flush()
            return stop.code

    assert ended(forked(work)) == {"result": None}
    assert json.loads(told.read_text())["steps"] == 2


def test_an_unknown_recipe_is_refused_with_the_known_ones(tmp_path):
    wrong = run_recode("train", "policy", "none", "--out", tmp_path / "other")
    assert wrong.returncode == 2
    assert "give a YAML file or one of" in wrong.stderr
    assert "starter-cpu" in wrong.stderr


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_one_of_a_policy_that_trl_takes(path):
    from trl import GRPOConfig

    from recode_models.arguments import read_options

    made = load_recipe(str(path))
    assert isinstance(made, PolicyRecipe)
    assert (
        read_options(GRPOConfig, made.training) == made.training
    )  # nothing is unknown, and nothing changes its meaning
    rows = made.training["per_device_train_batch_size"] * made.training.get("gradient_accumulation_steps", 1)
    assert rows % made.training["num_generations"] == 0  # whole groups in each process
