"""Problems that are in the training pairs and in held-out pairs, under one id or in nearly the same words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.overlap import near_duplicates
from lcb_rb.schema import PreferencePair
from lcb_rb.writing import dump_json, write_text
from recode_models.launch import is_main
from recode_models.reward_model.recipe import VALIDATION

SHOWN = 3
"""Problems that an error names."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A problem in both."""

    problem_id: str
    """In the training pairs."""
    held_out: str
    """Name of the held-out pairs."""
    held_out_id: str
    """In the held-out pairs."""
    similarity: float
    """Of the two statements, 1 for one id."""

    def __str__(self) -> str:
        other = "" if self.problem_id == self.held_out_id else f" (like {self.held_out_id}, {self.similarity:.2f})"
        return f"{self.problem_id}{other}"


def shared_problems(
    training: Sequence[PreferencePair], held_out: Mapping[str, Sequence[PreferencePair]]
) -> list[Shared]:
    """Returns the training problems that are also held out.

    The validation split comes from the same problem set as the training pairs; there only ids count.
    """
    texts = {pair.problem_id: pair.problem for pair in training}
    found: dict[tuple[str, str, str], Shared] = {}
    for name, pairs in held_out.items():
        others = {pair.problem_id: pair.problem for pair in pairs}
        same = [Shared(key, name, key, 1.0) for key in sorted(texts.keys() & others.keys())]
        near = [] if name == VALIDATION else near_duplicates(texts, others)
        alike = [Shared(match.left, name, match.right, round(match.similarity, 4)) for match in near]
        for one in [*alike, *same]:
            found[one.problem_id, one.held_out, one.held_out_id] = one
    return [found[key] for key in sorted(found)]


def refuse_shared(shared: Sequence[Shared], data: str, listing: Path) -> None:
    """Refuses to train on problems that are held out; a long list goes to a file.

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
    fix = "build the pairs again, a problem belongs to one split"
    if names != VALIDATION:
        fix = "build them with --exclude-problems, or set `overlap: drop` in the recipe"
    raise InputError(f"{data}: {len(problems)} training problems are also in {names}: {told}; {fix}")
