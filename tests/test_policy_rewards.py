"""The rule of CG-GRPO: its gates, its modes, and the numbers that are known of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recode_models.policy.completions import read_completion
from recode_models.policy.rewards import SCALES, Parts, Rule, advantages, deviation, normalised, signals

GROUP = 4
unit = st.floats(0, 1)
known_parts = st.builds(Parts, st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]), unit, unit)
groups = st.lists(known_parts, min_size=GROUP, max_size=3 * GROUP).map(lambda x: x[: len(x) // GROUP * GROUP])
modes = st.sampled_from(sorted(SCALES))


def right(process, format=1.0):
    return Parts(format, 1.0, process, 1.0)


def wrong(process=None, pass_rate=0.0, format=1.0):
    return Parts(format, 0.0, process, pass_rate)


def exactly(rewards):
    """The paper's formula, which adds nothing to the standard deviation."""
    return advantages(rewards, len(rewards), "group", epsilon=0.0)


def test_the_process_counts_only_where_all_tests_pass():
    assert Rule().reward(right(0.9)) == 2.9
    assert Rule().reward(wrong(0.9)) == 1.0
    assert Rule().reward(wrong(0.9, format=0.0)) == 0.0
    assert Rule(gate="none").reward(wrong(0.9)) == 1.9
    assert Rule(gate="soft").reward(wrong(0.8, pass_rate=0.5)) == pytest.approx(1.4)
    assert Rule(process_weight=0.0).reward(right(None)) == 2.0


def test_what_could_not_be_measured_is_no_reward():
    assert Rule().reward(Parts(1.0, None, 0.9)) is None
    assert Rule().reward(right(None)) is None
    assert Rule().reward(wrong(None)) == 1.0  # behind the gate no score is needed
    assert Rule(gate="soft").reward(Parts(1.0, 0.0, 0.9, None)) is None
    assert Rule(gate="none").reward(wrong(None)) is None


def test_an_all_wrong_group_with_equal_format_has_no_advantages():
    assert exactly([Rule().reward(wrong(p)) for p in (0.9, 0.1, 0.5, 0.2)]) == [0.0] * 4


def test_a_correct_completion_with_a_poor_process_is_punished():
    rewards = [Rule().reward(part) for part in [right(0.9)] * 6 + [right(0.1), wrong(0.9)]]
    assert rewards == pytest.approx([2.9] * 6 + [2.1, 1.0])
    assert exactly(rewards) == pytest.approx([0.49] * 6 + [-0.67, -2.26], abs=5e-3)


def test_the_standard_deviation_of_a_group_makes_noise_a_full_signal():
    rewards = [Rule().reward(right(p)) for p in (0.950, 0.951, 0.952, 0.953)]
    assert exactly(rewards) == pytest.approx([-1.16, -0.39, 0.39, 1.16], abs=5e-3)
    assert advantages(rewards, 4, "group") == pytest.approx([-1.08, -0.36, 0.36, 1.08], abs=5e-3)  # as TRL computes it


def test_the_standard_deviation_of_the_batch_leaves_noise_small():
    mixed = [Rule().reward(part) for part in (right(0.9), right(0.8), wrong(), wrong())]
    alike = [Rule().reward(right(p)) for p in (0.950, 0.951, 0.952, 0.953)]
    assert max(abs(one) for one in advantages(alike + mixed, 4, "batch")[:4]) < 0.003


def test_without_a_gate_an_all_wrong_group_is_paid_for_its_style():
    rewards = [Rule(gate="none").reward(wrong(p)) for p in (0.9, 0.2, 0.5, 0.1)]
    assert rewards == pytest.approx([1.9, 1.2, 1.5, 1.1])
    assert exactly(rewards) == pytest.approx([1.32, -0.63, 0.21, -0.90], abs=6e-3)


def test_dr_grpo_divides_by_nothing():
    rewards = signals([right(0.9), right(0.7), wrong(), wrong()], Rule(mode="dr_grpo"), 4)
    assert advantages(rewards, 4, SCALES["dr_grpo"]) == pytest.approx([1.0, 0.8, -0.9, -0.9])


def test_papo_normalises_the_process_among_the_correct_only():
    group = [right(0.1), right(0.2), right(0.9), wrong(0.99)]
    found = signals(group, Rule(mode="papo"), 4)
    outcome, process = [0.5, 0.5, 0.5, -1.5], [-0.688, -0.459, 1.147, 0.0]
    assert found == pytest.approx([a + b for a, b in zip(outcome, process, strict=True)], abs=1e-3)
    assert advantages(found, 4, SCALES["papo"]) == pytest.approx(found)  # the signal is the advantage


def test_papo_needs_two_correct_completions_for_a_process_term():
    alone = signals([right(0.9), wrong(), wrong(), wrong()], Rule(mode="papo"), 4)
    assert alone == signals([right(0.1), wrong(), wrong(), wrong()], Rule(mode="papo"), 4)
    assert alone == pytest.approx([1.5, -0.5, -0.5, -0.5], abs=1e-3)


def test_gdpo_normalises_each_reward_on_its_own():
    group = [right(0.1), right(0.2), right(0.9), wrong(0.99)]
    summed = [-0.188, 0.041, 1.647, -1.5]
    found = signals(group, Rule(mode="gdpo"), 4)
    assert found == pytest.approx(summed, abs=1e-3)
    spread = deviation(found)
    assert advantages(found, 4, SCALES["gdpo"]) == pytest.approx([value / spread for value in found], abs=1e-3)


def test_a_group_must_be_whole():
    with pytest.raises(ValueError, match="no whole groups of 4"):
        signals([right(0.5)] * 6, Rule(), 4)


@given(groups, modes)
def test_an_ungraded_completion_changes_nobody_elses_advantage(parts, mode):
    rule = Rule(mode=mode)
    scale = "group" if mode == "grpo" else SCALES[mode]
    lost = [Parts(1.0, None, 0.5), *parts[1:]]
    found = advantages(signals(lost, rule, GROUP), GROUP, scale)
    assert found[0] == 0.0
    alone = signals(parts[1:GROUP], rule, GROUP - 1)
    if scale != "batch":  # the batch's deviation is everybody's
        assert found[1:GROUP] == pytest.approx(advantages(alone, GROUP - 1, scale), abs=1e-6)


@given(groups, modes)
def test_the_process_of_a_failed_completion_never_counts(parts, mode):
    other = [Parts(p.format, p.outcome, p.process if p.outcome else 1 - p.process, p.pass_rate) for p in parts]
    rule = Rule(mode=mode)
    assert signals(parts, rule, GROUP) == signals(other, rule, GROUP)


@given(groups, modes, st.randoms())
def test_the_order_within_a_group_does_not_matter(parts, mode, random):
    order = list(range(GROUP))
    random.shuffle(order)
    moved = [parts[i] for i in order] + parts[GROUP:]
    found, same = signals(moved, Rule(mode=mode), GROUP), signals(parts, Rule(mode=mode), GROUP)
    assert found[:GROUP] == pytest.approx([same[i] for i in order], abs=1e-9)


@given(groups, unit, unit)
def test_a_correct_completion_is_always_worth_more_than_a_wrong_one(parts, one, other):
    rewards = [(part.outcome, part.format, Rule().reward(part)) for part in parts]
    for right_, format_, reward in rewards:
        for right_too, format_too, less in rewards:
            if right_ > right_too and format_ >= format_too:
                assert reward >= less + 1


@given(groups, modes)
def test_advantages_of_a_group_sum_to_zero(parts, mode):
    found = advantages(signals(parts, Rule(mode=mode), GROUP), GROUP, SCALES[mode])
    for start in range(0, len(found), GROUP):
        assert math.fsum(found[start : start + GROUP]) == pytest.approx(0, abs=1e-6)


@given(groups)
def test_without_weight_the_process_is_left_out(parts):
    bare = [Parts(p.format, p.outcome, None, None) for p in parts]
    rule = Rule(process_weight=0.0)
    assert signals(parts, rule, GROUP) == signals(bare, rule, GROUP)


def test_normalised_values_leave_the_unknown_out():
    assert normalised([None, 1.0, 3.0]) == [None, pytest.approx(-0.707, abs=1e-3), pytest.approx(0.707, abs=1e-3)]
    assert normalised([None, 1.0]) == [None, 0.0]


@pytest.mark.parametrize(
    ("completion", "reasoning", "code", "well_formed"),
    [
        ("<think>Add.</think><answer>print(1)</answer>", "Add.", "print(1)", True),
        ("<think>Add.</think>\n<answer>\n```python\nprint(1)\n```\n</answer>\n", "Add.", "print(1)\n", True),
        ([{"role": "assistant", "content": "<think>A</think><answer>x=1</answer>"}], "A", "x=1", True),
        ([{"role": "assistant", "reasoning_content": "A", "content": "<answer>x=1</answer>"}], "A", "x=1", True),
        ("<think>A</think> so <answer>x=1</answer>", "", "x=1", False),
        ("<think>A</think><answer>x=1</answer> done", "", "x=1", False),
        ("<think>A</think><think>B</think><answer>x=1</answer>", "", "x=1", False),
        ("<think></think><answer>x=1</answer>", "", "x=1", False),
        ("<think>A</think><answer></answer>", "", "", False),
        ("<think>A</think><answer>x=1", "", "x=1", False),
        ("```python\nx=1\n```", "", "x=1\n", False),
        ("I do not know", "", "", False),
        ("", "", "", False),
        ([], "", "", False),
    ],
)
def test_reasoning_is_taken_from_well_formed_completions_only(completion, reasoning, code, well_formed):
    found = read_completion(completion)
    assert (found.reasoning, found.code, found.well_formed) == (reasoning, code, well_formed)


def test_a_prompt_may_open_the_reasoning_itself():
    found = read_completion("Add.</think><answer>print(1)</answer>", prefilled=True)
    assert (found.reasoning, found.well_formed) == ("Add.", True)
    again = read_completion("<think>Add.</think><answer>print(1)</answer>", prefilled=True)
    assert (again.reasoning, again.well_formed) == ("Add.", True)


@given(st.text())
def test_any_text_is_read(text):
    found = read_completion(text)
    assert not found.well_formed or (found.reasoning and found.code)
