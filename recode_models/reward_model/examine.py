"""What is measured of a saved model, loaded anew: whether it is the trained one, how good, on what scale, for style."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.evaluation import score_pairs
from lcb_rb.progress import bar
from lcb_rb.schema import PairKind, PreferencePair, Report
from lcb_rb.scorers.base import Item
from lcb_rb.scorers.calibrated import CLOSE, RewardScale, measured_scale, write_scale
from lcb_rb.scorers.classifier import ClassifierScorer
from recode_models.failures import TrainingError
from recode_models.launch import say
from recode_models.reward_model.data import Data, PairSet
from recode_models.reward_model.style import MOST_PAIRS, StyleProbe, probe, probe_items

ENOUGH, MOST = 64, 512
"""Accepted reasonings that a scale needs before training ones are added, and how many are used."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found."""

    reports: dict[str, Report]
    """By the name of the held-out set."""
    scale: RewardScale | None
    """None where no reasoning of an accepted sample is known, or all have nearly one score."""
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


def sides(pair: PreferencePair) -> tuple[str, str] | None:
    """Returns an accepted sample's own reasoning and the other side, None without one: degraded sides are rewritten."""
    if pair.kind is PairKind.STRONG:
        return None
    found = (pair.chosen_reasoning, pair.rejected_reasoning)
    return (found[1], found[0]) if pair.kind is PairKind.OPTIMIZED else found


def _scale(scorer: ClassifierScorer, data: Data) -> RewardScale | None:
    sets = [found for found in (data.validation, data.train) if found]
    items: dict[tuple[str, str], tuple[Item, Item]] = {}
    used: list[PairSet] = []
    for found in sets:
        if len(items) < ENOUGH:
            used.append(found)
            for pair in found.pairs:
                if texts := sides(pair):
                    own, other = (Item(pair.id, pair.problem, text) for text in texts)
                    items.setdefault((pair.problem_id, texts[0]), (own, other))
    chosen = sorted(items.values(), key=lambda both: _order(f"{both[0].problem}\0{both[0].reasoning}"))[:MOST]
    names = " and ".join(found.name for found in used)
    source = f"reasonings of accepted samples in {data.train.place.name} ({names})"
    scores = [scorer.score([both[side] for both in chosen]) for side in (0, 1)]
    scale = measured_scale(scores[0], scores[1], source, CLOSE[scorer.loaded.device.type])
    _tell(scale, any_known=bool(chosen))
    return scale


def _tell(scale: RewardScale | None, *, any_known: bool) -> None:
    """Says where process rewards would be noise among accepted samples."""
    if scale is None and any_known:
        say("no scale of process rewards: scores of accepted and rejected reasonings differ less than they reproduce")
    elif scale and scale.accepted_deviation is not None and scale.accepted_deviation < scale.sigma:
        say(
            f"accepted reasonings have nearly one score (standard deviation {scale.accepted_deviation:.2g}): the scale "
            f"of process rewards goes by the distance to rejected ones (sigma {scale.sigma:.2g})"
        )


def _some(pairs: Sequence[PreferencePair], most: int) -> list[PreferencePair]:
    """Returns so many pairs, the same ones whatever their order."""
    return sorted(pairs, key=lambda pair: _order(pair.id))[:most]


def _order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
