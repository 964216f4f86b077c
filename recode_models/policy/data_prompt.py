"""What the policy is asked: a template filled with a problem and with what its tests call."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import input_error
from lcb_rb.schema import Problem
from lcb_rb.tasks import statement_of, task_of
from lcb_rb.templates import fields_of, fill

PROMPTS = Path(__file__).parent / "prompts"
DEFAULT = "think-answer"

STATEMENT, STARTER_CODE, TASK = "statement", "starter_code", "task"
"""Fields of a template: the problem's text; its starter code as it is, often empty; what to write, with that code."""

_ALLOWED = {STATEMENT, STARTER_CODE, TASK}
_FIX = "write {{statement}} into it, and {{task}} (what to write, with the starter code) or {{starter_code}}"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template of prompts."""

    name: str
    """File name without its suffix."""
    template: str
    """With fields in double braces."""

    @property
    def sha256(self) -> str:
        """Of the template."""
        return hashlib.sha256(self.template.encode()).hexdigest()


def read_prompt(path: Path | None) -> Prompt:
    """Returns the prompt in a file, or the one of that name that comes with the package; its default when None.

    Raises:
        InputError: no such file or name, a field is unknown, or the statement is missing.
    """
    place = path or Path(DEFAULT)
    own = PROMPTS / f"{place}.txt"
    if not place.is_file() and not own.is_file():
        known = ", ".join(sorted(found.stem for found in PROMPTS.glob("*.txt")))
        raise input_error(place, "no such prompt", f"give `prompt` a text file or one of {known}")
    try:
        template = (place if place.is_file() else own).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise input_error(place, f"cannot be read ({error})", "save the prompt as UTF-8") from error
    asked = fields_of(template)
    if unknown := sorted(asked - _ALLOWED):
        raise input_error(place, f"unknown field {{{{{unknown[0]}}}}}", _FIX)
    if STATEMENT not in asked:
        raise input_error(place, "no {{statement}}", _FIX)
    return Prompt(place.stem, template)


def require_room(prompt: Prompt, problems: Iterable[Problem]) -> None:
    """Refuses a prompt that leaves out the starter code that a problem has.

    Raises:
        InputError: it does.
    """
    if fields_of(prompt.template) & {STARTER_CODE, TASK}:
        return
    lost = next((problem for problem in problems if problem.starter_code.strip()), None)
    if lost:
        raise input_error(f"prompt {prompt.name}", f"has no place for the starter code of problem {lost.id}", _FIX)


def messages_of(problem: Problem, template: str) -> list[dict[str, str]]:
    """Returns the conversation that a completion follows: one message of the user.

    Args:
        problem: What is asked.
        template: Text with {{statement}} and perhaps {{task}} and {{starter_code}}.

    Raises:
        ValueError: the template asks for something else.
    """
    known = {
        STATEMENT: statement_of(problem),
        STARTER_CODE: problem.starter_code.rstrip(),
        TASK: task_of(problem),
    }
    asked = fields_of(template)
    content = fill(template, {name: text for name, text in known.items() if name in asked})
    return [{"role": "user", "content": content.strip()}]
