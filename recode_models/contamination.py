"""Problems that are in training data and held out, under one id or in nearly the same words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.overlap import near_duplicates
from lcb_rb.writing import dump_json, write_text
from recode_models.launch import is_main

SHOWN = 3
"""Problems that an error names."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A problem in both."""

    problem_id: str
    """In the training data."""
    held_out: str
    """Name of what is held out."""
    held_out_id: str
    """In what is held out."""
    similarity: float
    """Of the two statements, 1 for one id."""

    def __str__(self) -> str:
        other = "" if self.problem_id == self.held_out_id else f" (like {self.held_out_id}, {self.similarity:.2f})"
        return f"{self.problem_id}{other}"


def by_id(ids: Collection[str], others: Collection[str], name: str) -> list[Shared]:
    """Returns the ids that are held out under a name."""
    return [Shared(key, name, key, 1.0) for key in {*ids} & {*others}]


def by_words(texts: Mapping[str, str], others: Mapping[str, str], name: str) -> list[Shared]:
    """Returns the problems whose texts, by id, are nearly those of others that are held out under a name."""
    found = near_duplicates(texts, others)
    return [Shared(match.left, name, match.right, round(match.similarity, 4)) for match in found]


def in_order(shared: Iterable[Shared]) -> list[Shared]:
    """Returns them sorted, each couple of problems once: as found by id where it was found by words too."""
    best = sorted(shared, key=lambda one: one.similarity)
    found = {(one.problem_id, one.held_out, one.held_out_id): one for one in best}
    return [found[key] for key in sorted(found)]


def refuse_shared(shared: Sequence[Shared], data: str, listing: Path, fix: str) -> None:
    """Refuses to train on problems that are held out; a long list goes to a file.

    Args:
        shared: Those problems.
        data: Name of the training data.
        listing: File for the list.
        fix: What to do.

    Raises:
        InputError: there is at least one.
    """
    if not shared:
        return
    names = ", ".join(sorted({found.held_out for found in shared}))
    problems = {found.problem_id for found in shared}
    told = ", ".join(str(found) for found in shared[:SHOWN])
    if len(shared) > SHOWN:
        if is_main():
            write_text(listing, "".join(dump_json(asdict(found)) + "\n" for found in shared))
        told += f", ...; all in {listing}"
    what = f"{data}: {len(problems)} training problems are also in {names}: {told}"
    raise InputError(f"{what}; {fix}")
