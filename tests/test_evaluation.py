"""What a report holds beside its accuracies: platforms, length, calibration, baselines; and its table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_pair
from lcb_rb.evaluation import score_pairs
from lcb_rb.schema import Report
from lcb_rb.scorers import BASELINES, load_scorer
from lcb_rb.tables import comparison_table, report_table
from leaderboard.page import render_page

ADDED = {"by_platform", "by_length_gap", "length_correlation", "calibration", "baselines"}


class Reader:
    """A scorer that reads: one point a vowel, and nothing for an empty text."""

    name, revision, notes = "reader", "vowels", []

    def score(self, items, advance=lambda: None):
        return [sum(map(item.reasoning.count, "aeiou")) or None for item in items]


def make_pairs(texts):
    return [
        make_pair(f"p{i // 2}/{i}", problem_id=f"p{i // 2}", chosen_reasoning=better, rejected_reasoning=worse)
        for i, (better, worse) in enumerate(texts)
    ]


PAIRS = make_pairs([("a" * (i % 7 + 1) + "x" * i, "a" * (i % 5 + 1)) for i in range(18)])


def report_on(pairs, scorer=None):
    return score_pairs(scorer or Reader(), pairs, data="d", data_revision="0" * 64, command="c")


def test_platforms_stand_in_the_report_and_in_the_table_where_there_are_two():
    named = [*PAIRS[:9], *(pair.model_copy(update={"platform": "codeforces"}) for pair in PAIRS[9:])]
    found = report_on(named)
    assert {name: part.n for name, part in found.by_platform.items()} == {"codeforces": 9, "unknown": 9}
    assert "platform codeforces" in report_table(found)
    assert "platform" not in report_table(report_on(PAIRS))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.text("ax", max_size=9), st.text("ax", max_size=9)), min_size=1, max_size=20))
def test_quarters_by_length_share_out_all_pairs_and_swap_as_every_accuracy_does(texts):
    pairs = make_pairs(texts)
    found, swapped = report_on(pairs), report_on([pair.swap() for pair in pairs])
    assert sum(group.accuracy.n for group in found.by_length_gap) == (len(pairs) if len(pairs) >= 4 else 0)
    for group, other in zip(found.by_length_gap, swapped.by_length_gap, strict=True):
        assert (group.low, group.high, group.accuracy.n) == (other.low, other.high, other.accuracy.n)
        if group.accuracy.accuracy is not None:
            assert other.accuracy.accuracy == pytest.approx(1 - group.accuracy.accuracy)


def test_equal_gaps_do_not_hide_a_quarter_in_the_table():
    table = report_table(report_on(make_pairs([("aa", "a")] * 8)))
    assert [f"length gap {number}: 50.0-50.0 %" in table for number in (1, 2, 3, 4)] == [True] * 4


def test_length_explains_the_margins_of_length_and_no_constant():
    assert report_on(PAIRS, load_scorer("length")).length_correlation.value == pytest.approx(1)
    constant = report_on(make_pairs([("a" + "x" * i, "a") for i in range(8)]))
    assert (constant.length_correlation.value, constant.length_correlation.n) == (None, 8)
    assert "correlation -, 8 scored pairs" in report_table(constant)


def test_the_baselines_stand_beside_a_scorer_as_their_own_reports_have_them():
    found = report_on(PAIRS)
    assert set(found.baselines) == set(BASELINES)
    for name, accuracy in found.baselines.items():
        assert accuracy == report_on(PAIRS, load_scorer(name)).overall
        assert f"\nbaseline {name} " in report_table(found)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_a_baseline_has_none_beside_it_and_no_calibration(name):
    found = report_on(PAIRS, load_scorer(name))
    assert (found.baselines, found.calibration) == ({}, None)
    assert not {"baseline", "length gap", "sigmoid"} & set(report_table(found).split())


def test_a_table_of_reports_names_a_baseline_once():
    tables = [
        comparison_table([report_on(PAIRS)]),
        comparison_table([report_on(PAIRS), report_on(PAIRS, load_scorer("length"))]),
    ]
    assert [table.count("length") for table in tables] == [1, 1]
    assert ["baseline length" in table for table in tables] == [True, False]


def test_the_page_shows_the_baselines_below_the_scorers():
    html = render_page("t", "i", {"Set": [report_on(PAIRS)]})
    assert html.index(">reader</td>") < html.index(">baseline length</td>") < html.index(">baseline random</td>")
    assert "baseline" not in render_page("t", "i", {"Set": [report_on(PAIRS, load_scorer("length"))]})


def test_a_pair_without_a_score_is_left_out_of_calibration_and_correlation():
    found = report_on([*PAIRS, make_pair("p0/empty", problem_id="p0", chosen_reasoning="")])
    scored = report_on(PAIRS)
    assert found.overall.n_unscored == 1
    assert found.calibration == scored.calibration
    assert found.length_correlation == scored.length_correlation


def test_nothing_scored_gives_no_calibration():
    found = report_on(make_pairs([("", "a"), ("x", "a")]))
    assert (found.calibration, found.length_correlation.value, found.overall.accuracy) == (None, None, None)


def test_every_score_names_problem_kind_and_dimension():
    score = report_on(PAIRS).scores[5]
    assert (score.problem_id, score.kind.value, score.dimension) == ("p2", "natural", None)


def test_a_report_is_the_same_bytes_again_and_survives_the_file():
    first, second = report_on(PAIRS).model_dump_json(), report_on(PAIRS).model_dump_json()
    assert first == second
    assert Report.model_validate_json(first).model_dump_json() == first


def test_a_report_from_before_these_fields_loads_and_has_the_same_table_but_for_them():
    new = report_on(PAIRS, load_scorer("length"))
    old = new.model_dump(mode="json", exclude=ADDED)
    for score in old["scores"]:
        del score["problem_id"], score["kind"], score["dimension"]
    assert report_table(Report.model_validate(old)) == report_table(new)
