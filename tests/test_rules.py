import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.rules import RULES, Rule, apply_edit, degrade
from lcb_rb.parsing import code_blocks
from lcb_rb.schema import Dimension, Edit, Variant
from lcb_rb.sources import STARTER, read_samples

BY_NAME = {rule.name: rule for rule in RULES}
SEEDS = (0, 1)
LINE_HEAD = re.compile(r"^[ \t]*(#{1,6} .*|\|.*|[-*+] |\d{1,3}[.)] |>)", re.MULTILINE)
NUMBER = re.compile(r"(\d+)[.)] ")
HOLES = {
    "two blank lines": r"\n[ \t]*\n[ \t]*\n",
    "a double blank": r"(?<=\S)  +(?=\S)",
    "an empty item": r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]*$",
    "a blank at the end of a line": r"[ \t]+$",
    "a comma after a stop": r"[.;:,],",
    "a before a vowel": r"\ba (?=odd|even|earl|old|incr|asc|inside|outside)",
    "an before a consonant": r"\ban (?=last|new|decr|desc|first|row|latest|queue)",
}
FENCED = "Take the smallest item first.\n\n```python\n# the smallest item first is < n - 1\n```\n"


@cache
def originals() -> dict[str, str]:
    return {sample.id: sample.reasoning for sample in read_samples([Path(STARTER)]).samples}


@cache
def variants(rule: Rule) -> list[tuple[str, Variant]]:
    """(original, variant) of every starter reasoning in which the rule finds a place."""
    return [
        (text, variant)
        for seed in SEEDS
        for sample_id, text in originals().items()
        for variant in degrade(text, sample_id, rules=[rule], seed=seed)
    ]


def places(name: str, text: str) -> set[str]:
    """All texts that the rule can make of a text."""
    edits = [Edit(rule=name, dimension="logical_rigor", **place.fields()) for place in BY_NAME[name].find(text)]
    return {apply_edit(text, edit) for edit in edits}


def heads(text: str) -> list[str]:
    """Heads of the lines that give the text its structure: headings, table rows, list markers, quotes."""
    return [match[1].strip() for match in LINE_HEAD.finditer(text)]


rules = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@pytest.mark.parametrize(
    ("name", "text", "one_of"),
    [
        ("complexity_claim", "Sorting takes O(n log n) in all.", "Sorting takes O(n) in all."),
        ("complexity_claim", "The memory is O(1).", "The memory is O(n)."),
        ("complexity_claim", "The scan costs O(R * C).", "The scan costs O(R + C)."),
        ("false_claim", "Take the Earliest end.", "Take the Latest end."),
        ("false_claim", "Use an old kiln.", "Use a new kiln."),
        ("false_claim", "Read from left to right.", "Read from right to left."),
        ("wrong_worked_example", "So 10 + 15 + 7 = 32.", "So 10 + 15 + 7 = 31."),
        ("wrong_worked_example", "The answer is 9.", "The answer is 8."),
        ("swapped_comparison", "Stop when i <= k.", "Stop when i < k."),
        ("swapped_comparison", "It moves at most once.", "It moves at least once."),
        ("swapped_comparison", "It holds for all items.", "It holds for some items."),
        ("shifted_bound", "Loop to n - 1.", "Loop to n."),
        ("shifted_bound", "Stop when total < k.", "Stop when total < k - 1."),
        ("wrong_edge_case", "Add them up. An empty list gives 0. Print it.", "Add them up. Print it."),
        ("wrong_edge_case", "An empty list gives 0.", "A short list gives 0."),
        ("wrong_edge_case", "If n = 1, print 0.", "If n = 2, print 0."),
        ("swapped_comparison", "Stop when i <= k.", "Stop when i >= k."),
        ("swapped_comparison", "Look at each item.", "Look at some item."),
        (
            "unjustified_leap",
            "The loop has to end there, because the left side only grows.",
            "The left side only grows, because the loop has to end there.",
        ),
        ("repeated_step", "1. Sort.\n2. Merge.\n3. Count.", "1. Sort.\n2. Merge.\n3. Count.\n4. Merge."),
        ("contradiction", "Then insert the item.", "Then remove the item."),
        ("unjustified_leap", "The loop ends there, because L only grows.", "The loop ends there."),
        ("dropped_step", "1. Sort.\n2. Merge.\n3. Count.", "1. Sort.\n2. Count."),
        ("reordered_steps", "Push i on top. Then pop it.", "Then pop it. Push i on top."),
        ("contradiction", "Each one is final.", "Each one is not final."),
        ("contradiction", "X is final. Done.", "X is final. Done. X is not final."),
    ],
)
def test_a_rule_makes_its_kind_of_flaw(name: str, text: str, one_of: str) -> None:
    assert one_of in places(name, text)


def test_two_claims_can_exchange_their_reasons() -> None:
    text = "A window only grows, since values rise. No item comes twice, because keys differ."
    swapped = "A window only grows, because keys differ. No item comes twice, since values rise."
    assert swapped in places("unjustified_leap", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("false_claim", "Let last = 0. Every day up to last counts."),
        ("false_claim", "At first it grows, even when three come in a row."),
        ("false_claim", "Keep the minimum and the maximum."),
        ("false_claim", "Call `first item` in the code."),
        ("swapped_comparison", "That makes 4 in all, all the others fail."),
        ("swapped_comparison", "Write <b>bold</b> and a -> b."),
        ("wrong_worked_example", "Let n = 12 and x be 7."),
        ("wrong_worked_example", "The size is 10^5 and the sum is 3 * 4."),
        ("unjustified_leap", "This is because the keys differ."),
        ("unjustified_leap", "Because the keys differ, no item comes twice."),
        ("unjustified_leap", "For n = 1, since nothing is left, the answer is 0."),
        ("contradiction", "No field is wet."),
        ("contradiction", "It can only fall."),
        ("dropped_step", "First this long sentence. The rules, which are many and varied:\n- one\n- two"),
        ("dropped_step", "A long first sentence is here. As in cases, i.e. for big numbers of them."),
        ("reordered_steps", "1. Read x.\n2. If x is odd, add x."),
        ("reordered_steps", "1. Read x.\n\nThe second list is another one.\n\n1. Print x."),
        ("shifted_bound", "It maps x -> y."),
    ],
)
def test_a_rule_passes_over_what_it_would_only_spoil(name: str, text: str) -> None:
    assert places(name, text) == set()


def test_rare_letters_that_fold_to_plain_ones_are_passed_over() -> None:
    assert places("false_claim", "the f\u0131r\u017ft item and the la\u017ft item") == set()


@rules
def test_a_rule_finds_a_place_in_many_reasonings(rule: Rule) -> None:
    assert len(variants(rule)) > 0.35 * len(SEEDS) * len(originals())


@rules
def test_the_recorded_edit_makes_the_variant(rule: Rule) -> None:
    assert all(apply_edit(text, variant.edits[0]) == variant.reasoning for text, variant in variants(rule))


@rules
def test_the_recorded_edit_leads_back_to_the_original(rule: Rule) -> None:
    for text, variant in variants(rule):
        edit = variant.edits[0]
        undo = edit.model_copy(update={"before": edit.after, "after": edit.before})
        assert apply_edit(variant.reasoning, undo) == text


@rules
def test_a_variant_differs_from_its_original(rule: Rule) -> None:
    assert all(variant.reasoning != text for text, variant in variants(rule))


@rules
def test_a_variant_has_one_edit_of_its_rule_and_dimension(rule: Rule) -> None:
    found = {(len(v.edits), v.edits[0].rule, v.edits[0].dimension) for _, v in variants(rule)}
    assert found == {(1, rule.name, rule.dimension)}


@rules
def test_no_hole_is_left_in_the_text(rule: Rule) -> None:
    for name, hole in HOLES.items():
        pattern = re.compile(hole, re.MULTILINE)
        for text, variant in variants(rule):
            # a copy of a sentence may bring what the original has already
            known = Counter(pattern.findall(text)).keys()
            new = Counter(pattern.findall(variant.reasoning)) - Counter(pattern.findall(text))
            assert not new or (rule.name in {"contradiction", "repeated_step"} and new.keys() <= known), (
                name,
                variant.edits,
            )


@rules
def test_emphasis_and_brackets_stay_in_pairs(rule: Rule) -> None:
    for text, variant in variants(rule):
        for sign in ("**", "`", '"'):
            assert text.count(sign) % 2 == variant.reasoning.count(sign) % 2
        for left, right in ("()", "[]"):
            balance = [side.count(left) - side.count(right) for side in (text, variant.reasoning)]
            assert balance[0] == balance[1], variant.edits


@rules
def test_no_heading_table_or_list_is_destroyed(rule: Rule) -> None:
    for text, variant in variants(rule):
        before, after = heads(text), heads(variant.reasoning)
        lost = 1 if rule.name in {"dropped_step", "wrong_edge_case"} else 0
        assert sum((Counter(after) - Counter(before)).values()) <= (rule.name == "repeated_step"), variant.edits
        assert len(before) - len(after) <= lost, variant.edits


@rules
def test_numbered_lists_count_up_by_one_as_before(rule: Rule) -> None:
    def jumps(text: str) -> int:
        numbers = [int(match[1]) for head in heads(text) if (match := NUMBER.match(head + " "))]
        return sum(right not in (left + 1, 1) for left, right in pairwise(numbers))

    assert all(jumps(variant.reasoning) <= jumps(text) for text, variant in variants(rule))


@rules
def test_code_blocks_are_never_touched(rule: Rule) -> None:
    for index, text in enumerate(originals().values()):
        lines = text.split("\n\n")
        half = len(lines) // 2
        mixed = "\n\n".join([*lines[:half], f"```python\n{text}\n```", *lines[half:], f"~~~\n{lines[0]}"])
        blocks = [(block.language, block.body) for block in code_blocks(mixed)]
        for variant in degrade(mixed, str(index), rules=[rule]):
            assert [(block.language, block.body) for block in code_blocks(variant.reasoning)] == blocks


@rules
def test_a_variant_depends_on_seed_sample_and_rule_alone(rule: Rule) -> None:
    texts = list(originals().items())[:60]
    alone = [degrade(text, sample_id, rules=[rule]) for sample_id, text in texts]
    among = [[v for v in degrade(text, sample_id) if v.edits[0].rule == rule.name] for sample_id, text in texts]
    assert alone == among


@rules
def test_another_seed_chooses_other_places(rule: Rule) -> None:
    first, second = ([v for _, v in variants(rule)][half :: len(SEEDS)] for half in (0, 1))
    assert {v.reasoning for v in first} != {v.reasoning for v in second}


def test_all_three_dimensions_have_at_least_eight_rules_together() -> None:
    assert len(RULES) >= 8
    assert {rule.dimension for rule in RULES} == set(Dimension)


@pytest.mark.parametrize(
    "sign", [r"(?s).", r"\n", r"\d", r"[!-/:-@\[-`{-~]"], ids=["length", "lines", "digits", "marks"]
)
def test_form_does_not_tell_the_original_from_the_variant(sign: str) -> None:
    count = re.compile(sign)
    sides = [
        (len(count.findall(text)), len(count.findall(v.reasoning))) for rule in RULES for text, v in variants(rule)
    ]
    more = sum((left > right) + 0.5 * (left == right) for left, right in sides) / len(sides)
    assert 0.47 <= more <= 0.53


def test_an_edit_of_equal_form_is_preferred() -> None:
    text = "It holds for all items. Stop when i < k."
    made = {
        v.reasoning for seed in range(30) for v in degrade(text, "s", rules=[BY_NAME["swapped_comparison"]], seed=seed)
    }
    assert made == {"It holds for all items. Stop when i > k."}


def test_a_step_is_dropped_in_one_half_of_the_samples_and_repeated_in_the_other() -> None:
    text = "1. Sort.\n2. Merge.\n3. Count."
    pair = [BY_NAME["dropped_step"], BY_NAME["repeated_step"]]
    found = Counter(v.edits[0].rule for name in range(400) for v in degrade(text, str(name), rules=pair))
    assert sum(found.values()) == 400
    assert 160 < found["dropped_step"] < 240


def test_few_variants_have_a_word_that_no_original_has() -> None:
    def words(text: str) -> set[str]:
        return set(re.findall(r"[a-z']+", text.lower()))

    known = set[str]().union(*map(words, originals().values()))
    made = [variant.reasoning for rule in RULES for _, variant in variants(rule)]
    assert sum(not words(text) <= known for text in made) < 0.01 * len(made)


def test_an_edit_for_another_text_is_refused() -> None:
    edit = Edit(rule="false_claim", dimension=Dimension.FACTUAL_ACCURACY, start=0, before="first", after="last")
    with pytest.raises(ValueError, match="another one"):
        apply_edit("the first", edit)


PIECES = st.sampled_from(
    [
        *("1. ", "2. ", "- ", "# ", "| ", "\n", "\n\n", "   ", "```", "```python\n", "~~~", "**", "`", '"', "(", ")"),
        *("is", " is not", " never ", "all ", "the first ", " O(n)", " O(", "x <= n", " n - 1", "so that ", "because "),
        *(". ", ".", "! ", "i.e. ", ", ", ":", " = 5", "-1", "an old ", "empty ", "Then ", "\u0131\u017f", "\x00", "$"),
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=40).map("".join))
@settings(deadline=None, max_examples=300)
def test_no_text_makes_a_rule_fail_or_touch_code(text: str) -> None:
    bodies = [(block.language, block.body) for block in code_blocks(text)]
    for variant in degrade(text, "s"):
        assert variant.reasoning == apply_edit(text, variant.edits[0]) != text
        assert [(block.language, block.body) for block in code_blocks(variant.reasoning)] == bodies


def test_fenced_words_stay_where_the_prose_changes() -> None:
    assert all(FENCED.partition("```")[2] in variant.reasoning for variant in degrade(FENCED, "s"))
