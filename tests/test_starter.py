"""The starter set: complete, graded as its authors meant, and not given away by length or words."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from builders.filters import Selection
from builders.natural import build_pairs
from lcb_rb.execution import Limits, grade_many
from lcb_rb.parsing import prose
from lcb_rb.schema import AssertTests, CallTests, StdinTests, Verdict
from lcb_rb.sources import STARTER, read_problems, read_samples
from lcb_rb.starter import DIRECTORY

LIMITS = Limits(cpu_s=2.0)
PROBLEMS = read_problems([Path(STARTER)])
SAMPLES = read_samples([Path(STARTER)]).samples


@pytest.fixture(scope="module")
def results():
    graded = grade_many(((PROBLEMS[sample.problem_id], sample.code) for sample in SAMPLES), limits=LIMITS)
    return {sample.id: result for sample, result in zip(SAMPLES, graded, strict=True)}


@pytest.fixture(scope="module")
def pairs(results):
    return build_pairs(SAMPLES, PROBLEMS, results, Selection()).pairs


def test_there_are_sixty_problems_with_four_samples_each():
    counts = Counter(sample.problem_id for sample in SAMPLES)
    assert len(PROBLEMS) >= 60
    assert set(counts) == set(PROBLEMS)
    assert min(counts.values()) >= 4


def test_each_kind_of_test_is_about_a_third():
    kinds = Counter(type(problem.tests) for problem in PROBLEMS.values())
    assert set(kinds) == {StdinTests, CallTests, AssertTests}
    assert all(0.28 < count / len(PROBLEMS) < 0.39 for count in kinds.values())


def test_difficulties_are_mixed():
    counts = Counter(problem.difficulty for problem in PROBLEMS.values())
    assert set(counts) == {"easy", "medium", "hard"}
    assert min(counts.values()) >= 15


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda problem: problem.id)
def test_a_problem_has_date_reference_and_eight_tests(problem):
    tests = problem.tests
    count = tests.check.count("assert ") if isinstance(tests, AssertTests) else len(tests.inputs)
    assert count >= 8
    assert problem.date and problem.reference_solution


def test_no_verdict_is_stored():
    rows = [json.loads(line) for line in (DIRECTORY / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert not any("passed" in row or "verdict" in row for row in rows)


def test_every_reference_solution_is_accepted():
    work = [(problem, problem.reference_solution) for problem in PROBLEMS.values()]
    refused = {
        problem.id: result
        for (problem, _), result in zip(work, grade_many(work, limits=LIMITS), strict=True)
        if result.verdict is not Verdict.ACCEPTED
    }
    assert refused == {}


def test_samples_fail_exactly_where_a_mistake_is_noted(results):
    """The note names the mistake of a failing sample; "lucky" marks accepted code after a wrong reasoning."""
    for sample in SAMPLES:
        meant = sample.metadata.get("mistake") in (None, "lucky")
        assert results[sample.id].passed is meant, (sample.id, sample.metadata, results[sample.id])


def test_mistakes_are_varied():
    counts = Counter(sample.metadata["mistake"] for sample in SAMPLES if "mistake" in sample.metadata)
    assert {"off-by-one", "wrong-invariant", "missed-edge-case", "wrong-complexity", "misread-statement"} <= set(counts)
    assert {"slipped-code", "lucky"} <= set(counts)
    assert max(counts.values()) < 0.25 * sum(counts.values())


def test_every_reasoning_is_real_and_unique():
    texts = [sample.reasoning for sample in SAMPLES]
    assert len(set(texts)) == len(texts)
    assert min(len(prose(text)) for text in texts) >= 400


def test_every_problem_has_a_pair(pairs):
    assert {pair.problem_id for pair in pairs} == set(PROBLEMS)
    assert len(pairs) >= 120


def test_the_longer_reasoning_wins_half_of_the_time(pairs):
    wins = [len(pair.chosen_reasoning) > len(pair.rejected_reasoning) for pair in pairs]
    assert 0.45 <= np.mean(wins) <= 0.55


def test_the_longer_reasoning_wins_half_of_the_time_over_all_combinations(results):
    wins = [len(good.reasoning) > len(bad.reasoning) for good, bad in combinations(results)]
    assert 0.45 <= np.mean(wins) <= 0.55


def combinations(results):
    """Every accepted with every failed sample of its problem."""
    groups = defaultdict(list)
    for sample in SAMPLES:
        groups[sample.problem_id].append(sample)
    return [
        (good, bad)
        for group in groups.values()
        for good in group
        for bad in group
        if results[good.id].passed and not results[bad.id].passed
    ]


@pytest.mark.parametrize("vectorizer", ["TfidfVectorizer", "CountVectorizer"])
def test_a_bag_of_words_cannot_tell_right_from_wrong(pairs, vectorizer):
    """Under problem-grouped cross-validation, the mean of five shuffles."""
    text = pytest.importorskip("sklearn.feature_extraction.text")
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    words = getattr(text, vectorizer)().fit([t for p in pairs for t in (p.chosen_reasoning, p.rejected_reasoning)])
    difference = words.transform([p.chosen_reasoning for p in pairs]) - words.transform(
        [p.rejected_reasoning for p in pairs]
    )
    groups = np.array([pair.problem_id for pair in pairs])
    accuracies = []
    for seed in range(5):
        right = np.zeros(len(pairs))
        for train, test in GroupKFold(5, shuffle=True, random_state=seed).split(difference, groups=groups):
            model = LogisticRegression(fit_intercept=False, max_iter=2000)
            model.fit(vstack([difference[train], -difference[train]]), [1] * len(train) + [0] * len(train))
            right[test] = model.decision_function(difference[test]) > 0
        accuracies.append(right.mean())
    assert np.mean(accuracies) <= 0.60
