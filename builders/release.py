"""`recode build release`: pairs, training pairs, problems and samples as one dataset repository, a config for each."""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from builders import card
from builders.card import refuse_foreign
from builders.dataset import facts_of
from builders.review import reviewed
from lcb_rb import __version__
from lcb_rb.cards import CARD
from lcb_rb.columns import PROBLEMS, SAMPLES, problem_row, sample_row, write_rows
from lcb_rb.errors import InputError, input_error
from lcb_rb.execution.verdicts import read_verdicts
from lcb_rb.pairs import DEFAULT, pair_files, pair_schema, read_pairs, shard_name, to_row
from lcb_rb.schema import PreferencePair, Problem
from lcb_rb.sources import read_problems, read_samples
from lcb_rb.templates import fill
from lcb_rb.writing import staged_directory

EVAL = "eval.yaml"
"""Name under which the Hub looks for a benchmark's definition."""

_SPLIT = re.compile(r"(.+)-\d+-of-\d+\.parquet")
_SECTION = re.compile(r"^## How the pairs were made\n(.*?)(?=^## )", re.DOTALL | re.MULTILINE)
_REVIEWS = re.compile(rf"^{reviewed.HEADING}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a release is made of."""

    pairs: Path
    """Directory of `recode build lcb-rb`."""
    crpl: Path
    """Directory of `recode build crpl`."""
    problems: Sequence[Path]
    """Files of problems."""
    samples: Sequence[Path]
    """Files of samples."""
    verdicts: Sequence[Path] = ()
    """Files of `recode grade`."""
    repo_id: str = "recode/lcb-rb"
    """Where it will be published, for the card."""
    version: str = "v1.0.0"
    """Tag that it will be given, for the card."""


@dataclass(frozen=True, slots=True)
class Config:
    """One independently loaded part."""

    folder: str
    """Where its files lie."""
    schema: pa.Schema
    """Its columns."""
    splits: dict[str, list[dict[str, Any]]]
    """Rows of each split."""

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each split."""
        return {split: len(rows) for split, rows in self.splits.items()}


def build(parts: Parts, out: Path) -> dict[str, Config]:
    """Builds the directory and returns its configs by name.

    Raises:
        InputError: a part is wrong, or problems of the test pairs are also in the training pairs.
    """
    refuse_foreign(out, "release", {"data", reviewed.NAME, "crpl", "problems", "samples", EVAL})
    natural, training = _pairs(parts.pairs), _pairs(parts.crpl)
    _refuse_shared(natural, training, parts)
    known = read_problems(parts.problems)
    found = read_samples(parts.samples, known)
    problems = {**found.problems, **known}
    results, ordered = read_verdicts(parts.verdicts), sorted(found.samples, key=lambda sample: sample.id)
    configs = {
        "default": _config_of_pairs("data", natural),
        **_reviewed(parts.pairs),
        "crpl": _config_of_pairs("crpl", training),
        "problems": Config("problems", PROBLEMS, {"test": [problem_row(problems[name]) for name in sorted(problems)]}),
        "samples": Config("samples", SAMPLES, {"test": [sample_row(item, results.get(item.id)) for item in ordered]}),
    }
    with staged_directory(out, CARD) as stage:
        for config in configs.values():
            for split, rows in config.splits.items():
                write_rows(rows, config.schema, stage / config.folder / shard_name(split))
        (stage / EVAL).write_text(_benchmark(), encoding="utf-8")
        (stage / CARD).write_text(_card(parts, configs, natural, training, problems), encoding="utf-8")
    return configs


def _pairs(directory: Path, config: str = DEFAULT) -> dict[str, list[PreferencePair]]:
    """Returns the pairs of a directory by split."""
    splits = {found[1] for path in pair_files(directory, config=config) if (found := _SPLIT.fullmatch(path.name))}
    return {split: read_pairs(directory, split, config) for split in sorted(splits)}


def _reviewed(directory: Path) -> dict[str, Config]:
    """Returns the config of the pairs that people confirmed, where `recode review` has made one."""
    if not (directory / reviewed.NAME).is_dir():
        return {}
    return {reviewed.NAME: _config_of_pairs(reviewed.NAME, _pairs(directory, reviewed.NAME))}


def _refuse_shared(
    natural: Mapping[str, list[PreferencePair]], training: Mapping[str, list[PreferencePair]], parts: Parts
) -> None:
    tested, trained = ({pair.problem_id for pairs in part.values() for pair in pairs} for part in (natural, training))
    shared = sorted(tested & trained)
    if shared:
        what = f"has {len(shared)} problems of the test pairs ({', '.join(shared[:3])}{', ...' if shared[3:] else ''})"
        raise input_error(parts.crpl, what, "build it with --exclude-problems or another --window")


def _config_of_pairs(folder: str, splits: Mapping[str, list[PreferencePair]]) -> Config:
    schema = pair_schema([pair for pairs in splits.values() for pair in pairs])
    return Config(folder, schema, {split: [to_row(pair) for pair in pairs] for split, pairs in splits.items()})


def _benchmark() -> str:
    """Returns what the Hub's benchmark leaderboards read."""
    fields = {
        "name": "LCB-RB",
        "description": "How often a reward model prefers the reasoning that led to correct code.",
        "evaluation_framework": "recode",
        "tasks": [{"id": "lcb-rb", "config": "default", "split": "test"}],
    }
    return yaml.safe_dump(fields, sort_keys=False)


def _card(
    parts: Parts,
    configs: Mapping[str, Config],
    natural: Mapping[str, list[PreferencePair]],
    training: Mapping[str, list[PreferencePair]],
    problems: Mapping[str, Problem],
) -> str:
    rows = [
        (name, split, str(count), f'load_dataset("{parts.repo_id}", "{name}", split="{split}")')
        for name, config in configs.items()
        for split, count in config.counts.items()
    ]
    sources = Counter(problem.source for problem in problems.values())
    fields = {
        "metadata": _metadata(configs, sources),
        "configs": card.table(("config", "split", "rows", "how to load it"), rows),
        "repo_id": parts.repo_id,
        "release": parts.version,
        "version": __version__,
        "natural": _how(parts.pairs),
        "reviewed": _reviews(parts.pairs),
        "rewritten": _how(parts.crpl),
        "command": _command(parts),
        "sources": card.source_table(sources, "problems"),
        "dates": card.dates(facts_of(natural)),
        "training_dates": card.dates(facts_of(training)),
    }
    return fill((card.HERE / "cards" / "release.md").read_text(encoding="utf-8"), fields)


def _command(parts: Parts) -> str:
    """Returns the command line that builds the same again, with bare names."""
    words = ["recode", "build", "release", "--pairs", parts.pairs.name, "--crpl", parts.crpl.name]
    for option, files in (("--problems", parts.problems), ("--samples", parts.samples), ("--verdicts", parts.verdicts)):
        words += [word for name in sorted(path.name for path in files) for word in (option, name)]
    return shlex.join([*words, "--repo-id", parts.repo_id, "--tag", parts.version, "--out", "DIR"])


def _metadata(configs: Mapping[str, Config], sources: Mapping[str, int]) -> str:
    total = sum(sum(config.counts.values()) for config in configs.values())
    places = {name: (config.folder, config.schema, config.counts) for name, config in configs.items()}
    return card.metadata("LCB-RB", list(sources), total, card.configs(places))


def _reviews(directory: Path) -> str:
    """Returns what a part's own card says of its reviewers, with a blank line after; nothing where there are none."""
    found = _REVIEWS.search((directory / CARD).read_text(encoding="utf-8"))
    return f"{found[0].strip()}\n\n" if found else ""


def _how(directory: Path) -> str:
    """Returns what a part's own card says of how it was made."""
    path = directory / CARD
    found = _SECTION.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    if not found:
        raise InputError(f"{path}: does not say how the pairs were made; build the directory with `recode build`")
    return found[1].strip()
