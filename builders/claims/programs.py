"""Claims about programs that read standard input: "Input: `3 4` Output: `7`"."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lcb_rb.schema import StdinTests

_NUMBERS = r"-?\d+(?:[ ]-?\d+){0,30}"
_DATA = rf"`[^`\n]{{1,80}}`|\"[^\"\n]{{1,80}}\"|{_NUMBERS}"
_OUTPUT_WORD = r"(?:the[ \t]+)?(?:(?:expected|correct|final)[ \t]+)*(?:output|answer|result)"
_ONE_LINE = re.compile(
    rf"\b(?P<lead>(?:sample |example )?input[ \t]*(?:is|of|:|=)?(?:\*\*)?[ \t]*)(?P<input>{_DATA})"
    rf"(?:[,;.:]|[ \t]|\n[ \t]*(?:[-*][ \t]+)?|\*\*|\bthen\b|->)*{_OUTPUT_WORD}[ \t]*"
    rf"(?:is|should be|would be|will be|:|=)(?:\*\*)?[ \t]*(?P<output>{_DATA}|(?:Yes|No|YES|NO)\b)"
    rf"(?=[ \t]*(?:[.;!)]|,(?![ \t]*[-\d\"`])|\n|$))",
    re.IGNORECASE,
)
_BLOCK = re.compile(
    rf"\binput(?: \d+)?:?(?:\*\*)?:?[ \t]*\n+(?P<input>(?:(?:{_NUMBERS})[ \t]*\n){{1,12}})\s*"
    rf"(?:\*\*|[-*][ \t]+)?(?:sample |expected )?output(?: \d+)?:?(?:\*\*)?:?[ \t]*\n*"
    rf"(?P<output>{_NUMBERS})[ \t]*(?=\n|$)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"(?P<input>(?:\b[A-Z]\w?\b|\binput\b)[^\n]{{1,120}}?)[,;.:( \t]*\b(?:with|where|resulting in)?[ \t]*"
    rf"{_OUTPUT_WORD}[ \t]*(?:is|should be|would be|will be|:|=|)[ \t]*(?P<output>{_DATA}|(?:Yes|No|YES|NO)\b)"
    rf"(?=[ \t]*(?:[.;!)]|,|\n|$|because|since|as\b))",
    re.IGNORECASE,
)
_NOT_DATA = re.compile(r"\b(?:and|is|input|example|sample|the|[A-Za-z]\w?(?:_\w)?[ \t]*=)(?![\w.#@])|[`\"'()\[\],:;*]")
_NAME = re.compile(r"[a-z]{1,2}")
_WORDS = re.compile(r"[A-Za-z]{1,2}|.*[A-Za-z]+[ ,.].*")
"""What may be a name or a sentence instead of data."""


@dataclass(frozen=True, slots=True)
class Found:
    """A claim about a program."""

    start: int
    end: int
    result_start: int
    result_text: str
    arguments: str
    expected: str

    def fields(self, reasoning: str) -> dict[str, int | str]:
        """Returns the fields of a claim by name."""
        return {
            "start": self.start,
            "text": reasoning[self.start : self.end],
            "result_start": self.result_start,
            "result_text": self.result_text,
            "arguments": self.arguments,
            "expected": self.expected,
        }


def find(text: str, tests: StdinTests) -> Iterator[Found]:
    """Yields the claims about what a program prints for an input that is data beyond doubt.

    Args:
        text: Without code blocks.
        tests: Of the problem: what is written as one of their inputs, up to blanks and names, means it; and words are
            printed as in their outputs, be they capitals or not.
    """
    inputs = {tuple(given.split()): given for given in tests.inputs}
    spelled = {printed.strip().lower(): printed.strip() for printed in tests.outputs}
    for match in _NAMED.finditer(text):
        given = inputs.get(tuple(_NOT_DATA.sub(" ", match["input"]).split()))
        if given is not None:
            yield _found(match, given, spelled)
    for pattern in (_ONE_LINE, _BLOCK):
        for match in pattern.finditer(text):
            bare = _bare(match["input"]).rstrip()
            if not _WORDS.fullmatch(bare) and not _NAME.fullmatch(_bare(match["output"])):
                yield _found(match, inputs.get(tuple(bare.split()), f"{bare}\n"), spelled)


def _found(match: re.Match[str], given: str, spelled: Mapping[str, str]) -> Found:
    start, end = match.span("output")
    printed = _bare(match["output"])
    expected = spelled.get(printed.lower(), printed)
    return Found(match.start(), end, start, match["output"], given, f"{expected}\n")


def _bare(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if text[0] in '`"' else text
