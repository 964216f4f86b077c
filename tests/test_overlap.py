"""Near-duplicate statements are found whatever their case, spacing and order of the sets; others are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import SHARED_DATA, needs
from lcb_rb.overlap import near_duplicates, shingles, similarity

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
