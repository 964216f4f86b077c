"""What a policy wrote: reasoning, code, and whether the format is kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lcb_rb.parsing import parse_completion

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_FORMAT = re.compile(r"\s*<think>(?P<reasoning>.*)</think>\s*<answer>(?P<answer>.*)</answer>\s*", re.DOTALL)

Message = Mapping[str, object]
Completion = str | Sequence[Message]
"""As TRL hands it over: text, or messages whose last one may hold the reasoning apart in `reasoning_content`."""


@dataclass(frozen=True, slots=True)
class Written:
    """The parts of a completion."""

    reasoning: str
    """Text of the think part; empty where the format is not kept."""
    code: str
    """What is run; empty where there is none."""
    well_formed: bool
    """Whether it is `<think>...</think><answer>...</answer>`, each tag once, both parts filled, nothing beside them."""
    text: str
    """The whole, with its tags."""


def read_completion(completion: Completion, *, prefilled: bool = False) -> Written:
    """Returns the parts of a completion.

    Code is taken from any format, as elsewhere in this project: R_fmt and R_out are separate rewards. Reasoning is
    taken only from a well-formed completion, so that nothing else can be paid for as such.

    Args:
        completion: From TRL.
        prefilled: Whether the prompt ended in `<think>`, so that the completion begins within the reasoning.
    """
    text = _text(completion)
    if prefilled and not text.lstrip().startswith("<think>"):
        text = f"<think>{text}"
    code = parse_completion(text).code
    found = _FORMAT.fullmatch(text)
    if not found or any(text.count(tag) != 1 for tag in TAGS):
        return Written("", code, well_formed=False, text=text)
    reasoning = found["reasoning"].strip()
    filled = bool(reasoning and code.strip())
    return Written(reasoning if filled else "", code, well_formed=filled, text=text)


def ends_in_think(prompt: str) -> bool:
    """Returns whether a rendered prompt opens the reasoning itself, as the templates of some reasoning models do."""
    return prompt.rstrip().endswith("<think>")


def _text(completion: Completion) -> str:
    if isinstance(completion, str):
        return completion
    last = completion[-1] if completion else {}
    content, reasoning = str(last.get("content") or ""), last.get("reasoning_content")
    return f"<think>{reasoning}</think>{content}" if reasoning else content
