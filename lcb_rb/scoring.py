"""`recode score`: from names, directories and ids on the Hub to a report."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.evaluation import score_pairs
from lcb_rb.pairs import DEFAULT, data_revision, pair_files, read_pairs
from lcb_rb.progress import bar
from lcb_rb.schema import PreferencePair, Report
from lcb_rb.scorers import ModelOptions, PairScorer, Scorer, load_scorer
from lcb_rb.scorers.batched import BatchedScorer
from lcb_rb.scorers.journal import opened
from lcb_rb.scorers.judges import Judge
from lcb_rb.scorers.sharding import Ranks


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
    options: ModelOptions = ModelOptions(),  # noqa: B008
    journal: Path | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Report:
    """Returns the report of a scorer on pairs.

    Args:
        model: Name of a baseline, `tfidf`, a directory with a model, the id of a model on the Hub, or a file of scores.
        pairs: Directory, or id of a dataset on the Hub; an id may end in `@revision`.
        config: Part of the dataset.
        split: One split of it; all when None.
        fit_on: Directory that `tfidf` learns from: its train split, or all where it has none.
        seed: Of the bootstrap and of random scorers.
        command: What was called, for the report.
        options: How a model is read.
        journal: File where a model's scores are kept while it works; with it a killed run goes on where it was.
        ranks: Processes that score together; each calls this with the same arguments and gets the whole report.

    Raises:
        InputError: no such scorer or pairs, `fit_on` shares problems with the pairs, or a text does not fit.
        HubError: neither the Hub nor the cache has what an id names.
    """
    source = read_source(pairs, config, split)
    training = _training_pairs(fit_on, source.pairs) if fit_on else None
    scorer = load_scorer(model, seed=seed, fit_on=training, options=options, pairs=source.pairs)
    _share_work(scorer, ranks)
    shown = 2 * len(source.pairs) if ranks.rank == 0 else 0
    with _late_bar(f"scoring with {scorer.name}", shown) as advance, _kept(scorer, journal, ranks):
        report = score_pairs(
            scorer,
            source.pairs,
            data=source.name,
            data_revision=source.revision,
            command=command,
            seed=seed,
            advance=advance,
        )
    ranks.wait()  # for journals to be closed, which the caller may then remove
    return _with_cuts(report, scorer)


def _share_work(scorer: Scorer | PairScorer, ranks: Ranks) -> None:
    if isinstance(scorer, BatchedScorer):
        scorer.ranks = ranks
    elif ranks.size > 1:
        raise InputError(f"{scorer.name}: scores in one process, but {ranks.size} were launched; run recode by itself")


@contextmanager
def _late_bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Yields the function of a bar that appears with the first item: texts that are refused leave one line."""
    shown: list[Callable[[], None]] = []
    with ExitStack() as stack:

        def advance() -> None:
            if not shown:
                shown.append(stack.enter_context(bar(title, total)))
            shown[0]()

        yield advance


@contextmanager
def _kept(scorer: Scorer | PairScorer, journal: Path | None, ranks: Ranks) -> Iterator[None]:
    """Lets a model keep its scores, or its answers, in the journal; others are done in no time."""
    if journal and isinstance(scorer, BatchedScorer):
        with opened(journal, ranks.rank) as scorer.store:
            yield
    elif journal and isinstance(scorer, Judge):
        with scorer.keeping(journal):
            yield
    else:
        yield


def _with_cuts(report: Report, scorer: Scorer | PairScorer) -> Report:
    """Returns the report with the pairs marked whose texts were cut to fit."""
    if not isinstance(scorer, BatchedScorer) or not scorer.cut:
        return report
    scores = [score.model_copy(update={"truncated": score.id in scorer.cut}) for score in report.scores]
    fitted = f"cut ({scorer.reader.over_long}) to the model's context of {scorer.reader.context} tokens"
    note = f"{len(scorer.cut)} of {len(scores)} pairs were {fitted}"
    return report.model_copy(update={"scores": scores, "n_truncated": len(scorer.cut), "notes": [*report.notes, note]})


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
    fetched = fetch_pairs(str(place), config)
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
