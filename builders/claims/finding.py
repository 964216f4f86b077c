"""Claims about final results in prose: "for n = 5 the answer is 8", `f(5) = 8`, "Input: 5 Output: 8"."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf

from builders.claims import literals, programs
from builders.claims.literals import Literal, Value
from builders.claims.signature import Signature, lower_bounds, signature_of
from lcb_rb.parsing import code_blocks
from lcb_rb.schema import AssertTests, CallTests, Problem, Record, StdinTests

_MARKUP = re.compile(r"`|\*\*|\$|\\[()\[\]]|\\text\b|\\,")
_JOINT = re.compile(r"[ \t]*[,;]?[ \t]*(?:(?:and|with|where|&)\b)?[ \t]*(?:\n[ \t]*(?:[-*][ \t]+)?)?")
_BE = r"(?:is|are|equals|=|:|(?:would|should|will|must) be)"
_RESULT = (
    rf"(?:(?:the|its|our|expected|correct|final|right)[ \t]+)*(?:answer|output|result|return(?:ed)? value)[ \t]*{_BE}"
    r"|(?:with|resulting in|leading to)[ \t]+(?:(?:the|an?|expected)[ \t]+)*(?:output|result|answer)(?:[ \t]+of)?"
    r"|(?:(?:it|this|the (?:function|code|program|method|algorithm))[ \t]+)?(?:(?:should|will|must|would|can)[ \t]+)?"
    r"(?:returns?|outputs?|prints?)"
)
_REASON = (
    r"(?:,[ \t]*(?:there|it|no|all|any|every|each|the)\b[^.?!\n\d=<>:;]{0,80},?[ \t]*(?:so|thus|hence|therefore)\b)"
)
_LINK = (
    rf"(?:{_REASON})?(?:[ \t,;:()]|\.[ \t]+(?=the\b)|\n[ \t]*(?:[-*][ \t]+)?(?=(?:expected[ \t]+)?output)"
    r"|\b(?:then|so|thus|hence|therefore|where|we|and|simply|just|directly|immediately)\b)*"
)
_FORWARD = re.compile(rf"{_LINK}\b(?:{_RESULT})[ \t]*{literals.START}", re.IGNORECASE)
_BACKWARD = re.compile(rf"(?<![\w-])(?:{_RESULT})[ \t]*{literals.START}", re.IGNORECASE)
_GIVEN = re.compile(r"[ \t]+(?:for|when|if|with|given)[ \t]+(?:the[ \t]+)?(?:input[ \t]+)?", re.IGNORECASE)
_ALONE = re.compile(
    rf"\b(?:for(?:[ \t]+(?:the|an?))?[ \t]+(?:input|array|list|string|number|integer|word)"
    rf"|input(?:[ \t]+is|[ \t]*[:=]))[ \t]+{literals.START}",
    re.IGNORECASE,
)
_CALL_RESULT = re.compile(
    rf"[ \t]*(?:={{1,2}}|->|=>|\u2192|(?:(?:should|will|must|would)[ \t]+)?(?:return|output)s?|is|gives|yields)"
    rf"[ \t]*{literals.START}"
)
_ENDS = re.compile(
    r"[ \t]*(?:$|\n|[.;!)](?!\d)|,(?![ \t]*[-\d\"'\[])|\((?!mod)|[\u2013\u2014]|(?:because|since|as|which|but)\b)"
)
_DOUBTFUL = re.compile(
    r"\b(?:not|wrong\w*|incorrect\w*|naive\w*|greedy|greedily|mistake\w*|instead|rather|without|ignor\w+|initial\w*"
    r"|so far|current\w*|partial\w*|sub-?problems?|base|helper|dp|memo\w*|recurs\w+|suppose|assum\w+|query|queries"
    r"|iteration|remain\w*|mod|modulo|unless|else|otherwise|or|maybe|perhaps|wait|might|could|at (?:least|most)"
    r"|until|index|node|state|subarrays?|substrings?|hypothetical\w*|would have)\b|n't\b",
    re.IGNORECASE,
)
_MANY_ANSWERS = re.compile(
    r"\bany (?:order|valid|of (?:them|the)|such|one of|possible|answer|solution|correct|\w+ (?:that|which) satisf)"
    r"|\b(?:multiple|several|more than one|many) (?:\w+ )?(?:answers|solutions|possible answers|valid"
    r"|optimal|ways to (?:print|output))|print any|return any|output any|\brandom|in-place|in place",
    re.IGNORECASE,
)
_PLAIN_ASSERT = re.compile(r"\s*(?:def |assert candidate\(.*\) == |assert \(?abs\()")
_SENTENCE_START = re.compile(r"[.?!](?=[ \t])|\n")


class Claim(Record):
    """A statement that the function, or the program, has a certain result for a certain input."""

    start: int
    """Offset in the reasoning."""
    text: str
    """The statement."""
    result_start: int
    """Offset of the stated result in the reasoning."""
    result_text: str
    """The stated result as it is written."""
    kind: OneOf["call", "stdin"]
    """What has the result."""
    function: str = ""
    """Name of the function, for calls."""
    arguments: str
    """Arguments as `CallTests` takes them, one JSON value a line, or the standard input."""
    expected: str
    """The stated result: JSON, or the standard output."""
    atol: float = 0.0
    """Half of the last digit that a decimal result states; 0 for all other results."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Values for all parameters, stated side by side."""

    start: int
    end: int
    arguments: tuple[Value, ...]


def find_claims(reasoning: str, problem: Problem) -> list[Claim]:
    """Returns the claims about final results that the accepted code can confirm or refute, in order of place.

    Passed over are code blocks, claims about anything but the final result of all parameters, input below the bounds of
    the statement, and problems with more than one right answer. In doubt nothing is found.
    """
    if has_many_answers(problem):
        return []
    if isinstance(problem.tests, StdinTests):
        text = _without_code(reasoning)
        stated = {found.result_start: found for found in programs.find(text, problem.tests)}
        ordered = (stated[place] for place in sorted(stated))
        certain = (found for found in ordered if not _doubtful(text, found.start, found.end))
        return [Claim.model_validate({"kind": "stdin", **found.fields(reasoning)}) for found in certain]
    signature = signature_of(problem)
    if signature is None or signature.returns == "None":
        return []
    bounds = lower_bounds(problem)
    found = {claim.result_start: claim for claim in _of_function(reasoning, signature, bounds)}
    return [found[place] for place in sorted(found)]


def has_many_answers(problem: Problem) -> bool:
    """Returns whether more than one answer may be right, by the statement's words or by the rule of its tests."""
    tests = problem.tests
    if isinstance(tests, AssertTests):
        exact = all(_PLAIN_ASSERT.match(line) for line in tests.check.splitlines() if "candidate(" in line)
    else:
        exact = not (isinstance(tests, CallTests) and tests.oracle)
    return not exact or _MANY_ANSWERS.search(problem.statement) is not None


def _of_function(reasoning: str, signature: Signature, bounds: dict[tuple[str, str], int]) -> Iterator[Claim]:
    text = _plain(_without_code(reasoning))
    for start, group, result in _stated(text, signature):
        ends = _ENDS.match(text, max(group.end, result.end)) is not None
        if ends and _fits(result.value, signature.returns) and _allowed(group.arguments, signature, bounds):
            yield _claim(reasoning, text, signature.name, start, group, result)


def _stated(text: str, signature: Signature) -> Iterator[tuple[int, _Group, "_Result"]]:
    """Yields groups of arguments with the result that is stated for them, and where the statement starts."""
    groups = {group.start: group for group in (*_bound(text, signature), *_alone(text, signature))}
    for group in groups.values():
        if (result := _result_at(text, _FORWARD, group.end)) and not _doubtful(text, group.start, result.end):
            yield group.start, group, result
    for match in _BACKWARD.finditer(text):
        result = _result_at(text, _BACKWARD, match.start())
        given = _GIVEN.match(text, result.end) if result else None
        known = groups.get(given.end()) if given else None
        if result and known and not _doubtful(text, match.start(), known.end):
            yield match.start(), known, result
    for group in _calls(text, signature):
        if (result := _result_at(text, _CALL_RESULT, group.end)) and not _doubtful(text, group.start, result.end):
            yield group.start, group, result


@dataclass(frozen=True, slots=True)
class _Result:
    """A stated result."""

    start: int
    end: int
    value: Value


def _result_at(text: str, pattern: re.Pattern[str], place: int) -> _Result | None:
    match = pattern.match(text, place)
    literal = literals.read(text, match.end()) if match else None
    return _Result(match.end(), literal.end, literal.value) if match and literal else None


def _bound(text: str, signature: Signature) -> Iterator[_Group]:
    """Yields the groups in which every parameter is bound to a value by its name, once."""
    names = "|".join(map(re.escape, signature.parameters))
    binding = re.compile(
        rf"(?<![\w.\[\]+*/-])(?<![-+*/] )(?P<name>{names})[ \t]*(?:={{1,2}}|is|equals)[ \t]*{literals.START}"
    )
    run: list[tuple[int, str, Literal]] = []
    for match in binding.finditer(text):
        literal = literals.read(text, match.end())
        joint = _JOINT.match(text, run[-1][2].end) if run else None
        if not (joint and joint.end() == match.start()):
            run = []
        if literal:
            run = [*run, (match.start(), match["name"], literal)]
            values = {name: literal.value for _, name, literal in run}
            if len(run) == len(values) == len(signature.parameters):
                yield _Group(run[0][0], literal.end, tuple(values[name] for name in signature.parameters))


def _alone(text: str, signature: Signature) -> Iterator[_Group]:
    """Yields the values that are given as the input, for functions of one parameter."""
    if len(signature.parameters) == 1:
        for match in _ALONE.finditer(text):
            if literal := literals.read(text, match.end()):
                yield _Group(match.start(), literal.end, (literal.value,))


def _calls(text: str, signature: Signature) -> Iterator[_Group]:
    """Yields the calls of the function by its name."""
    for match in re.finditer(rf"(?<![\w.]){re.escape(signature.name.rpartition('.')[2])}\(", text):
        values: dict[str, Value] = {}
        place = match.end()
        for parameter in signature.parameters:
            keyword = re.compile(rf"[ \t]*(?:{re.escape(parameter)}[ \t]*=[ \t]*)?").match(text, place)
            literal = literals.read(text, keyword.end() if keyword else place)
            if literal is None:
                break
            values[parameter] = literal.value
            place = literal.end + (text[literal.end : literal.end + 1] == ",")
        if len(values) == len(signature.parameters) and text[place : place + 1] == ")":
            yield _Group(match.start(), place + 1, tuple(values.values()))


def _doubtful(text: str, start: int, end: int) -> bool:
    """Returns whether the sentence speaks of anything but what is so: of a part, a supposition, a mistake."""
    begin = max((match.end() for match in _SENTENCE_START.finditer(text, 0, start)), default=0)
    stop = _SENTENCE_START.search(text, end)
    sentence = text[begin : stop.start() if stop else len(text)]
    asks = text[stop.start()] == "?" if stop else False
    return asks or _DOUBTFUL.search(sentence) is not None


def _fits(value: Value, returns: str) -> bool:
    """Returns whether a value may be a result by the annotation."""
    if not returns:
        return True
    kinds: dict[str, tuple[type, ...]] = {"int": (int,), "bool": (bool,), "str": (str,), "float": (int, float)}
    inner = re.sub(r"^Optional\[(.*)\]$", r"\1", returns)
    wanted = kinds.get(inner, (list,))
    return isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))


def _allowed(arguments: Sequence[Value], signature: Signature, bounds: dict[tuple[str, str], int]) -> bool:
    """Returns whether the arguments are of the parameters' types and not below the bounds."""
    for name, annotation, value in zip(signature.parameters, signature.types, arguments, strict=True):
        if not _fits(value, annotation):
            return False
        if isinstance(value, (int, float)):
            if value < bounds.get((name, ""), value):
                return False
        elif len(value) < bounds.get((name, "length"), 0) or not _items_allowed(value, bounds.get((name, "item"))):
            return False
    return True


def _items_allowed(value: str | list[Value], low: int | None) -> bool:
    numbers = [item for item in value if isinstance(item, (int, float))] if isinstance(value, list) else []
    return low is None or all(number >= low for number in numbers)


def _claim(reasoning: str, text: str, function: str, start: int, group: _Group, result: _Result) -> Claim:
    end = max(group.end, result.end)
    stated = text[result.start : result.end]
    digits = literals.decimals(stated)
    return Claim(
        start=start,
        text=reasoning[start:end],
        result_start=result.start,
        result_text=stated,
        kind="call",
        function=function,
        arguments="\n".join(map(literals.as_json, group.arguments)),
        expected=literals.as_json(result.value),
        atol=0.0 if digits is None else 0.5 * 10.0**-digits,
    )


def _without_code(text: str) -> str:
    """Returns the text with its code blocks blanked, every other character at its place."""
    for block in code_blocks(text):
        text = text[: block.start] + "\n" * (block.end - block.start) + text[block.end :]
    return text


def _plain(text: str) -> str:
    """Returns the text with the signs of markdown and formulas blanked, every other character at its place."""
    return _MARKUP.sub(lambda match: " " * len(match[0]), text)
