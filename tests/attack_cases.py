"""The project's own suite: hostile programs, and benign ones that a sandbox too strict would break.

The programs lie in `tests/data/attacks/*.txt` as they are, in sections:

    === NAME KEY=VALUE...      the keys: see `Section`; the first line of a file gives the file's own defaults
    code
    --- check                  the body of `check(candidate)`, instead of the tests of `double` or `oracle`
    --- input, --- output      instead of them, for a program: one test
    --- then                   a later sample for the same grader

A program solves `double(n)`, or `oracle(n)` whose answers cannot be computed, only stolen. With `wrap=capability` the
code is the body of a function, and the answers are right only if that returns something true.
"""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

Case = dict[str, Any]
Section = dict[str, str]
"""Keys: category, kinds (of tests), problem, wrap, use (sections of preludes.txt put in front), and as in the shared
suite expect, means, danger and probe (TYPE:VALUE)."""

FOLDER = Path(__file__).parent / "data" / "attacks"
NUMBERS = [1, 21, -4, 1000, 0]
SECRETS = ["ANS-5d41402abc4b", "ANS-7d793037a076", "ANS-2a19c76592e1"]
ANSWERS: dict[str, dict[int, int | str]] = {
    "double": {number: 2 * number for number in NUMBERS},
    "oracle": dict(enumerate(SECRETS)),
}
CAPABILITY = """\
def obtained():
{body}
try:
    worked = bool(obtained())
except BaseException:
    worked = False
def double(n):
    return 2 * n if worked else -1
"""
DEFAULTS = {"kinds": "call", "problem": "double", "wrap": "", "use": "", "expect": "fail", "means": "false_pass"}


def own_cases(name: str = "*") -> list[Case]:
    """Returns the cases in the files of this name, in the format of the shared suite."""
    preludes = {section["name"]: section["code"] for section in sections(FOLDER / "preludes.txt")}
    paths = sorted(path for path in FOLDER.glob(f"{name}.txt") if path.stem != "preludes")
    found = [
        case(section, kind, preludes)
        for path in paths
        for section in sections(path)
        for kind in section["kinds"].split(",")
    ]
    ids = [item["id"] for item in found]
    assert len(ids) == len(set(ids)), f"two cases have one id: {sorted({one for one in ids if ids.count(one) > 1})}"
    return found


def sections(path: Path) -> list[Section]:
    """Returns the sections of a file, each with its `name`, its `code` and its further parts."""
    intro, *rest = re.split(r"^=== (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    defaults = DEFAULTS | keys(intro.partition("\n")[0])
    found = []
    for header, body in zip(rest[::2], rest[1::2], strict=True):
        name, _, attributes = header.partition(" ")
        code, *parts = re.split(r"^--- (\w+)\n", body, flags=re.MULTILINE)
        found.append(
            defaults | keys(attributes) | {"name": name, "code": code} | dict(zip(parts[::2], parts[1::2], strict=True))
        )
    return found


def keys(text: str) -> dict[str, str]:
    """Returns the KEY=VALUE words of a line."""
    return dict(word.split("=", 1) for word in text.split() if "=" in word)


def case(section: Section, kind: str, preludes: dict[str, str]) -> Case:
    """Returns one case of a section."""
    problem = section["problem"]
    entry_point = None if kind == "stdin" else problem
    found: Case = {
        "id": f"{section['name']}/{kind}",
        "base": section["name"],
        **{name: section[name] for name in ("category", "expect", "means")},
        "kind": kind,
        "entry_point": entry_point,
        "tests": tests(section, kind),
        "code": program(section, section["code"], kind, preludes),
    }
    if "danger" in section:
        found["danger"] = section["danger"]
    if "probe" in section:
        probe, _, value = section["probe"].partition(":")
        found["probe"] = {
            "type": probe,
            "max" if value.isdecimal() else "path": json.loads(value) if value.isdecimal() else value,
        }
    if "then" in section:
        wrapped = section | {"wrap": "capability"}
        found["follow"] = [{"code": program(wrapped, section["then"], kind, preludes), "expect": "fail"}]
    return found


def program(section: Section, code: str, kind: str, preludes: dict[str, str]) -> str:
    """Returns a solution; a function becomes a program that reads a number and prints the answer."""
    if section["wrap"] == "capability":
        code = CAPABILITY.format(body=textwrap.indent(code, "    "))
    before = "".join(preludes[name] for name in section["use"].split(",") if name)
    call = f"if __name__ == '__main__':\n    print({section['problem']}(int(input())))\n"
    return before + code + (call if kind == "stdin" and f"def {section['problem']}" in code else "")


def tests(section: Section, kind: str) -> dict[str, Any]:
    """Returns the tests of a section, else those of its problem."""
    answers = ANSWERS[section["problem"]]
    if "check" in section:
        return {"check": f"def check(candidate):\n{textwrap.indent(section['check'], '    ')}"}
    if "output" in section:
        return {"inputs": [section.get("input", "")], "outputs": [section["output"]]}
    if kind == "assert":
        lines = [f"    assert candidate({given}) == {answer!r}\n" for given, answer in answers.items()]
        return {"check": f"def check(candidate):\n{''.join(lines)}"}
    if kind == "call":
        outputs = [json.dumps(answer) for answer in answers.values()]
        return {"fn_name": section["problem"], "inputs": [str(given) for given in answers], "outputs": outputs}
    return {"inputs": [f"{given}\n" for given in answers], "outputs": [f"{answer}\n" for answer in answers.values()]}
