"""What a judge is asked: prompts in which the text under judgement can neither close its markers nor a turn of chat."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.templates import fill

PROMPTS = Path(__file__).parent / "prompts"
POINTWISE, PAIRWISE = "pointwise.txt", "pairwise.txt"
UNTRUSTED = {POINTWISE: ("problem", "reasoning"), PAIRWISE: ("problem", "a", "b")}
"""Fields that strangers wrote, by the prompt that is used where no other is given."""
OURS = {POINTWISE: ("nonce", "low", "high"), PAIRWISE: ("nonce",)}
"""The other fields."""
_CONTROL = re.compile(r"<(?=[|\uff5c])|<(?=/?s>)|<(?=/?(?:start|end)_of_turn>)|<(?=<?/?SYS>)|\[(?=/?INST\])")
"""How the common chat templates begin a control token; servers read such tokens wherever they stand."""


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt, ready to be asked."""

    key: str
    """Item that it is about."""
    prompt: str
    """Text."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template of prompts."""

    kind: str
    """POINTWISE or PAIRWISE."""
    template: str
    """With fields in double braces."""

    @property
    def digest(self) -> str:
        """Hash of the template."""
        return f"sha256:{hashlib.sha256(self.template.encode()).hexdigest()[:16]}"

    def filled(self, untrusted: Mapping[str, str], ours: Mapping[str, str]) -> str:
        """Returns the prompt; the marker of its parts is a hash of them, so no part can hold it."""
        safe = {name: _CONTROL.sub(r"\g<0> ", text) for name, text in untrusted.items()}
        return fill(self.template, {**safe, **ours, "nonce": nonce_of(safe)})


def nonce_of(parts: Mapping[str, str]) -> str:
    """Returns a marker that depends on every part and is in none."""
    text, count = "\0".join(parts.values()), 0
    while (found := hashlib.sha256(f"{count}\0{text}".encode()).hexdigest()[:16]) in text:
        count += 1
    return found


def read_prompt(kind: str, path: Path | None) -> Prompt:
    """Returns the prompt in a file, or the one of this package.

    Raises:
        InputError: no such file, or its fields are not those of the kind.
    """
    try:
        template = (path or PROMPTS / kind).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); mend `prompt` of `judge` in --adapter") from error
    prompt = Prompt(kind, template)
    names = {*UNTRUSTED[kind], *OURS[kind]}
    try:
        fill(template, dict.fromkeys(names, ""))
    except ValueError as error:
        asked = ", ".join(f"{{{{{name}}}}}" for name in sorted(names))
        raise InputError(f"{path}: {error}; the prompt must hold {asked}, each at least once") from error
    return prompt
