"""Scorers of reasonings: content-blind baselines, a bag of words, classifier models."""

from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.schema import PreferencePair
from lcb_rb.scorers.base import Item, Scorer
from lcb_rb.scorers.baselines import BASELINES

__all__ = ["BASELINES", "Item", "Scorer", "load_scorer"]

TFIDF = "tfidf"


def load_scorer(name: str, *, seed: int = 0, fit_on: list[PreferencePair] | None = None) -> Scorer:
    """Returns the scorer of that name, or the classifier in that directory or on the Hub.

    Args:
        name: A baseline, `tfidf`, a directory with a sequence-classification model, or its id on the Hub.
        seed: For scorers that draw or fit.
        fit_on: Pairs that `tfidf` is trained on.

    Raises:
        InputError: unknown name, or `tfidf` without pairs.
        HubError: neither the Hub nor the cache has the model.
    """
    if name in BASELINES:
        return BASELINES[name](seed)
    if name == TFIDF:
        from lcb_rb.scorers.tfidf import TfidfScorer

        if not fit_on:
            raise InputError("tfidf: nothing to learn from; give --fit-on a directory of CRPL pairs")
        return TfidfScorer(fit_on, seed)
    if Path(name).is_dir():
        from lcb_rb.scorers.classifier import ClassifierScorer

        return ClassifierScorer(Path(name))
    return _of_hub(name)


def _of_hub(name: str) -> Scorer:
    from lcb_rb.hub.fetch import fetch_model, is_repo_id

    if not is_repo_id(name):
        known = ", ".join([*BASELINES, TFIDF])
        raise InputError(f"{name}: neither a directory with a model, nor the id of one on the Hub, nor one of {known}")
    from lcb_rb.scorers.classifier import ClassifierScorer

    fetched = fetch_model(name)
    return ClassifierScorer(fetched.directory, name=fetched.repo_id, revision=fetched.commit)
