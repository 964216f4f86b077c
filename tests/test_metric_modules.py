"""The metric modules, loaded by `evaluate` from their folders and from a served Space, against the plain functions."""

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import tomllib

import pytest
import yaml

from factories import ROOT, make_problem, needs
from lcb_rb.metrics import pairwise_summary
from lcb_rb.metrics.candidates import grade_candidates

needs("evaluate")

METRICS = ROOT / "lcb_rb" / "metrics"
NAMES = ["pairwise_accuracy", "pass_at_k"]
README = {name: (METRICS / name / "README.md").read_text(encoding="utf-8") for name in NAMES}
BLOCKS = {name: re.findall(r"```python\n(.*?)```", README[name], re.DOTALL) for name in NAMES}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}

PAIRS = {
    "chosen_scores": [2.5, 0.25, 0.75, 1.0, None, float("nan"), -3.0],
    "rejected_scores": [0.5, 1.0, 0.75, -1.0, 0.0, 1.0, -3.5],
    "groups": ["7", "7", "8", "9", "9", "8", "10"],
    "subsets": ["easy", "easy", "hard", "hard", "hard", None, "easy"],
    "chosen_lengths": [900, 300, 500, 700, 400, 100, None],
    "rejected_lengths": [400, 500, 450, 350, 400, 300, 10],
}
RIGHT, WRONG = "def add(a, b): return a + b", "def add(a, b): return a * b"
TEST = "assert add(2, 3) == 5"
DOUBLE = "print(2 * int(input()))"
STDIN = json.dumps({"kind": "stdin", "inputs": ["1\n"], "outputs": ["2\n"]})
CALL = json.dumps({"kind": "call", "fn_name": "add", "inputs": ["2\n3"], "outputs": ["5"]})
CANDIDATES = [[WRONG, RIGHT, RIGHT], [DOUBLE, "print(3)", DOUBLE], [RIGHT, None, WRONG], [DOUBLE] * 3, [RIGHT] * 3]
REFERENCES = [TEST, STDIN, CALL, make_problem("double").model_dump_json(), None]

SCRIPT = """
import contextlib, doctest, io, json, os, sys
import datasets, evaluate, numpy
given = json.load(sys.stdin)
pairs, candidates, references = given["pairs"], given["candidates"], given["references"]
found = {}

def note(name, action):
    try:
        found[name] = action()
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"

def some(columns, start, end):
    return {name: column[start:end] for name, column in columns.items()}

def in_parts():
    accuracy.add_batch(**some(pairs, 0, 3))
    accuracy.add_batch(**some(pairs, 3, 6))
    accuracy.add(**{name: column[6] for name, column in pairs.items()})
    return accuracy.compute()

def groups_that_end():
    accuracy.add_batch(**some(pairs, 0, 3))
    accuracy.add_batch(chosen_scores=[1.0], rejected_scores=[0.0])
    return accuracy.compute()

def programs_in_parts():
    passes.add_batch(predictions=candidates[:2], references=references[:2])
    for prediction, reference in zip(candidates[2:], references[2:]):
        passes.add(prediction=prediction, reference=reference)
    return passes.compute(k=[1, 2])

def program_of_a_later_batch():
    passes = evaluate.load(given["paths"]["pass_at_k"], keep_in_memory=True)
    passes.add_batch(predictions=candidates[:2], references=references[:2])
    passes.add_batch(predictions=[[]], references=references[:1])

class Longest(evaluate.Metric):
    def _info(self):
        programs = {"predictions": datasets.Sequence(datasets.Value("string")), "references": datasets.Value("string")}
        return evaluate.MetricInfo(description="", citation="", features=datasets.Features(programs))

    def _compute(self, predictions, references):
        return {"longest": max(len(program) for programs in predictions for program in programs)}

def all_together():
    every = evaluate.combine([accuracy, passes, Longest()])
    every.add_batch(predictions=[["x = 1", "y"]] * 7, references=[""] * 7, **pairs)
    return every.compute()

def run(code):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue().splitlines()

def docstring_examples(module):
    known = {"evaluate": evaluate, "os": os}
    examples = doctest.DocTestParser().get_doctest(module.inputs_description, known, "", "", 0)
    return list(doctest.DocTestRunner().run(examples))

accuracy = evaluate.load(given["paths"]["pairwise_accuracy"])
passes = evaluate.load(given["paths"]["pass_at_k"])
scores = {name: pairs[name] for name in ("chosen_scores", "rejected_scores")}
note("pairs", lambda: accuracy.compute(**pairs))
note("served pairs", lambda: evaluate.load("recode/pairwise_accuracy").compute(**pairs))
note("pairs in parts", in_parts)
note("integer groups", lambda: accuracy.compute(**{**pairs, "groups": [int(group) for group in pairs["groups"]]}))
arrays = {**pairs, "groups": numpy.array(pairs["groups"]).astype(int)}
arrays |= {name: numpy.array(pairs[name], dtype=float) for name in pairs if name[-5:] in ("cores", "ngths")}
note("arrays", lambda: accuracy.compute(**arrays))
note("scores only", lambda: accuracy.compute(**scores))
note("seed", lambda: accuracy.compute(**pairs, seed=5, resamples=50))
note("groups that end", groups_that_end)
note("one length", lambda: accuracy.compute(**scores, chosen_lengths=[1] * 7))
note("unknown column", lambda: accuracy.compute(**scores, group=[1] * 7))
note("no rejected", lambda: accuracy.compute(chosen_scores=[1.0]))
note("unequal", lambda: accuracy.compute(chosen_scores=[1.0], rejected_scores=[1.0, 2.0]))
note("empty", lambda: accuracy.compute(chosen_scores=[], rejected_scores=[]))
note("pairs after errors", lambda: evaluate.load(given["paths"]["pairwise_accuracy"]).compute(**pairs))

os.environ.pop("HF_ALLOW_CODE_EVAL", None)
programs = {"predictions": candidates[:1], "references": references[:1]}
note("no consent", lambda: passes.compute(**programs))
os.environ["HF_ALLOW_CODE_EVAL"] = "true"
note("unclear consent", lambda: passes.compute(**programs))
os.environ["HF_ALLOW_CODE_EVAL"] = "1"
note("default k", lambda: passes.compute(**programs))
note("programs", lambda: passes.compute(predictions=candidates, references=references, k=[1, 2]))
served = evaluate.load("recode/pass_at_k")
note("served programs", lambda: served.compute(predictions=candidates, references=references, k=[1, 2], num_workers=1))
note("programs in parts", programs_in_parts)
note("NaN program", lambda: passes.compute(predictions=[[float("nan"), "print(2)"]], references=references[1:2], k=[1]))
note("k too large", lambda: passes.compute(predictions=candidates, references=references, k=[1, 4]))
note("flat", lambda: passes.compute(predictions=candidates[0], references=references[:3], k=[1]))
note("a dict", lambda: passes.compute(predictions=candidates[:1], references=[{"kind": "stdin"}], k=[1]))
note("later batch", program_of_a_later_batch)
note("together", all_together)
for name, blocks in given["blocks"].items():
    note(f"README of {name}", lambda: [run(block) for block in blocks])
note("docstring of pairwise_accuracy", lambda: docstring_examples(accuracy))
note("docstring of pass_at_k", lambda: docstring_examples(passes))
sys.modules["lcb_rb"] = None
for name in given["paths"]:
    note(f"{name} without lcb_rb", lambda: str(evaluate.load(given["paths"][name])))
print(json.dumps(found))
"""

ONE_OF_TWO = """
import json, os, sys
import evaluate
os.environ["HF_ALLOW_CODE_EVAL"] = "1"
given = json.load(sys.stdin)
place = {"num_process": 2, "process_id": given["process"], "experiment_id": "two"}
accuracy = evaluate.load(given["paths"]["pairwise_accuracy"], **place)
accuracy.add_batch(**given["pairs"])
found = [accuracy.compute()]
passes = evaluate.load(given["paths"]["pass_at_k"], **place)
passes.add_batch(predictions=given["candidates"], references=given["references"])
print(json.dumps([*found, passes.compute(k=[1])]))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Serves the modules as the Spaces recode/pairwise_accuracy and recode/pass_at_k."""
    served = tmp_path_factory.mktemp("served")
    for name in NAMES:
        shutil.copytree(METRICS / name, served / "spaces" / "recode" / name / "resolve" / "main")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "HF_HOME": str(tmp_path_factory.mktemp("home")),
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
        }
        server.shutdown()


@pytest.fixture(scope="module")
def found(environment, tmp_path_factory):
    """What every scenario of the script gave, from one process that is not in the checkout."""
    given = {
        "paths": {name: str(METRICS / name) for name in NAMES},
        "pairs": PAIRS,
        "candidates": CANDIDATES,
        "references": REFERENCES,
        "blocks": BLOCKS,
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(given),
        env=environment,
        cwd=tmp_path_factory.mktemp("elsewhere"),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def graded():
    return as_json(grade_candidates(CANDIDATES, REFERENCES, [1, 2]))


def as_json(value):
    return json.loads(json.dumps(value))


def settled(grades):
    """What does not change from run to run: everything but times and memory."""
    scores, per_candidate = grades
    measured = {"cpu_s", "wall_s", "peak_mb"}
    kept = {
        task: [
            [number, {key: value for key, value in result.items() if key not in measured}] for number, result in found
        ]
        for task, found in per_candidate.items()
    }
    return scores, kept


@pytest.mark.parametrize(
    "way", ["pairs", "served pairs", "pairs in parts", "integer groups", "arrays", "pairs after errors"]
)
def test_the_module_gives_the_numbers_of_the_plain_function(found, way):
    assert found[way] == as_json(pairwise_summary(**PAIRS))


def test_options_reach_the_plain_function(found):
    assert found["seed"] == as_json(pairwise_summary(**PAIRS, seed=5, resamples=50))
    assert found["seed"]["interval"] != found["pairs"]["interval"]


def test_the_numbers_are_those_counted_by_hand(found):
    pairs = found["pairs"]
    assert [pairs[name] for name in ("n", "n_ties", "n_unscored", "n_problems")] == [7, 1, 2, 4]
    assert (pairs["accuracy"], pairs["strict_accuracy"], pairs["mean_margin"]) == (0.7, 0.6, 0.75)
    assert {name: (part["n"], part["accuracy"]) for name, part in pairs["subsets"].items()} == {
        "easy": (3, 2 / 3),
        "hard": (3, 0.75),
    }


def test_optional_columns_may_be_left_out(found):
    only = found["scores only"]
    assert only == as_json(pairwise_summary(PAIRS["chosen_scores"], PAIRS["rejected_scores"]))
    assert (only["n_problems"], only["length_correlation"], only["subsets"]) == (5, None, {})


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("groups that end", "ValueError: groups: pair 3 has none"),
        ("one length", "ValueError: lengths of one side only"),
        ("unknown column", "TypeError: .*unexpected keyword argument 'group'"),
        ("no rejected", "ValueError: rejected_scores is missing"),
        ("unequal", "ValueError: columns differ in length: 1 chosen_scores, 2 rejected_scores"),
        ("empty", "ValueError: no pairs"),
        ("no consent", "ValueError: (?s:.*)kernel(?s:.*)HF_ALLOW_CODE_EVAL"),
        ("unclear consent", "ValueError: (?s:.*)HF_ALLOW_CODE_EVAL"),
        ("k too large", "ValueError: problem 0: pass@4 needs 4 candidates, there are 3"),
        ("flat", "ValueError: problem 0: predictions must hold a list of programs"),
        ("a dict", "ValueError: reference 0 is a dict"),
        ("later batch", "ValueError: problem 2 has no candidates"),
        ("pass_at_k without lcb_rb", "ImportError: .*lcb_rb.*pip install lcb-rb'"),
        ("pairwise_accuracy without lcb_rb", "ImportError: .*lcb_rb.*pip install lcb-rb'"),
    ],
)
def test_an_error_says_what_is_wrong(found, case, reason):
    assert isinstance(found[case], str)
    assert re.match(reason, found[case]), found[case]


@pytest.mark.parametrize("way", ["programs", "served programs", "programs in parts"])
def test_the_module_gives_the_grades_of_the_plain_function(found, graded, way):
    assert settled(found[way]) == settled(graded)


def test_tests_of_every_form_are_run(found):
    scores, per_candidate = found["programs"]
    passed = [[result["passed"] for _, result in per_candidate[str(task)]] for task in range(5)]
    assert passed[:3] == [[False, True, True], [True, False, True], [True, None, False]]
    assert passed[3:] == [[True] * 3, [None] * 3]
    assert scores["pass@1"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 2 + 1) / 4)
    assert (scores["n_problems"], scores["n_unscored"]) == ({"pass@1": 4, "pass@2": 4}, {"pass@1": 1, "pass@2": 1})
    assert (scores["n_samples"], scores["n_ungraded"], len(scores["errors"])) == (11, 4, 1)
    assert [problem["problem_id"] for problem in scores["problems"]] == ["0", "1", "2", "double", "4"]


def test_a_call_of_code_eval_gets_what_code_eval_returns(found):
    scores, per_candidate = found["default k"]
    assert [name for name in scores if name.startswith("pass@")] == ["pass@1"]
    assert list(per_candidate) == ["0"]
    for number, (place, result) in enumerate(per_candidate["0"]):
        assert place == result["completion_id"] == number and result["task_id"] == 0
        assert (result["result"] == "passed") is result["passed"]
    assert per_candidate["0"][0][1]["result"].startswith("failed: ")


def test_a_missing_program_is_no_wrong_answer(found):
    scores, per_candidate = found["NaN program"]
    assert (scores["pass@1"], scores["n_ungraded"]) == (1.0, 1)
    assert per_candidate["0"][0][1]["result"] == "ungraded: no candidate was given"


def test_modules_of_other_inputs_can_be_combined(found):
    together = found["together"]
    assert together["longest"] == 5
    assert together["mean_margin"] == found["pairs"]["mean_margin"]
    assert together["pass@1"] is None and together["n_ungraded"] == 14


def test_two_processes_give_the_numbers_of_one(environment, graded):
    def start(process):
        part = slice(0, 3) if process == 0 else slice(3, None)
        given = {
            "process": process,
            "paths": {name: str(METRICS / name) for name in NAMES},
            "pairs": {name: column[part] for name, column in PAIRS.items()},
            "candidates": CANDIDATES[part],
            "references": REFERENCES[part],
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running = subprocess.Popen([sys.executable, "-c", ONE_OF_TWO], env=environment, text=True, **pipes)
        running.stdin.write(json.dumps(given))
        running.stdin.close()
        running.stdin = None
        return running

    processes = [start(0), start(1)]
    ends = [running.communicate(timeout=400) for running in processes]
    assert [running.returncode for running in processes] == [0, 0], ends
    (pairs, grades), other = (json.loads(out.splitlines()[-1]) for out, _ in ends)
    assert other == [None, None]
    assert pairs == as_json(pairwise_summary(**PAIRS))
    assert grades[0]["pass@1"] == graded[0]["pass@1"]
    assert settled(grades)[1] == settled(graded)[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_print_what_stands_beside_them(found, name):
    wanted = [re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE) for block in BLOCKS[name]]
    assert all(wanted)
    assert found[f"README of {name}"] == wanted


@pytest.mark.parametrize(("name", "examples"), [("pairwise_accuracy", 3), ("pass_at_k", 5)])
def test_the_examples_in_the_docstring_run(found, name, examples):
    assert found[f"docstring of {name}"] == [0, examples]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_the_first_example_and_asks_for_nothing_else(name):
    page = (METRICS / name / "index.html").read_text(encoding="utf-8")
    shown = re.findall(r"<pre><code>(.*?)</code></pre>", page, re.DOTALL)
    assert [html.unescape(code) for code in shown] == [BLOCKS[name][0].rstrip()]
    assert not re.search(r"\bsrc=|\bhref=|url\(|@import|https?:|<script", page)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_one_of_a_metric_space(name):
    card = yaml.safe_load(README[name].split("---\n")[1])
    assert {"title", "emoji", "pinned", "license"} <= set(card)
    assert (card["sdk"], card["app_file"], card["tags"]) == ("static", "index.html", ["evaluate", "metric"])
    assert len(card["short_description"]) <= 60
    assert {card["colorFrom"], card["colorTo"]} <= COLOURS


@pytest.mark.parametrize("name", NAMES)
def test_a_space_requires_what_the_package_does(name):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    lines = (METRICS / name / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(lines) == sorted([*extras["metrics"], "lcb-rb"])
