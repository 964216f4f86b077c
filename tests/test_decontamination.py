"""Evaluation problems are found under other names and in other words; other problems are not."""

import datetime
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.decontamination import listing, offender_table, offenders, reason_counts, signature_of
from factories import SHARED_DATA, make_problem, needs
from lcb_rb.window import Window

needs("datasketch")

STORY = (
    "You are given a list of n integers and a number k. In one step you may take two neighbours that differ by at most "
    "k and put their sum in the place of both. Return the smallest length that the list can be brought to, or minus "
    "one if no step is possible at all."
)
OTHER = (
    "A farmer has a field of m rows and writes in each of them how many carrots grew there. He sells the rows from the "
    "left to the right, and every third one goes to his neighbour. Print how many carrots he sells in the end."
)
STARTER = "class Solution:\n    def shortest(self, nums: List[int], k: int) -> int:\n        "


def problem(statement=STORY, **fields):
    return make_problem(**{"problem_id": "x", "statement": statement, **fields})


def reasons(mine, known, **options):
    return [one.reason for one in offenders({"mine": mine}, [("bench", {"theirs": known})], **options)]


def reworded(text, every):
    """The text with every so manieth word exchanged."""
    return " ".join("thing" if i % every == every - 1 else word for i, word in enumerate(text.split()))


def test_one_id_is_found_without_any_statement():
    found = offenders({"a": problem("")}, [("bench", {"a": problem("")})])
    assert [(one.problem_id, one.evaluation, one.evaluation_id, one.reason) for one in found] == [
        ("a", "bench", "a", "id")
    ]


def test_one_statement_under_two_ids_is_found_by_its_words():
    assert reasons(problem(), problem(f"  {STORY.upper()}\n")) == ["runs", "near_duplicate"]


def test_another_problem_is_not_found():
    assert reasons(problem(starter_code=STARTER), problem(OTHER, starter_code=STARTER)) == []


def test_a_statement_inside_a_longer_one_is_found_by_its_runs():
    assert reasons(problem(), problem(f"{OTHER} {STORY} {OTHER[::-1]}")) == ["runs"]


def test_a_reworded_statement_is_found_by_its_signature_and_two_runs():
    changed = problem(reworded(STORY, 16), starter_code=STARTER)
    assert reasons(problem(starter_code=STARTER), changed) == ["signature"]
    assert reasons(problem(), changed) == []


def test_a_signature_alone_says_nothing():
    assert reasons(problem(starter_code=STARTER), problem(reworded(STORY, 9), starter_code=STARTER)) == []


def test_days_in_the_window_are_refused_and_unknown_ones_are_not():
    window = Window(datetime.date(2024, 10, 1))
    problems = {
        "old": problem(date=datetime.date(2024, 9, 30)),
        "new": problem(date=datetime.date(2024, 10, 1)),
        "undated": problem(),
    }
    found = offenders(problems, [], window=window)
    assert [(one.problem_id, one.evaluation, one.evaluation_id) for one in found] == [
        ("new", "window 2024-10-01:", None)
    ]


def test_a_reasoning_may_not_repeat_the_statement_of_another_problem():
    known = {"theirs": problem(OTHER), "mine": problem()}
    texts = {"mine": ["Nothing of the kind.", f"An example first. {OTHER} Now to ours: {STORY}"]}
    found = offenders({"mine": problem("")}, [("bench", known)], reasonings=texts)
    assert [(one.evaluation_id, one.reason, one.similarity) for one in found] == [
        ("mine", "id", 1.0),
        ("theirs", "reasoning", 1.0),
    ]


def test_phrases_of_the_evaluation_set_do_not_count():
    phrase = "Read everything from the standard input and write the answer to the standard output on one line."
    known = {f"q{i}": problem(f"{phrase} {OTHER[i:]}") for i in range(12)}
    assert offenders({"mine": problem(f"{phrase} {STORY}")}, [("bench", known)]) == []


@pytest.mark.parametrize(
    ("starter", "signature"),
    [
        ("", None),
        ("import os\n", None),
        (STARTER, "shortest(self,nums:List[int],k:int)"),
        ("# def __init__(self, val=0, next=None):\nclass Solution:\n    def f(self, a: int) -> int: ", "f(self,a:int)"),
        ("def add(a, b):\n    pass", "add(a,b)"),
        ("def g(x: Dict[str, int], /) -> Tuple[int, int]:", "g(x:Dict[str,int],/)"),
    ],
)
def test_the_signature_is_that_of_the_last_function(starter, signature):
    assert signature_of(problem(starter_code=starter)) == signature


@given(st.lists(st.sampled_from([STORY, OTHER, reworded(STORY, 16), ""]), max_size=4))
def test_a_set_beside_itself_is_found_whole(statements):
    problems = {f"p{i}": problem(text) for i, text in enumerate(statements)}
    found = offenders(problems, [("bench", problems)])
    assert {one.problem_id for one in found if one.reason == "id"} == set(problems)
    assert found == sorted(found, key=lambda one: (one.problem_id, one.evaluation_id))


def test_the_listing_has_all_and_the_table_counts_and_the_first_twenty():
    problems = {f"p{i:02}": problem("" if i else STORY) for i in range(25)}
    found = offenders(problems, [("bench", problems)])
    lines = [json.loads(line) for line in listing(found).splitlines()]
    assert [line["problem_id"] for line in lines if line["reason"] == "id"] == list(problems)
    assert reason_counts(found) == {"id": 25, "runs": 1, "near_duplicate": 1}
    told = offender_table(found)
    assert "| bench | any of them | 25 |" in told
    assert "| p00 | bench | p00 | id, runs 1.00, near_duplicate 1.00 |" in told
    assert "p19" in told and "p20" not in told and "... and 5 more" in told


def test_nothing_shared_is_one_line():
    assert offender_table([]) == "No problem is in an evaluation set."


@pytest.mark.skipif(SHARED_DATA is None, reason="needs the data beside the project")
def test_real_training_problems_in_livecodebench_are_all_found_and_no_others():
    import lzma

    from lcb_rb.sources import read_problems

    folder = SHARED_DATA / "problems"
    mine = read_problems([folder / "LeetCodeDataset-v0.2.0-train.jsonl.gz"])
    theirs = read_problems([folder / "lcb_problems_public_tests.jsonl.xz"])
    with lzma.open(folder / "lcb_problems_public_tests.jsonl.xz", "rt", encoding="utf-8") as lines:
        titles = {row["question_id"]: row["question_title"] for row in map(json.loads, lines)}
    slugs = {key: re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for key, title in titles.items()}
    named_alike = {(slug, key) for key, slug in slugs.items() if slug in mine and key.isdigit()}  # LeetCode's own
    found = offenders(mine, [("LiveCodeBench", theirs)])
    assert {(one.problem_id, one.evaluation_id) for one in found} == named_alike
    assert len(named_alike) == 78
