"""The dataset card: README.md of a dataset directory, generated from what was built."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from builders.dataset import Facts, joined
from builders.filters import REASONS
from builders.shards import Index
from lcb_rb import __version__
from lcb_rb.cards import CARD
from lcb_rb.errors import InputError
from lcb_rb.templates import fill

HERE = Path(__file__).parent
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def render_card(
    template: str, name: str, splits: Mapping[str, Facts], columns: pa.Schema, fields: Mapping[str, str]
) -> str:
    """Returns the card.

    Args:
        template: File in cards/ without its suffix.
        name: `pretty_name` of the dataset.
        splits: What is known of the pairs.
        columns: Of the pairs.
        fields: What only the caller knows, by field of the template.
    """
    facts, counts = joined(splits.values()), {split: found.n for split, found in splits.items()}
    common = {
        "metadata": metadata(name, facts.of("source"), facts.n, configs({"default": ("data", columns, counts)})),
        "splits": table(("split", "pairs", "problems"), _split_rows(splits)),
        "sources": source_table(facts.of("source"), "pairs"),
        "dates": dates(facts),
        "windows": window_table(facts.of("day")),
        "difficulty": count_table("difficulty", facts.of("difficulty")),
        "version": __version__,
    }
    text = (HERE / "cards" / f"{template}.md").read_text(encoding="utf-8")
    return fill(text, {**common, **fields})


def refuse_foreign(out: Path, name: str, parts: Collection[str] = ("data",)) -> None:
    """Refuses to replace a directory that is not an unchanged output of `recode build NAME`; almost any has a README.

    Args:
        out: The directory.
        name: Of the sub-command.
        parts: What it makes beside the card.

    Raises:
        InputError: `out` holds something else.
    """
    try:
        names = {item.name for item in out.iterdir()} if out.is_dir() else set()
    except OSError as error:
        raise InputError(f"{out}: cannot be read ({error.strerror}); choose another --out") from error
    ours = names <= {CARD, *parts} and (out / CARD).is_file()
    if names and not (ours and f"`recode build {name} " in (out / CARD).read_text(encoding="utf-8", errors="replace")):
        raise InputError(f"{out}: exists and was not built by this command; choose another --out or remove it")


def count_table(title: str, counts: Mapping[str, int]) -> str:
    """Returns a markdown table of how often each value occurs, most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return table((title, "pairs"), [(value, str(count)) for value, count in ordered])


def window_table(days: Mapping[str, int]) -> str:
    """Returns the markdown table of pairs by the release of LiveCodeBench that first held problems of their days.

    Args:
        days: Pairs by day, ISO; "" for those without a date.
    """
    ends = _read_yaml("windows.yaml")
    counts: Counter[str] = Counter()
    for day, count in days.items():
        counts[
            next((name for name, end in ends.items() if day and day <= str(end)), "later" if day else "undated")
        ] += count
    names = [*ends, "later", "undated"]
    rows = [(name, f"to {ends[name]}" if name in ends else "", str(counts[name])) for name in names if counts[name]]
    return table(("release window", "days", "pairs"), rows)


def drop_table(drops: Mapping[str, int]) -> str:
    """Returns the markdown table of dropped items by reason."""
    rows = sorted(drops.items(), key=lambda item: (-item[1], item[0]))
    return table(("reason", "dropped", "meaning"), [(name, str(n), REASONS[name]) for name, n in rows if n])


def input_table(index: Index) -> str:
    """Returns the markdown table of input files, by name, with their samples and hashes."""
    rows = [(file.name, str(file.samples), file.sha256[:16]) for file in index.samples]
    rows += [(file.name, what, file.sha256[:16]) for what in ("problems", "verdicts") for file in getattr(index, what)]
    return table(("file", "samples", "sha256"), rows)


def metadata(name: str, sources: Collection[str], rows: int, places: Mapping[str, object]) -> str:
    """Returns the YAML of a card.

    Args:
        name: `pretty_name` of the dataset.
        sources: Of its problems.
        rows: In all splits.
        places: What `configs` returns.
    """
    fields = {
        "pretty_name": name,
        "language": ["en"],
        "license": licence(sources),
        "size_categories": [size_category(rows)],
        "task_categories": ["text-classification"],
        "tags": ["code", "reasoning", "reward-model", "preference", "lcb-rb"],
        **places,
    }
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True).strip()


def configs(parts: Mapping[str, tuple[str, pa.Schema, Mapping[str, int]]]) -> dict[str, object]:
    """Returns the fields of a card that say where each config's files are and what is in them.

    Args:
        parts: Folder, columns and rows of each split, by config; the first config is the default.
    """
    from datasets import Features  # heavy

    declared = [
        {
            "config_name": name,
            "features": Features.from_arrow_schema(schema)._to_yaml_list(),
            "splits": [{"name": split, "num_examples": count} for split, count in splits.items()],
        }
        for name, (_, schema, splits) in parts.items()
    ]
    places = [
        {
            "config_name": name,
            **({"default": True} if name == next(iter(parts)) else {}),
            "data_files": [{"split": split, "path": f"{folder}/{split}-*"} for split in splits],
        }
        for name, (folder, _, splits) in parts.items()
    ]
    return {"configs": places, "dataset_info": declared}


def licence(sources: Collection[str]) -> str:
    """Returns the licence that all sources share, as the Hub names it."""
    known = _sources()
    found = {known.get(source, {}).get("spdx", "other") for source in sources}
    return found.pop() if len(found) == 1 else "other"


def size_category(rows: int) -> str:
    """Returns the Hub's name for a number of rows."""
    return next((label for limit, label in SIZES if rows < limit), "n>1M")


def _split_rows(splits: Mapping[str, Facts]) -> list[tuple[str, ...]]:
    return [(name, str(facts.n), str(len(facts.problems))) for name, facts in splits.items()]


def source_table(sources: Mapping[str, int], what: str) -> str:
    """Returns the markdown table of licences and provenance, with how often each source occurs."""
    unknown = {"licence": "not stated: ask whoever made the files", "provenance": "read from the given files"}
    known = _sources()
    rows = [
        (source, str(count), known.get(source, unknown)["licence"], known.get(source, unknown)["provenance"])
        for source, count in sorted(sources.items())
    ]
    return table(("source", what, "licence", "provenance"), rows)


def _sources() -> dict[str, dict[str, str]]:
    return _read_yaml("sources.yaml")


def _read_yaml(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = yaml.safe_load((HERE / "cards" / name).read_text(encoding="utf-8"))
    return facts


def dates(facts: Facts) -> str:
    """Returns the first and the last day of the pairs' problems."""
    undated = facts.of("day")[""]
    window = f"{facts.first_day} to {facts.last_day}" if facts.first_day else "none stated"
    return f"{window} ({undated} pairs without a date)" if undated else window


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)


def _cell(value: str) -> str:
    """Returns the text on one line and without the sign that ends a cell."""
    return " ".join(value.replace("|", "/").split())
