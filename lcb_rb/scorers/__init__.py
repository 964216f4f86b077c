"""Scorers of reasonings: content-blind baselines, a bag of words, models, and scores from a file."""

from collections.abc import Sequence
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.schema import PreferencePair
from lcb_rb.scorers.base import Item, ModelOptions, Scorer
from lcb_rb.scorers.baselines import BASELINES
from lcb_rb.scorers.loading import Place

__all__ = ["BASELINES", "Item", "ModelOptions", "Scorer", "load_scorer"]

TFIDF = "tfidf"


def load_scorer(
    name: str,
    *,
    seed: int = 0,
    fit_on: list[PreferencePair] | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008
    pairs: Sequence[PreferencePair] = (),
) -> Scorer:
    """Returns the scorer of that name, or the model in that directory or on the Hub, or what a file says.

    Args:
        name: A baseline, `tfidf`, a directory with a model, its id on the Hub, or a file of scores.
        seed: For scorers that draw or fit.
        fit_on: Pairs that `tfidf` is trained on.
        options: How a model is read.
        pairs: What a file of scores must be about.

    Raises:
        InputError: unknown name, `tfidf` without pairs, a file of other pairs, or options that mean nothing here.
        HubError: neither the Hub nor the cache has the model.
    """
    known = _without_model(name, seed, fit_on, pairs)
    if known is None:
        return _model(_place(name, options), options)
    if options != ModelOptions():
        raise InputError(f"{name}: --as, --reference, --adapter, --truncate and --allow-pickle are for models only")
    return known


def _without_model(
    name: str, seed: int, fit_on: list[PreferencePair] | None, pairs: Sequence[PreferencePair]
) -> Scorer | None:
    from lcb_rb.scorers.stored import StoredScorer, is_scores_file

    if name in BASELINES:
        return BASELINES[name](seed)
    if name == TFIDF:
        from lcb_rb.scorers.tfidf import TfidfScorer

        if not fit_on:
            raise InputError("tfidf: nothing to learn from; give --fit-on a directory of CRPL pairs")
        return TfidfScorer(fit_on, seed)
    return StoredScorer(Path(name), pairs) if is_scores_file(name) else None


def _model(place: Place, options: ModelOptions) -> Scorer:
    if options.method == "head":
        if options.reference:
            raise InputError("--as dpo and --reference MODEL belong together; give both or neither")
        from lcb_rb.scorers.classifier import ClassifierScorer

        return ClassifierScorer(place.directory, name=place.name, revision=place.revision, options=options)
    from lcb_rb.scorers.loglik import LikelihoodScorer

    return LikelihoodScorer(place, options, _place(options.reference, options) if options.reference else None)


def _place(name: str, options: ModelOptions) -> Place:
    """Returns where a model lies, taken from the Hub if need be."""
    if Path(name).is_dir():
        return Place(Path(name), name)
    from lcb_rb.hub.fetch import fetch_model, is_repo_id

    if not is_repo_id(name):
        known = ", ".join([*BASELINES, TFIDF])
        raise InputError(f"{name}: neither a directory with a model, nor the id of one on the Hub, nor one of {known}")
    if options.allow_pickle:
        raise InputError(
            f"{name}: --allow-pickle is for directories; download the model yourself and name its directory"
        )
    fetched = fetch_model(name)
    return Place(fetched.directory, fetched.repo_id, fetched.commit)
