"""Predictors that cannot read find planted signals in unseen problems, and nothing where there is none."""

import json
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.audit.audit import GATES, MIN_PROBLEMS, Audit, AuditError, examine, require_known, require_passed
from builders.audit.features import sampled
from builders.audit.learners import folds_of
from builders.audit.surface import FEATURES, GROUPS, WIDTH, surface
from builders.audit.tables import audit_table, audit_text
from builders.commands.audit import audit as audit_command
from factories import make_pair, needs, run_recode
from lcb_rb.errors import InputError
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import PairKind

needs("sklearn")

WORDS = (
    "we",
    "scan",
    "list",
    "keep",
    "sum",
    "each",
    "item",
    "once",
    "then",
    "compare",
    "value",
    "index",
    "return",
    "it",
)
NAMES = [name for group in FEATURES.values() for name in group]


def named(text):
    return dict(zip(NAMES, surface(text), strict=True))


def text(source, count=40):
    return " ".join(source.choice(WORDS) for _ in range(count))


def pairs_with(change, n=240, problems=60, seed=0, share=0.65, **fields):
    """Pairs of random words; in the given share of them the better side, else the worse, is changed."""
    source = random.Random(seed)
    made = []
    for index in range(n):
        sides = [text(source), text(source)]
        at = 0 if source.random() < share else 1
        sides[at] = change(sides[at])
        pair = make_pair(f"p{index}", problem_id=f"q{index % problems}", chosen_reasoning=sides[0])
        made.append(pair.model_copy(update={"rejected_reasoning": sides[1], **fields}))
    return made


def row(audit, name, part="all"):
    return next(row for row in (*audit.rows, *audit.parts) if (row.predictor, row.part) == (name, part))


def accuracy(audit, name, part="all"):
    return row(audit, name, part).result.accuracy


def failing(audit):
    return {row.predictor for row in audit.failing()}


def test_the_numbers_of_a_text_are_those_that_one_counts_by_hand():
    found = named("# Plan\n\n- **one** `x`\n1. two 23 $n$\n  a|b\n| c |\n```py\n- x = 1\n```\nend?! é")
    assert {
        name: found[name] for name in ("lines", "blank_lines", "headings", "bullets", "numbered", "table_rows")
    } == {
        "lines": 10,
        "blank_lines": 1,
        "headings": 1,
        "bullets": 1,
        "numbered": 1,
        "table_rows": 1,
    }
    assert (found["bold"], found["inline_code"], found["math"], found["indented_lines"]) == (1, 1, 2, 1)
    assert (found["fences"], found["fenced_chars"]) == (2, len("- x = 1\n"))
    assert (found["digits"], found["numbers"]) == (4, 3)
    assert (found["?"], found["!"], found["other_signs"], found["`"]) == (1, 1, 1, 8)


def test_an_empty_text_is_all_zeros():
    assert surface("").tolist() == [0.0] * WIDTH


@given(st.text())
def test_every_text_has_numbers_none_of_them_negative(written):
    found = surface(written)
    assert found.shape == (WIDTH,)
    assert np.isfinite(found).all() and (found >= 0).all()
    assert found[GROUPS["length"]][0] == len(written)
    assert found[GROUPS["code_fences"]][2] <= 1


@pytest.mark.parametrize("sign", ["```\n", "**", "`", "- ", "1", "\n", "| "])
def test_a_huge_text_takes_no_more_than_linear_time(sign):
    started = time.process_time()
    surface(sign * 200_000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("change", "found_by"),
    [
        (lambda side: f"{side} we scan it", "length"),
        (lambda side: side.replace(" ", "\n", 3), "lines"),
        (lambda side: side.replace("we ", "we\n- ", 2), "markdown"),
        (lambda side: f"{side}\n```\nx\n```", "code_fences"),
        (lambda side: side.replace(" ", ", ", 2), "punctuation"),
        (lambda side: f"{side} 7", "digits"),
        (lambda side: f"{side} hence", "tfidf"),
    ],
)
def test_a_planted_signal_is_found_by_its_predictor(change, found_by):
    audit = examine(pairs_with(change), brief=True)
    assert found_by in failing(audit)
    assert accuracy(audit, found_by) > 0.55
    assert accuracy(audit, found_by) < 0.75


def test_the_author_gives_pairs_away_where_one_model_wins():
    source = random.Random(1)
    pairs = []
    for index, pair in enumerate(pairs_with(lambda side: side)):
        models = ("good", "bad") if source.random() < 0.66 else ("bad", "good")
        other = ("good", "good") if index % 4 == 0 else models
        pairs.append(pair.model_copy(update={"chosen_model": other[0], "rejected_model": other[1]}))
    audit = examine(pairs)
    assert failing(audit) == {"model"}
    assert row(audit, "model").result.n_ties == 60
    assert row(audit, "model", "same model").result.n_ties == 60
    assert accuracy(audit, "model", "cross-model") == pytest.approx(0.66, abs=0.06)


def test_without_a_signal_accuracies_are_a_half_on_average_and_rarely_fail():
    audits = [
        examine(pairs_with(lambda side: f"{side} 7, we", share=0.5, seed=seed, n=120), brief=True) for seed in range(4)
    ]
    mean = np.mean([row.result.accuracy for audit in audits for row in audit.rows])
    failed = sum(len(audit.failing()) for audit in audits)
    assert mean == pytest.approx(0.5, abs=0.03)
    assert failed <= 3  # of 32


def test_exchanging_all_sides_changes_no_accuracy():
    pairs = pairs_with(lambda side: f"{side} 7")
    first, second = (examine(given, brief=True) for given in (pairs, [pair.swap() for pair in pairs]))
    for name in GATES:
        assert accuracy(first, name) == pytest.approx(accuracy(second, name), abs=0.01)


def test_the_order_of_the_pairs_changes_nothing():
    pairs = pairs_with(lambda side: f"{side} 7", n=100)
    assert examine(pairs, brief=True) == examine(pairs[::-1], brief=True)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60))
def test_folds_never_divide_a_problem_and_leave_none_empty(problems):
    folds = folds_of(problems)
    assert all(len(set(folds[[p == q for q in problems]])) == 1 for p in problems)
    assert set(folds) == set(range(min(5, len(set(problems)))))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.randoms())
def test_a_sample_is_of_whole_problems_but_one_whatever_the_order(most, shuffler):
    pairs = [make_pair(f"p{i}", problem_id=f"q{i % 9}") for i in range(40)]
    first, given = sampled(pairs, most, 3)
    shuffler.shuffle(pairs)
    second, _ = sampled(pairs, most, 3)
    counts = {name: sum(one.problem == name for one in first) for name in {one.problem for one in first}}
    whole = {name: sum(pair.problem_id == name for pair in pairs) for name in counts}
    assert (len(first), given) == (most, 40)
    assert [one.problem for one in first] == [one.problem for one in second]
    assert sum(counts[name] != whole[name] for name in counts) <= 1


def test_above_the_limit_a_sample_is_examined_and_said():
    audit = examine(pairs_with(lambda side: f"{side} 7"), most=200, brief=True)
    assert (audit.n_pairs, audit.n_audited) == (240, 200)
    assert "200 of 240 pairs" in audit_text(audit)


def test_few_problems_decide_nothing_however_clear_they_are():
    audit = examine(pairs_with(lambda side: f"{side} 7", n=60, problems=MIN_PROBLEMS - 1, share=1.0))
    assert accuracy(audit, "digits") == 1.0
    assert audit.failing() == []
    assert "passed" not in audit_text(audit)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_pairs_of_one_problem_are_not_predicted(count):
    audit = examine(pairs_with(lambda side: f"{side} 7", n=count, problems=1))
    assert {row.result.accuracy for row in audit.rows} == {None}
    assert "not decided" in audit_table(audit)


@pytest.mark.parametrize("written", ["", "same text", "x" * 200_000])
def test_equal_sides_are_ties(written):
    pairs = [
        make_pair(f"p{i}", problem_id=f"q{i}", chosen_reasoning=written, rejected_reasoning=written) for i in range(25)
    ]
    audit = examine(pairs)
    assert {row.result.n_ties for row in audit.rows} == {25}
    assert {row.result.accuracy for row in audit.rows} == {0.5}
    assert audit.failing() == []


def test_two_pairs_are_examined():
    assert len(examine(pairs_with(lambda side: side, n=2, problems=2)).rows) == len(GATES) + 1


def test_no_pairs_are_an_error():
    with pytest.raises(InputError, match="no pairs"):
        examine([])


def test_kinds_are_also_examined_for_themselves():
    natural = pairs_with(lambda side: f"{side} 7", n=100, share=1.0)
    strong = [
        pair.model_copy(update={"id": f"s{pair.id}", "kind": PairKind.STRONG})
        for pair in pairs_with(lambda side: f"{side} 7", n=100, share=0.0, seed=1)
    ]
    audit = examine([*natural, *strong])
    assert accuracy(audit, "digits") < 0.55  # the two cancel
    assert accuracy(audit, "digits", "kind natural") == 1.0
    assert accuracy(audit, "digits", "kind strong") == 1.0


def test_the_error_names_what_failed_and_how_to_allow_it():
    audit = examine(pairs_with(lambda side: f"{side}\n```\nx\n```"), brief=True)
    names = sorted(failing(audit), key=GATES.index)
    with pytest.raises(AuditError, match=r"above 0.55 by length 0\.\d{3} \(0\.\d{3}-0\.\d{3}\), lines") as raised:
        require_passed(audit)
    assert f"audit: {{allow: [{', '.join(names)}]}}" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 1
    require_passed(audit, names)
    require_passed(audit, limit=0.9)


def test_an_unknown_predictor_cannot_be_allowed():
    with pytest.raises(InputError, match="lenght; choose among length, lines"):
        require_known(["length", "lenght"])


def test_an_audit_survives_json():
    audit = examine(pairs_with(lambda side: f"{side} 7", n=60), brief=True)
    assert Audit.model_validate_json(audit.model_dump_json()) == audit


def test_the_command_prints_the_table_and_exits_by_the_result(tmp_path, capsys):
    write_pairs(pairs_with(lambda side: f"{side} 7", n=200), tmp_path / "pairs", "test")
    failed = run_recode("audit", tmp_path / "pairs", "--json", "--out", tmp_path / "audit.json")
    found = json.loads(failed.stdout)
    wrong = sorted(name for name, result in found["result"].items() if result == "failed")
    assert (failed.returncode, "digits" in wrong) == (1, True)
    assert "digits 0." in failed.stderr.splitlines()[-1]
    assert json.loads((tmp_path / "audit.json").read_text()) == found
    audit_command(str(tmp_path / "pairs"), allow=wrong)
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines() if line.startswith("digits")] == [
        "allowed"
    ]


def test_the_command_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(InputError, match="choose among length"):
        audit_command(str(tmp_path), allow=["lenght"])
    with pytest.raises(InputError, match="is not a directory"):
        audit_command(str(tmp_path / "none"))
