import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcb_rb.templates import fill

NAMES = st.from_regex(r"[a-z_]\w{0,5}", fullmatch=True)


def test_fields_are_replaced_wherever_they_stand() -> None:
    assert fill("{{a}} and {{b}}, {{a}}", {"a": "x", "b": "y"}) == "x and y, x"


@given(st.dictionaries(NAMES, st.text(max_size=20), max_size=4), st.text(alphabet="ab {}\n", max_size=10))
@settings(deadline=None, max_examples=100)
def test_values_are_never_read_as_templates(fields: dict[str, str], between: str) -> None:
    between = between.replace("{", "").replace("}", "")
    template = between.join("{{" + name + "}}" for name in fields)
    assert fill(template, fields) == between.join(fields.values())


@pytest.mark.parametrize("text", ["{a}", "{{ a }}", "{{a b}}", "$a", "%s", "{{}}", "\\1"])
def test_nothing_else_is_special(text: str) -> None:
    assert fill(text, {}) == text


def test_backslashes_in_values_stay() -> None:
    assert fill("{{a}}", {"a": r"\1 \g<0>"}) == r"\1 \g<0>"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [({}, "missing ['a'], unknown []"), ({"a": "", "b": ""}, "missing [], unknown ['b']")],
)
def test_a_missing_or_unknown_field_is_named(fields: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=re.escape(fault)):
        fill("{{a}}", fields)
