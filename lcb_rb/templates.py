"""Filling text templates: `{{name}}` is replaced in one pass, nothing else is special."""

import re
from collections.abc import Mapping

_FIELD = re.compile(r"\{\{(\w+)\}\}")


def fields_of(template: str) -> set[str]:
    """Returns the names of the fields that a template asks for."""
    return set(_FIELD.findall(template))


def fill(template: str, fields: Mapping[str, str]) -> str:
    """Returns the template with its fields replaced; values are never scanned again.

    Raises:
        ValueError: the template asks for a field that is not given, or a given field is not in it.
    """
    asked = fields_of(template)
    if asked != fields.keys():
        missing, unknown = sorted(asked - fields.keys()), sorted(fields.keys() - asked)
        raise ValueError(f"template fields: missing {missing}, unknown {unknown}")
    return _FIELD.sub(lambda match: fields[match[1]], template)
