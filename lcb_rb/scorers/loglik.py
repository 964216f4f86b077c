"""Causal language models as reward models: how likely they find a reasoning, alone or against a reference."""

from typing import TYPE_CHECKING

from lcb_rb.errors import InputError
from lcb_rb.scorers.base import ModelOptions
from lcb_rb.scorers.batched import BatchedScorer
from lcb_rb.scorers.loading import Loaded, Place, budget_of, identity_of, load
from lcb_rb.scorers.texts import TextReader, Tokens

if TYPE_CHECKING:
    from torch import Tensor

MEANING = {
    "loglik-mean": "score: mean log-likelihood of the reasoning's tokens, given the problem",
    "loglik-sum": "score: log-likelihood of the reasoning, given the problem",
    "dpo": "score: log-likelihood of the reasoning, less that of the reference model (DPO's implicit reward, beta 1)",
}


class LikelihoodScorer(BatchedScorer):
    """Scores by the log-likelihood of what follows the problem, end of turn included."""

    def __init__(self, place: Place, options: ModelOptions, reference: Place | None = None) -> None:
        """Loads the model, and the reference for method dpo.

        Args:
            place: The model.
            options: How it is read; method is one of MEANING.
            reference: Model with the same tokenizer.

        Raises:
            InputError: no causal language model, or the two have other tokens, or an option has no meaning here.
            MissingExtraError: torch or transformers is not installed.
        """
        _refuse(options, reference)
        loaded = load("AutoModelForCausalLM", place, options)
        from lcb_rb.scorers.likelihoods import CausalModel  # needs torch, which `load` has found

        self._mean = options.method == "loglik-mean"
        self._policy = CausalModel(loaded, place.name)
        self.name = f"{place.name} ({options.method})"
        self.revision = loaded.revision
        self.notes = [*loaded.notes, MEANING[options.method]]
        contexts, alone, self._reference = [loaded.context], self._policy.alone, None
        if reference:
            other = load("AutoModelForCausalLM", reference, options)
            _refuse_other_tokens(place, loaded, reference, other)
            self._reference = CausalModel(other, reference.name)
            alone = alone or self._reference.alone
            contexts.append(other.context)
            self.notes.append(f"reference {reference.name} ({other.revision})")
        self.identity = identity_of(loaded, options, other.revision if reference else "")
        context = min((limit for limit in contexts if limit), default=None)
        vocab = min(known.vocab for known in (self._policy, self._reference) if known)
        self.reader = TextReader(loaded.tokenizer, context, options.over_long, vocab, finds_start=True)
        self.loaded = loaded
        self.batch_tokens = 0 if alone else budget_of(loaded, options)

    def forward(self, batch: list[Tokens]) -> list[float]:
        """Returns the score of each text of a batch."""
        others = self._reference.logprobs(batch) if self._reference else [None] * len(batch)
        return [self._value(*both) for both in zip(self._policy.logprobs(batch), others, strict=True)]

    def plain(self, text: Tokens) -> float:
        """Returns the score of a text alone, by the model's own forward."""
        return self._value(self._policy.plain(text), self._reference.plain(text) if self._reference else None)

    def _value(self, values: "Tensor", others: "Tensor | None") -> float:
        less = values.double() - (0.0 if others is None else others.double())
        return float(less.mean() if self._mean else less.sum())


def _refuse(options: ModelOptions, reference: Place | None) -> None:
    if (options.method == "dpo") != (reference is not None):
        raise InputError("--as dpo and --reference MODEL belong together; give both or neither")
    if options.over_long == "middle":
        raise InputError(f"--truncate middle has no meaning with --as {options.method}; use left, it cuts the problem")


def _refuse_other_tokens(place: Place, loaded: Loaded, reference: Place, other: Loaded) -> None:
    if loaded.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise InputError(f"{reference.name}: other tokens than {place.name}; give the model that it was trained from")
