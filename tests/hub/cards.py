"""Cards: the YAML at the head of a README, and the part of the Hub's check of it that is rebuilt here."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

HEAD = re.compile(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))")
NO_METADATA = "empty or missing yaml metadata in repo card"
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SDKS = ("gradio", "docker", "static", "streamlit")
CHOICES = {"colorFrom": COLORS, "colorTo": COLORS, "sdk": SDKS}
LONGEST_DESCRIPTION = 60


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found: errors refuse a commit, warnings do not."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def split_card(text: str) -> tuple[dict[str, Any], str]:
    """The metadata and the text; no metadata where they cannot be read."""
    match = HEAD.match(text)
    if match is None:
        return {}, text
    try:
        data = yaml.safe_load(match[2])
    except yaml.YAMLError:
        return {}, text
    return (data if isinstance(data, dict) else {}), text[match.end() :]


def check_card(text: str, repo_type: str) -> Findings:
    """Errors and warnings on a card, the syntax first."""
    match = HEAD.match(text)
    if match is None:
        return Findings(warnings=[NO_METADATA])
    try:
        data = yaml.safe_load(match[2])
    except yaml.YAMLError as error:
        return Findings(errors=[f"YAML: {error}"])
    if data is None:
        return Findings(warnings=[NO_METADATA])
    if not isinstance(data, dict):
        return Findings(errors=["metadata must be a mapping"])
    checks = {"dataset": _check_dataset, "space": _check_space, "model": _check_model}
    return Findings(errors=checks[repo_type](data))


def _check_dataset(data: dict[str, Any]) -> list[str]:
    configs = data.get("configs") or []
    if not isinstance(configs, list):
        return ['"configs" must be an array']
    named = [isinstance(config, dict) and "config_name" in config for config in configs]
    return [f'"configs[{index}].config_name" is required' for index, found in enumerate(named) if not found]


def _check_space(data: dict[str, Any]) -> list[str]:
    errors = [
        f'"{key}" must be one of [{", ".join(allowed)}]'
        for key, allowed in CHOICES.items()
        if data.get(key) not in (None, *allowed)
    ]
    if len(str(data.get("short_description") or "")) > LONGEST_DESCRIPTION:
        errors.append(f'"short_description" length must be less than or equal to {LONGEST_DESCRIPTION} characters long')
    return errors


def _check_model(data: dict[str, Any]) -> list[str]:
    index = data.get("model-index") or []
    if not isinstance(index, list):
        return ['"model-index" must be an array']
    errors = []
    for number, model in enumerate(index):
        where = f"model-index[{number}]"
        errors += _missing(where, model, "name")
        for place, result in _items(model, "results"):
            errors += _check_result(f"{where}.results[{place}]", result)
    return errors


def _check_result(where: str, result: object) -> list[str]:
    task, dataset = (result.get(key) if isinstance(result, dict) else None for key in ("task", "dataset"))
    errors = _missing(f"{where}.task", task, "type") + _missing(f"{where}.dataset", dataset, "name", "type")
    for place, metric in _items(result, "metrics"):
        errors += _missing(f"{where}.metrics[{place}]", metric, "type", "value")
    return errors


def _missing(where: str, value: object, *keys: str) -> list[str]:
    found = set(value) if isinstance(value, dict) else set()
    return [f'"{where}.{key}" is required' for key in keys if key not in found]


def _items(value: object, key: str) -> list[tuple[int, object]]:
    listed = value.get(key) if isinstance(value, dict) else None
    return list(enumerate(listed)) if isinstance(listed, list) else []
