"""The dataset card: README.md of a dataset directory, generated from what was built."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from builders.filters import REASONS
from lcb_rb import __version__
from lcb_rb.errors import InputError
from lcb_rb.schema import PreferencePair
from lcb_rb.templates import fill

HERE = Path(__file__).parent
CARD = "README.md"
"""File name of the card."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def render_card(
    template: str, name: str, splits: Mapping[str, Sequence[PreferencePair]], fields: Mapping[str, str]
) -> str:
    """Returns the card.

    Args:
        template: File in cards/ without its suffix.
        name: `pretty_name` of the dataset.
        splits: The pairs.
        fields: What only the caller knows, by field of the template.
    """
    pairs = [pair for split in splits.values() for pair in split]
    common = {
        "metadata": _metadata(name, splits),
        "splits": _table(("split", "pairs", "problems"), _split_rows(splits)),
        "sources": _table(("source", "pairs", "licence", "provenance"), _source_rows(pairs)),
        "dates": _dates(pairs),
        "difficulty": count_table("difficulty", (pair.difficulty or "unknown" for pair in pairs)),
        "version": __version__,
    }
    text = (HERE / "cards" / f"{template}.md").read_text(encoding="utf-8")
    return fill(text, {**common, **fields})


def refuse_foreign(out: Path, name: str) -> None:
    """Refuses to replace a directory that is not an unchanged output of `recode build NAME`; almost any has a README.

    Raises:
        InputError: `out` holds something else.
    """
    try:
        names = {item.name for item in out.iterdir()} if out.is_dir() else set()
    except OSError as error:
        raise InputError(f"{out}: cannot be read ({error.strerror}); choose another --out") from error
    ours = names <= {CARD, "data"} and (out / CARD).is_file()
    if names and not (ours and f"`recode build {name} " in (out / CARD).read_text(encoding="utf-8", errors="replace")):
        raise InputError(f"{out}: exists and was not built by this command; choose another --out or remove it")


def count_table(title: str, values: Iterable[str]) -> str:
    """Returns a markdown table of how often each value occurs, most frequent first."""
    counts = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return _table((title, "pairs"), [(value, str(count)) for value, count in counts])


def drop_table(drops: Mapping[str, int]) -> str:
    """Returns the markdown table of dropped items by reason."""
    rows = sorted(drops.items(), key=lambda item: (-item[1], item[0]))
    return _table(("reason", "dropped", "meaning"), [(name, str(n), REASONS[name]) for name, n in rows if n])


def input_table(files: Mapping[str, int]) -> str:
    """Returns the markdown table of input files, by name, with their samples."""
    return _table(("file", "samples"), [(name, str(count)) for name, count in sorted(files.items())])


def _metadata(name: str, splits: Mapping[str, Sequence[PreferencePair]]) -> str:
    total = sum(map(len, splits.values()))
    known = _sources()
    sources = {pair.source for split in splits.values() for pair in split}
    licences = {known.get(source, {}).get("spdx", "other") for source in sources}
    files = [{"split": split, "path": f"data/{split}-*"} for split in splits]
    fields = {
        "pretty_name": name,
        "language": ["en"],
        "license": licences.pop() if len(licences) == 1 else "other",
        "size_categories": [next((label for limit, label in SIZES if total < limit), "n>1M")],
        "task_categories": ["text-classification"],
        "tags": ["code", "reasoning", "reward-model", "preference", "lcb-rb"],
        "configs": [{"config_name": "default", "default": True, "data_files": files}],
    }
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True).strip()


def _split_rows(splits: Mapping[str, Sequence[PreferencePair]]) -> list[tuple[str, ...]]:
    return [(name, str(len(pairs)), str(len({pair.problem_id for pair in pairs}))) for name, pairs in splits.items()]


def _source_rows(pairs: Sequence[PreferencePair]) -> list[tuple[str, ...]]:
    unknown = {"licence": "not stated: ask whoever made the files", "provenance": "read from the given files"}
    known = _sources()
    rows: list[tuple[str, ...]] = []
    for source, count in sorted(Counter(pair.source for pair in pairs).items()):
        facts = known.get(source, unknown)
        rows.append((source, str(count), facts["licence"], facts["provenance"]))
    return rows


def _sources() -> dict[str, dict[str, str]]:
    text = (HERE / "cards" / "sources.yaml").read_text(encoding="utf-8")
    facts: dict[str, dict[str, str]] = yaml.safe_load(text)
    return facts


def _dates(pairs: Sequence[PreferencePair]) -> str:
    days = sorted(pair.date for pair in pairs if pair.date)
    undated = sum(pair.date is None for pair in pairs)
    window = f"{days[0]} to {days[-1]}" if days else "none stated"
    return f"{window} ({undated} pairs without a date)" if undated else window


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)


def _cell(value: str) -> str:
    """Returns the text on one line and without the sign that ends a cell."""
    return " ".join(value.replace("|", "/").split())
