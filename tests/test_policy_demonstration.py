"""The demonstration: what is planned, measured and reported, and one small base with one arm."""

import pytest

from factories import needs
from recode_models.failures import TrainingError
from recode_models.policy.demonstration.measuring import FEW, Attempt, Measured, summary
from recode_models.policy.demonstration.prediction import Ways

needs("torch", "trl")

WAYS = Ways(pass_work=0.6, pass_hack=0.1, process_work=0.1, process_hack=0.7)


def measured(pass_rate, **fields):
    known = {"n": 800, "process": 0.4, "length": 15.0, "work": 0.5, "hack": 0.4, "ways": WAYS}
    return Measured(pass_rate=pass_rate, **{**known, **fields})


def base(setting="weak base", seed=1, pass_rate=0.3):
    from recode_models.policy.demonstration.bases import Base, Settings

    return Base(
        setting=setting, seed=seed, settings=Settings(), loss=0.6, measured=measured(pass_rate), reward_model={}
    )


def outcome(arm, pass_rate, seed=1, weight=1.0, setting="weak base"):
    from recode_models.policy.demonstration.runs import Job, Outcome

    job = Job(setting=setting, arm=arm, seed=seed, weight=weight)
    curves = {"pass_rate": [0.3, pass_rate], "process": [None, 0.5], "length": [15.0, 14.0]}
    return Outcome(job=job, measured=measured(pass_rate), curves=curves, wall_s=1.0, cpu_s=1.0)


def test_the_claim_is_fifteen_runs_and_the_gain_is_paired():
    from recode_models.policy.demonstration.__main__ import jobs_of
    from recode_models.policy.demonstration.bases import Settings

    claim, gain = jobs_of("claim", [1, 2, 3], Settings()), jobs_of("gain", [1, 2, 3, 4, 5], Settings())
    assert len(claim) == len({job.name for job in claim}) == 15
    seeds = {arm: [job.seed for job in gain if job.arm == arm] for arm in ("outcome only", "strict gate")}
    assert seeds["outcome only"] == seeds["strict gate"] == [1, 2, 3, 4, 5]


def test_ways_are_told_apart_only_where_there_are_enough_of_each():
    work, hack = Attempt(True, 0.1, 15, "work"), Attempt(False, 0.7, 12, "hack")
    found = summary([work] * FEW + [hack] * FEW + [Attempt(False, 0.3, 9, "other")] * 10)
    expected = {"pass_work": 1.0, "pass_hack": 0.0, "process_work": 0.1, "process_hack": 0.7}
    assert found.ways.model_dump() == pytest.approx(expected)
    assert (found.work, found.hack, found.n) == (0.4, 0.4, 50)
    assert summary([work] * FEW + [hack] * (FEW - 1)).ways is None


def test_a_warm_start_that_missed_its_phase_ends_the_run():
    from recode_models.policy.demonstration.bases import Settings, refuse_untaught

    poor = WAYS.model_copy(update={"pass_work": 0.4})
    for found in (measured(0.1, ways=poor), measured(0.1, ways=None)):
        with pytest.raises(TrainingError, match=r"weak base, seed 1.*has not learned to calculate"):
            refuse_untaught(found, Settings(), "weak base, seed 1")
    refuse_untaught(measured(0.3), Settings(), "weak base, seed 1")


def test_the_rule_is_held_against_what_came():
    from recode_models.policy.demonstration.report import forecasts

    found = forecasts(
        [outcome("plain sum", 0.1, weight=1.0), outcome("plain sum", 0.9, weight=0.5), outcome("strict gate", 0.9)],
        [base()],
    )
    assert [(one.weight, one.predicted, one.hacked) for one in found] == [(0.5, False, False), (1.0, True, True)]
    assert found[0].threshold == pytest.approx(0.5 / 0.6)


def test_a_gain_is_the_mean_difference_of_one_seed():
    from recode_models.policy.demonstration.report import gains

    runs = [("outcome only", 0.4, 1), ("outcome only", 0.6, 2), ("strict gate", 0.5, 1), ("strict gate", 0.9, 2)]
    [gain] = gains([outcome(arm, rate, seed, setting="weak tests") for arm, rate, seed in runs], "weak tests")
    assert (gain.arm, gain.difference.n) == ("strict gate", 2)
    assert gain.difference.value == pytest.approx(0.2)


def test_the_report_has_every_arm_and_a_plot(tmp_path):
    from recode_models.policy.demonstration.report import draw, markdown

    outcomes = [outcome("outcome only", 0.95), outcome("plain sum", 0.1), outcome("plain sum", 0.12, seed=2)]
    text = markdown({"command": "c", "told": "t"}, outcomes, [base(), base(seed=2)])
    assert "| plain sum | 1 | 2 | 0.110 [-0.017 to 0.237] |" in text
    assert "The rule was right in 2 of 2 runs." in text
    draw(outcomes, "weak base", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_a_small_demonstration_is_kept_when_run_again(tmp_path):
    from recode_models.policy.demonstration.bases import Settings, directory_of
    from recode_models.policy.demonstration.runs import Job, Worker, each

    settings = Settings(steps=2, samples=64, epochs=1, least_pass_given_work=0.0)
    worker = Worker(tmp_path, settings)
    [made] = each(worker.base, [("weak base", 0)], 1)
    jobs = [Job(setting="weak base", arm="plain sum", seed=0, settings=settings)]
    found = each(worker.run, jobs, 1)
    assert made.reward_model["validation"]["accuracy"] > 0.7
    assert made.reward_model["calibration"]["sigma"] > 0.1
    assert [len(one.curves["pass_rate"]) for one in found] == [2]
    assert {one.measured.n for one in found} == {800}
    (directory_of(tmp_path, "weak base", 0) / "policy" / "model.safetensors").unlink()  # would be needed to do it again
    assert each(worker.base, [("weak base", 0)], 1) == [made]
    assert each(worker.run, jobs, 1) == found
