import datetime
from collections import Counter
from collections.abc import Callable
from time import perf_counter

import pytest

from builders.filters import (
    REASONS,
    Drop,
    Keep,
    Selection,
    describe_drops,
    nothing_left,
    of_grade,
    of_problem,
    of_reasoning,
    of_sample,
    of_stored_failure,
)
from builders.gates.reasons import GATE_REASONS
from builders.natural import build_pairs
from builders.recipe import CrplRecipe
from builders.rewriting import Work, rewrite_unit
from builders.shards import Material
from factories import LONG, make_problem, make_sample
from lcb_rb.schema import Isolation, Problem, Result, Sample, Verdict
from lcb_rb.window import Window

P = {"p1": make_problem()}
DAY = datetime.date(2025, 1, 31)
FENCED = "```python\nclass Solution:\n    pass\n```"


def _result(verdict: Verdict) -> Result:
    return Result(verdict=verdict, isolation=Isolation.FULL)


def _natural(*samples: Sample, results: dict[str, Result] | None = None, **fields: object) -> Counter[str]:
    return +build_pairs(samples, P, results or {}, Selection(**fields)).drops


def _degraded(*samples: Sample) -> Counter[str]:
    return +rewrite_unit(Work(Material(list(samples), P, {}), Selection(), CrplRecipe())).drops


def _failed(problem: Problem, **fields: object) -> Counter[str]:
    sample = make_sample("s1", passed=False, **fields)
    return +build_pairs([sample], {"p1": problem}, {}, Selection()).drops


SAME = f"The very same words. {LONG * 3}"
CASES: dict[str, Callable[[], Counter[str]]] = {
    "no_problem": lambda: _natural(make_sample(problem_id="p9", passed=True)),
    "excluded_problem": lambda: _natural(make_sample(passed=True), excluded=frozenset({"p1"})),
    "outside_window": lambda: _natural(make_sample(passed=True), window=Window(start=DAY)),
    "ungraded": lambda: _natural(make_sample()),
    "no_code": lambda: _natural(make_sample(passed=False, code=" \n")),
    "code_left_out": lambda: _failed(make_problem(starter_code="class Solution:"), completion=FENCED, code="x = 1"),
    "float_tolerance": lambda: _failed(P["p1"], metadata={"error_message": "Wrong answer: 0.5 != 0.50000000001"}),
    "several_answers": lambda: _failed(make_problem(statement="Print any valid order.")),
    "short_reasoning": lambda: _natural(make_sample(passed=True, reasoning="Too short.")),
    "same_reasoning": lambda: (
        _natural(*(make_sample(name, passed=True, reasoning=SAME) for name in "ab")) - Counter(no_failed=1)
    ),
    "contradicting_twin": lambda: (
        _natural(make_sample("a", passed=True, reasoning=SAME), make_sample("b", passed=False, reasoning=SAME))
        - Counter(contradicting_twin=1)
    ),
    "not_accepted": lambda: _degraded(make_sample(passed=False)),
    "no_variant": lambda: _degraded(make_sample(passed=True, reasoning="Hm " * 100)),
    "no_accepted": lambda: _natural(make_sample(passed=False)),
    "no_failed": lambda: _natural(make_sample(passed=True)),
    "no_partner": lambda: _natural(*(make_sample(name, passed=name != "c") for name in "abc")),
}


@pytest.mark.parametrize("reason", CASES)
def test_a_drop_is_counted_under_its_reason_and_no_other(reason: str) -> None:
    assert CASES[reason]() == {reason: 1}


def test_every_reason_has_a_case() -> None:
    """Those of gates, judges, claims and the balance have theirs beside them."""
    elsewhere = {*GATE_REASONS, "refuted_reasoning", "refuted_variant", "unbalanced"}
    assert CASES.keys() == REASONS.keys() - elsewhere


def test_a_sound_sample_is_kept() -> None:
    assert of_sample(make_sample(passed=True), P["p1"], None, Selection()) == Keep()


@pytest.mark.parametrize(
    ("window", "kept"),
    [
        (Window(), True),
        (Window(start=DAY), True),
        (Window(end=DAY), True),
        (Window(start=DAY + datetime.timedelta(1)), False),
        (Window(end=DAY - datetime.timedelta(1)), False),
    ],
)
def test_both_ends_of_the_window_belong_to_it(window: Window, kept: bool) -> None:
    outcome = of_problem(make_problem(date=DAY), Selection(window=window))
    assert outcome == (Keep() if kept else Drop("outside_window"))


def test_an_undated_problem_passes_only_the_open_window() -> None:
    outcomes = [of_problem(make_problem(), Selection(window=window)) for window in (Window(), Window(end=DAY))]
    assert outcomes == [Keep(), Drop("outside_window")]


def test_our_ungraded_outweighs_a_stored_pass() -> None:
    assert of_grade(make_sample(passed=True), _result(Verdict.UNGRADED)) == Drop("ungraded")


def test_our_no_code_is_no_failure_of_the_reasoning() -> None:
    assert of_grade(make_sample(), _result(Verdict.NO_CODE)) == Drop("no_code")


def test_our_own_failure_stands_where_a_stored_one_is_doubted() -> None:
    several = make_problem(statement="Print any valid order.")
    sample = make_sample(passed=False)
    assert of_sample(sample, several, _result(Verdict.WRONG_ANSWER), Selection()) == Keep()


def test_a_stored_pass_is_never_doubted() -> None:
    several = make_problem(statement="Print any valid order.")
    assert of_sample(make_sample(passed=True), several, None, Selection()) == Keep()


@pytest.mark.parametrize(
    "message",
    [
        "Wrong answer at output_line_idx=0: 1.3333333 != 1.3333333333",
        "2000000.000001 != 2000000.0",
        "1 != 1.0",
    ],
)
def test_decimals_that_differ_by_a_millionth_are_float_tolerance(message: str) -> None:
    sample = make_sample(passed=False, metadata={"error_message": message})
    assert of_stored_failure(P["p1"], sample) == Drop("float_tolerance")


@pytest.mark.parametrize(
    "message", ["0.5 != 0.50001", "3 != 4", "nan != 0.5", "inf != inf.", "a != b.c", " != 1.0", ""]
)
def test_other_differences_are_real_failures(message: str) -> None:
    assert of_stored_failure(P["p1"], make_sample(passed=False, metadata={"error_message": message})) == Keep()


def test_a_huge_error_message_takes_no_time() -> None:
    sample = make_sample(passed=False, metadata={"error_message": "x" * 1_000_000})
    start = perf_counter()
    of_stored_failure(P["p1"], sample)
    assert perf_counter() - start < 1


@pytest.mark.parametrize(
    "statement",
    [
        "Print any of them.",
        "Return any valid array.",
        "If there are multiple answers, print any.",
        "RETURN ANY ONE OF THE",
    ],
)
def test_a_statement_that_admits_several_answers_is_recognised(statement: str) -> None:
    assert of_stored_failure(make_problem(statement=statement), make_sample()) == Drop("several_answers")


@pytest.mark.parametrize("statement", ["Do any two meet?", "Print the multiple. Is there any?", "Return the company."])
def test_the_word_any_alone_admits_nothing(statement: str) -> None:
    assert of_stored_failure(make_problem(statement=statement), make_sample()) == Keep()


def test_code_that_is_nowhere_in_the_completion_was_not_left_out() -> None:
    sample = make_sample(passed=False, code="x = 1", completion="No code at all.")
    assert of_stored_failure(make_problem(starter_code="class Solution:"), sample) == Keep()


def test_code_blocks_do_not_make_a_reasoning_long() -> None:
    padded = f"Short.\n```python\n{'x = 1' * 100}\n```\nEnd."
    assert of_reasoning(make_sample(reasoning=padded), 200) == Drop("short_reasoning")


def test_the_shortest_allowed_reasoning_is_kept() -> None:
    outcomes = [of_reasoning(make_sample(reasoning="a" * length), 200) for length in (199, 200)]
    assert outcomes == [Drop("short_reasoning"), Keep()]


def test_drops_are_described_by_name_without_zeros() -> None:
    assert describe_drops(Counter(b=2, a=1, c=0)) == "a 1, b 2"


def test_no_drop_is_described_too() -> None:
    assert describe_drops({}) == "nothing"


def test_a_build_without_pairs_says_the_most_frequent_reason() -> None:
    assert REASONS["no_failed"] in str(nothing_left(Counter(no_failed=3, no_code=1)))
