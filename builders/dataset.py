"""A split of pairs written as parquet while the pairs come, and what its card says of them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lcb_rb.pairs import schema_of, to_row
from lcb_rb.schema import PreferencePair

ROWS = 2_000
"""Of a row group, the last one aside."""
FILE_BYTES = 500 * 2**20
"""Of text, from which a split goes on in another file, as the Hub advises."""


@dataclass(slots=True)
class Facts:
    """What a card says of pairs; counted while they pass."""

    n: int = 0
    """Pairs."""
    problems: set[str] = field(default_factory=set)
    """Their problems."""
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """Pairs by value, of each field that is counted."""
    first_day: str = ""
    """Of their problems, ISO; "" where none has a date."""
    last_day: str = ""
    """The same."""

    def add(self, pair: PreferencePair) -> None:
        """Counts a pair."""
        self.n += 1
        self.problems.add(pair.problem_id)
        longer = len(pair.chosen_reasoning) - len(pair.rejected_reasoning)
        self._count("source", pair.source)
        self._count("difficulty", pair.difficulty or "unknown")
        self._count("kind", pair.kind.value)
        self._count("models", f"{pair.chosen_model} / {pair.rejected_model}")
        self._count("day", pair.date.isoformat() if pair.date else "")
        self._count("length", "equal" if not longer else "longer" if longer > 0 else "shorter")
        self._count("dimension", pair.dimension.value if pair.dimension else "")
        self._count("place", pair.place or "unknown")
        self._count("rewriter", pair.rewriter or "none")
        for rule in sorted({f"{edit.dimension}: {edit.rule}" for edit in pair.edits}):
            self._count("rule", rule)
        if pair.date:
            day = pair.date.isoformat()
            self.first_day, self.last_day = min(self.first_day or day, day), max(self.last_day, day)

    def of(self, what: str) -> Counter[str]:
        """Returns the pairs by value of a counted field."""
        return self.counts.get(what, Counter())

    def _count(self, what: str, value: str) -> None:
        self.counts.setdefault(what, Counter())[value] += 1


def joined(parts: Iterable[Facts]) -> Facts:
    """Returns the facts of several splits together."""
    total = Facts()
    for part in parts:
        total.n += part.n
        total.problems |= part.problems
        for what, counts in part.counts.items():
            total.counts.setdefault(what, Counter()).update(counts)
        if part.first_day:
            total.first_day = min(total.first_day or part.first_day, part.first_day)
            total.last_day = max(total.last_day, part.last_day)
    return total


def facts_of(splits: Mapping[str, Iterable[PreferencePair]]) -> Facts:
    """Returns the facts of pairs in memory."""
    facts = Facts()
    for pairs in splits.values():
        for pair in pairs:
            facts.add(pair)
    return facts


class SplitWriter:
    """Writes `data/SPLIT-0000i-of-0000n.parquet`; the same pairs give the same bytes."""

    def __init__(self, stage: Path, split: str, columns: Collection[str]) -> None:
        """Opens nothing before the first pair.

        Args:
            stage: Directory of the dataset.
            split: Its name.
            columns: Optional columns that its pairs have something in.
        """
        self._folder, self._split = stage / "data", split
        self._schema = schema_of(columns)
        self._rows: list[dict[str, Any]] = []
        self._files: list[Path] = []
        self._open: pq.ParquetWriter | None = None
        self._bytes = 0
        self.facts = Facts()

    def add(self, pair: PreferencePair) -> None:
        """Writes a pair."""
        self.facts.add(pair)
        self._rows.append(to_row(pair))
        if len(self._rows) == ROWS:
            self._flush()

    def close(self) -> None:
        """Writes what is left and gives the files their names."""
        self._flush()
        if self._open:
            self._open.close()
        for index, path in enumerate(self._files):
            path.rename(self._folder / f"{self._split}-{index:05}-of-{len(self._files):05}.parquet")

    def _flush(self) -> None:
        if not self._rows:
            return
        table = pa.Table.from_pylist(self._rows, schema=self._schema)
        self._rows = []
        if self._open is None or self._bytes > FILE_BYTES:
            self._next_file()
        assert self._open
        self._open.write_table(table)
        self._bytes += table.nbytes

    def _next_file(self) -> None:
        if self._open:
            self._open.close()
        self._folder.mkdir(exist_ok=True)
        self._files.append(self._folder / f".{self._split}.{len(self._files)}")
        self._open = pq.ParquetWriter(self._files[-1], self._schema, compression="zstd")
        self._bytes = 0
