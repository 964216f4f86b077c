"""Whether a variant holds code that its original lacks."""

import re
from collections.abc import Iterable

from builders.gates.limits import GateLimits
from builders.gates.text import Text

LONGEST_LINE = 200
"""Longer lines are prose, characters."""
SHORTEST_LINE = 10
"""Shorter lines of code may occur in any text; characters without blanks."""

_NAME = r"[A-Za-z_][\w.]*(?:\[[^\]\n]*\])*"
_STATEMENT = re.compile(
    rf"(?:{_NAME}(?:, ?{_NAME})* ?(?:[-+*/%&|^]|//|<<|>>)?= ?[^=\n].*|{_NAME}\(.*\)"
    r"|(?:for .+ in|while|if|elif|with|try|else|except)\b.*:|(?:return|print)\b ?\(?[\w\[({'\"-].*[\w\])}'\"]"
    r"|(?:break|continue|pass))"
)
_DEFINITION = re.compile(
    r"(?:(?:async )?def \w+\(.*\).*:|class \w+(?:\(.*\))?:|from [\w.]+ import .+|import [\w.]+(?: as \w+)?"
    r"|#include ?<.+>|(?:public|private|static) .*[{;])"
)


def leaks_code(original: Text, text: Text, code: str, limits: GateLimits) -> bool:
    """Returns whether new code blocks, new lines of code, or much of the sample's own code stand in the text."""
    known = set(_lines(original.whole))
    lines = [line.strip("`") for line in _lines(text.prose) if line not in known]
    fenced = [line for block in text.blocks for line in _lines(block.body) if line not in known]
    if any(_DEFINITION.fullmatch(line) for line in [*lines, *fenced]):
        return True
    statements = sum(_STATEMENT.fullmatch(line) is not None for line in lines) + len(fenced)
    return statements >= limits.code_lines or _quotes(original, text, code, limits)


def _quotes(original: Text, text: Text, code: str, limits: GateLimits) -> bool:
    """Returns whether the text holds many of the lines of the code, in whatever layout, that the original lacks."""
    lines = {squeezed for line in code.split("\n") if len(squeezed := _squeezed(line)) >= SHORTEST_LINE}
    new, old = _squeezed(text.whole), _squeezed(original.whole)
    quoted = sum(len(line) for line in lines if line in new and line not in old)
    return quoted >= limits.code_chars and quoted >= limits.code_share * sum(map(len, lines))


def _lines(text: str) -> Iterable[str]:
    return (stripped for line in text.split("\n") if (stripped := line.strip()) and len(stripped) <= LONGEST_LINE)


def _squeezed(text: str) -> str:
    return "".join(text.split()).rstrip(":")
