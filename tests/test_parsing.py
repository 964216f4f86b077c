"""From a completion to reasoning and solution: the formats, what models do to them, and hostile texts."""

import sys
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from factories import SHARED_DATA
from lcb_rb.parsing import MAX_CODE_CHARS, code_blocks, parse_completion, prose, render_completion

CODE = "def f(x):\n    return x\n"
WHY = "We sort, because order helps."

PIECES = [
    *("<think>", "</think>", "<answer>", "</answer>", "```", "````", "~~~", "`", "python", "```python\n", "```\n"),
    *("\n", "\n\n", " ", "\t", "    ", "\r", "\r\n", "\x0c", "\x85", "\u2028", "\ufeff", "\0", "\ud800", "e\u0301"),
    *("x = 1\n", "print(x)", "def", "(", "[", '"""', "\\", "# Code", "Here is the solution:\n", "**Code**", "text"),
]
texts = st.text(alphabet=st.characters(exclude_categories=())) | st.lists(st.sampled_from(PIECES)).map("".join)
plain = st.lists(st.sampled_from(["word", " ", "\n", "`", "# Code", "<answer>", "<think>", "é", "```", "~~~"])).map(
    "".join
)
code_lines = st.lists(st.sampled_from(["x = 1", "```", "````python", "~~~", "", "    y", "\t", "</think>", "<think>"]))
modest = settings(deadline=None, max_examples=300)


def fenced(code: str, language: str = "python", indent: str = "") -> str:
    return "".join(f"{indent}{line}\n" for line in [f"```{language}", *code.splitlines(), "```"])


@modest
@given(texts)
@example("\ud800</think>\udfff")
@example("x = '" + "\0")
def test_no_text_makes_it_raise(text: str) -> None:
    assert parse_completion(text).format in ("tags", "markdown", "code", "text")


@modest
@given(texts)
def test_reasoning_and_code_are_never_invented(text: str) -> None:
    parsed = parse_completion(text)
    words = "".join(text.split())
    assert all("".join(line.split()) in words for part in (parsed.reasoning, parsed.code) for line in part.split("\n"))


@modest
@given(plain.map(str.strip), code_lines.map(lambda lines: "".join(f"{line}\n" for line in lines)))
def test_what_is_rendered_parses_back(reasoning: str, code: str) -> None:
    parsed = parse_completion(render_completion(reasoning, code))
    assert (parsed.reasoning, parsed.code, parsed.place, parsed.format) == (reasoning, code, "before", "tags")


def test_code_without_a_last_newline_gets_one_when_rendered() -> None:
    assert parse_completion(render_completion(WHY, "print(1)")).code == "print(1)\n"


@modest
@given(texts)
def test_blocks_stand_in_order_and_apart(text: str) -> None:
    places = [0, *(place for block in code_blocks(text) for place in (block.start, block.end)), len(text)]
    assert places == sorted(places)


@modest
@given(texts)
def test_all_blocks_but_the_last_are_closed(text: str) -> None:
    assert all(block.closed for block in code_blocks(text)[:-1])


@modest
@given(st.lists(st.sampled_from([fenced(CODE), fenced("1", ""), fenced("~~~", "text"), "talk\n", "a `b` c\n", "\n"])))
def test_prose_holds_no_block_and_all_talk(parts: list[str]) -> None:
    left = prose("".join(parts))
    assert code_blocks(left) == []
    assert left.count("talk") == parts.count("talk\n")


@pytest.mark.parametrize(
    ("text", "reasoning", "code"),
    [
        (f"<think>\n{WHY}\n</think>\n<answer>\n{fenced(CODE)}</answer>", WHY, CODE),
        (f"{WHY}\n</think>\n<answer>\n{fenced(CODE)}</answer>", WHY, CODE),  # the prompt ended with <think>
        (f"<think>{WHY}</think><answer>{CODE}</answer>", WHY, CODE.strip("\n")),
        (f"<think>{WHY}</think>\n<answer>\n{fenced(CODE)}", WHY, CODE),  # cut before </answer>
        (f"<think>{WHY}</think>\n<answer>\n```python\n{CODE}", WHY, CODE),  # cut within the code
        (f"<think>{WHY}</think>\nSo:\n{fenced(CODE)}It works.", WHY, CODE),
        (f"<think>{WHY}</think>\n{CODE}", WHY, CODE.strip("\n")),
        (f"<think>{WHY}</think>\nI cannot say.", WHY, ""),
        (f"<think>{WHY}", WHY, ""),  # cut within the reasoning
        (f"<think>{WHY}\n{fenced('draft')}</think>{fenced(CODE)}", f"{WHY}\n{fenced('draft')}".strip(), CODE),
        (f"<think>{WHY}</think><answer>{fenced('first')}{fenced(CODE)}</answer>{fenced('talk')}", WHY, CODE),
        ("<think>\n\n</think>\n" + fenced(CODE), "", CODE),
    ],
)
def test_tags_hold_the_reasoning_and_the_answer(text: str, reasoning: str, code: str) -> None:
    parsed = parse_completion(text)
    assert (parsed.reasoning, parsed.code, parsed.place, parsed.format) == (reasoning, code, "before", "tags")


@pytest.mark.parametrize("language", ["python", "Python", "python3", "py", "PY3", " python", "python title=a.py", ""])
def test_a_fenced_block_of_python_is_the_solution(language: str) -> None:
    parsed = parse_completion(f"{WHY}\n\n{fenced(CODE, language)}\nDone.")
    assert (parsed.reasoning, parsed.code, parsed.place, parsed.format) == (WHY, CODE, "before", "markdown")


@pytest.mark.parametrize("indent", ["", " ", "   ", "\t", "      "])
def test_the_indent_of_a_fence_is_taken_from_its_code(indent: str) -> None:
    assert parse_completion(f"1. {WHY}\n\n{fenced(CODE, indent=indent)}").code == CODE


def test_code_indented_less_than_its_fence_keeps_its_own_structure() -> None:
    assert parse_completion("    ```python\n  if x:\n      y\n    ```").code == "if x:\n  y\n"


def test_the_last_of_several_python_blocks_is_the_solution() -> None:
    assert parse_completion(f"{WHY}\n{fenced('brute()')}Better:\n{fenced(CODE)}").code == CODE


def test_the_reasoning_ends_at_the_first_python_block() -> None:
    assert parse_completion(f"{WHY}\n{fenced('brute()')}Better:\n{fenced(CODE)}").reasoning == WHY


def test_blocks_of_other_languages_belong_to_the_reasoning() -> None:
    text = f"{WHY}\n{fenced('int f();', 'cpp')}"
    assert parse_completion(f"{text}\n{fenced(CODE)}{fenced('3', 'text')}").reasoning == text.strip()


@pytest.mark.parametrize("after", [False, True])
def test_a_block_without_a_language_is_no_rival_of_a_python_block(after: bool) -> None:
    blocks = [fenced("1 2 3", ""), fenced(CODE)]
    assert parse_completion("For example:\n" + "So:\n".join(blocks[::-1] if after else blocks)).code == CODE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{WHY}\n```python\n{CODE}", CODE),  # never closed
        (f"{WHY}\n```python", ""),
        (f"{WHY}\n````python\n```\n{CODE}````", f"```\n{CODE}"),  # a shorter fence is content
        (f"{WHY}\n~~~python\n```\n{CODE}~~~", f"```\n{CODE}"),
        (f"{WHY}\n```python\n{CODE}`````\nmore", CODE),  # a longer fence closes
        (f"{WHY}\n```python\n{CODE}  ```  \nmore", CODE),
        (f"{WHY}\n```python\n{CODE}```text\n{CODE}```", f"{CODE}```text\n{CODE}"),  # a fence with a word opens
        (f"{WHY}\r\n```python\r\nprint(1)\r\n```\r\n", "print(1)\r\n"),
        (f"{WHY} ```python {CODE}```", ""),  # not at the start of a line
    ],
)
def test_fences_close_as_in_commonmark(text: str, code: str) -> None:
    assert parse_completion(text).code == code


def test_talk_after_the_code_is_the_reasoning_only_where_there_is_none_before() -> None:
    parsed = parse_completion(f"{fenced(CODE)}\n{WHY}\n")
    assert (parsed.reasoning, parsed.place, parsed.code) == (WHY, "after", CODE)


def test_talk_after_the_code_is_left_out_where_there_is_reasoning_before() -> None:
    parsed = parse_completion(f"{WHY}\n{fenced(CODE)}\nThis takes O(n).")
    assert (parsed.reasoning, parsed.place) == (WHY, "before")


@pytest.mark.parametrize(
    "lead",
    [
        "Here's the python solution:",
        "Here is the code:\n\n",
        "### Code",
        "**Solution**",
        "__Implementation:__",
        "## Solution\n\n### Python Code\n\nThe program:",
        "  Code:  ",
    ],
)
def test_lead_in_lines_are_no_reasoning(lead: str) -> None:
    assert parse_completion(f"{WHY}\n\n{lead}\n{fenced(CODE)}").reasoning == WHY


@pytest.mark.parametrize("line", ["The solution is to sort.", "Then:", "## Approach", "x" * 200 + " code:"])
def test_last_lines_that_say_something_are_kept(line: str) -> None:
    assert parse_completion(f"{WHY}\n{line}\n{fenced(CODE)}").reasoning == f"{WHY}\n{line}"


def test_a_lead_in_alone_leaves_the_reasoning_to_the_talk_after() -> None:
    parsed = parse_completion(f"Here's the code:\n{fenced(CODE)}{WHY}")
    assert (parsed.reasoning, parsed.place) == (WHY, "after")


@pytest.mark.parametrize("code", [CODE, "print(int(input()) * 2)", "import sys\nprint(1)", "x = 1"])
def test_plain_code_is_code_without_reasoning(code: str) -> None:
    parsed = parse_completion(code)
    assert (parsed.reasoning, parsed.code, parsed.format) == ("", code, "code")


@pytest.mark.parametrize("text", ["", " \n", "I do not know.", "Sorry", "42", '"quoted"', "x", "x = (", "a\0b"])
def test_other_text_is_reasoning_without_code(text: str) -> None:
    parsed = parse_completion(text)
    assert (parsed.reasoning, parsed.code, parsed.format) == (text.strip(), "", "text")


HOSTILE = {
    "backticks": "`" * 10**6,
    "tildes": "~" * 10**6 + "`",
    "fence and blanks": "```" + " " * 10**6 + "`",
    "fence and tabs": "```" + "\t " * 500_000 + "`",
    "newlines": "\n" * 10**6,
    "blanks": " " * 10**6,
    "blank lines": (" " * 99 + "\n") * 10_000,
    "empty blocks": "```\n" * 100_000,
    "blocks never closed": "```a\n" * 200_000,
    "two kinds of fence": "```a\n~~~b\n" * 100_000,
    "lead-in lines": "Code:\n" * 500_000 + fenced(CODE),
    "headings": "# Code\n" * 140_000 + fenced(CODE),
    "lead-in and newlines": "Code:\n" + "\n" * 10**6 + fenced(CODE),
    "one long heading": "#" * 10**6 + " code\n" + fenced(CODE),
    "stars": "*" * 10**6 + "code\n" + fenced(CODE),
    "opening tags": "<think>" * 140_000,
    "closing tags": "</think>" * 120_000,
    "answers": "</think>" + "<answer>" * 120_000,
    "deep indent": (" " * 1000 + "```python\n" + " " * 1000 + "x\n") * 500,
    "halves": "\ud800" * 10**6,
    "parentheses": "(" * MAX_CODE_CHARS,
    "signs": "-" * (MAX_CODE_CHARS - 1) + "1",
    "attributes": "a" + ".a" * ((MAX_CODE_CHARS - 1) // 2),
    "dotted import": "import a" + ".a" * ((MAX_CODE_CHARS - 8) // 2),
    "long dotted import": "import a" + ".a" * 500_000,
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_text_takes_seconds_not_hours(name: str) -> None:
    start = time.process_time()
    parse_completion(HOSTILE[name])
    assert time.process_time() - start < 10  # the slowest takes two


@pytest.mark.skipif(SHARED_DATA is None, reason="no real data")
def test_the_code_of_real_completions_is_the_code_that_was_graded() -> None:
    from lcb_rb.sources import read_samples

    files = sorted((SHARED_DATA or sys.exit()).glob("generations/lcb/Llama-4-*.json.gz"))
    samples = read_samples(files).samples
    same = sum(parse_completion(sample.completion or "").code.split() == sample.code.split() for sample in samples)
    assert same / len(samples) > 0.95
