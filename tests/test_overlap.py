"""Near-duplicate statements are found whatever their case, spacing and order of the sets; others are not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer import Exit

from builders.commands.overlap import overlap as overlap_command
from builders.problem_sets import read_set
from factories import SHARED_DATA, make_pair, make_problem, make_sample, needs, run_recode
from lcb_rb.errors import InputError
from lcb_rb.overlap import COMMON, near_duplicates, shared_runs, shingles, similarity
from lcb_rb.pairs import problem_fields, write_pairs

needs("datasketch")

TEXT = "You are given a list of n integers. Print the sum of the largest two that differ by at most k, or minus one."
WORDS = st.lists(
    st.sampled_from(["a", "list", "of", "numbers", "is", "given", "print", "the", "sum", "or", "its", "double"]),
    max_size=30,
)
TEXTS = WORDS.map(" ".join)


@given(TEXTS)
def test_similarity_is_reflexive(text):
    assert similarity(text, text) == 1.0


@given(TEXTS, TEXTS)
def test_similarity_is_symmetric_and_a_share(left, right):
    assert 0.0 <= similarity(left, right) == similarity(right, left) <= 1.0


@given(TEXTS, st.sampled_from([" ", "\n\n", "\t ", ", "]))
def test_case_spacing_and_punctuation_are_not_seen(text, gap):
    assert shingles(gap.join(text.upper().split())) == shingles(text)


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.lists(TEXTS, max_size=5))
def test_matches_are_those_of_the_sets_exchanged_and_verified(left, right):
    first, second = ({str(i): text for i, text in enumerate(texts)} for texts in (left, right))
    found = near_duplicates(first, second)
    assert {(m.left, m.right) for m in found} == {(m.right, m.left) for m in near_duplicates(second, first)}
    assert all(m.similarity == similarity(first[m.left], second[m.right]) >= 0.7 for m in found)


@given(TEXTS.filter(bool))
@settings(max_examples=25, deadline=None)
def test_every_text_with_words_is_found_in_its_own_set(text):
    assert [match.similarity for match in near_duplicates({"a": text}, {"b": f" {text.upper()}\n"})] == [1.0]


def test_a_changed_word_is_still_a_near_duplicate_and_another_problem_is_not():
    right = {"same": TEXT.replace("minus one", "zero"), "other": f"{TEXT[::-1]} Print the sum of the largest two."}
    assert [match.right for match in near_duplicates({"it": TEXT}, right)] == ["same"]


def test_the_threshold_is_the_least_similarity():
    left, right = {"a": TEXT}, {"b": TEXT + " Read from standard input."}
    alike = similarity(left["a"], right["b"])
    assert [match.similarity for match in near_duplicates(left, right, threshold=alike)] == [alike]
    assert near_duplicates(left, right, threshold=alike + 0.01) == []


def test_texts_without_words_match_nothing():
    assert near_duplicates({"a": " ?! "}, {"b": "..."}) == []


@pytest.mark.skipif(SHARED_DATA is None, reason="needs the data beside the project")
def test_no_real_near_duplicate_is_missed():
    from lcb_rb.sources import read_problems

    path = SHARED_DATA / "problems" / "LeetCodeDataset-v0.3.0-test.jsonl.gz"
    texts = {key: problem.statement for key, problem in list(read_problems([path]).items())[:150]}
    cut = {key: " ".join(text.split()[: int(len(text.split()) * 0.85)]) for key, text in texts.items()}
    true = {key for key in texts if similarity(texts[key], cut[key]) >= 0.7}
    assert true <= {match.left for match in near_duplicates(texts, cut) if match.left == match.right}
    assert len(true) > 100


@given(TEXTS, TEXTS)
def test_shared_runs_are_those_of_the_sets_exchanged(left, right):
    first, second = shared_runs({"a": left}, {"b": right}), shared_runs({"b": right}, {"a": left})
    assert [(m.left, m.right, m.count, m.share) for m in first] == [(m.right, m.left, m.count, m.share) for m in second]
    assert all(0 < match.share <= 1 for match in first)


@given(TEXTS.filter(bool), TEXTS)
def test_all_runs_of_a_text_are_in_itself_and_in_what_continues_it(text, more):
    assert [match.share for match in shared_runs({"a": text}, {"b": text})] == [1.0]
    if len(text.split()) >= 13:
        assert [match.share for match in shared_runs({"a": text}, {"b": f"{more} {text} {more}"})] == [1.0]


def test_twelve_words_in_common_are_no_run_and_thirteen_are():
    words = [f"w{i}" for i in range(13)]
    right = {"b": f"before {' '.join(words)} after"}
    assert shared_runs({"a": f"x {' '.join(words[:12])} y z"}, right) == []
    assert [match.count for match in shared_runs({"a": f"x {' '.join(words)} y"}, right)] == [1]


def test_a_phrase_of_many_texts_does_not_count():
    few, many = ({f"b{i}": TEXT for i in range(count)} for count in (COMMON, COMMON + 1))
    assert len(shared_runs({"a": TEXT}, few)) == COMMON
    assert shared_runs({"a": TEXT}, many) == []


def written(path, records):
    path.write_text("".join(record.model_dump_json() + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def sets(tmp_path):
    """Two problems as a file of problems, of samples, of completions, and as a directory of pairs."""
    problems = [make_problem("p1", statement=TEXT, date="2024-10-05"), make_problem("p2", statement=TEXT[::-1])]
    starter = problems[0].model_copy(update={"starter_code": "def f(a):\n    pass"})
    pairs = [make_pair(f"{one.id}/a", **problem_fields(one)) for one in (starter, problems[1])]
    write_pairs(pairs, tmp_path / "pairs", "test")
    (tmp_path / "completions.jsonl").write_text(
        '{"task_id": "p1", "completion": "x"}\n{"task_id": 2, "solution": ""}\n'
    )
    samples = [
        make_sample("s1", problem_id="p1"),
        make_sample("s2", problem_id="p1"),
        make_sample("s3", problem_id="p2"),
    ]
    return {
        "problems": written(tmp_path / "problems.jsonl", problems),
        "samples": written(tmp_path / "samples.jsonl", samples),
        "completions": tmp_path / "completions.jsonl",
        "pairs": tmp_path / "pairs",
    }


@pytest.mark.parametrize(
    ("kind", "ids", "unknown"),
    [
        ("problems", ["p1", "p2"], 0),
        ("samples", ["p1", "p2"], 2),
        ("completions", ["Mbpp/2", "p1"], 2),
        ("pairs", ["p1", "p2"], 0),
    ],
)
def test_a_set_is_read_from_anything_that_has_problems(sets, kind, ids, unknown):
    found = read_set(str(sets[kind]))
    assert (list(found.problems), found.n_unknown) == (ids, unknown)


def test_pairs_give_statement_starter_code_and_dates(sets):
    found = read_set(str(sets["pairs"]))
    assert (found.problems["p1"].statement, found.problems["p1"].starter_code) == (TEXT, "def f(a):\n    pass")
    assert found.dates == "2024-10-05 to 2024-10-05, 1 undated"


def test_the_command_lists_what_is_shared_and_says_so_by_its_exit_code(sets, tmp_path, capsys):
    other = written(tmp_path / "other.jsonl", [make_problem("q", statement=TEXT.upper()), make_problem("r")])
    done = run_recode("overlap", sets["pairs"], other, "--json", "--out", tmp_path / "list.jsonl")
    found = json.loads(done.stdout)
    lines = [json.loads(line) for line in (tmp_path / "list.jsonl").read_text().splitlines()]
    assert (done.returncode, found["shared"], found["by"]) == (1, 1, {"runs": 1, "near_duplicate": 1})
    assert found["offenders"] == lines
    assert (lines[0]["problem_id"], lines[0]["evaluation_id"]) == ("p1", "q")
    overlap_command(str(sets["problems"]), str(written(tmp_path / "none.jsonl", [make_problem("r")])))
    assert "0 problems of A may not be used beside B\n" in capsys.readouterr().out


def test_a_window_is_part_of_the_command(sets, tmp_path, capsys):
    other = written(tmp_path / "other.jsonl", [make_problem("r")])
    with pytest.raises(Exit):
        overlap_command(str(sets["problems"]), str(other), window="2024-10-01:")
    assert "1 problems of A may not be used beside B: date 1" in capsys.readouterr().out


def test_a_set_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match="none"):
        read_set(str(tmp_path / "none.jsonl"))


@pytest.mark.skipif(SHARED_DATA is None, reason="needs the data beside the project")
def test_real_result_files_give_their_problems():
    path = SHARED_DATA / "generations" / "lcb" / "Llama-4-Scout-17B-16E-Instruct.run0.eval_all.json.gz"
    found = read_set(str(path))
    assert (len(found.problems), found.n_unknown) == (166, 0)
    assert found.dates == "2024-10-05 to 2025-01-04"
