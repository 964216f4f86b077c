"""`recode compare`: two reports on the same pairs."""

import json

import pytest

from factories import make_pair, run_recode
from lcb_rb.compare import Comparison, compare
from lcb_rb.errors import InputError
from lcb_rb.evaluation import score_pairs
from lcb_rb.schema import Dimension, PairKind
from lcb_rb.scorers import load_scorer
from lcb_rb.tables import compared_text
from test_bad_input import refusal, run_here

PAIRS = [
    make_pair(
        f"p{i}/a",
        problem_id=f"p{i}",
        chosen_reasoning="better" * (1 + i % 3),
        rejected_reasoning="worse" * (1 + i % 4),
        kind=PairKind.NATURAL if i % 3 else PairKind.DEGRADED,
        dimension=None if i % 3 else list(Dimension)[i // 3 % 3],
    )
    for i in range(24)
]


def report(name="length", pairs=PAIRS, revision="0" * 64):
    return score_pairs(load_scorer(name), pairs, data="d", data_revision=revision, command="c")


A, B = report("length"), report("random")


@pytest.fixture
def place(tmp_path):
    """Three files: reports A and B, and one of other pairs."""
    for name, found in {"a": A, "b": B, "other": report(pairs=PAIRS[:9])}.items():
        (tmp_path / f"{name}.json").write_text(found.model_dump_json(indent=1), encoding="utf-8")
    return tmp_path


def test_both_accuracies_are_those_of_the_reports():
    found = compare(A, B)
    assert (found.overall.accuracy_a, found.overall.accuracy_b) == (A.overall.accuracy, B.overall.accuracy)
    assert found.overall.difference == pytest.approx(A.overall.accuracy - B.overall.accuracy)
    assert (found.provenance_a, found.provenance_b) == (A.provenance, B.provenance)
    for kind, part in found.by_kind.items():
        assert (part.n, part.accuracy_a) == (A.by_kind[kind].n, A.by_kind[kind].accuracy)
    assert {name: part.n for name, part in found.by_dimension.items()} == {
        name: part.n for name, part in A.by_dimension.items()
    }


def test_a_report_does_not_differ_from_itself():
    found = compare(A, A).overall
    assert (found.difference, found.p_value, found.only_a, found.only_b) == (0, 1, 0, 0)


def test_swapping_all_pairs_turns_the_difference_around():
    swapped = [report(name, [pair.swap() for pair in PAIRS]) for name in ("length", "random")]
    assert compare(*swapped).overall.difference == -compare(A, B).overall.difference


def test_the_order_of_the_pairs_does_not_matter():
    turned = report("length", PAIRS[::-1])
    assert compare(turned, B) == compare(A, B) == compare(A, report("random", PAIRS[::-1]))


def test_a_pair_unscored_in_one_report_is_left_out_and_counted():
    lost = A.scores[3].model_copy(update={"chosen": None})
    part = A.model_copy(update={"scores": [*A.scores[:3], lost, *A.scores[4:]]})
    found = compare(part, B).overall
    assert (found.n, found.n_unscored, found.n_problems) == (24, 1, 23)
    without = [report(name, [*PAIRS[:3], *PAIRS[4:]]) for name in ("length", "random")]
    assert found.difference == compare(*without).overall.difference


def test_other_revisions_are_compared_where_the_pairs_have_the_same_ids_and_noted():
    found = compare(A, report("random", revision="1" * 64))
    assert found.overall == compare(A, B).overall
    assert [("revisions" in note) for note in found.notes] == [False, True]


def test_the_notes_of_both_reports_stand_below():
    noted = B.model_copy(update={"notes": ["no chat template"]})
    assert "note: B: no chat template" in compared_text(compare(A, noted))


def test_few_problems_are_said():
    few = compare(report(pairs=PAIRS[:9]), report("random", PAIRS[:9]))
    assert "only 9 problems" in compared_text(few)
    assert "only 24 problems" not in compared_text(compare(A, B))


def moved(pair_id):
    return [pair.model_copy(update={"problem_id": "p0"}) if pair.id == pair_id else pair for pair in PAIRS]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (report(pairs=PAIRS[1:]), "A and B are about different pairs: 1 are in one only, such as 'p0/a'; score both"),
        (
            report(pairs=moved("p7/a")),
            "A and B are about different pairs named 'p7/a': problem, kind or dimension differ",
        ),
        (report(pairs=[*PAIRS, PAIRS[2]]), "B: 1 ids of pairs come twice; write it anew with"),
        (A.model_copy(update={"scores": []}), "B: holds no scores of pairs; write it anew with"),
        (
            A.model_copy(update={"scores": [score.model_copy(update={"problem_id": None}) for score in A.scores]}),
            "B: pair 'p0/a' names no problem: an older report; write it anew with",
        ),
    ],
)
def test_reports_that_cannot_be_compared_are_refused(other, said):
    with pytest.raises(InputError, match=f"^{said}"):
        compare(A, other)


def test_the_command_prints_the_table_and_everything_as_json(place):
    shown = run_recode("compare", "a.json", "b.json", cwd=place)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == compared_text(compare(A, B)) + "\n"
    found = Comparison.model_validate(
        json.loads(run_recode("compare", "a.json", "b.json", "--seed", "3", "--json", cwd=place).stdout)
    )
    assert found.command == "recode compare a.json b.json --seed 3 --json"
    assert found.model_copy(update={"command": ""}) == compare(A, B, seed=3)


def test_the_same_command_prints_the_same_bytes(place):
    again = [run_here("compare", place / "a.json", place / "b.json", "--json") for _ in range(2)]
    assert again[0] == again[1]
    assert again[0][1].startswith('{"overall"')


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.json", None, "missing.json: does not exist; check the path"),
        ("", None, "cannot be read (Is a directory)"),
        ("bad.json", b"", "bad.json: is no report of `recode score`; write it anew with"),
        ("bad.json", b"\xff", "bad.json: is no report of `recode score`"),
        ("bad.json", b"{}", "bad.json: is no report of `recode score`"),
        ("bad.json", b"[1", "bad.json: is no report of `recode score`"),
        ("other.json", None, "are about different pairs: 15 are in one only"),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_what_is_no_report_on_the_pairs_is_refused_in_one_line(place, name, content, said, side):
    if content is not None:
        (place / name).write_bytes(content)
    files = [place / "a.json", place / "a.json"]
    files[side] = place / name
    assert said in refusal(place, "compare", *files)


def test_wrong_arguments_are_refused(place):
    refusal(place, "compare", place / "a.json")
    assert "--seed" in refusal(place, "compare", place / "a.json", place / "b.json", "--seed", "-1")
