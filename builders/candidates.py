"""Pairs that could go into a dataset, unit by unit on disk: made once, read as often as needed."""

import hashlib
import heapq
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from builders.mapping import Mapper
from lcb_rb import __version__
from lcb_rb.pairs import used_columns
from lcb_rb.schema import PreferencePair, Record
from lcb_rb.writing import write_text

Unit = tuple[int, ...]
"""Buckets of `builders.shards`."""
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Made:
    """What came out of a unit."""

    pairs: list[PreferencePair]
    """Sorted by id."""
    drops: Counter[str]
    """Samples, or variants, that are in no pair, by reason."""
    tally: Counter[str] = field(default_factory=Counter)
    """What else is counted, by name."""


class Summary(Record):
    """Of a unit, beside its pairs."""

    n: int
    """Pairs."""
    drops: dict[str, int]
    """As in `Made`."""
    tally: dict[str, int]
    """As in `Made`."""
    columns: list[str]
    """Optional columns that its pairs have something in."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """All of them."""

    directory: Path
    """Where they lie."""
    summaries: dict[str, Summary]
    """By unit."""

    @property
    def drops(self) -> Counter[str]:
        """Over all units."""
        return _total(summary.drops for summary in self.summaries.values())

    @property
    def tally(self) -> Counter[str]:
        """Over all units."""
        return _total(summary.tally for summary in self.summaries.values())

    @property
    def columns(self) -> set[str]:
        """Optional columns of all units."""
        return {name for summary in self.summaries.values() for name in summary.columns}

    def __len__(self) -> int:
        return sum(summary.n for summary in self.summaries.values())

    def of_unit(self, unit: str) -> Iterator[PreferencePair]:
        """Yields the pairs of a unit, sorted by id."""
        with io.BufferedReader(pa.input_stream(str(_pairs_path(self.directory, unit)), compression="zstd")) as lines:
            for line in lines:
                yield PreferencePair.model_validate_json(line)

    def merged(self, kept: Mapping[str, NDArray[np.bool_]] | None = None) -> Iterator[PreferencePair]:
        """Yields pairs, sorted by id.

        Args:
            kept: Units, and which of their pairs; all when None.
        """
        streams = [self._some(unit, None if kept is None else kept[unit]) for unit in (kept or self.summaries)]
        return heapq.merge(*streams, key=lambda pair: pair.id)

    def _some(self, unit: str, kept: NDArray[np.bool_] | None) -> Iterator[PreferencePair]:
        for index, pair in enumerate(self.of_unit(unit)):
            if kept is None or kept[index]:
                yield pair


def collect(
    units: Sequence[Unit],
    work: Path,
    key: Sequence[object],
    prepare: Callable[[Unit, str], Given],
    function: Callable[[Given], Made],
    mapper: Mapper,
    finish: Callable[[str, Made], Made] = lambda unit, made: made,
) -> Candidates:
    """Returns the candidates of all units; a unit that an earlier run has finished is not done again.

    Args:
        units: What belongs together.
        work: Directory for the candidates.
        key: All that decides them, beside the version of the package; JSON.
        prepare: Reads a unit, in this process; is told its name.
        function: Makes the pairs, wherever the mapper lets it.
        mapper: Applies the function.
        finish: Changes what was made of a unit, in this process.
    """
    digest = hashlib.sha256(json.dumps([__version__, *key]).encode()).hexdigest()
    directory = work / f"pairs-{digest[:16]}"
    directory.mkdir(parents=True, exist_ok=True)
    missing = [unit for unit in units if not _summary_path(directory, _name(unit)).is_file()]
    given = (prepare(unit, _name(unit)) for unit in missing)
    for unit, made in zip(missing, mapper.map(function, given), strict=True):
        _write(directory, _name(unit), finish(_name(unit), made))
    return Candidates(directory, {_name(unit): _read(directory, _name(unit)) for unit in units})


def _write(directory: Path, unit: str, made: Made) -> None:
    with pa.output_stream(str(_pairs_path(directory, unit)), compression="zstd") as stream:
        for pair in made.pairs:
            stream.write(pair.model_dump_json().encode() + b"\n")
    columns = sorted(set[str]().union(*map(used_columns, made.pairs)))
    summary = Summary(n=len(made.pairs), drops=made.drops, tally=made.tally, columns=columns)
    write_text(_summary_path(directory, unit), summary.model_dump_json())


def _read(directory: Path, unit: str) -> Summary:
    return Summary.model_validate_json(_summary_path(directory, unit).read_text(encoding="utf-8"))


def _name(unit: Unit) -> str:
    return f"{unit[0]:03}-{unit[-1]:03}"


def _pairs_path(directory: Path, unit: str) -> Path:
    return directory / f"{unit}.jsonl.zst"


def _summary_path(directory: Path, unit: str) -> Path:
    return directory / f"{unit}.json"


def _total(parts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total
