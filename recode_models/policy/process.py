"""The process reward of a policy: a reward model's score of a reasoning, made a number from 0 to 1."""

from collections.abc import Callable, Sequence

from lcb_rb.errors import InputError
from lcb_rb.scorers import BASELINES, TFIDF, Item, ModelOptions, Scorer, load_scorer, place_of
from lcb_rb.scorers.calibrated import CalibratedScorer, RewardScale, read_scale
from lcb_rb.scorers.classifier import ClassifierScorer
from lcb_rb.scorers.classifier_endpoint import EndpointClassifier
from lcb_rb.scorers.loading import Place
from recode_models.launch import is_main
from recode_models.policy.recipe import ProcessRecipe


def open_process(recipe: ProcessRecipe) -> Scorer:
    """Returns the reward model, whose scores are process rewards in [0, 1]; every process has one of its own.

    Texts that are too long are cut in the middle, so that the end of a reasoning is read.

    Raises:
        InputError: no such model, device or endpoint, or nothing says how scores become rewards.
        EndpointError: the endpoint cannot be reached.
    """
    given = _given(recipe)
    if recipe.model in (*BASELINES, TFIDF):
        return CalibratedScorer(_baseline(recipe), given or _refuse_unscaled(recipe))
    options = ModelOptions(over_long="middle", device=recipe.device, max_tokens=recipe.max_tokens)
    place = place_of(recipe.model, options, weights=not recipe.endpoint)
    scale = given or read_scale(place.directory)  # before the weights, which take long
    if recipe.endpoint:
        return CalibratedScorer(_served(recipe.endpoint, place, options), scale)
    loaded = ClassifierScorer(place.directory, name=place.name, revision=place.revision, options=options)
    return CalibratedScorer(Apart(loaded), scale)


class Apart:
    """A reward model beside a training: neither its autocast nor its gradients, nor its choice of a device, reach it.

    All three belong to a thread, and it is called from others than the one that trains.
    """

    def __init__(self, scorer: ClassifierScorer) -> None:
        """Keeps the model."""
        self._scorer = scorer
        self.name, self.revision, self.notes = scorer.name, scorer.revision, scorer.notes

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns one score an item, None where scoring failed; calls `advance` once an item."""
        import torch

        device = self._scorer.loaded.device
        with (
            torch.inference_mode(),
            torch.autocast(device.type, enabled=False),
            torch.cuda.device(device if device.type == "cuda" else -1),
        ):
            return self._scorer.score(items, advance)


def _given(recipe: ProcessRecipe) -> RewardScale | None:
    if recipe.mu is None or recipe.sigma is None:
        return None
    return RewardScale(mu=recipe.mu, sigma=recipe.sigma, source="the recipe")


def _baseline(recipe: ProcessRecipe) -> Scorer:
    if recipe.model == TFIDF:
        raise InputError("process.model tfidf: has nothing to learn from here; give a trained reward model")
    for field in ("device", "endpoint", "max_tokens"):
        if getattr(recipe, field) is not None:
            raise InputError(f"process.{field}: has no meaning for the baseline {recipe.model}; remove it")
    scorer: Scorer = load_scorer(recipe.model)  # type: ignore[assignment]  # a baseline scores texts one by one
    return scorer


def _refuse_unscaled(recipe: ProcessRecipe) -> RewardScale:
    raise InputError(
        f"process.model {recipe.model}: a baseline has no scale of its own; "
        f"give mu, the score that is worth 1/2, and sigma, its unit"
    )


def _served(url: str, place: Place, options: ModelOptions) -> EndpointClassifier:
    scorer = EndpointClassifier(url, place, options, field="process.endpoint")
    if is_main():  # one check for all, as it may load the model
        from lcb_rb.scorers.parity import refuse_other_logits

        refuse_other_logits(scorer, place.directory)
    return scorer
