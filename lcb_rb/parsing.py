"""From a model's completion to its reasoning and its solution; never raises on any text."""

import ast
import re
import warnings
from dataclasses import dataclass
from typing import Literal

from lcb_rb.schema import Place

Format = Literal["tags", "markdown", "code", "text"]

MAX_CODE_CHARS = 50_000
"""Longer texts are not tried as plain code: Python's parser takes quadratic time on some."""

_FENCE = re.compile(r"^(?P<indent>[ \t]*+)(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n`]*+)$", re.MULTILINE)
_PYTHON = frozenset({"python", "python3", "py", "py3"})
_NAMES_CODE = re.compile(r"(\b|_)(code|solution|implementation|program|python)(\b|_)", re.IGNORECASE)
_HEADING = re.compile(r"#{1,6} .{0,80}|(\*\*|__).{1,80}\1:?|.{0,120}:")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The parts of a completion."""

    reasoning: str
    """Text of the reasoning, without the line that announces the code."""
    place: Place
    """Whether the reasoning stands before the code or only explains it afterwards."""
    code: str
    """The solution; empty when there is none."""
    format: Format
    """How the completion was written."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: text[start:end] with its fences."""

    start: int
    end: int
    language: str
    """Info string in lower case; empty when there is none."""
    body: str
    """Content, without the indent of the fence."""
    closed: bool
    """False when the text ends before the closing fence."""


def parse_completion(text: str) -> Parsed:
    """Returns reasoning and solution of a completion.

    Three formats are known: `<think>...</think><answer>...</answer>` (the opening tag may have been part of the
    prompt, the answer tags may be missing), markdown whose last fenced Python block is the solution, and plain code. In
    markdown the reasoning is the text before the first Python block; only when that is empty, the text after it,
    placed "after". Blocks that name no language count as Python where no block does.
    """
    head, tag, tail = text.partition("</think>")
    if tag or "<think>" in text:
        return Parsed(_after(head, "<think>").strip(), "before", _answer(tail), "tags")
    python = _python_blocks(text)
    if not python:
        is_code = _is_code(text)
        return Parsed("" if is_code else text.strip(), "before", text if is_code else "", "code" if is_code else "text")
    before = _without_lead_in(text[: python[0].start])
    if before:
        return Parsed(before, "before", python[-1].body, "markdown")
    return Parsed(prose(text[python[0].start :]), "after", python[-1].body, "markdown")


def render_completion(reasoning: str, code: str) -> str:
    """Returns the `<think>/<answer>` completion that parses back to the two parts, the code ended by a newline.

    Not so for a reasoning with `</think>` or blanks around it and a code with `</answer>`.
    """
    return f"<think>\n{reasoning}\n</think>\n<answer>\n{fenced(code)}\n</answer>"


def fenced(code: str) -> str:
    """Returns code as a fenced Python block, with a fence that nothing in the code closes."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    ended = code if code.endswith("\n") or not code else code + "\n"
    return f"{fence}python\n{ended}{fence}"


def code_blocks(text: str) -> list[Block]:
    """Returns the fenced blocks in order; an unclosed last one reaches to the end of the text."""
    blocks: list[Block] = []
    fences = list(_FENCE.finditer(text))
    index = 0
    while index < len(fences):
        opening = fences[index]
        closing = next((i for i in range(index + 1, len(fences)) if _closes(opening, fences[i])), len(fences))
        end = fences[closing] if closing < len(fences) else None
        body = _dedent(text[opening.end() + 1 : end.start() if end else len(text)], len(opening["indent"]))
        info = opening["info"].strip().lower().split()
        stop = end.end() if end else len(text)
        blocks.append(Block(opening.start(), stop, info[0] if info else "", body, end is not None))
        index = closing + 1
    return blocks


def prose(text: str) -> str:
    """Returns the text without its fenced code blocks."""
    kept, position = [], 0
    for block in code_blocks(text):
        kept.append(text[position : block.start])
        position = block.end
    return "".join([*kept, text[position:]]).strip()


def syntax_key(code: str) -> str:
    """Returns a text that is the same for programs that differ in comments, docstrings and layout only.

    A program that Python does not parse is its own key.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code if len(code) <= MAX_CODE_CHARS else "(")
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = [line for line in node.body if not _is_text(line)] or [ast.Pass()]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def _dedent(body: str, width: int) -> str:
    return re.sub(rf"^[ \t]{{1,{width}}}", "", body, flags=re.MULTILINE) if width else body


def _closes(opening: re.Match[str], fence: re.Match[str]) -> bool:
    same = fence["fence"][0] == opening["fence"][0] and len(fence["fence"]) >= len(opening["fence"])
    return same and not fence["info"].strip()


def _after(text: str, tag: str) -> str:
    return text.partition(tag)[2] if tag in text else text


def _answer(tail: str) -> str:
    inner = _after(tail, "<answer>").partition("</answer>")[0]
    python = _python_blocks(inner)
    if python:
        return python[-1].body
    return inner.strip("\n") if "<answer>" in tail or _is_code(inner) else ""


def _python_blocks(text: str) -> list[Block]:
    blocks = code_blocks(text)
    marked = [block for block in blocks if block.language in _PYTHON]
    return marked or [block for block in blocks if not block.language]


def _without_lead_in(text: str) -> str:
    """Removes last lines such as "Here's the python solution:" or "### Code"."""
    lines = text.split("\n")
    while lines and (not lines[-1].strip() or _leads_in(lines[-1].strip())):
        lines.pop()
    return "\n".join(lines).strip()


def _leads_in(line: str) -> bool:
    return bool(_NAMES_CODE.search(line) and _HEADING.fullmatch(line))


def _is_code(text: str) -> bool:
    if not text.strip() or len(text) > MAX_CODE_CHARS:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in body)
