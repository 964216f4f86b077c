from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import balance
from builders.audit.surface import surface
from builders.balance import balanced
from builders.candidates import Candidates, Made, collect
from builders.mapping import Here
from factories import make_pair
from lcb_rb.schema import Dimension, Edit, PreferencePair

WORDS = "sum list node index prefix window left right queue state total branch".split()  # noqa: SIM905


def text(random: Random, length: int) -> str:
    return " ".join(random.choice(WORDS) for _ in range(length)) + "."


def biased(n: int, longer: float, seed: int = 0) -> list[PreferencePair]:
    """Pairs of which this share has the longer side as the better one."""
    random = Random(seed)
    pairs = []
    for number in range(n):
        texts = sorted((text(random, random.randint(20, 60)) for _ in range(2)), key=len, reverse=True)
        if random.random() > longer:
            texts.reverse()
        pairs.append(
            make_pair(
                f"p{number:05}/a", problem_id=f"p{number}", chosen_reasoning=texts[0], rejected_reasoning=texts[1]
            )
        )
    return pairs


def candidates(directory: Path, *units: Sequence[PreferencePair]) -> Candidates:
    made = [Made(list(pairs), Counter()) for pairs in units]
    return collect([(i,) for i in range(len(units))], directory, ["test"], lambda u, _: made[u[0]], lambda m: m, Here())


def kept(found: Candidates, tolerance: float = 0.5) -> list[PreferencePair]:
    """What stays at a tolerance."""
    levels = iter(balance.LEVELS)
    return list(found.merged(balanced(found, lambda _: next(levels) == tolerance)))


def share_longer(pairs: Sequence[PreferencePair]) -> float:
    return sum(len(pair.chosen_reasoning) > len(pair.rejected_reasoning) for pair in pairs) / len(pairs)


def test_a_bias_of_length_is_gone_and_most_pairs_stay(tmp_path: Path) -> None:
    found = candidates(tmp_path, biased(1000, 0.65))
    left = kept(found)
    assert abs(share_longer(left) - 0.5) < 0.03
    assert len(left) > 600


def test_pairs_without_a_bias_stay_all(tmp_path: Path) -> None:
    pairs = biased(50, 0.5)
    mirrored = [pair.swap().model_copy(update={"id": f"{pair.id}2"}) for pair in pairs]
    assert len(kept(candidates(tmp_path, pairs + mirrored))) == 100


@settings(deadline=None, max_examples=15)
@given(longer=st.floats(0.5, 0.95), seed=st.integers(0, 1000))
def test_every_difference_of_form_sums_to_nearly_nothing(
    tmp_path_factory: pytest.TempPathFactory, longer: float, seed: int
) -> None:
    left = kept(candidates(tmp_path_factory.mktemp("c"), biased(300, longer, seed)))
    if left:
        signs = np.sign([surface(pair.chosen_reasoning) - surface(pair.rejected_reasoning) for pair in left])
        assert np.abs(signs.sum(axis=0)).max() <= 0.5 * 300**0.5 + 2 * signs.shape[1]


def test_of_two_models_either_wins_as_often(tmp_path: Path) -> None:
    pairs = [
        pair.model_copy(update={"chosen_model": "a" if i % 3 else "b", "rejected_model": "b" if i % 3 else "a"})
        for i, pair in enumerate(biased(300, 0.5))
    ]
    winners = Counter(pair.chosen_model for pair in kept(candidates(tmp_path, pairs)))
    assert abs(winners["a"] - winners["b"]) <= 2 and winners.total() > 150


def test_a_word_that_only_edits_bring_is_balanced(tmp_path: Path) -> None:
    edit = Edit(rule="r", dimension=Dimension.LOGICAL_RIGOR, start=0, before="least", after="most!")
    changes = [("least", "most")] * 100 + [("most", "least")] * 30
    pairs = [
        make_pair(
            f"p{number:03}/a",
            problem_id=f"p{number}",
            chosen_reasoning=f"At {better} {number:03} items remain there.",
            rejected_reasoning=f"At {worse} {number:03} items remain there.",
            edits=(edit,),
        )
        for number, (better, worse) in enumerate(changes)
    ]
    left = kept(candidates(tmp_path, pairs))
    least = sum("least" in pair.chosen_reasoning for pair in left)
    assert 55 <= len(left) <= 80 and abs(2 * least - len(left)) <= 12


def test_the_loosest_tolerance_that_passes_is_taken(tmp_path: Path) -> None:
    found = candidates(tmp_path, biased(400, 0.7))
    sizes = [len(kept(found, level)) for level in balance.LEVELS]
    assert sizes[3] < sizes[2] < sizes[0] < 400
    passing = balanced(found, lambda some: sum(int(mask.sum()) for mask in some.values()) <= sizes[2])
    assert sum(int(mask.sum()) for mask in passing.values()) == sizes[2]


def test_blocks_are_balanced_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance, "BLOCK", 250)
    units = [biased(200, 0.8, seed=unit) for unit in range(3)]
    found = candidates(tmp_path, *units)
    levels = iter(balance.LEVELS)
    masks = balanced(found, lambda _: next(levels) == 0.5)
    assert all(40 < mask.sum() < 140 for mask in masks.values())


def test_the_choice_is_the_same_every_time(tmp_path: Path) -> None:
    pairs = biased(400, 0.7)
    first, second = (kept(candidates(tmp_path / name, pairs)) for name in "ab")
    assert first == second


def test_no_pairs_are_balanced(tmp_path: Path) -> None:
    assert kept(candidates(tmp_path, [])) == []
