"""What a rerun goes on from: checkpoints of the same run only, whatever was mistyped since; and what may be taught."""

import json
import os
import signal
from pathlib import Path

import pytest

from factories import make_problem, make_sample, needs
from lcb_rb.errors import InputError
from lcb_rb.sources import read_problems
from recode_models.launch import shared_stage
from recode_models.policy.base_policy import _samples, taught
from recode_models.policy.data import read_data
from recode_models.policy.deciding import base_parts, run_parts
from recode_models.policy.recipe import PolicyRecipe
from recode_models.resuming import claim, journal
from trainings import statement

needs("datasketch")

NAMES = [f"p{i}" for i in range(12)]
RATES = {name: 1 + i % 3 for i, name in enumerate(NAMES)}
"""Of four samples each."""


def rows(path, made):
    path.write_text("".join(json.dumps(one, default=str) + "\n" for one in made), encoding="utf-8")
    return str(path)


def problems(path, names, told=""):
    made = [make_problem(name, statement=statement(f"{name}{told}")) for name in names]
    return rows(path, [one.model_dump(mode="json", exclude_none=True) for one in made])


def samples(path, names, text="x"):
    made = [make_sample(f"s-{name}", problem_id=name, completion=f"<think>{text}</think>") for name in names]
    return rows(
        path, [one.model_dump(mode="json", include={"id", "problem_id", "model", "completion"}) for one in made]
    )


def verdicts(path, rates):
    told = [(name, i, i < rate) for name, rate in rates.items() for i in range(4)]
    return rows(path, [{"id": f"{name}/{i}", "problem_id": name, "passed": passed} for name, i, passed in told])


def make_fields(tmp_path):
    """Of a recipe that reads every kind of file."""
    return {
        "model": {"config": {"model_type": "qwen2"}},
        "warm_start": {"samples": samples(tmp_path / "samples.jsonl", NAMES)},
        "data": {
            "problems": [problems(tmp_path / "problems.jsonl", NAMES)],
            "evaluation": [problems(tmp_path / "bench.jsonl", ["p1"])],
            "verdicts": [verdicts(tmp_path / "verdicts.jsonl", RATES)],
            "overlap": "drop",
            "order": "easy-first",
            "held_out": 0.3,
        },
        "process": {"model": "length", "mu": 1.0, "sigma": 1.0},
        "training": {"max_steps": 5},
    }


@pytest.fixture
def fields(tmp_path):
    return make_fields(tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Fields, data and parts of a recipe whose files stay as they are."""
    made = make_fields(tmp_path_factory.mktemp("plain"))
    data = read(made)[1]
    return made, data, parts(made, data)


class Model:
    revision = "a"


def read(fields):
    recipe = PolicyRecipe.model_validate(fields)
    return recipe, read_data(recipe.data, recipe.seed, None)


def parts(fields, data=None, epochs=2, scorer=None):
    """What decides the run, and the base; the data is read where it is not given."""
    recipe = PolicyRecipe.model_validate(fields)
    data = data or read(fields)[1]
    base = base_parts(recipe, data, taught(recipe, data))
    return run_parts(recipe, data, epochs, str(base), scorer or Model()), base


def differing(one, other):
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def merged(fields, changes):
    return {**fields, **{k: {**fields.get(k, {}), **v} if isinstance(v, dict) else v for k, v in changes.items()}}


@pytest.mark.parametrize(
    "changes",
    [
        {"grading": {"workers": 1, "deadline_s": 5.0, "max_ungraded_share": 0.5, "allow_weak_isolation": True}},
        {"alarm": {"window": 3, "stop": True}},
        {"training": {"report_to": "tensorboard", "logging_steps": 3, "log_completions": True, "run_name": "again"}},
        {"training": {"hub_model_id": "a/b", "vllm_server_port": 1, "save_total_limit": 9, "project": "mine"}},
        {"process": {"device": "cuda:1", "watched": 0, "waves": 1}},
        {"process": {"endpoint": "http://127.0.0.1:1"}},
        {"warm_start": {"least_pass_rate": 0.5}},
        {"cpu_threads": 7},
    ],
    ids=str,
)
def test_what_decides_nothing_may_change_between_a_kill_and_the_rerun(plain, changes):
    fields, data, told = plain
    assert parts(merged(fields, changes), data) == told


@pytest.mark.parametrize(
    ("changes", "named", "base_too"),
    [
        ({"seed": 1}, "recipe field seed", True),
        ({"model": {"vocab_size": 500}}, "recipe field model", True),
        ({"warm_start": {"epochs": 2}}, "recipe field warm_start", True),
        ({"data": {"held_out": 0.6}}, "held-out problems", True),
        ({"data": {"prompt": "micro"}}, "prompt", True),
        ({"data": {"order": "shuffled"}}, "training problems or their order", False),
        ({"grading": {"cpu_s": 1.0}}, "recipe field grading", False),
        ({"process": {"mu": 2.0}}, "recipe field process", False),
        ({"training": {"learning_rate": 1.0}}, "recipe field training", False),
        ({"process_weight": 0.5}, "recipe field process_weight", False),
    ],
    ids=str,
)
def test_a_changed_recipe_is_another_run_and_the_change_is_named(plain, changes, named, base_too):
    fields, data, (run, base) = plain
    other, other_base = parts(merged(fields, changes), None if {"data", "seed"} & {*changes} else data)
    assert named in differing(run, other)
    assert bool(differing(base, other_base)) is base_too


def test_a_new_model_whose_tokenizer_saw_other_problems_is_another_one(plain):
    fields, data, _ = plain
    made = merged(fields, {"warm_start": {"samples": "micro"}})
    other = merged(made, {"data": {"held_out": 0.6}})
    assert differing(parts(made, data)[1], parts(other)[1]) == {"training problems"}


def test_changed_content_of_files_of_the_same_names_is_another_run(fields, tmp_path):
    run, base = parts(fields)
    left_out = read(fields)[1].train[0].id
    verdicts(tmp_path / "verdicts.jsonl", {name: 4 - rate for name, rate in RATES.items()})
    assert differing(run, parts(fields)[0]) == {"training problems or their order"}
    verdicts(tmp_path / "verdicts.jsonl", RATES)
    samples(tmp_path / "samples.jsonl", NAMES, text="y")
    other, other_base = parts(fields)
    assert differing(base, other_base) == {"samples of the warm start"}
    assert differing(run, other) == {"base model"}
    samples(tmp_path / "samples.jsonl", NAMES)
    problems(tmp_path / "bench.jsonl", ["p1", left_out])
    assert "training problems or their order" in differing(run, parts(fields)[0])
    problems(tmp_path / "bench.jsonl", ["p1"])
    assert parts(fields) == (run, base)
    problems(tmp_path / "problems.jsonl", NAMES, told="again")
    assert "problem files" in differing(base, parts(fields)[1])


def test_another_number_of_processes_reward_model_or_base_is_another_run(plain, tmp_path, monkeypatch):
    fields, data, (run, _) = plain
    assert differing(run, parts(fields, data, epochs=3)[0]) == {"training problems or their order"}
    other = Model()
    other.revision = "b"
    assert differing(run, parts(fields, data, scorer=other)[0]) == {"reward model"}
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert differing(run, parts(fields, data)[0]) == {"number of processes"}
    given = merged(fields, {"model": {"config": None, "id": str(tmp_path / "base")}})
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    before = parts(given, data)[1]
    (tmp_path / "base" / "config.json").write_text("{ }")
    assert differing(before, parts(given, data)[1]) == {"base model"}


def test_a_rerun_says_why_it_does_not_go_on(tmp_path, capsys):
    old, new = {"recipe field training": "a", "prompt": "b"}, {"recipe field training": "c", "prompt": "b", "more": "d"}
    first, second = (journal(tmp_path, "checkpoints", one) for one in (old, new))
    claim(first, old)
    claim(second, new)
    assert first != second and capsys.readouterr().err == ""  # the first run came to no checkpoint
    (first / "checkpoint-2").mkdir()
    claim(second, new)
    told = capsys.readouterr().err
    assert f"{first}: its checkpoints are not taken up, changed: more, recipe field training; they are kept" in told
    claim(first, old)
    (second / "checkpoint-2").mkdir()
    claim(second, new)
    assert capsys.readouterr().err == ""  # goes on, in either


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_checkpoints_that_say_nothing_of_themselves_are_told_of_too(tmp_path, capsys, text):
    other = tmp_path / "checkpoints-0123.journal"
    (other / "checkpoint-2").mkdir(parents=True)
    if text:
        (other / "parts.json").write_text(text)
    claim(journal(tmp_path, "checkpoints", {"prompt": "a"}), {"prompt": "a"})
    assert "changed: the recipe, the data or the number of processes; they are kept" in capsys.readouterr().err


def test_a_mistake_in_a_rerun_costs_no_checkpoint(tmp_path):
    checkpoint = tmp_path / ".out.partial" / "checkpoints-a.journal" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    with pytest.raises(InputError), shared_stage(tmp_path / "out", "recode.json", lambda: None):
        raise InputError("process.model nosuchdir: no such model")
    assert checkpoint.is_dir()
    checkpoint.rmdir()
    checkpoint.parent.rmdir()
    with pytest.raises(InputError), shared_stage(tmp_path / "out", "recode.json", lambda: None):
        raise InputError("process.model nosuchdir: no such model")
    assert list(tmp_path.iterdir()) == []


def taught_problems(recipe, data, known):
    """The problems whose statements are in what is asked."""
    asked = [messages[-1]["content"] for messages, _ in taught(recipe, data)]
    return {one.id for one in known for text in asked if one.statement in text}, len(asked)


def test_only_training_problems_are_taught_and_the_others_counted(plain, capsys):
    fields, data, _ = plain
    recipe = PolicyRecipe.model_validate(fields)
    assert data.held_out and data.counts.in_evaluation == 1
    known = [one for source in data.sources for one in source.problems]
    assert taught_problems(recipe, data, known) == ({one.id for one in data.train}, len(data.train))
    lost = len(NAMES) - len(data.train)
    assert f"warm start: left out {lost} of 12 samples, whose problems are not among the" in capsys.readouterr().err


def test_starter_samples_of_evaluated_problems_are_not_taught(tmp_path):
    starter = list(read_problems([Path("starter")]).values())
    bench = rows(tmp_path / "bench.jsonl", [one.model_dump(mode="json", exclude_none=True) for one in starter[:9]])
    data = {"problems": ["starter"], "evaluation": [bench], "overlap": "drop", "window": None, "held_out": 0.0}
    _, found = read({"model": {"id": "base"}, "warm_start": {"samples": "starter"}, "data": data})
    samples, known = _samples("starter", found)
    evaluated = {one.id for one in starter[:9]}
    assert {one.problem_id for one in samples} == set(known) == {one.id for one in starter} - evaluated


def test_samples_of_other_problems_alone_are_refused(plain):
    fields, data, _ = plain
    recipe = PolicyRecipe.model_validate(merged(fields, {"warm_start": {"samples": "starter"}}))
    with pytest.raises(InputError, match="warm start: starter has no samples of training problems"):
        taught(recipe, data)


def test_generated_demonstrations_have_problems_of_their_own(plain, capsys):
    fields, data, _ = plain
    recipe = PolicyRecipe.model_validate(merged(fields, {"warm_start": {"samples": "micro"}}))
    assert len(taught(recipe, data)) == 1200
    assert "left out" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Where a training was killed when all of its steps were done, and how to start it again."""
    pytest.importorskip("trl")
    import recode_models.policy.trainer  # noqa: F401  # once, for all children
    import test_policy_train

    def start(changes, **options):
        made = test_policy_train.recipe(warm_start=None, training={"max_steps": 2}, **changes)
        return test_policy_train.run(made, out, **options)

    def kill_saving():
        from recode_models import trainers

        trainers.save = lambda *args: os.kill(os.getpid(), signal.SIGKILL)

    out = tmp_path_factory.mktemp("killed") / "policy"
    assert start({}, before=kill_saving) == {"signal": signal.SIGKILL}
    return out.with_name(".policy.partial"), start


def kill_training():
    from recode_models.policy import trainer

    trainer.run = lambda *args: os.kill(os.getpid(), signal.SIGKILL)


def test_a_reward_model_that_is_not_there_costs_nothing(killed):
    stage, start = killed
    before = sorted(stage.rglob("checkpoint-*/*"))
    assert before
    assert "nosuchdir: neither a directory" in start({"process": {"model": "nosuchdir"}})["error"]
    assert sorted(stage.rglob("checkpoint-*/*")) == before


def test_a_training_goes_on_with_another_alarm_and_says_why_it_does_not_with_other_data(killed, capfd):
    stage, start = killed
    aside = {"grading": {"workers": 1}, "alarm": {"window": 3}}
    assert start(aside, before=kill_training) == {"signal": signal.SIGKILL}
    assert len(list(stage.glob("checkpoints-*.journal"))) == 1
    assert "not taken up" not in capfd.readouterr().err
    held_out = {"data": {"problems": ["micro"], "window": None, "prompt": "micro", "held_out": 0.1}}
    assert start(held_out, before=kill_training) == {"signal": signal.SIGKILL}
    told = "its checkpoints are not taken up, changed: base model, held-out problems, training problems or their order;"
    assert told in capfd.readouterr().err
    assert list(stage.glob("checkpoints-*.journal/checkpoint-2"))
