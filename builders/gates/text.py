"""What the gates look at in a text."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lcb_rb.parsing import Block, code_blocks
from lcb_rb.parsing import prose as prose_of

_TOKEN = re.compile(r"[^\W\d_][\w']*|_\w+|\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Text:
    """A reasoning and its parts."""

    whole: str
    prose: str
    """Without its code blocks."""
    blocks: tuple[Block, ...]
    """Its code blocks."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words and numbers of a text."""

    text: str
    tokens: frozenset[str]
    """As they are written."""
    lower: list[str]
    """In lower case, in their order."""
    counts: Mapping[str, int]
    """In lower case, and how often."""


def seen(text: str) -> Text:
    """Returns the parts of a text."""
    fenced = "```" in text or "~~~" in text
    return Text(text, prose_of(text) if fenced else text.strip(), tuple(code_blocks(text)) if fenced else ())


def words_of(text: str) -> Words:
    """Returns the words of a text."""
    tokens = _TOKEN.findall(text.replace("\u2019", "'"))
    lower = [token.lower().removesuffix("'s") for token in tokens]
    return Words(text, frozenset(tokens), lower, Counter(lower))


def changed(before: str, after: str) -> tuple[str, str]:
    """Returns the two texts without the lines that they begin and end with alike."""
    old, new = before.split("\n"), after.split("\n")
    most = min(len(old), len(new))
    head = next((at for at in range(most) if old[at] != new[at]), most)
    tail = next((at for at in range(most - head) if old[-1 - at] != new[-1 - at]), most - head)
    return "\n".join(old[head : len(old) - tail]), "\n".join(new[head : len(new) - tail])
