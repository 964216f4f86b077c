"""Rules that optimize: what they add is true, and its partner is wrong and looks alike."""

import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.claims import check_claims, find_claims
from builders.rules import apply_edit
from builders.rules.examples import Example, examples_of, wrong_results
from builders.rules.optimize import PARTNERS, edge_case_pair, example_pair, optimize
from builders.rules.text import same_form
from factories import SHARED_DATA, executor, make_problem
from lcb_rb.parsing import code_blocks
from lcb_rb.schema import AssertTests, CallTests, Dimension, Edit, Problem, Sample, StdinTests, Variant
from lcb_rb.sources import read_problems, read_samples

STARTER = "class Solution:\n    def climb(self, n: int) -> int:\n"
CODE = f"""{STARTER}        a, b = 1, 1
        for _ in range(n):
            a, b = b, a + b
        return a
"""
TEXT = (
    "Each stair is reached from the two stairs below it, so we add up the ways.\n\nThus, the last sum is what we want."
)
FENCED = f"{TEXT}\n\n```python\nprint('a long line of code that ends with a full stop.')\n```"


def climb(**fields: object) -> Problem:
    tests = CallTests(fn_name="climb", inputs=["1", "5", "10"], outputs=["1", "8", "89"])
    known = {"statement": "Count the ways to climb n stairs.", "starter_code": STARTER, "tests": tests}
    return make_problem("climb", **{**known, **fields})


def asserting(*asserts: str, returns: str = "int") -> Problem:
    lines = "".join(f"    assert {line}\n" for line in asserts)
    starter = f"class Solution:\n    def f(self, s: str, k: int) -> {returns}:\n"
    return climb(starter_code=starter, entry_point="f", tests=AssertTests(check=f"def check(candidate):\n{lines}"))


@cache
def real_problems() -> list[tuple[Problem, Sample]]:
    """Real problems with tests of kind assert, each with an accepted sample."""
    if SHARED_DATA is None:
        pytest.skip("real problems are not here")
    file = SHARED_DATA / "problems" / "LeetCodeDataset-v0.2.0-train.jsonl.gz"
    problems = read_problems([file])
    return [(problems[sample.problem_id], sample) for sample in read_samples([file]).samples[:250]]


def pairs_of(problem: Problem, text: str = TEXT, name: str = "s") -> list[tuple[Variant, Variant]]:
    made = optimize(text, name, problem)
    return list(zip(made[::2], made[1::2], strict=True))


def test_an_example_of_the_tests_is_told_before_the_conclusion() -> None:
    right, wrong = example_pair(TEXT, "s", climb()) or pytest.fail("nothing was made")
    (edit,) = right.edits
    assert re.fullmatch(r" (For example, for|For instance, with|With) n = (5|10),? the answer is (8|89)\.", edit.after)
    assert right.reasoning.index(edit.after) < right.reasoning.index("\n\nThus")
    assert (right.direction, wrong.direction) == ("optimized", "degraded")
    assert right.dimension is wrong.dimension is Dimension.FACTUAL_ACCURACY


def test_the_smallest_input_is_told_as_an_edge_case() -> None:
    right, wrong = edge_case_pair(TEXT, "s", climb()) or pytest.fail("nothing was made")
    assert re.fullmatch(r" (In|For) the edge case n = 1, the answer is 1\.", right.edits[0].after)
    assert right.dimension is wrong.dimension is Dimension.LOGICAL_RIGOR


def test_the_rules_are_those_that_the_partners_name() -> None:
    assert {(a.edits[0].rule, b.edits[0].rule) for a, b in pairs_of(climb())} == set(PARTNERS.items())


def test_a_pair_is_equal_in_form_and_differs_in_the_result_alone() -> None:
    for number in range(50):
        for right, wrong in pairs_of(climb(), name=str(number)):
            (a,), (b,) = right.edits, wrong.edits
            assert right.reasoning != wrong.reasoning
            assert a.start == b.start and a.before == b.before == ""
            assert re.sub(r"\d+\.$", "", a.after) == re.sub(r"\d+\.$", "", b.after)
            assert [len(part) for part in re.findall(r"\d+", a.after)] == [
                len(part) for part in re.findall(r"\d+", b.after)
            ]


def test_the_recorded_edit_makes_the_variant() -> None:
    for pair in pairs_of(climb()):
        assert all(apply_edit(TEXT, variant.edits[0]) == variant.reasoning for variant in pair)


def test_backticks_are_used_where_the_text_uses_them() -> None:
    right, _ = pairs_of(climb(), TEXT.replace("stair ", "`stair` ", 1))[0]
    assert re.search(r"`n = \d+`,? the answer is `\d+`\.$", right.edits[0].after)


def test_code_is_not_touched() -> None:
    for pair in pairs_of(climb(), FENCED):
        assert all(code_blocks(variant.reasoning)[0].body == code_blocks(FENCED)[0].body for variant in pair)
        assert all(variant.edits[0].start < FENCED.index("```") for variant in pair)


def test_truth_values_are_told_in_words_of_equal_length() -> None:
    problem = asserting('candidate(s = "aba", k = 3) == True', 'candidate(s = "abc", k = 2) == False', returns="bool")
    for name in map(str, range(20)):
        ((right, wrong),) = pairs_of(problem, name=name)
        holds = "aba" in right.edits[0].after
        assert right.edits[0].after.endswith("the condition holds." if holds else "the condition fails.")
        assert wrong.edits[0].after.endswith("the condition fails." if holds else "the condition holds.")


def test_which_truth_value_is_told_does_not_follow_the_more_frequent_one() -> None:
    tests = ['candidate(s = "abc", k = 2) == False', *(f'candidate(s = "aba", k = {k}) == True' for k in range(2, 12))]
    told = [pairs_of(asserting(*tests, returns="bool"), name=str(name))[0][0].edits[0].after for name in range(200)]
    assert 70 < sum("fails" in text for text in told) < 130


def test_a_program_is_told_by_its_input() -> None:
    problem = make_problem(tests=StdinTests(inputs=["3 4\n", "2\n5 6\n"], outputs=["7\n", "11\n"]))
    told = {pairs_of(problem, name=str(name))[0][0].edits[0].after.partition("the input")[2] for name in range(40)}
    assert {text.replace(",", "") for text in told} == {" 3 4 the answer is 7.", " lines 2 and 5 6 the answer is 11."}


@pytest.mark.parametrize(
    "problem",
    [
        climb(statement="Return the numbers in any order."),
        climb(tests=None),
        climb(tests=StdinTests(inputs=["1\n" * 9], outputs=["Yes\n"])),
        asserting('sorted(candidate(s = "a", k = 1)) == [1]'),
        asserting('candidate(s = "abcd" * 9, k = g(1)) == 1'),
        asserting(f'candidate(s = "{"ab" * 60}", k = 1) == 1'),
    ],
    ids=["any order", "no tests", "long input", "other rule", "no literal", "long value"],
)
def test_without_a_short_certain_example_nothing_is_made(problem: Problem) -> None:
    assert optimize(TEXT, "s", problem) == []


def test_what_the_text_already_says_is_not_said_again() -> None:
    problem = climb(tests=CallTests(fn_name="climb", inputs=["5"], outputs=["8"]))
    assert optimize(TEXT, "s", problem)
    assert optimize(f"We try n=5 first. {TEXT}", "s", problem) == []


def test_a_text_without_a_paragraph_is_left_alone() -> None:
    assert optimize("1. Add.\n2. Print the sum of all the numbers that were read before.", "s", climb()) == []


def test_a_draw_depends_on_seed_and_sample() -> None:
    made = {optimize(TEXT, name, climb(), seed=seed)[0].reasoning for name in "ab" for seed in range(9)}
    assert len(made) > 2
    assert optimize(TEXT, "a", climb(), seed=1) == optimize(TEXT, "a", climb(), seed=1)


@given(st.integers(-(10**9), 10**9) | st.lists(st.integers(-99, 99), min_size=1, max_size=5))
def test_a_wrong_result_has_the_form_of_the_right_one(value: int | list[int]) -> None:
    example = Example(inputs=("n = 1",), result=repr(value), value=value)
    for wrong in wrong_results(example):
        edit = Edit(rule="r", dimension="logical_rigor", start=0, before=repr(value), after=wrong)
        assert wrong != repr(value) and same_form(edit)
        assert repr(eval(wrong)) == wrong


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("abc", {"'bac'", "'acb'"}), ("aaa", set()), ("Yes", set()), ([], set()), (0.5, {"1.5", "2.5"})],
)
def test_wrong_results_of_other_types(value: object, wrong: set[str]) -> None:
    assert set(wrong_results(Example(inputs=("n = 1",), result=repr(value), value=value))) == wrong


def test_a_refuted_claim_gets_the_value_that_the_code_returns() -> None:
    text = "We add. For n = 5 the answer is 9. For n = 6 the answer is 13. `climb(4)` = `6`."
    checked = check_claims([("s", climb(), CODE, text)], executor())["s"]
    corrected = optimize(text, "s", climb(), checked)[0]
    assert corrected.reasoning == "We add. For n = 5 the answer is 8. For n = 6 the answer is 13. `climb(4)` = `5`."
    assert [edit.rule for edit in corrected.edits] == ["corrected_claim"] * 2
    assert corrected.direction == "optimized"


def test_a_claim_whose_true_value_is_unknown_is_not_corrected() -> None:
    text = "For input `3` the output is `7`."
    problem = make_problem(statement="Print the double.")
    checked = check_claims([("s", problem, "print(2 * int(input()))", text)], executor())["s"]
    assert checked.refuted == 1
    assert optimize(text, "s", problem, checked) == []


def test_examples_are_those_of_the_tests() -> None:
    problem = asserting('candidate(s = "ab", k = 2) == 4', 'candidate("a", k = 3) == 5')
    found = [(example.inputs, example.result, example.is_edge) for example in examples_of(problem)]
    assert found == [(("s = 'ab'", "k = 2"), "4", False), (("s = 'a'", "k = 3"), "5", True)]


def test_real_pairs_are_confirmed_and_refuted_by_real_accepted_code() -> None:
    items = [
        ((variant.direction, sample.id, variant.edits[0].rule), problem, sample.code, variant.reasoning)
        for problem, sample in real_problems()
        for variant in optimize(sample.reasoning, sample.id, problem)
        if not find_claims(sample.reasoning, problem)
    ]
    found = check_claims(items, executor())
    outcomes = {(key[0], each.outcome) for key, one in found.items() for each in one.findings}
    assert outcomes == {("optimized", "confirmed"), ("degraded", "refuted")}
    assert sum(one.checked for one in found.values()) > 150


def test_no_verdict_and_no_code_leaks() -> None:
    for problem, sample in real_problems():
        for variant in optimize(sample.reasoning, sample.id, problem):
            assert not re.search(r"accept|pass|test|verdict|correct|def |\n", variant.edits[0].after)
