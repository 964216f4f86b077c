"""The one callable: what it asks of executor and reward model, what it returns, and when it ends a run."""

import asyncio
import json
import pickle
import threading
import time

import pytest

from attack_cases import own_cases
from factories import executor, make_problem
from lcb_rb.execution import Executor, Limits
from lcb_rb.parsing import render_completion
from lcb_rb.schema import CallTests, Isolation, Problem, Result, Verdict
from recode_models.failures import TrainingError
from recode_models.policy.alarms import HACK, LENGTH, REPEATED, alarms
from recode_models.policy.completions import read_completion
from recode_models.policy.grading import BatchGrader, single_tests
from recode_models.policy.recipe import AlarmRecipe
from recode_models.policy.reward_function import CGReward
from recode_models.policy.rewards import Parts, Rule
from recode_models.policy.statistics import Rewarded, batch_metrics, repeated

GROUP = 4
DOUBLE = Problem(
    id="double",
    source="handmade",
    statement="Return the double.",
    tests=CallTests(fn_name="f", inputs=["1", "2", "3", "4"], outputs=["2", "4", "6", "8"]),
)
RIGHT, HALF, WRONG = "f=lambda x:2*x", "f=lambda x:2*x if x<3 else 0", "f=lambda x:0"


class Judge:
    """Grades without running anything: codes say what they are."""

    def __init__(self, delay_s=0.0):
        self.delay_s, self.graded = delay_s, []

    async def grade_async(self, problem, solution):
        self.graded.append(solution)
        await asyncio.sleep(self.delay_s * solution.count("slow"))
        if "broken" in solution:
            raise OSError("the disk is full")
        verdict = Verdict.UNGRADED if "ungraded" in solution else Verdict.WRONG_ANSWER
        verdict = Verdict.ACCEPTED if "right" in solution else verdict
        return Result(verdict=verdict, message="as told", isolation=Isolation.FULL)


class Reader:
    """A reward model that likes long reasonings."""

    name, revision, notes = "reader", "1", []

    def __init__(self, delay_s=0.0):
        self.calls, self.delay_s = [], delay_s

    def score(self, items, advance=lambda: None):
        time.sleep(self.delay_s)
        self.calls.append([item.reasoning for item in items])
        return [None if "unreadable" in item.reasoning else min(len(item.reasoning) / 10, 1.0) for item in items]

    @property
    def read(self):
        return [text for call in self.calls for text in call]


def written(reasoning, code):
    return [{"role": "assistant", "content": f"<think>{reasoning}</think><answer>x='{code}'</answer>"}]


def reward_of(judge, scorer=None, **options):
    grader = BatchGrader(judge, options.pop("deadline_s", 60.0), each_test=options.pop("each_test", False))
    rule = options.pop("rule", Rule())
    options = {"watched": 0, "waves": 1, "max_failed_share": 1.0} | options
    problems = {"double": DOUBLE, "p1": make_problem()}
    return CGReward(problems, rule, GROUP, grader, scorer, **options)


def call(reward, completions, problem="double", **columns):
    metrics, extra = {}, {}
    columns = {"log_metric": metrics.__setitem__, "log_extra": extra.__setitem__} | columns
    ids = [list(range(7))] * len(completions)
    values = asyncio.run(
        reward(
            prompts=[[]] * len(completions),
            completions=completions,
            completion_ids=ids,
            problem_id=[problem] * len(completions),
            **columns,
        )
    )
    return values, metrics, extra


def test_only_accepted_completions_are_scored_and_in_one_call():
    scorer = Reader()
    batch = [written("abcde", "right"), written("ab", "wrong"), written("abcdefgh", "right"), "no tags"]
    values, metrics, extra = call(reward_of(Judge(), scorer), batch)
    assert scorer.calls == [["abcde", "abcdefgh"]]
    assert values == [2.5, 1.0, 2.8, 0.0]
    assert metrics["cg/pass_rate"] == metrics["cg/gate_open"] == 0.5
    assert metrics["cg/format_rate"] == 0.75
    assert metrics["cg/process_accepted"] == pytest.approx(0.65)
    assert metrics["cg/groups_mixed"] == 1.0
    assert extra["verdict"][:2] == ["ACCEPTED", "WRONG_ANSWER"]


def test_a_few_failed_completions_are_watched_without_being_paid():
    scorer = Reader()
    batch = [written("abcde", "right")] + [written("ab" * n, f"wrong{n}") for n in range(1, 4)]
    values, metrics, _ = call(reward_of(Judge(), scorer, watched=2), batch)
    assert len(scorer.read) == 3
    assert values == [2.5, 1.0, 1.0, 1.0]
    assert 0 < metrics["cg/process_failed"] < 1
    assert metrics["cg/process_all"] == pytest.approx(0.25 * 0.5 + 0.75 * metrics["cg/process_failed"])


def test_without_a_gate_everything_well_formed_is_scored():
    scorer = Reader()
    batch = [written("abcde", "right"), written("ab", "wrong"), "no tags", written("abc", "wrong")]
    values, _, _ = call(reward_of(Judge(), scorer, rule=Rule(gate="none")), batch)
    assert sorted(scorer.read) == ["ab", "abc", "abcde"]
    assert values == pytest.approx([2.5, 1.2, 0.0, 1.3])


def test_the_soft_gate_pays_by_the_share_of_passed_tests():
    scorer = Reader()
    texts = [f"<think>abcde</think><answer>{code}</answer>" for code in (RIGHT, HALF, WRONG, "f=(")]
    values, _, _ = call(reward_of(executor(), scorer, rule=Rule(gate="soft"), each_test=True), texts)
    assert values == pytest.approx([2.5, 1.25, 1.0, 1.0])
    assert len(single_tests(DOUBLE)) == 4


def test_accepted_completions_without_a_reasoning_have_no_process():
    values, _, _ = call(reward_of(Judge(), Reader()), ["<think>A</think> so <answer>x='right'</answer>"] * GROUP)
    assert values == [1.0] * GROUP


def test_instruments_that_fail_give_none_and_change_nobody_else():
    batch = [written("abcde", code) for code in ("right", "ungraded", "broken", "wrong")]
    batch += [written("unreadable", "right"), *[written("abcde", "right")] * 3]
    values, metrics, extra = call(reward_of(Judge(), Reader()), batch)
    assert values == [2.5, None, None, 1.0, None, 2.5, 2.5, 2.5]
    assert metrics["cg/ungraded"] == 0.25
    assert metrics["cg/unscored"] == 0.125
    assert metrics["cg/pass_rate"] == pytest.approx(5 / 6)  # of the graded ones
    assert extra["verdict"][1:3] == ["UNGRADED", "UNGRADED"]


def test_too_many_failures_end_the_run_and_say_why():
    reward = reward_of(Judge(), Reader(), max_failed_share=0.05)
    call(reward, [written("a", "right")] * 188)
    call(reward, [written("a", "broken")] * 8)
    with pytest.raises(
        TrainingError, match=r"12 of the last 200 .* more than 5%; most often: .*the disk is full; see `recode doctor"
    ):
        call(reward, [written("unreadable", "right")] * 4)  # the cause is that of the batch before


def test_one_failure_in_a_small_batch_is_borne_and_half_of_it_is_not():
    reward = reward_of(Judge(), max_failed_share=0.05)
    call(reward, [written("a", "broken"), *[written("a", "right")] * 7], held_out=[True] * 8)
    call(reward, [written("a", "broken"), *[written("a", "right")] * 7])
    with pytest.raises(TrainingError, match="5 of the last 16"):
        call(reward, [written("a", "broken")] * 4 + [written("a", "right")] * 4)


def test_failures_of_long_ago_are_forgotten_and_measuring_counts_apart():
    reward = reward_of(Judge(), max_failed_share=0.05)
    call(reward, [written("a", "broken")] * 24 + [written("a", "right")] * 488)
    call(reward, [written("a", "right")] * 512)
    call(reward, [written("a", "broken")] * 24 + [written("a", "right")] * 488)
    with pytest.raises(TrainingError, match="8 of the last 8"):
        call(reward, [written("a", "broken")] * 8, held_out=[True] * 8)


def test_what_is_watched_stands_for_all_that_failed_however_alike_it_is():
    """28 of 32 failed completions are the same good-looking text: what a policy writes that is hacking."""
    batch = [written("a" * 9, "wrong")] * 28 + [written("a", f"wrong{n}") for n in range(4)]
    reward = reward_of(Judge(), Reader(), watched=8)
    found = []
    for step in range(40):
        state = type("State", (), {"global_step": step})
        _, metrics, _ = call(reward, batch, trainer_state=state)
        found.append(metrics["cg/process_all"])
    assert sum(found) / len(found) == pytest.approx((28 * 0.9 + 4 * 0.1) / 32, abs=0.05)
    assert len(set(found)) > 1  # another draw in each step


def test_without_weight_the_watched_stand_for_all():
    batch = [written("a" * 9, "right")] * 2 + [written("a", "wrong")] * 6
    reward = reward_of(Judge(), Reader(), watched=8, rule=Rule(process_weight=0.0))
    assert call(reward, batch)[1]["cg/process_all"] == pytest.approx((2 * 0.9 + 6 * 0.1) / 8)
    few = reward_of(Judge(), Reader(), watched=1, rule=Rule(process_weight=0.0))
    assert call(few, batch)[1]["cg/process_all"] in (pytest.approx(0.9), pytest.approx(0.1))


def test_what_is_late_is_ungraded_and_the_others_are_kept():
    batch = [written("a", code) for code in ("right", "slow right", "wrong", "right")]
    start = time.monotonic()
    values, _, _ = call(reward_of(Judge(delay_s=60), deadline_s=0.2), batch)
    assert values == [2.0, None, 1.0, 2.0]
    assert time.monotonic() - start < 10


def test_a_wave_is_scored_while_the_next_one_is_graded():
    seen = []

    class Slow(Judge):
        async def grade_async(self, problem, solution):
            result = await super().grade_async(problem, solution)
            if "slow" in solution:
                seen.append(len(scorer.calls))
            return result

    scorer = Reader()
    batch = [written("abcde", "right")] * GROUP + [written("abcde", "slow right")] * GROUP
    values, _, _ = call(reward_of(Slow(delay_s=0.3), scorer, waves=2), batch)
    assert values == [2.5] * 8
    assert seen == [1] * GROUP
    assert [len(found) for found in scorer.calls] == [GROUP, GROUP]


def test_what_is_scored_together_does_not_depend_on_which_grade_comes_first():
    batch = [written("ab", "slow right"), written("abcd", "right"), written("abc", "slow wrong"), written("a", "right")]
    for delay_s in (0.0, 0.05):
        scorer = Reader()
        call(reward_of(Judge(delay_s=delay_s), scorer, watched=1), batch)
        assert scorer.calls == [["ab", "abcd", "abc", "a"]]


def test_the_reward_model_runs_in_another_thread_than_the_event_loop():
    class Where(Reader):
        def score(self, items, advance=lambda: None):
            self.thread = threading.current_thread().name
            return super().score(items)

    scorer = Where()
    call(reward_of(Judge(), scorer), [written("a", "right")] * GROUP)
    assert scorer.thread.startswith("scoring")


def test_held_out_problems_are_recorded_and_wholly_scored():
    reward = reward_of(Judge(), Reader())
    values, metrics, _ = call(
        reward,
        [written("abcde", "right"), written("ab", "wrong"), written("a", "ungraded"), "no tags"],
        held_out=[True] * 4,
    )
    assert values == [2.5, 1.0, None, 0.0]
    assert metrics == {}
    found = [(one.passed, one.process) for one in reward.attempts]
    assert found == [(True, 0.5), (False, 0.2), (None, None), (False, None)]


def test_the_telling_samples_are_shown():
    reward = reward_of(Judge(), Reader(), watched=8)
    call(reward, [written("a" * n, "right" if n < 3 else "wrong") for n in range(1, 5)])
    shown = {row["what"]: row["completion"] for row in reward.shown}
    assert set(shown) == {"accepted, best process", "accepted, worst process", "failed, best process"}
    assert "<think>aa</think>" in shown["accepted, best process"]
    assert "<think>aaaa</think>" in shown["failed, best process"]
    json.dumps(reward.shown)


def test_it_can_be_sent_to_another_process():
    again = pickle.loads(pickle.dumps(reward_of(Judge(), Reader())))
    assert call(again, [written("abcde", "right")] * GROUP)[0] == [2.5] * GROUP


def test_the_name_in_trls_metrics_is_fixed():
    assert reward_of(Judge()).__name__ == "cg_reward"


HOSTILE = [case for case in own_cases() if case["expect"] == "fail" and not case.get("follow")]


def test_hostile_code_is_graded_as_it_is_written():
    """So what the executor's own suite shows of these programs holds for completions too."""
    for case in HOSTILE:
        found = read_completion(render_completion("I know a way around the tests.", case["code"]))
        assert found.code.rstrip("\n") == case["code"].rstrip("\n"), case["id"]


def test_hostile_completions_have_no_outcome():
    cases = {case["base"]: case for case in HOSTILE if case["means"] == "false_pass" and not case.get("danger")}
    chosen = list(cases.values())
    problems = {case["id"]: problem_of(case) for case in chosen}
    with Executor(2, limits=Limits(cpu_s=1.0)) as impatient:
        reward = CGReward(problems, Rule(), 1, BatchGrader(impatient, 300.0), Reader(), max_failed_share=1.0)
        values = asyncio.run(
            reward(
                prompts=[[]] * len(chosen),
                completions=[render_completion("I know a way around the tests.", case["code"]) for case in chosen],
                completion_ids=[[]] * len(chosen),
                problem_id=[case["id"] for case in chosen],
            )
        )
    assert len(chosen) > 80
    assert {case["id"]: value for case, value in zip(chosen, values, strict=True) if value != 1.0} == {}


def problem_of(case):
    fields = {"kind": case["kind"], **case["tests"]}
    return Problem(
        id=case["id"],
        source="attack",
        statement="?",
        entry_point=case.get("entry_point"),
        prompt=case.get("prompt") or "",
        tests=fields,
    )


def history(*steps):
    return [
        {"step": i + 1, "cg/pass_rate": passed, "cg/process_all": process, "cg/length": length, "cg/repeated": again}
        for i, (passed, process, length, again) in enumerate(steps)
    ]


CALM = (0.5, 0.5, 100, 0.1)
RECIPE = AlarmRecipe(window=3)


def test_a_process_score_that_rises_while_the_pass_rate_falls_rings():
    assert set(alarms(history(*[CALM] * 3, *[(0.4, 0.6, 100, 0.1)] * 3), RECIPE)) == {HACK}
    assert not alarms(history(*[CALM] * 3, *[(0.5, 0.9, 100, 0.1)] * 3), RECIPE)
    assert not alarms(history(*[CALM] * 3, *[(0.1, 0.5, 100, 0.1)] * 3), RECIPE)
    assert not alarms(history(*[CALM] * 3, *[(0.1, 0.9, 100, 0.1)] * 2), RECIPE)  # too early to tell


@pytest.mark.parametrize("length", [20, 300])
def test_a_length_that_drifts_rings(length):
    assert set(alarms(history(*[CALM] * 3, *[(0.5, 0.5, length, 0.1)] * 3), RECIPE)) == {LENGTH}


def test_repetitions_ring():
    assert set(alarms(history(*[(0.5, 0.5, 100, 0.8)] * 3), RECIPE)) == {REPEATED}


def test_repeated_runs_of_tokens_are_counted():
    assert repeated([1, 2, 3]) == 0.0
    assert repeated(list(range(20))) == 0.0
    assert repeated([1, 2, 3, 4] * 5) == pytest.approx(1 - 4 / 17)


def test_accepted_completions_below_their_groups_mean_are_counted():
    parts = [Parts(1.0, 1.0, 0.1), *[Parts(1.0, 1.0, 0.9)] * 6, Parts(1.0, 0.0, None)]
    batch = [Rewarded("p", one, Rule().reward(one), "", []) for one in parts]
    assert batch_metrics(batch, Rule(), 8)["cg/punished_accepted"] == pytest.approx(1 / 7)
