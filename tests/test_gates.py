"""What a variant must be to enter a pair: each gate lets the good ones through and names the bad ones."""

import random
import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.filters import Drop, Keep
from builders.gates.checks import check
from builders.gates.copies import near_copies, variant_copies
from builders.gates.limits import GateLimits
from builders.gates.reasons import GATE_REASONS
from builders.rules import degrade
from factories import SHARED_DATA, make_sample, needs
from lcb_rb.schema import Variant
from lcb_rb.sources import STARTER, read_samples

LIMITS = GateLimits()
CODE = """\
def smallest(numbers):
    numbers.sort()
    window = []
    for index, number in enumerate(numbers):
        window.append(number * index)
        if len(window) > 3:
            window.pop(0)
    return max(window)
"""
TEXT = """\
To solve this problem, we can sort the array in ascending order and keep two pointers.

1. **Sort**: The cost of sorting is O(n log n), which is fine because n is at most 1000.
2. **Move**: If the sum of `nums[left]` and `nums[right]` is less than the target, move the left pointer to the right.
3. **Stop**: When the pointers meet, every pair was seen. An empty array has no pairs, so the answer is 0.

For [1, 2, 3] and target 5 the answer is 1.
"""
SAMPLE = make_sample(reasoning=TEXT, code=CODE)


def outcome(text, direction="degraded", original=TEXT, limits=LIMITS):
    """What the gates say of a text."""
    variant = Variant(
        sample_id="s1", reasoning=text, direction=direction, dimension="logical_rigor", edits=(), rewriter="m prompt h"
    )
    kept = check(original, variant, SAMPLE, limits)
    return kept.reason if isinstance(kept, Drop) else "keep"


def turned(old, new):
    """The text with one part in place of another, which must be there."""
    assert old in TEXT
    return TEXT.replace(old, new)


CLAIMS = {
    "cost": ("O(n log n)", "O(n^2)"),
    "number": ("at most 1000", "at most 2000"),
    "direction": ("ascending", "descending"),
    "bound": ("at most", "at least"),
    "quantifier": ("every pair", "some pair"),
    "negation": ("has no pairs", "has pairs"),
    "contraction": ("which is fine", "which isn't fine"),
    "comparison": ("is less than", "is greater than"),
    "result": ("the answer is 1.", "the answer is 2."),
    "swap": ("move the left pointer to the right", "move the right pointer to the left"),
    "order": ("left pointer to the right", "left pointer to the left"),
    "reason": (" because n is at most 1000", ""),
    "special case": (" An empty array has no pairs, so the answer is 0.", ""),
    "name": ("`nums[left]`", "`nums[other]`"),
    "moved": (
        "When the pointers meet, every pair was seen. An empty array has no pairs, so the answer is 0.",
        "An empty array has no pairs, so the answer is 0. When the pointers meet, every pair was seen.",
    ),
    "structure": ("keep two pointers", "keep two stacks"),
    "notion": ("keep two pointers", "keep two values"),
    "notion elsewhere, too": ("every pair was seen. An empty array", "every pair was seen. An empty string"),
    "contradiction": ("every pair was seen.", "every pair was seen. Sorting changes which pairs exist."),
}
WORDS = {
    "verbs": ("To solve this problem, we can sort", "In order to solve the problem we sort"),
    "same number": ("keep two pointers", "keep both pointers"),
    "same sense": ("every pair was seen", "each pair has been seen"),
    "filler": ("which is fine", "which is clearly fine"),
    "emphasis": ("is fine because", "is **fine** because"),
    "contracted": ("has no pairs", "hasn't pairs"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_another_claim_passes(name):
    assert outcome(turned(*CLAIMS[name])) == "keep"


@pytest.mark.parametrize("name", WORDS)
def test_other_words_for_the_same_claim_do_not_degrade(name):
    assert outcome(turned(*WORDS[name])) == "only_wording"
    assert outcome(turned(*WORDS[name]), "optimized") == "keep"


def test_other_words_throughout_do_not_degrade():
    text = TEXT
    for old, new in WORDS.values():
        text = text.replace(old, new)
    assert outcome(text) == "only_wording"


@pytest.mark.parametrize("text", [TEXT, TEXT.upper(), TEXT.replace("\n\n", "\n"), f"  {TEXT}\n\n"])
def test_the_same_text_is_no_variant(text):
    assert outcome(text) == outcome(text, "optimized") == "unchanged"


GOOD = turned("O(n log n)", "O(n)")


@pytest.mark.parametrize("direction", ["optimized", "degraded"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_prose"),
        ("```\nx = 1\n```", "no_prose"),
        (f"<rewrite>{GOOD}", "no_prose"),
        (f"{GOOD}</reasoning 0123456789abcdef>", "no_prose"),
        (f"Here is the rewritten reasoning:\n\n{GOOD}", "meta_talk"),
        (f"Here\u2019s an improved version of it:\n{GOOD}", "meta_talk"),
        (f"Sure! {GOOD}", "meta_talk"),
        (GOOD + "\nI have introduced a flaw in step 1.", "meta_talk"),
        (GOOD + "\nUnlike the original reasoning, it sorts.", "meta_talk"),
        (GOOD + "\nThis damages the logical rigor.", "meta_talk"),
        (GOOD[:300], "length_ratio"),
        (GOOD + "We sort the numbers and look at each of them in turn. " * 3, "length_ratio"),
        (GOOD.replace("1. ", "").replace("2. ", "").replace("3. ", ""), "format"),
        (GOOD.replace("1. **S", "# **S").replace("2. **M", "# **M").replace("3. **S", "# **S"), "format"),
        (GOOD.replace(". ", ".\n"), "format"),
        (GOOD + "\nThis solution is correct.", "leaks_verdict"),
        (GOOD + "\nThe approach is incorrect.", "leaks_verdict"),
        (GOOD + "\nIt passes all the hidden tests.", "leaks_verdict"),
        (GOOD + "\nThat gives a wrong answer.", "leaks_verdict"),
        (GOOD + "\nSo it will be accepted.", "leaks_verdict"),
        (GOOD + "\nStep 1 has a deliberate error.", "leaks_verdict"),
        (GOOD + "\nA mistake was introduced here.", "leaks_verdict"),
        (GOOD + "\nfor i in range(n):\n    total += i", "leaks_code"),
        (GOOD + "\ndef pairs(nums):", "leaks_code"),
        (GOOD + "\n`import heapq`", "leaks_code"),
        (GOOD.replace("For [1", f"{' '.join(CODE.split())[24:125]} For [1"), "leaks_code"),
        (GOOD[:-45] + "\n```python\nnums.sort()\n```", "format"),
    ],
)
def test_what_gives_a_variant_away_is_dropped(text, reason, direction):
    assert outcome(text, direction) == reason


@pytest.mark.parametrize(
    "said",
    [
        "This solution is correct.",
        "Here is the rewritten reasoning:",
        "A wrong answer is possible.",
        "def pairs(nums):",
        "i = 0\nj = 1\nk = 2",
        "<answer>",
    ],
)
def test_what_the_original_said_already_gives_nothing_away(said):
    assert outcome(f"{GOOD}\n{said}", original=f"{TEXT}\n{said}") == "keep"


@pytest.mark.parametrize(
    "said",
    [
        "The right answer is on the left side.",
        "The tests of the problem are small.",
        "The string is accepted by the automaton if it ends in 1.",
        "We use an optimized version of the sieve.",
        "The tree may have degraded into a list.",
        "Sure of that, we stop.",
        "Here is a short explanation of it.",
    ],
)
def test_words_of_the_trade_are_no_verdict(said):
    if "accepted" in said:  # the one word for which the gate is strict
        assert outcome(f"{GOOD}\n{said}") == "leaks_verdict"
    else:
        assert outcome(f"{GOOD}\n{said}") == "keep"


ENGLISH = "The sum of the numbers is kept in a list, and for each of them we ask if it is the one that is missing. " * 4
GERMAN = (
    "Die Summe der Zahlen steht in einer Liste, und für jede von ihnen wird gefragt, ob es die ist, die fehlt. " * 4
)
RUSSIAN = "Сумма чисел хранится в списке, и для каждого из них мы спрашиваем, то ли это число, которого здесь нет. " * 4


@pytest.mark.parametrize(("original", "text"), [(ENGLISH, GERMAN), (GERMAN, ENGLISH), (ENGLISH, RUSSIAN)])
def test_another_language_is_dropped(original, text):
    assert outcome(text, original=original) == "language"


@pytest.mark.parametrize("text", [GERMAN, RUSSIAN])
def test_any_language_may_be_kept(text):
    assert outcome(text[: len(text) * 5 // 6], original=text, limits=GateLimits(min_ratio=0.5)) == "keep"


def test_every_threshold_is_in_the_hands_of_the_recipe():
    longer = GOOD + "We sort the numbers and look at each of them in turn. " * 3
    assert outcome(longer, limits=GateLimits(max_ratio=2)) == "keep"
    assert outcome(GOOD.replace(". ", ".\n"), limits=GateLimits(format_slack=9)) == "keep"
    assert outcome(GOOD + "\nfor i in range(n):\n    t += i", limits=GateLimits(code_lines=3)) == "keep"


@given(st.text(), st.text(), st.sampled_from(["optimized", "degraded"]))
def test_any_text_gets_an_outcome(original, text, direction):
    assert outcome(text, direction, original) in {"keep", *GATE_REASONS}


@given(st.text())
def test_no_text_is_a_variant_of_itself(text):
    assert outcome(text, original=text) in {"unchanged", "no_prose"}


def test_gates_take_linear_time_on_hostile_texts():
    for piece in ("O(", "a.b", "`x` ", "1. ", "the code ", "x[", "if a in ", "- ", "a\n", "not ", "((", "A. "):
        took = []
        for size in (4_000, 32_000):
            text = (piece * size)[:size]
            started = time.process_time()
            outcome(text, original=text[: size * 9 // 10] + "z")
            took.append(time.process_time() - started)
        assert took[1] < 40 * took[0] + 0.05, piece  # eight times the text, and room for a busy machine


@cache
def originals():
    """Real reasonings where they are at hand, else those of the starter set."""
    data = SHARED_DATA and SHARED_DATA / "problems" / "LeetCodeDataset-v0.2.0-train.jsonl.gz"
    samples = read_samples([data if data and data.is_file() else STARTER]).samples
    return random.Random(0).sample([each for each in samples if len(each.reasoning) > 200], 150)


@cache
def by_rules():
    return [(sample, variant) for sample in originals() for variant in degrade(sample.reasoning, sample.id)]


def test_variants_of_rules_pass_unless_they_are_too_short():
    outcomes = [check(sample.reasoning, variant, sample, LIMITS) for sample, variant in by_rules()]
    others = [each for each in outcomes if each not in (Keep(), Drop("length_ratio"))]
    assert len(outcomes) > 100 and len(others) <= 0.01 * len(outcomes)


def test_of_false_claims_that_a_model_could_have_made_few_pass_for_wording():
    names = {"false_claim", "swapped_comparison", "complexity_claim", "shifted_bound", "wrong_worked_example"}
    found = [
        check(sample.reasoning, variant.model_copy(update={"rewriter": "a model"}), sample, LIMITS)
        for sample, variant in by_rules()
        if variant.edits[0].rule in names
    ]
    assert len(found) > 50 and found.count(Drop("only_wording")) <= 0.02 * len(found)


SWAPS = (
    ("To solve this problem, we", "In order to solve the problem we"),
    ("we can use", "we may make use of"),
    ("we need to", "we have to"),
    ("iterate through", "go through"),
    ("keep track of", "keep a record of"),
    ("Here's", "Here is"),
    ("step-by-step", "stepwise"),
    ("calculate", "compute"),
    ("the number of", "how many there are of the"),
    ("find", "determine"),
    ("ensure", "make sure"),
)


def test_real_reasonings_in_other_words_do_not_degrade():
    found = []
    for sample in originals():
        text = sample.reasoning
        for old, new in SWAPS:
            text = text.replace(old, new)
        if text != sample.reasoning:
            found.append(outcome(text, original=sample.reasoning, limits=GateLimits(min_ratio=0.5, max_ratio=2)))
    assert len(found) > 100 and found.count("only_wording") >= 0.9 * len(found)


def test_near_copies_go_and_the_first_by_key_stays():
    needs("datasketch")
    words = " ".join(f"word{number}" for number in range(200))
    texts = {"b": words, "a": words.replace("word7 ", "word8 "), "c": words + " end", "d": words[::-1]}
    assert near_copies(texts, LIMITS) == {"b": "a", "c": "a"}
    assert near_copies({"a": words}, LIMITS) == near_copies({}, LIMITS) == {}


def test_small_changes_of_one_text_are_not_copies_of_each_other():
    texts = {"cost": GOOD, "bound": turned("at most", "at least"), "negation": turned("has no", "has")}
    texts["again"] = turned("at most", "at least")
    assert variant_copies(TEXT, texts, LIMITS) == {"bound": "again"}


def test_rewrites_that_are_alike_are_copies_of_each_other():
    words = [" ".join(f"{name}{number}" for number in range(200)) for name in "abc"]
    texts = {"1": words[1], "2": words[1].replace("b7 ", "b8 "), "3": words[2]}
    assert variant_copies(words[0], texts, LIMITS) == {"2": "1"}
