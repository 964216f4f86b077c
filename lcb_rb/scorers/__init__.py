"""Scorers of reasonings: content-blind baselines, a bag of words, classifier models."""

from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.schema import PreferencePair
from lcb_rb.scorers.base import Item, Scorer
from lcb_rb.scorers.baselines import BASELINES

__all__ = ["BASELINES", "Item", "Scorer", "load_scorer"]

TFIDF = "tfidf"


def load_scorer(name: str, *, seed: int = 0, fit_on: list[PreferencePair] | None = None) -> Scorer:
    """Returns the scorer of that name, or the classifier in that directory.

    Args:
        name: A baseline, `tfidf`, or a directory with a sequence-classification model.
        seed: For scorers that draw or fit.
        fit_on: Pairs that `tfidf` is trained on.

    Raises:
        InputError: unknown name, or `tfidf` without pairs.
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
    known = ", ".join([*BASELINES, TFIDF])
    raise InputError(f"{name}: neither a directory with a model nor one of {known}")
