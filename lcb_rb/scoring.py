"""`recode score`: from names and directories to a report."""

from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.evaluation import score_pairs
from lcb_rb.pairs import data_revision, pair_files, read_pairs
from lcb_rb.progress import bar
from lcb_rb.schema import PreferencePair, Report
from lcb_rb.scorers import load_scorer


def score_directory(
    model: str,
    directory: Path,
    *,
    split: str | None = None,
    fit_on: Path | None = None,
    seed: int = 0,
    command: str = "",
) -> Report:
    """Returns the report of a scorer, given by name or directory, on a directory of pairs.

    Args:
        model: Name of a baseline, `tfidf`, or a directory with a model.
        directory: Of the pairs.
        split: One split of them; all when None.
        fit_on: Directory that `tfidf` learns from: its train split, or all where it has none.
        seed: Of the bootstrap and of random scorers.
        command: What was called, for the report.

    Raises:
        InputError: no such scorer or pairs, or `fit_on` shares problems with the pairs.
    """
    pairs = read_pairs(directory, split)
    training = _training_pairs(fit_on, pairs) if fit_on else None
    scorer = load_scorer(model, seed=seed, fit_on=training)
    with bar(f"scoring with {scorer.name}", 2 * len(pairs)) as advance:
        return score_pairs(
            scorer,
            pairs,
            data=f"{directory}/{split}" if split else str(directory),
            data_revision=data_revision(pair_files(directory, split)),
            command=command,
            seed=seed,
            advance=advance,
        )


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
