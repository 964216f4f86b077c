"""What is measured of a saved model, loaded anew: whether it is the trained one, how good, on what scale, for style."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.evaluation import score_pairs
from lcb_rb.progress import bar
from lcb_rb.schema import PairKind, PreferencePair, Report
from lcb_rb.scorers.base import Item
from lcb_rb.scorers.calibrated import RewardScale, measured_scale, write_scale
from lcb_rb.scorers.classifier import ClassifierScorer
from recode_models.failures import TrainingError
from recode_models.reward_model.data import Data, PairSet
from recode_models.reward_model.style import MOST_PAIRS, StyleProbe, probe, probe_items

ENOUGH, MOST = 64, 512
"""Accepted reasonings that a scale needs before training ones are added, and how many are used."""
CLOSE = {"cpu": 1e-3, "cuda": 0.05}
"""How far scores of a saved model may lie from those in memory, of 1 or of the largest; bfloat16 on a GPU."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found."""

    reports: dict[str, Report]
    """By the name of the held-out set."""
    scale: RewardScale | None
    """None where no reasoning of an accepted sample is known, or all have one score."""
    style: StyleProbe


def examine(model: Path, data: Data, remembered: Sequence[tuple[float, float]], seed: int) -> Examined:
    """Returns what the saved model is worth, and writes its scale into its config.json.

    Args:
        model: Its directory.
        data: What it was trained on and what was held out.
        remembered: Scores that the first training pairs had in memory.
        seed: Of the intervals.

    Raises:
        TrainingError: the saved model is not the one that was trained.
    """
    scorer = ClassifierScorer(model)
    _check(scorer, data.train.pairs, remembered)
    probed = data.validation or data.train
    pairs = _some(probed.pairs, MOST_PAIRS)
    n_texts = sum(2 * len(found.pairs) for found in data.held_out)
    with bar("measuring", n_texts + len(items := probe_items(pairs))) as advance:
        reports = {
            found.name: score_pairs(
                scorer,
                found.pairs,
                data=found.place.name,
                data_revision=found.place.revision,
                command="recode train reward",
                seed=seed,
                advance=advance,
            )
            for found in data.held_out
        }
        styled = scorer.score(items, advance)
    scale = _scale(scorer, data)
    write_scale(model, scale)
    return Examined(reports, scale, probe(styled, scale, f"{len(pairs)} pairs of {probed.place.name}, {probed.name}"))


def _check(
    scorer: ClassifierScorer, pairs: Sequence[PreferencePair], remembered: Sequence[tuple[float, float]]
) -> None:
    first = pairs[: len(remembered)]
    texts = [text for pair in first for text in (pair.chosen_reasoning, pair.rejected_reasoning)]
    items = [Item(first[index // 2].id, first[index // 2].problem, text) for index, text in enumerate(texts)]
    known = [value for both in remembered for value in both]
    allowed = CLOSE[scorer.loaded.device.type] * max(1.0, *(abs(value) for value in known))
    for item, found, value in zip(items, scorer.score(items), known, strict=True):
        if found is None or abs(found - value) > allowed:
            told = "no score" if found is None else f"{found:.4f}"
            where = f"pair {item.key} has {value:.4f} in memory, {told} when loaded"
            raise TrainingError(f"the saved model is not the trained one: {where}; please report this with the recipe")


def accepted(pair: PreferencePair) -> str | None:
    """Returns the side that an accepted sample's own reasoning is, if any: degraded sides were rewritten from it."""
    if pair.kind is PairKind.STRONG:
        return None
    return pair.rejected_reasoning if pair.kind is PairKind.OPTIMIZED else pair.chosen_reasoning


def _scale(scorer: ClassifierScorer, data: Data) -> RewardScale | None:
    sets = [found for found in (data.validation, data.train) if found]
    items: dict[tuple[str, str], Item] = {}
    used: list[PairSet] = []
    for found in sets:
        if len(items) < ENOUGH:
            used.append(found)
            for pair in found.pairs:
                text = accepted(pair)
                if text is not None:
                    items.setdefault((pair.problem_id, text), Item(pair.id, pair.problem, text))
    chosen = sorted(items.values(), key=lambda item: _order(f"{item.problem}\0{item.reasoning}"))[:MOST]
    names = " and ".join(found.name for found in used)
    source = f"reasonings of accepted samples in {data.train.place.name} ({names})"
    return measured_scale(scorer.score(chosen), source)


def _some(pairs: Sequence[PreferencePair], most: int) -> list[PreferencePair]:
    """Returns so many pairs, the same ones whatever their order."""
    return sorted(pairs, key=lambda pair: _order(pair.id))[:most]


def _order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
