"""`recode score`: from names, directories and ids on the Hub to a report."""

from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.evaluation import score_pairs
from lcb_rb.pairs import DEFAULT, data_revision, folder_of, pair_files, read_pairs
from lcb_rb.progress import bar
from lcb_rb.schema import PreferencePair, Report
from lcb_rb.scorers import load_scorer


@dataclass(frozen=True, slots=True)
class Source:
    """Where pairs are read."""

    name: str
    """Directory, or id on the Hub, with config and split."""
    revision: str
    """Content hash of a directory's files; commit of a dataset on the Hub."""
    pairs: list[PreferencePair]
    """What was read."""


def score_model(
    model: str,
    pairs: str | Path,
    *,
    config: str = DEFAULT,
    split: str | None = None,
    fit_on: Path | None = None,
    seed: int = 0,
    command: str = "",
) -> Report:
    """Returns the report of a scorer on pairs.

    Args:
        model: Name of a baseline, `tfidf`, a directory with a model, or the id of a model on the Hub.
        pairs: Directory, or id of a dataset on the Hub; an id may end in `@revision`.
        config: Part of the dataset.
        split: One split of it; all when None.
        fit_on: Directory that `tfidf` learns from: its train split, or all where it has none.
        seed: Of the bootstrap and of random scorers.
        command: What was called, for the report.

    Raises:
        InputError: no such scorer or pairs, or `fit_on` shares problems with the pairs.
        HubError: neither the Hub nor the cache has what an id names.
    """
    source = read_source(pairs, config, split)
    training = _training_pairs(fit_on, source.pairs) if fit_on else None
    scorer = load_scorer(model, seed=seed, fit_on=training)
    with bar(f"scoring with {scorer.name}", 2 * len(source.pairs)) as advance:
        return score_pairs(
            scorer,
            source.pairs,
            data=source.name,
            data_revision=source.revision,
            command=command,
            seed=seed,
            advance=advance,
        )


def read_source(place: str | Path, config: str = DEFAULT, split: str | None = None) -> Source:
    """Returns the pairs of a directory, or of a dataset on the Hub at a pinned commit.

    Raises:
        InputError: no such directory, dataset, config or split, or a row that is not a pair.
        HubError: neither the Hub nor the cache has the dataset.
    """
    from lcb_rb.hub.fetch import fetch_pairs, is_repo_id

    parts = "".join(f"/{part}" for part in (config if config != DEFAULT else "", split) if part)
    if not is_repo_id(str(place)):
        directory = Path(place)
        pairs = read_pairs(directory, split, config)
        return Source(f"{directory}{parts}", data_revision(pair_files(directory, split, config)), pairs)
    fetched = fetch_pairs(str(place), folder_of(config))
    return Source(f"{fetched.repo_id}{parts}", fetched.commit, read_pairs(fetched.directory, split, config))


def _training_pairs(directory: Path, evaluated: list[PreferencePair]) -> list[PreferencePair]:
    has_split = any(path.name.startswith("train-") for path in pair_files(directory))
    training = read_pairs(directory, "train" if has_split else None)
    shared = sorted({pair.problem_id for pair in training} & {pair.problem_id for pair in evaluated})
    if shared:
        raise InputError(
            f"{directory}: {len(shared)} problems are also in the pairs to score ({', '.join(shared[:3])}, ...); "
            f"build it with --exclude-problems"
        )
    return training
