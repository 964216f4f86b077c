"""The prompts of the rewriter: what strangers wrote stands in them between markers that it cannot close."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from lcb_rb.errors import InputError
from lcb_rb.schema import Dimension, Direction
from lcb_rb.scorers.judges_prompt import Prompt
from lcb_rb.templates import fill

PROMPTS = Path(__file__).parent / "prompts"
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
LENGTH = "length"
"""The request for the same text with another length."""
_UNTRUSTED = {"problem", "reasoning"}
_FIELDS: Mapping[str, set[str]] = {
    "optimized": {*_UNTRUSTED, "nonce", "dimension", "definition", "chars"},
    "degraded": {*_UNTRUSTED, "nonce", "dimension", "definition", "chars"},
    LENGTH: {"chars", "target", "low", "high"},
}


@dataclass(frozen=True, slots=True)
class RewritePrompts:
    """Templates by direction, the request for another length, and what each dimension means."""

    templates: Mapping[str, str]
    definitions: Mapping[Dimension, str]

    @property
    def digest(self) -> str:
        """Hash of all texts."""
        texts = [*(self.templates[name] for name in sorted(self.templates))]
        texts += [self.definitions[dimension] for dimension in Dimension]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]

    def rewriting(self, direction: Direction, dimension: Dimension, problem: str, reasoning: str) -> str:
        """Returns the request for a rewrite of a reasoning."""
        ours = {"dimension": dimension.replace("_", " "), "definition": self.definitions[dimension]}
        untrusted = {"problem": encodable(problem), "reasoning": encodable(reasoning)}
        return Prompt(direction, self.templates[direction]).filled(untrusted, {**ours, "chars": str(len(reasoning))})

    def of_length(self, chars: int, target: int, low: int, high: int) -> str:
        """Returns the request for the text of `chars` characters with about `target` instead."""
        sizes = {"chars": chars, "target": target, "low": low, "high": high}
        return fill(self.templates[LENGTH], {name: str(size) for name, size in sizes.items()})


def read_prompts(directory: Path | None = None) -> RewritePrompts:
    """Returns the prompts of a directory, or those of this package where it has none.

    Args:
        directory: May hold rewrite_optimized.txt, rewrite_degraded.txt, rewrite_length.txt and rewrite_DIMENSION.txt.

    Raises:
        InputError: a file cannot be read, or asks for other fields than it must.
    """
    templates = {name: read_template(f"rewrite_{name}.txt", directory, fields) for name, fields in _FIELDS.items()}
    return RewritePrompts(
        templates, {each: read_template(f"rewrite_{each}.txt", directory, set()).strip() for each in Dimension}
    )


def read_template(name: str, directory: Path | None, fields: set[str]) -> str:
    """Returns the template of that name in a directory, else in this package.

    Raises:
        InputError: it cannot be read, or its fields are not these.
    """
    own = directory / name if directory else None
    path = own if own and own.exists() else PROMPTS / name
    try:
        template = path.read_text(encoding="utf-8")
        fill(template, dict.fromkeys(fields, ""))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); mend it or take it away") from error
    except ValueError as error:  # not UTF-8, or other fields
        asked = ", ".join(f"{{{{{field}}}}}" for field in sorted(fields)) or "no field"
        raise InputError(f"{path}: {error}; it must be UTF-8 and hold {asked}") from error
    return template


def encodable(text: str) -> str:
    """Returns the text without halves of characters, which no request can carry."""
    return text.encode("utf-8", "replace").decode()
