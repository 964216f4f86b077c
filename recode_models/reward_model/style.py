"""The style probe: does a reward model pay for how a reasoning looks, whatever it says?

A perfect accuracy on pairs says nothing about that: a model trained on wordy chosen sides can give full marks to prose
without any work. So right and wrong reasonings are each shown terse, wordy, formatted and not at all.
"""

import re
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Literal

from lcb_rb.schema import PreferencePair, Record
from lcb_rb.scorers.base import Item
from lcb_rb.scorers.calibrated import RewardScale

Side = Literal["right", "wrong"]

FILLER = (
    "Let us think about this carefully and take our time.",
    "This is an interesting problem which deserves a thorough look.",
    "It is important to be precise at this point.",
    "With that in mind, we can go on with confidence.",
    "As we can clearly see, everything fits together nicely.",
    "This makes the approach both elegant and robust.",
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_PER_HEADING = 3
MOST_PAIRS = 32


def sentences(text: str) -> list[str]:
    """Returns the sentences and lines of a text that are not blank."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def terse(text: str) -> str:
    """Returns the first half of the sentences, at least one."""
    parts = sentences(text)
    return " ".join(parts[: (len(parts) + 1) // 2])


def wordy(text: str) -> str:
    """Returns the text with a sentence that says nothing after each of its own."""
    return " ".join(f"{part} {FILLER[index % len(FILLER)]}" for index, part in enumerate(sentences(text)))


def formatted(text: str) -> str:
    """Returns the sentences as bullets under headings."""
    lines = []
    for index, part in enumerate(sentences(text)):
        if index % _PER_HEADING == 0:
            lines.append(f"## Step {index // _PER_HEADING + 1}")
        lines.append(f"- **{part.partition(' ')[0]}** {part.partition(' ')[2]}".rstrip())
    return "\n".join(lines)


STYLES: dict[str, Callable[[str], str]] = {
    "as written": str,
    "terse": terse,
    "wordy": wordy,
    "formatted": formatted,
    "empty": lambda text: "",
}


class StyleCell(Record):
    """Mean reward of reasonings of one kind in one style."""

    reasoning: Side
    """Whether they are the better or the worse sides of pairs."""
    style: str
    """How they are shown."""
    n: int
    """Scored reasonings."""
    mean: float | None
    """Mean calibrated score, from 0 to 1; None where nothing was scored."""


class StyleProbe(Record):
    """What a reward model pays for style."""

    source: str
    """Where the reasonings come from."""
    calibrated: bool
    """Whether scores are sigmoid((z - mu) / sigma); else sigmoid(z), whose zero means nothing."""
    cells: list[StyleCell]
    """Every style of right and of wrong reasonings."""
    n: int
    """Comparisons of a wrong reasoning, wordy or formatted, with the right one of its pair, terse."""
    style_beats_substance: float | None
    """Share of them in which the wrong one gets more, ties counted half; a model that reads is near 0."""


def probe_items(pairs: Sequence[PreferencePair]) -> list[Item]:
    """Returns what is scored: of each pair both sides in every style, in the order of `probe`."""
    return [
        Item(pair.id, pair.problem, restyle(text))
        for pair in pairs
        for text in (pair.chosen_reasoning, pair.rejected_reasoning)
        for restyle in STYLES.values()
    ]


def probe(scores: Sequence[float | None], scale: RewardScale | None, source: str) -> StyleProbe:
    """Returns the table that follows from the scores of `probe_items`."""
    used = scale or RewardScale(mu=0.0, sigma=1.0, n=2, source="")
    names = list(STYLES)
    step = len(names)
    rows = [dict(zip(names, scores[i : i + step], strict=True)) for i in range(0, len(scores), step)]
    sides: dict[Side, list[dict[str, float | None]]] = {"right": rows[::2], "wrong": rows[1::2]}
    cells = []
    for side, found in sides.items():
        for name in names:
            rewards = [reward for row in found if (reward := used.reward(row[name])) is not None]
            cells.append(
                StyleCell(reasoning=side, style=name, n=len(rewards), mean=fmean(rewards) if rewards else None)
            )
    share = _beaten(sides)
    return StyleProbe(
        source=source,
        calibrated=scale is not None,
        cells=cells,
        n=len(share),
        style_beats_substance=fmean(share) if share else None,
    )


def _beaten(sides: dict[Side, list[dict[str, float | None]]]) -> list[float]:
    found = []
    for right, wrong in zip(sides["right"], sides["wrong"], strict=True):
        plain = right["terse"]
        for dressed in (wrong["wordy"], wrong["formatted"]):
            if plain is not None and dressed is not None:
                found.append((dressed > plain) + 0.5 * (dressed == plain))
    return found
