"""Numeric claims: what is found in prose, what is passed over, and what the sandbox says of it."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.claims import Claim, check_claims, find_claims
from factories import SHARED_DATA, executor, make_problem
from lcb_rb.schema import AssertTests, CallTests, Problem, StdinTests
from lcb_rb.sources import read_problems, read_samples

STARTER = "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
CODE = """from typing import List
class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        return [[i, j] for j in range(len(nums)) for i in range(j) if nums[i] + nums[j] == target][0]
"""
STEPS = "class Solution:\n    def climb(self, n: int) -> int:\n"
CLIMB = """class Solution:
    def climb(self, n: int) -> int:
        a, b = 1, 1
        for _ in range(n):
            a, b = b, a + b
        return a
"""


def two_sum(**fields: object) -> Problem:
    check = "def check(candidate):\n    assert candidate(nums = [3,3], target = 6) == [0,1]\n"
    known = {"starter_code": STARTER, "entry_point": "twoSum", "tests": AssertTests(check=check)}
    return make_problem("two", **{**known, **fields})


def climb(statement: str = "Count the ways to climb n stairs. 1 <= n <= 45", **fields: object) -> Problem:
    tests = CallTests(fn_name="climb", inputs=["2"], outputs=["2"])
    return make_problem("climb", statement=statement, **{"starter_code": STEPS, "tests": tests, **fields})


def stated(text: str, problem: Problem) -> list[tuple[str, str]]:
    """Arguments and result of every claim in a text."""
    return [(claim.arguments, claim.expected) for claim in find_claims(text, problem)]


@pytest.mark.parametrize(
    "text",
    [
        "For nums = [2,7,11,15] and target = 9 the result is [0,1].",
        "For example, with `nums = [2, 7, 11, 15]`, `target = 9`, the answer is `[0, 1]`.",
        "Input: nums = [2,7,11,15], target = 9\nOutput: [0,1]\nDone.",
        "- **Input**: `nums = [2,7,11,15]`, `target = 9`\n- **Output**: `[0,1]`",
        "When \\( nums = [2,7,11,15] \\) and \\( target = 9 \\), it returns [0, 1].",
        "`twoSum([2,7,11,15], 9)` returns `[0,1]`.",
        "We see that twoSum(nums=[2,7,11,15], target=9) = [0,1].",
        "The answer is [0,1] for target = 9, nums = [2,7,11,15].",
        "Example 1: `nums = [2,7,11,15]`, `target = 9`. The expected output is `[0,1]`.",
    ],
)
def test_a_claim_is_found_however_it_is_said(text: str) -> None:
    assert stated(text, two_sum()) == [("[2, 7, 11, 15]\n9", "[0, 1]")]


@pytest.mark.parametrize(
    "text",
    [
        "For nums = [2,7,11,15] the result is [0,1].",
        "For nums = [2,7] and target = 9 the loop starts, i = 0.",
        "With nums = [2,7] and target = 9, a greedy choice returns [1,1].",
        "If nums = [2,7] and target = 9, the answer is not [1,1].",
        "For nums = [2,7] and target = 9, is the answer is [0,1]?",
        "For nums = [2,7] and target = 9 the answer is [0,1] + [2].",
        "For nums = [2,7] and target = 9 the answer is 4.",
        "For nums = [2,7] and target = k the answer is [0,1].",
        "```\nInput: nums = [2,7], target = 9\nOutput: [0,1]\n```",
    ],
)
def test_in_doubt_no_claim_is_found(text: str) -> None:
    assert stated(text, two_sum()) == []


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("For n = 5 the answer is 8.", ["8"]),
        ("If n is 1, there is nothing to choose, so the answer is 1.", ["1"]),
        ("For the input 3, the output is 3.", ["3"]),
        ("`climb(4)` should return 5, `climb(3) = 3`.", ["5", "3"]),
        ("For n = 5 the answer is 2n.", []),
        ("For n = 5 the answer is 10^9.", []),
        ("For n = 5 the answer is 3 mod 7.", []),
        ("For n = 5 the answer is 3, 4 or 5.", []),
        ("For n = 5 the answer is True.", []),
        ("For n = 5, 6 the answer is 8.", []),
        ("In the base case n = 1 the answer is 1.", []),
        ("For n = 0 the answer is 7.", []),  # below the bound of the statement
        ("climb(n) = 8 and dp(5) = 8.", []),
    ],
)
def test_a_result_must_be_a_whole_value_of_the_right_type_within_bounds(text: str, result: list[str]) -> None:
    assert [expected for _, expected in stated(text, climb())] == result


@pytest.mark.parametrize(
    "words", ["Return the pairs in any order.", "If there are multiple answers, print any of them."]
)
def test_problems_with_several_right_answers_have_no_claims(words: str) -> None:
    assert stated("For n = 5 the answer is 9.", climb(statement=words)) == []


def test_tests_that_compare_by_another_rule_than_equality_leave_no_claims() -> None:
    loose = AssertTests(check="def check(candidate):\n    assert sorted(candidate([3,3], 6)) == [0,1]\n")
    assert stated("For nums = [3,3] and target = 6 the result is [1,0].", two_sum(tests=loose)) == []


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("For input `3 4` the output is `7`.", [("3 4\n", "7\n")]),
        ("Input: 3 4\nOutput: 7\n", [("3 4\n", "7\n")]),
        ("Input:\n3 4\n5\nOutput:\n12\n", [("3 4\n5\n", "12\n")]),
        ('Input: "takahashi", expected output: "YES".', [("takahashi\n", "Yes\n")]),
        ("With N = 6 and S = #.##.#, the output should be 2.", [("6\n#.##.#\n", "2\n")]),
        ("Input: `N`\nOutput: `M`", []),
        ("Input: A string S of length 3.\nOutput: Yes or No.", []),
        ("Input: two integers. The output is not 7.", []),
    ],
)
def test_claims_about_programs_need_data_as_input(text: str, claims: list[tuple[str, str]]) -> None:
    tests = StdinTests(inputs=["6\n#.##.#\n", "abc\n"], outputs=["2\n", "Yes\n"])
    assert stated(text, make_problem(tests=tests)) == claims


def test_a_claim_knows_its_place() -> None:
    text = "Look:\n\nfor `n = 5` the answer is **8**.\n"
    (claim,) = find_claims(text, climb())
    assert text[claim.start :].startswith(claim.text)
    assert text[claim.result_start :].startswith(claim.result_text) and claim.result_text == "8"


PIECES = st.sampled_from(
    [
        *(
            "for n = ",
            "n is 5",
            " the answer is ",
            "8",
            "[1, 2",
            "]",
            "'a",
            '"',
            "Input: ",
            "Output: ",
            "\n",
            "```",
            "`",
        ),
        *("climb(", ")", " = ", "3 4", "-", ".", ",", "$", "\\(", "e9", "\u0131", "\x00", "returns ", "The ", "N = "),
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=30).map("".join))
@settings(deadline=None, max_examples=200)
def test_no_text_makes_the_search_fail_and_places_are_exact(text: str) -> None:
    for problem in (climb(), make_problem()):
        for claim in find_claims(text, problem):
            assert text.startswith(claim.text, claim.start)
            assert text.startswith(claim.result_text, claim.result_start)


@given(st.integers(1, 10**6), st.integers(-(10**6), 10**6))
def test_every_number_is_read_back(n: int, result: int) -> None:
    assert stated(f"For n = {n} the answer is {result}.", climb()) == [(str(n), str(result))]


def checked(texts: dict[str, str], problem: Problem, code: str) -> dict[str, list[tuple[str, str | None]]]:
    found = check_claims([(key, problem, code, text) for key, text in texts.items()], executor())
    return {key: [(each.outcome, each.actual) for each in one.findings] for key, one in found.items()}


def test_accepted_code_confirms_and_refutes() -> None:
    texts = {"right": "For n = 5 the answer is 8.", "wrong": "For n = 5 the answer is 9.", "none": "Add them up."}
    found = checked(texts, climb(), CLIMB)
    assert found == {"right": [("confirmed", None)], "wrong": [("refuted", "8")], "none": []}


def test_methods_under_assert_tests_are_called_too() -> None:
    text = "For nums = [2,7] and target = 9 the result is [1,0]. `twoSum([3,2,4], 6)` returns [1,2]."
    assert checked({"s": text}, two_sum(), CODE) == {"s": [("refuted", "[0, 1]"), ("confirmed", None)]}


def test_programs_are_run_on_the_stated_input() -> None:
    text = "For input `3` the output is `6`. For input `5` the output is `9`."
    assert checked({"s": text}, make_problem(), "print(2 * int(input()))") == {
        "s": [("confirmed", None), ("refuted", None)]
    }


def test_a_crash_says_nothing_about_a_claim() -> None:
    text = "For nums = [1,1] and target = 9 the result is [0,1]."
    assert checked({"s": text}, two_sum(), CODE) == {"s": [("unchecked", None)]}


def test_a_reference_solution_does_not_save_a_wrong_claim() -> None:
    problem = climb(reference_solution=CLIMB)
    assert checked({"s": "For n = 5 the answer is 9."}, problem, CLIMB) == {"s": [("refuted", "8")]}


def test_decimals_are_compared_to_the_stated_digits() -> None:
    starter = "class Solution:\n    def half(self, n: int) -> float:\n"
    problem = climb(starter_code=starter, tests=CallTests(fn_name="half", inputs=["1"], outputs=["0.5"]))
    code = f"{starter}        return n / 3\n"
    text = "For n = 2 the answer is 0.67. For n = 2 the answer is 0.68."
    assert [outcome for outcome, _ in checked({"s": text}, problem, code)["s"]] == ["confirmed", "refuted"]


def test_code_cannot_forge_the_value_that_corrects_a_claim() -> None:
    code = "class Solution:\n    def climb(self, n: int) -> int:\n        raise AssertionError('RETURNED 9')\n"
    assert checked({"s": "For n = 5 the answer is 8."}, climb(), code) == {"s": [("unchecked", None)]}


def test_counts_are_those_of_the_findings() -> None:
    text = "For n = 5 the answer is 8. For n = 6 the answer is 8. For n = 7 the answer is 21."
    (one,) = check_claims([("s", climb(), CLIMB, text)], executor()).values()
    assert (one.checked, one.refuted, len(one.findings)) == (3, 1, 3)


class Counting:
    """Counts what an engine is given."""

    def __init__(self) -> None:
        self.given = 0

    def __getattr__(self, name: str) -> object:
        return getattr(executor(), name)

    def grade_as_completed(self, items):
        def counted():
            for item in items:
                self.given += 1
                yield item

        return executor().grade_as_completed(counted())


def test_equal_claims_are_run_once() -> None:
    engine = Counting()
    text = "For n = 5 the answer is 8."
    found = check_claims([(index, climb(), CLIMB, text) for index in range(5)], engine)
    assert engine.given == 1
    assert [one.checked for one in found.values()] == [1] * 5


def test_a_claim_is_a_record() -> None:
    (claim,) = find_claims("For n = 5 the answer is 8.", climb())
    assert Claim.model_validate_json(claim.model_dump_json()) == claim


@pytest.mark.skipif(SHARED_DATA is None, reason="real generations are not here")
def test_accepted_code_refutes_no_claim_of_real_accepted_reasonings() -> None:
    assert SHARED_DATA
    problems = read_problems([SHARED_DATA / "problems" / "lcb_problems_public_tests.jsonl.xz"])
    files = sorted(Path(SHARED_DATA / "generations" / "lcb").glob("Llama-4-Scout*run[01]*.gz"))
    samples = [sample for sample in read_samples(files, problems).samples if sample.passed]
    items = ((sample.id, problems[sample.problem_id], sample.code, sample.reasoning) for sample in samples)
    outcomes = Counter(each.outcome for one in check_claims(items, executor()).values() for each in one.findings)
    assert outcomes["confirmed"] > 10
    assert outcomes["refuted"] == 0
