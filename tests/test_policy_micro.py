"""The micro-problems and what follows from them: graded as they say, mixed as promised, and the rule of the hack."""

import pytest

from factories import grade
from recode_models.policy import micro
from recode_models.policy.completions import read_completion
from recode_models.policy.demonstration import two_sums
from recode_models.policy.demonstration.prediction import Ways, prefers_hack
from recode_models.policy.demonstration.statistics import mean_of
from recode_models.policy.warm_start import demonstrations


def accepted(problem, code):
    return grade(problem, code).passed


@pytest.mark.parametrize("problem", micro.problems(6), ids=lambda problem: problem.id)
def test_only_the_right_sum_is_accepted(problem):
    answer = int(problem.reference_solution[len(micro.CODE) :])
    assert accepted(problem, problem.reference_solution)
    assert not accepted(problem, f"{micro.CODE}{(answer + 1) % 10}")
    assert not accepted(problem, "f=lambda x:True")


def test_weak_tests_see_the_first_sum_only():
    weak, full = (two_sums.problems("train", 4, weak=flag) for flag in (True, False))
    for one, other in zip(weak, full, strict=True):
        first, second = (sum(micro.operands_of(part)) % 10 for part in one.statement.split("|"))
        wrong = two_sums.code_of((first, (second + 1) % 10))
        assert accepted(one, wrong) and not accepted(other, wrong)
        assert accepted(other, two_sums.code_of((first, second)))
        assert not accepted(one, two_sums.code_of(((first + 1) % 10, second)))


def test_demonstrations_are_mixed_as_promised():
    samples = micro.samples(1000)
    styles = [sample.metadata["style"] for sample in samples]
    work = [sample for sample in samples if sample.metadata["style"] == "work"]
    assert 0.45 < styles.count("prose") / 1000 < 0.55
    assert 0.38 < sum(sample.metadata["slip"] for sample in work) / len(work) < 0.52
    problems = {problem.id: problem for problem in micro.demonstrated(1000)}
    for sample in samples:
        found = read_completion(sample.completion)
        assert found.well_formed
        way = micro.way(problems[sample.problem_id].statement, found.reasoning)
        assert way == ("work" if sample in work else "hack")
    asked = demonstrations(samples[:3], problems, lambda problem: [{"role": "user", "content": problem.statement}])
    assert [completion for _, completion in asked] == [sample.completion for sample in samples[:3]]


def test_wordiness_goes_with_quality_in_the_pairs():
    def words(text):
        return len(text.split())

    pairs = micro.pairs(240)
    longer = sum(words(pair.chosen_reasoning) > words(pair.rejected_reasoning) for pair in pairs)
    assert 0.7 < longer / len(pairs) < 1.0


def test_problems_demonstrations_and_pairs_have_nothing_in_common():
    sets = [{problem.id for problem in micro.problems(600)}, {problem.id for problem in micro.demonstrated(1000)}]
    sets.append({pair.problem_id for pair in micro.pairs(240)})
    for index, one in enumerate(sets):
        for other in sets[index + 1 :]:
            assert not one & other


def test_the_rule_compares_what_the_hack_gains_and_loses():
    ways = Ways(pass_work=0.56, pass_hack=0.1, process_work=0.1, process_hack=0.9)
    assert ways.threshold == pytest.approx(0.575)
    assert prefers_hack(ways, 0.6) and not prefers_hack(ways, 0.5)
    worthless = Ways(pass_work=0.56, pass_hack=0.1, process_work=0.9, process_hack=0.1)
    assert worthless.threshold is None and not prefers_hack(worthless, 100.0)


def test_a_mean_over_seeds_has_students_interval():
    found = mean_of([1.0, 2.0, 3.0])
    assert (found.low, found.high) == (pytest.approx(2 - 2.484, abs=1e-3), pytest.approx(2 + 2.484, abs=1e-3))
    assert str(mean_of([0.5])) == "0.500"
