"""Whether a server gives the logits of the model that it is said to serve, tried on a few texts before it is used."""

import math
from pathlib import Path

from lcb_rb.errors import InputError
from lcb_rb.scorers.base import Item, ModelOptions
from lcb_rb.scorers.calibrated import sigmoid
from lcb_rb.scorers.classifier import ClassifierScorer
from lcb_rb.scorers.classifier_endpoint import EndpointClassifier, Logits
from lcb_rb.scorers.texts import Tokens

PROBES = (
    Item(
        "probe/1", "Print the double of a number.", "Twice the number is its sum with itself, so one addition will do."
    ),
    Item(
        "probe/2",
        "Sort the words.",
        "1. Read all lines.\n2. Sort them by length, then by letter.\n3. Print them.\n" * 3,
    ),
    Item("probe/3", "Is n prime?", "It is not clear. Perhaps; perhaps not. I will guess that it is, and print YES."),
    Item("probe/4", "Größte Summe", "Kadane: `best = max(best, run := max(x, run + x))` — O(n), für n ≤ 10⁵."),
)
"""Different in length, kind and quality, so that two models hardly agree on all of them."""
TOLERANCE = 0.05
"""Largest difference from the local model, of 1 or of the largest value: types of weights and kernels may differ."""


def refuse_other_logits(remote: EndpointClassifier, directory: Path) -> None:
    """Refuses a server that gives something else than the logits of the model in a directory.

    Where the directory has weights, the model is run on the CPU for as long as this takes. Where it has none, the
    server is asked for probabilities as well, since those must be other numbers than the logits.

    Raises:
        InputError: it applies an activation, or serves another model.
        RecodeError: it gives nothing for these texts.
    """
    read = [tokens for tokens in remote.reader.read(PROBES) if tokens is not None]
    found = _answered(remote, read)
    if any(directory.glob("*.safetensors")):
        local = ClassifierScorer(directory, options=ModelOptions(over_long="middle", device="cpu"))
        _refuse_difference(remote, found, [local.plain(tokens) for tokens in read])
    else:
        _refuse_activation(remote, found, _answered(remote, read, activated=True))


def _answered(remote: EndpointClassifier, read: list[Tokens], *, activated: bool = False) -> list[Logits]:
    found = []
    for answer in remote.logits(read, activated=activated).values():
        if isinstance(answer, Exception):
            raise remote.failure(answer) from answer
        found.append(answer)
    return found


def _refuse_difference(remote: EndpointClassifier, found: list[Logits], local: list[float]) -> None:
    scores = [remote.score_of(logits) for logits in found]
    allowed = TOLERANCE * max(1.0, *map(abs, local))
    if all(score is not None and abs(score - value) <= allowed for score, value in zip(scores, local, strict=True)):
        return
    told = ", ".join("none" if score is None else f"{score:.3g}" for score in scores)
    what = f"{remote.where} scores the probes {told}, the model here {', '.join(f'{value:.3g}' for value in local)}"
    if all(math.isclose(one[0] or 0.0, sigmoid(value), abs_tol=0.02) for one, value in zip(found, local, strict=True)):
        raise InputError(f"{what}: that is the sigmoid; {_ACTIVATION}")
    raise InputError(f"{what}: another model, revision or tokenizer; serve the same directory or commit")


def _refuse_activation(remote: EndpointClassifier, found: list[Logits], activated: list[Logits]) -> None:
    """Refuses numbers that are probabilities, and stay as they are when probabilities are asked for."""
    if any(remote.score_of(logits) is None for logits in found):
        raise InputError(f"{remote.where}: no numbers, or too few labels, for the probes; serve the same model")
    values = [value for logits in found for value in logits if value is not None]
    if found == activated and all(0 <= value <= 1 for value in values):
        raise InputError(f"{remote.where}: gives probabilities whatever is asked for; {_ACTIVATION}")


_ACTIVATION = "use a server that honours `use_activation: false`, as vLLM does"
