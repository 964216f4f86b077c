"""Scorers of reasonings: content-blind baselines, a bag of words, models, and scores from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb.errors import InputError
from lcb_rb.schema import PreferencePair
from lcb_rb.scorers.base import Item, ModelOptions, PairScorer, Scorer
from lcb_rb.scorers.baselines import BASELINES
from lcb_rb.scorers.loading import Place

if TYPE_CHECKING:
    from lcb_rb.scorers.adapter import Adapter
    from lcb_rb.scorers.judges import Oracle, PairwiseJudge, PointwiseJudge

__all__ = ["BASELINES", "Item", "ModelOptions", "PairScorer", "Scorer", "load_scorer", "place_of"]

TFIDF = "tfidf"
JUDGES = ("judge", "judge-pairs")
_FOR_MODELS = "--as, --base-url, --reference, --adapter, --truncate and --allow-pickle"


def load_scorer(
    name: str,
    *,
    seed: int = 0,
    fit_on: list[PreferencePair] | None = None,
    options: ModelOptions = ModelOptions(),  # noqa: B008
    pairs: Sequence[PreferencePair] = (),
) -> Scorer | PairScorer:
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
        _refuse_reference(options)
        return _judge(name, seed, options) if options.method in JUDGES else _model(place_of(name, options), options)
    if options != ModelOptions():
        raise InputError(f"{name}: {_FOR_MODELS} are for models only")
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


def _refuse_reference(options: ModelOptions) -> None:
    if options.reference and options.method != "dpo":
        raise InputError("--as dpo and --reference MODEL belong together; give both or neither")
    if options.base_url and options.method not in JUDGES:
        raise InputError("--base-url is where a judge is asked; give --as judge or --as judge-pairs with it")


def _judge(name: str, seed: int, options: ModelOptions) -> "PointwiseJudge | PairwiseJudge":
    """Returns the judge at an endpoint, or on this machine."""
    from lcb_rb.scorers.adapter import Adapter, JudgeKeys, read_adapter
    from lcb_rb.scorers.judges import PairwiseJudge, PointwiseJudge

    if options.over_long != "error":
        raise InputError("--truncate has no meaning with judges: what is cut cannot be judged")
    adapter = read_adapter(options.adapter, options.method) if options.adapter else Adapter()
    keys, directory = adapter.judge or JudgeKeys(), options.adapter.parent if options.adapter else Path()
    oracle = _remote(name, seed, options, adapter) if options.base_url else _local(name, options)
    return (PointwiseJudge if options.method == "judge" else PairwiseJudge)(oracle, keys, directory)


def _remote(name: str, seed: int, options: ModelOptions, adapter: "Adapter") -> "Oracle":
    from lcb_rb.inference import endpoint
    from lcb_rb.scorers.adapter import JudgeKeys, adapter_note
    from lcb_rb.scorers.judges_endpoint import EndpointOracle

    local = sorted(adapter.model_dump(exclude_none=True).keys() - {"judge"})
    if local or options.allow_pickle:
        what = f"`{local[0]}` of {options.adapter}" if local else "--allow-pickle"
        raise InputError(f"{what} has no meaning with --base-url: the model is read elsewhere; leave it out")
    max_tokens = (adapter.judge or JudgeKeys()).max_tokens
    oracle = EndpointOracle(endpoint(options.base_url or "", name), seed=seed, max_tokens=max_tokens)
    oracle.notes += [adapter_note(options.adapter, adapter)] if options.adapter else []
    return oracle


def _local(name: str, options: ModelOptions) -> "Oracle":
    from lcb_rb.scorers.judges_local import LocalOracle

    return LocalOracle(place_of(name, options), options)


def _model(place: Place, options: ModelOptions) -> Scorer:
    if options.method == "steps":
        from lcb_rb.scorers.steps import StepScorer

        return StepScorer(place, options)
    if options.method == "head":
        from lcb_rb.scorers.classifier import ClassifierScorer

        return ClassifierScorer(place.directory, name=place.name, revision=place.revision, options=options)
    from lcb_rb.scorers.loglik import LikelihoodScorer

    return LikelihoodScorer(place, options, place_of(options.reference, options) if options.reference else None)


def place_of(name: str, options: ModelOptions, *, weights: bool = True) -> Place:
    """Returns where a model lies, taken from the Hub if need be.

    Args:
        name: A directory, or an id on the Hub.
        options: How the model is read.
        weights: Whether its weights are wanted; a model that is served elsewhere needs none here.

    Raises:
        InputError: neither of the two, or no right to read it.
        HubError: neither the Hub nor the cache has it.
    """
    try:
        if Path(name).is_dir():
            return Place(Path(name), name)
    except OSError as error:  # no right to look, or a name that no file can have
        raise InputError(f"{name}: cannot be read ({error.strerror}); check the path and its permissions") from error
    from lcb_rb.hub.fetch import fetch_model, is_repo_id

    if not is_repo_id(name):
        known = ", ".join([*BASELINES, TFIDF])
        raise InputError(f"{name}: neither a directory with a model, nor the id of one on the Hub, nor one of {known}")
    if options.allow_pickle:
        raise InputError(
            f"{name}: --allow-pickle is for directories; download the model yourself and name its directory"
        )
    fetched = fetch_model(name, weights=weights)
    return Place(fetched.directory, fetched.repo_id, fetched.commit)
