"""Causal language models as reward models: how likely they find a reasoning, alone or against a reference."""

from lcb_rb.errors import InputError
from lcb_rb.scorers.base import ModelOptions
from lcb_rb.scorers.batched import BatchedScorer
from lcb_rb.scorers.loading import Loaded, Place, identity_of, load
from lcb_rb.scorers.texts import TextReader, Tokens

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

        if loaded.adapter.label is not None:
            raise InputError(f"{options.adapter}: `label` has no meaning with --as {options.method}; remove it")
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
        self.reader = TextReader(loaded.tokenizer, context, options.over_long, finds_start=True)
        self.batch_tokens = 0 if alone else options.batch_tokens

    def forward(self, batch: list[Tokens]) -> list[float]:
        """Returns the score of each text of a batch."""
        found = [values.double() for values in self._policy.logprobs(batch)]
        if self._reference:
            pairs = zip(found, self._reference.logprobs(batch), strict=True)
            found = [values - others.double() for values, others in pairs]
        return [float(values.mean() if self._mean else values.sum()) for values in found]


def _refuse(options: ModelOptions, reference: Place | None) -> None:
    if (options.method == "dpo") != (reference is not None):
        raise InputError("--as dpo and --reference MODEL belong together; give both or neither")
    if options.over_long == "middle":
        raise InputError(f"--truncate middle has no meaning with --as {options.method}; use left, it cuts the problem")


def _refuse_other_tokens(place: Place, loaded: Loaded, reference: Place, other: Loaded) -> None:
    if loaded.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        raise InputError(f"{reference.name}: other tokens than {place.name}; give the model that it was trained from")
