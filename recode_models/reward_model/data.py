"""What a reward model is trained and measured on: read, pinned, and checked before any model is loaded."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from lcb_rb.errors import InputError
from lcb_rb.pairs import data_revision, pair_files, patterns_of, read_pairs
from lcb_rb.schema import PairKind, PreferencePair
from recode_models.contamination import Shared, by_id, by_words, in_order, refuse_shared
from recode_models.launch import say
from recode_models.reward_model.recipe import VALIDATION, RewardRecipe

Targets = tuple[float, float]

ROLES: dict[PairKind, Targets] = {
    PairKind.NATURAL: (0.5, 0.0),
    PairKind.STRONG: (1.0, 0.0),
    PairKind.OPTIMIZED: (1.0, 0.5),
    PairKind.DEGRADED: (0.5, 0.0),
}
"""Scores of chosen and rejected where no one has given any: optimized 1, original of an accepted sample 1/2, degraded
or failed 0; so an original has the same score in whatever pair it stands."""

WINDOW = 50
"""Batches among which pairs are sorted by length."""

SCORES = ("chosen_score", "rejected_score")
"""Columns of given scores, for objective score."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where a dataset lies and what pins it."""

    directory: Path
    name: str
    """The directory's last name, or the id on the Hub."""
    revision: str
    """Content hash of the files, or the commit on the Hub."""
    config: str


@dataclass(frozen=True, slots=True)
class PairSet:
    """Pairs that belong together."""

    name: str
    """What results on them are called."""
    place: Located
    pairs: list[PreferencePair]
    targets: list[Targets]
    """Scores of chosen and rejected that objective score learns."""


@dataclass(frozen=True, slots=True)
class Data:
    """Everything that a run reads."""

    train: PairSet
    held_out: list[PairSet]
    """The validation split, where there is one, first; then what the recipe evaluates on."""
    overlapping: int
    """Training pairs that were dropped since their problem is held out."""

    @property
    def validation(self) -> PairSet | None:
        """The validation split, None without one."""
        return next((found for found in self.held_out if found.name == VALIDATION), None)


def read_data(recipe: RewardRecipe, pairs: str | Path, config: str, listing: Path) -> Data:
    """Returns training and held-out pairs; the problems of both are different ones.

    Args:
        recipe: Says which kinds, and what else is held out.
        pairs: Directory, or id on the Hub, with a train split and perhaps a validation split.
        config: Part of it.
        listing: File for the problems in both, where they are refused and too many for one line.

    Raises:
        InputError: no such data, no pair of the wanted kinds, or problems in both.
        HubError: neither the Hub nor the cache has an id.
    """
    place = located(pairs, config)
    given = recipe.objective == "score"
    train = _pair_set(place, "train", "train", recipe.kinds, given=given)
    held_out = []
    if _has_split(place, VALIDATION):
        held_out.append(_pair_set(place, VALIDATION, VALIDATION, recipe.kinds, given=given))
    for entry in recipe.evaluation:
        elsewhere = located(entry.pairs, entry.config)
        held_out.append(_pair_set(elsewhere, entry.name, entry.split, list(PairKind), given=given))
    shared = _shared(train, held_out)
    if recipe.overlap == "refuse" or any(found.held_out == VALIDATION for found in shared):
        refuse_shared(shared, place.name, listing, _fix(shared))
    return _without(shared, train, held_out)


def _shared(train: PairSet, held_out: Sequence[PairSet]) -> list[Shared]:
    """Returns the training problems that are also held out.

    The validation split comes from the same problem set as the training pairs; there only ids count.
    """
    texts = {pair.problem_id: pair.problem for pair in train.pairs}
    found = []
    for part in held_out:
        others = {pair.problem_id: pair.problem for pair in part.pairs}
        found += by_id(texts, others, part.name)
        found += [] if part.name == VALIDATION else by_words(texts, others, part.name)
    return in_order(found)


def _fix(shared: Sequence[Shared]) -> str:
    if all(found.held_out == VALIDATION for found in shared):
        return "build the pairs again, a problem belongs to one split"
    return "build them with --exclude-problems, or set `overlap: drop` in the recipe"


def located(place: str | Path, config: str) -> Located:
    """Returns where a dataset lies, taken from the Hub if need be.

    Raises:
        InputError: no such directory, dataset or config.
        HubError: neither the Hub nor the cache has it.
    """
    from lcb_rb.hub.fetch import fetch_pairs, is_repo_id

    if is_repo_id(str(place)):
        fetched = fetch_pairs(str(place), config)
        return Located(fetched.directory, fetched.repo_id, fetched.commit, config)
    directory = Path(place)
    return Located(directory, directory.resolve().name, data_revision(pair_files(directory, None, config)), config)


def fitting(found: PairSet, lengths: Sequence[int], max_length: int | None) -> PairSet:
    """Returns the pairs whose longer side has at most so many tokens."""
    return chosen(found, [i for i, length in enumerate(lengths) if max_length is None or length <= max_length])


def chosen(found: PairSet, index: Sequence[int]) -> PairSet:
    """Returns the pairs at these places, in this order."""
    return replace(found, pairs=[found.pairs[i] for i in index], targets=[found.targets[i] for i in index])


def shortest(*limits: int | None) -> int | None:
    """Returns the smallest limit; None where there is none."""
    return min((limit for limit in limits if limit is not None), default=None)


def order_by_length(lengths: Sequence[int], batch: int, seed: int) -> list[int]:
    """Returns an order in which each run of `batch` places has like lengths; the runs themselves are in random order.

    Places are shuffled, sorted within windows of WINDOW batches, and cut into batches; a short one comes last.
    """
    draw = random.Random(seed)
    places = list(range(len(lengths)))
    draw.shuffle(places)
    size = WINDOW * batch
    windows = [sorted(places[at : at + size], key=lambda i: lengths[i]) for at in range(0, len(places), size)]
    batches = [window[at : at + batch] for window in windows for at in range(0, len(window), batch)]
    last = batches.pop() if batches and len(batches[-1]) < batch else []
    draw.shuffle(batches)
    return [place for part in [*batches, last] for place in part]


def _without(shared: Sequence[Shared], train: PairSet, held_out: list[PairSet]) -> Data:
    problems = {found.problem_id for found in shared}
    index = [i for i, pair in enumerate(train.pairs) if pair.problem_id not in problems]
    dropped = len(train.pairs) - len(index)
    if not index:
        raise InputError(f"{train.place.name}: every problem is also held out; give other training pairs")
    if dropped:
        say(f"dropped {dropped} of {len(train.pairs)} training pairs: their {len(problems)} problems are held out")
    return Data(chosen(train, index), held_out, dropped)


def _pair_set(place: Located, name: str, split: str | None, kinds: Sequence[PairKind], *, given: bool) -> PairSet:
    pairs = [pair for pair in read_pairs(place.directory, split, place.config) if pair.kind in kinds]
    if not pairs:
        raise InputError(f"{place.name}: no {split} pair is of kind {', '.join(kinds)}; change `kinds`")
    scores = _given_scores(place, split) if given else {}
    return PairSet(name, place, pairs, [scores.get(pair.id, ROLES[pair.kind]) for pair in pairs])


def _given_scores(place: Located, split: str | None) -> dict[str, Targets]:
    """Returns the scores that the files have by pair, where they have any."""
    found: dict[str, Targets] = {}
    for path in pair_files(place.directory, split, place.config):
        if set(SCORES) <= set(pq.read_schema(path).names):
            columns = pq.read_table(path, columns=["id", *SCORES]).to_pydict()
            for key, *scores in zip(columns["id"], *(columns[name] for name in SCORES), strict=True):
                if not all(isinstance(score, int | float) and math.isfinite(score) for score in scores):
                    raise InputError(f"{path}, pair {key!r}: no score; give every pair two numbers, or no such columns")
                found[key] = (float(scores[0]), float(scores[1]))
    return found


def _has_split(place: Located, split: str) -> bool:
    files = pair_files(place.directory, None, place.config)
    told = patterns_of(place.directory, place.config)
    return split in told or any(path.name.startswith(f"{split}-") for path in files)
