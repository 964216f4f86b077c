"""Which problems are for validation: whole families of problems in nearly the same words, drawn by a hash."""

import hashlib
from collections.abc import Collection, Mapping

from builders.shards import Shards
from lcb_rb.overlap import near_duplicates


def validation_problems(shards: Shards, problems: Collection[str], share: float) -> set[str]:
    """Returns about this share of the problems, at least one family of two or more.

    Args:
        shards: Hold their statements.
        problems: That have a pair.
        share: From 0 to 1.
    """
    texts = {problem.id: problem.statement for problem in shards.problems() if problem.id in problems}
    family = families(texts)
    members: dict[str, list[str]] = {}
    for name, first in sorted(family.items()):
        members.setdefault(first, []).append(name)
    ordered = sorted(members, key=_hash)
    if len(ordered) < 2:
        return set()
    chosen: set[str] = set()
    for first in ordered[:-1]:
        if len(chosen) >= max(round(share * len(family)), 1):
            break
        chosen |= set(members[first])
    return chosen


def families(texts: Mapping[str, str]) -> dict[str, str]:
    """Returns the first problem of each problem's family: those that near-duplicate statements connect."""
    first = {name: name for name in texts}
    for match in near_duplicates(texts, texts):
        left, right = _root(first, match.left), _root(first, match.right)
        first[max(left, right)] = min(left, right)
    return {name: _root(first, name) for name in texts}


def _root(first: Mapping[str, str], name: str) -> str:
    while first[name] != name:
        name = first[name]
    return name


def _hash(problem_id: str) -> str:
    return hashlib.sha256(f"validation\0{problem_id}".encode()).hexdigest()
