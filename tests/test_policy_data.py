"""Problems of a policy: what is dropped and why, what is held out, in which order they come, how they are asked."""

import datetime
import hashlib
import json
import lzma
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.card import CARD
from factories import ROOT, SHARED_DATA, make_problem, needs
from hub import environment, running
from hub.client import client, commit, put_large
from lcb_rb.columns import PROBLEMS, problem_row, write_rows
from lcb_rb.errors import InputError
from lcb_rb.pairs import shard_name
from lcb_rb.schema import AnswerTests, AssertTests, CallTests, UnittestTests, Verdict
from lcb_rb.starter import DIRECTORY
from recode_models.policy.completions import read_completion
from recode_models.policy.data import read_data
from recode_models.policy.data_prompt import messages_of, read_prompt
from recode_models.policy.difficulty import order, pass_rates
from recode_models.policy.overlaps import split
from recode_models.policy.recipe import DataRecipe
from trainings import statement

needs("datasketch")

CHECK = AssertTests(check="def check(candidate):\n    assert candidate(1) == 2\n")
DAY = datetime.date(2024, 10, 1)
IDS = st.lists(st.text("abcdef0123456789/", min_size=1, max_size=6), min_size=1, max_size=30, unique=True)


def problem(name, **fields):
    return make_problem(name, **{"statement": statement(name), **fields})


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def write_problems(path, problems):
    return write(path, [one.model_dump(mode="json", exclude_none=True) for one in problems])


def write_verdicts(path, passes):
    """Verdict rows of problems by id: how many samples passed, failed, and were not graded."""
    rows = []
    for name, counts in passes.items():
        for passed, count in zip((True, False, None), counts, strict=True):
            verdict = {True: Verdict.ACCEPTED, False: Verdict.WRONG_ANSWER, None: Verdict.UNGRADED}[passed]
            known = {"problem_id": name, "model": "m", "passed": passed, "verdict": verdict, "isolation": "full"}
            rows += [{"id": f"{name}/{passed}/{i}", **known} for i in range(count)]
    return write(path, rows)


def read(tmp_path, problems, **fields):
    path = write_problems(tmp_path / "mine.jsonl", problems)
    return read_data(DataRecipe(**{"problems": [path], "held_out": 0.0, **fields}), 0, tmp_path / "listing.jsonl")


def ids(problems):
    return [one.id for one in problems]


def refusal(tmp_path, problems, **fields):
    with pytest.raises(InputError) as error:
        read(tmp_path, problems, **fields)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_problems_that_cannot_be_graded_are_dropped_and_counted(tmp_path):
    guarded = {"tests": UnittestTests(source="import unittest"), "reference_solution": "x = 1"}
    found = read(
        tmp_path,
        [
            problem("bare", tests=None),
            problem("answer", tests=AnswerTests(answer="4")),
            problem("nameless", tests=CHECK),
            problem("unguarded", tests=UnittestTests(source="import unittest")),
            problem("named", tests=CHECK, entry_point="f"),
            problem("guarded", **guarded),
            problem("plain"),
        ],
    )
    assert ids(found.train) == ["guarded", "named", "plain"]
    counted = {name: count for name, count in asdict(found.counts).items() if count}
    assert counted == {"given": 7, "without_tests": 1, "not_gradable": 3, "train": 3, "undated": 3}


def test_none_that_can_be_graded_is_an_error(tmp_path):
    assert "none of 1 problems has tests" in refusal(tmp_path, [problem("a", tests=None)])
    with pytest.raises(InputError, match="no problems given"):
        read_data(DataRecipe(), 0, tmp_path / "listing")


def test_an_id_in_two_sources_is_refused(tmp_path):
    one, two = (write_problems(tmp_path / f"{name}.jsonl", [problem("a")]) for name in "xy")
    with pytest.raises(InputError, match=r"^x\.jsonl and y\.jsonl: problem 'a' comes twice; keep one of them$"):
        read_data(DataRecipe(problems=[one, two]), 0, tmp_path / "listing")


def test_a_missing_file_is_not_looked_for_on_the_hub(tmp_path):
    with pytest.raises(InputError, match=r"no/such\.jsonl: does not exist"):
        read_data(DataRecipe(problems=["no/such.jsonl"]), 0, tmp_path / "listing")


def test_problems_that_are_evaluated_on_are_refused_by_id_and_by_statement(tmp_path):
    bench = [
        problem("a", statement="Something else."),
        problem("x", statement=statement("b").upper().replace(" ", "\n")),
    ]
    evaluation = [write_problems(tmp_path / "bench.jsonl", bench)]
    told = refusal(tmp_path, [problem(name) for name in "abc"], evaluation=evaluation)
    assert "2 training problems are also in bench.jsonl: a, b (like x, 1.00); leave them out" in told
    assert "overlap: drop" in told
    found = read(tmp_path, [problem(name) for name in "abc"], evaluation=evaluation, overlap="drop")
    assert ids(found.train) == ["c"]
    assert found.counts.in_evaluation == 2


def test_problems_in_the_window_are_refused_and_undated_ones_kept(tmp_path, capsys):
    days = {"before": DAY - datetime.timedelta(1), "first": DAY, "later": datetime.date(2025, 3, 1), "undated": None}
    given = [problem(name, date=day) for name, day in days.items()]
    told = refusal(tmp_path, given)
    assert "2 training problems are also in window '2024-10-01:': first, later; leave them out" in told
    found = read(tmp_path, given, overlap="drop")
    assert ids(found.train) == ["before", "undated"]
    assert (found.counts.in_window, found.counts.undated) == (2, 1)
    assert "1 problems have no date: only `data.evaluation` can tell" in capsys.readouterr().err
    assert ids(read(tmp_path, given, overlap="drop", window="2024-10-01:2024-12-31").train)[1:] == ["later", "undated"]
    free = read(tmp_path, given, window=None)
    assert (free.counts.train, free.counts.undated) == (4, 0)


def test_a_long_list_goes_to_a_file(tmp_path):
    given = [problem(f"p{i}", date=DAY) for i in range(4)]
    assert f"p0, p1, p2, ...; all in {tmp_path / 'listing.jsonl'}" in refusal(tmp_path, given)
    rows = [json.loads(line) for line in (tmp_path / "listing.jsonl").read_text().splitlines()]
    assert [row["problem_id"] for row in rows] == ["p0", "p1", "p2", "p3"]


def test_a_problem_in_an_evaluation_set_and_in_the_window_counts_once(tmp_path):
    bench = [write_problems(tmp_path / "bench.jsonl", [problem("a")])]
    found = read(tmp_path, [problem("a", date=DAY), problem("b")], evaluation=bench, overlap="drop")
    assert (found.counts.in_evaluation, found.counts.in_window) == (1, 0)


def test_nothing_left_says_what_to_do(tmp_path):
    given = [problem("a", date=DAY)]
    assert "all of 1 problems are in" in refusal(tmp_path, given, overlap="drop")
    assert "recipe, `data.window`: '2024-10-01': no colon" in refusal(tmp_path, given, window="2024-10-01")
    few, most = ({"held_out": share, "window": None} for share in (1e-9, 1 - 1e-9))
    assert "none of 1 problems is held out; raise `data.held_out`" in refusal(tmp_path, given, **few)
    assert "all of 1 problems are held out; lower" in refusal(tmp_path, given, **most)


@given(IDS, IDS, st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_adding_problems_moves_none(first, more, share):
    def held_out(names):
        try:
            return set(ids(split([problem(name) for name in names], share)[1]))
        except InputError:  # all on one side
            return None

    few, many = held_out(first), held_out([*first, *(set(more) - set(first))])
    if few is not None and many is not None:
        assert few == many & set(first)


def test_the_share_that_is_held_out_is_about_the_one_asked_for():
    train, held_out, moved = split([problem(f"p{i}") for i in range(500)], 0.2)
    assert (len(train) + len(held_out), moved) == (500, 0)
    assert 70 <= len(held_out) <= 130


def test_held_out_problems_like_training_problems_are_trained_on():
    given = [problem(f"p{i}") for i in range(40)]
    train, held_out, _ = split(given, 0.3)
    first, second, third = held_out[:3]
    text = " ".join(map(statement, ("one", "two", "three")))

    def cut(start, end):  # neighbours are alike, first and third are not
        return " ".join(text.split()[start:end])

    texts = {train[0].id: cut(0, 32), first.id: cut(2, 34), second.id: cut(4, 36), third.id: statement("alone")}
    changed = [one.model_copy(update={"statement": texts.get(one.id, one.statement)}) for one in given]
    train_now, held_now, moved = split(changed, 0.3)
    assert moved == 2
    assert set(ids(held_now)) == set(ids(held_out)) - {first.id, second.id}
    assert set(ids(train_now)) == set(ids(train)) | {first.id, second.id}


def test_pass_rates_leave_ungraded_samples_out(tmp_path):
    path = write_verdicts(tmp_path / "v.jsonl", {"a": (1, 3, 4), "b": (0, 0, 2), "c": (2, 0, 0)})
    assert pass_rates([Path(path)]) == {"a": 0.25, "c": 1.0}


def test_problems_solved_always_or_never_are_dropped_from_training_only(tmp_path):
    given = [problem(name) for name in ("always", "never", "some", "ungraded", "unknown")]
    passes = {"always": (3, 0, 1), "never": (0, 3, 0), "some": (1, 2, 0), "ungraded": (0, 0, 3), "elsewhere": (1, 1, 0)}
    verdicts = [write_verdicts(tmp_path / "v.jsonl", passes)]
    found = read(tmp_path, given, verdicts=verdicts)
    assert ids(found.train) == ["some", "ungraded", "unknown"]
    counts = found.counts
    assert (counts.too_often_solved, counts.too_rarely_solved, counts.rate_unknown) == (1, 1, 2)
    assert ids(read(tmp_path, given, verdicts=verdicts, solved=(0.4, 1.0)).train) == ["ungraded", "unknown"]

    def train(names, rates):
        return read(tmp_path, [problem(name) for name in names], held_out=0.5, verdicts=rates)

    whole = train("abcdefgh", [])
    solved = [write_verdicts(tmp_path / "w.jsonl", {one.id: (1, 0, 0) for one in whole.held_out} | {"a": (1, 1, 0)})]
    assert ids(train("abcdefgh", solved).held_out) == ids(whole.held_out)


@pytest.mark.parametrize(
    ("passes", "says"),
    [
        ({"a": (1, 0, 0), "b": (0, 1, 0)}, "1 are solved at most 0% of the time and 1 at least 100%; widen"),
        ({"z": (1, 1, 0)}, "v.jsonl: no graded sample of any of 2 training problems; give verdicts"),
    ],
)
def test_useless_verdicts_say_what_to_do(tmp_path, passes, says):
    verdicts = [write_verdicts(tmp_path / "v.jsonl", passes)]
    assert says in refusal(tmp_path, [problem("a"), problem("b")], verdicts=verdicts)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"id": "s", "problem_id": "a"}], "'passed': is missing"),
        ([{"id": "s", "problem_id": "a", "passed": 1}], "'passed': is int"),
        ([{"id": "s", "problem_id": "a", "passed": True}] * 2, "'s' comes twice"),
    ],
)
def test_a_broken_verdict_names_file_and_line(tmp_path, rows, says):
    path = write(tmp_path / "v.jsonl", rows)
    with pytest.raises(InputError, match=rf"v\.jsonl, line {len(rows)}, field .*") as error:
        pass_rates([Path(path)])
    assert says in str(error.value)


@given(IDS, st.integers(1, 4), st.integers(0, 3), st.sampled_from(["shuffled", "easy-first"]), st.randoms())
@settings(max_examples=60, deadline=None)
def test_every_epoch_has_each_problem_once_whatever_order_they_came_in(names, epochs, seed, how, rng):
    problems = [make_problem(name, difficulty=rng.choice(["easy", "hard", None])) for name in names]
    rates = {name: rng.choice([0.0, 0.5, 1.0]) for name in names if rng.random() < 0.5}
    found = ids(order(problems, epochs, seed, how, rates))
    size = len(problems)
    assert [sorted(found[at : at + size]) for at in range(0, len(found), size)] == [sorted(names)] * epochs
    rng.shuffle(problems)
    assert ids(order(problems, epochs, seed, how, rates)) == found
    assert ids(order(problems, epochs + 1, seed, how, rates))[: len(found)] == found


def test_each_seed_and_epoch_has_an_order_of_its_own():
    problems = [make_problem(f"p{i}") for i in range(30)]
    found = [ids(order(problems, 2, seed, "shuffled")) for seed in (0, 1)]
    assert len({tuple(part) for one in found for part in (one[:30], one[30:])}) == 4


def test_a_problem_is_as_often_early_as_late():
    problems = [make_problem(f"p{i}") for i in range(4)]
    found = order(problems, 400, 0, "shuffled")
    assert all(70 <= count <= 130 for count in Counter(ids(found[::4])).values())


def test_easy_first_goes_by_pass_rate_then_by_stated_difficulty():
    levels = {"a": "hard", "b": "easy", "c": "Easy", "d": "medium", "e": "hard", "f": None, "g": "odd"}
    problems = [make_problem(name, difficulty=level) for name, level in levels.items()]
    rates = {"a": 0.9, "b": 0.1}
    epochs = [ids(order(problems, 20, 0, "easy-first", rates))[at : at + 7] for at in range(0, 140, 7)]
    assert all(one[:5] == ["a", "b", "c", "d", "e"] for one in epochs)
    assert {tuple(one[5:]) for one in epochs} == {("f", "g"), ("g", "f")}


def test_the_data_orders_its_own_training_problems(tmp_path):
    given = [problem(name, difficulty=level) for name, level in zip("abc", ("hard", "easy", "medium"), strict=True)]
    assert ids(read(tmp_path, given, order="easy-first").ordered(2)) == ["b", "c", "a"] * 2
    shuffled = read(tmp_path, given)
    assert shuffled.ordered(3) == order(shuffled.train, 3, 0, "shuffled")


def test_the_starter_set_is_read_by_name_and_pinned(tmp_path):
    found = read_data(DataRecipe(problems=["starter"], window=None), 0, tmp_path / "listing")
    assert found.counts.given == found.counts.train + found.counts.held_out == 65
    (source,) = found.record()["sources"]
    once = hashlib.sha256((DIRECTORY / "problems.jsonl").read_bytes()).digest()
    assert source == {"name": "starter", "revision": hashlib.sha256(once).hexdigest(), "problems": 65}


def test_the_record_is_json_and_pins_the_prompt(tmp_path):
    record = json.loads(json.dumps(read(tmp_path, [problem("a")]).record()))
    text = (ROOT / "recode_models/policy/prompts/think-answer.txt").read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert record["prompt"] == {"name": "think-answer", "sha256": digest, "template": text}
    assert record["counts"]["train"] == 1
    assert record["sources"][0]["name"] == "mine.jsonl"


def test_micro_problems_are_read_by_name_and_held_out_in_part(tmp_path):
    found = read_data(DataRecipe(problems=["micro"], prompt=Path("micro")), 0, tmp_path / "listing")
    assert found.counts.given == found.counts.train + found.counts.held_out
    assert found.counts.held_out > 0 == found.counts.like_training
    again = read_data(DataRecipe(problems=["micro"], prompt=Path("micro")), 1, tmp_path / "listing")
    assert again.record() == found.record()


@pytest.fixture
def release(tmp_path):
    """A dataset with the config that `recode build release` writes."""
    directory = tmp_path / "release"
    rows = [problem_row(problem(name)) for name in ("a", "b")]
    write_rows(rows, PROBLEMS, directory / "problems" / shard_name("test"))
    files = [{"split": "test", "path": "problems/test-*"}]
    configs = [{"config_name": "problems", "data_files": files}]
    (directory / CARD).write_text(f"---\nlicense: mit\nconfigs: {json.dumps(configs)}\n---\n")
    return directory


def test_a_built_release_is_read_from_its_directory(tmp_path, release):
    found = read_data(DataRecipe(problems=[str(release)], held_out=0), 0, tmp_path / "listing")
    assert found.train == [problem("a"), problem("b")]
    assert found.sources[0].name == "release"


def test_a_row_that_is_no_problem_is_named(tmp_path, release):
    rows = [problem_row(problem("a")) | {"tests": "{"}]
    write_rows(rows, PROBLEMS, release / "problems" / shard_name("test"))
    with pytest.raises(InputError, match=r"parquet, row 0, field 'tests': not the JSON of tests; build it again"):
        read_data(DataRecipe(problems=[str(release)]), 0, tmp_path / "listing")


READ = """
import json, sys
from pathlib import Path
from recode_models.policy.data import read_data
from recode_models.policy.recipe import DataRecipe
found = read_data(DataRecipe(problems=[sys.argv[1]], held_out=0), 0, Path("listing"))
print(json.dumps([[one.model_dump(mode="json") for one in found.train], found.record()["sources"]]))
"""


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # how the client sends LFS objects
def test_a_dataset_on_the_hub_is_read_at_its_commit(tmp_path, release):
    name = f"problems/{shard_name('test')}"
    with running(tmp_path / "hub") as server:
        api = client(server)
        api.create_repo("recode/tasks", repo_type="dataset")
        commit(api, "recode/tasks", {CARD: (release / CARD).read_bytes()})
        first = put_large(api, "recode/tasks", name, (release / name).read_bytes()).oid
        put_large(api, "recode/tasks", name, b"broken")
        settings = {**environment(server, tmp_path / "home", None, xet=False), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", READ, f"recode/tasks@{first}"]
        done = subprocess.run(command, env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    train, sources = json.loads(done.stdout)
    assert train == [problem(name).model_dump(mode="json") for name in ("a", "b")]
    assert sources == [{"name": "recode/tasks", "revision": first, "problems": 2}]


SIGNATURE = 'def double(x: int) -> int:\n    """Return the double of x."""\n'
STARTER = "class Solution:\n    def double(self, x: int) -> int:\n        "
CALL = CallTests(fn_name="double", inputs=["1"], outputs=["2"])
TWICE = "Return the double of x.\n"
ASKED = {
    "stdin": make_problem(),
    "call": make_problem(statement=TWICE, tests=CALL),
    "call, starter code": make_problem(statement=TWICE, tests=CALL, starter_code=STARTER),
    "call, the statement is code": make_problem(statement=SIGNATURE, prompt=SIGNATURE, tests=CALL),
    "assert": make_problem(statement=TWICE, tests=CHECK, entry_point="double"),
    "assert, the statement is code": make_problem(
        statement=SIGNATURE, prompt=SIGNATURE, tests=CHECK, entry_point="double"
    ),
    "assert, code before": make_problem(statement=TWICE, prompt="K = 2\n", tests=CHECK, entry_point="double"),
    "assert, starter code and imports": make_problem(
        statement=TWICE, prompt="from typing import *\n", starter_code=STARTER, tests=CHECK, entry_point="double"
    ),
    "unittest": make_problem(statement="Write a class Node.", tests=UnittestTests(source=""), reference_solution="x"),
    "unittest, entry point": make_problem(
        statement=TWICE, tests=UnittestTests(source=""), reference_solution="x", entry_point="double"
    ),
}


def asked(one, prompt=None):
    (message,) = messages_of(one, read_prompt(prompt).template)
    assert message["role"] == "user"
    return message["content"]


def test_rendered_prompts(golden):
    golden("policy_prompts.txt", "\n".join(f"#### {name}\n{asked(one)}\n" for name, one in ASKED.items()))


@pytest.mark.parametrize("name", ASKED)
def test_a_prompt_tells_what_the_tests_call(name):
    one, text = ASKED[name], asked(ASKED[name])
    called = getattr(one.tests, "fn_name", one.entry_point)
    assert (called or ("standard input" if one.tests.kind == "stdin" else "class Node")) in text
    assert one.statement.strip() in text
    assert one.starter_code.strip() in text
    assert "check" not in text.casefold()


def test_a_reply_in_the_form_that_the_prompt_shows_is_well_formed():
    form = asked(ASKED["stdin"]).partition("<think>")
    found = read_completion(form[1] + form[2])
    assert (found.well_formed, found.reasoning, found.code) == (True, "your reasoning", "the whole code\n")


def test_what_a_problem_says_is_never_read_as_a_field():
    assert "{{task}} and {{nothing}}" in asked(make_problem(statement="{{task}} and {{nothing}}"))


def test_code_with_a_fence_of_its_own_keeps_it():
    text = asked(make_problem(starter_code='def f():\n    """```"""', tests=CALL))
    assert '````python\ndef f():\n    """```"""\n````' in text


def test_the_prompt_of_the_micro_problems_is_the_statement():
    assert asked(make_problem(statement="+1+2"), Path("micro")) == "+1+2"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{statement}} {{starter}}", "unknown field {{starter}}; write {{statement}} into it"),
        ("{{task}}", "no {{statement}}; write"),
        ("", "no {{statement}}; write"),
    ],
)
def test_a_wrong_prompt_is_one_line(tmp_path, template, says):
    path = tmp_path / "mine.txt"
    path.write_text(template)
    told = refusal(tmp_path, [problem("a")], prompt=path)
    assert told.startswith(str(path)) and says in told


def test_a_prompt_of_ones_own_is_used_and_pinned(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("{{statement}}\n{{starter_code}}")
    found = read(tmp_path, [problem("a", starter_code="def f():", tests=CALL)], prompt=path)
    assert messages_of(found.train[0], found.prompt.template)[0]["content"] == f"{statement('a')}\ndef f():"
    assert found.prompt.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_prompt_without_room_for_starter_code_is_refused(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("{{statement}}")
    assert ids(read(tmp_path, [problem("a")], prompt=path).train) == ["a"]
    told = refusal(tmp_path, [problem("a"), problem("b", starter_code="def f():", tests=CALL)], prompt=path)
    assert "prompt mine: has no place for the starter code of problem b" in told


def test_an_unknown_prompt_lists_the_known_ones(tmp_path):
    assert "no such prompt; give `prompt` a text file or one of micro, think-answer" in refusal(
        tmp_path, [problem("a")], prompt=Path("thinking")
    )


@pytest.mark.skipif(SHARED_DATA is None, reason="needs the data beside the project")
def test_the_real_test_window_is_found_by_id_where_problems_have_no_date(tmp_path):
    generations = SHARED_DATA / "generations" / "lcb"
    evaluation = [str(next(generations.glob("Llama-4-Maverick*.run0.eval_all.json.gz")))]
    path = tmp_path / "late.jsonl"
    with lzma.open(SHARED_DATA / "problems" / "lcb_problems_public_tests.jsonl.xz", "rt") as stream:
        rows = stream.readlines()
    path.write_text("".join(rows[-200:]), encoding="utf-8")
    recipe = DataRecipe(problems=[str(path)], evaluation=evaluation, overlap="drop")
    counts = read_data(recipe, 0, tmp_path / "listing").counts
    assert counts.in_evaluation > 0 and counts.undated == counts.train + counts.held_out
    assert counts.given == counts.train + counts.held_out + counts.in_evaluation + counts.without_tests
