"""Step models (process reward models): a score for every step, made one by min, mean, last or product."""

import json
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from lcb_rb.errors import InputError
from lcb_rb.scorers.adapter import Adapter, Aggregate, StepKeys, read_adapter
from lcb_rb.scorers.base import Item, ModelOptions
from lcb_rb.scorers.batched import BatchedScorer
from lcb_rb.scorers.calibrated import sigmoid
from lcb_rb.scorers.loading import Kind, Loaded, Place, budget_of, identity_of, load
from lcb_rb.scorers.steps_text import StepReader, StepTokens, steps_of
from lcb_rb.scorers.texts import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from lcb_rb.scorers.steps_heads import StepModel

AGGREGATES: dict[Aggregate, Callable[[Sequence[float]], float]] = {
    "min": min,
    "mean": lambda values: math.fsum(values) / len(values),
    "last": lambda values: values[-1],
    "product": math.prod,
}


class StepScorer(BatchedScorer):
    """Reads a model at the end of every step: a head's logit, or how likely a good token is against a bad one."""

    def __init__(self, place: Place, options: ModelOptions) -> None:
        """Loads the model.

        Args:
            place: A token or sequence classifier, or a causal language model.
            options: How it is read; the adapter's `steps` says where.

        Raises:
            InputError: no such model, or the adapter does not fit, or an option has no meaning here.
            MissingExtraError: torch or transformers is not installed.
        """
        if options.over_long in ("middle", "left"):
            raise InputError("--truncate has no meaning with --as steps: a step that is cut out has no score")
        adapter = read_adapter(options.adapter, options.method) if options.adapter else Adapter()
        self._keys = adapter.steps or StepKeys()
        kind = _kind(place, self._keys, adapter)
        self.loaded = load(kind, place, options)
        if not self.loaded.tokenizer.is_fast:
            raise InputError(f"{place.name}: its tokenizer does not tell where tokens stand; save a fast one with it")
        self._model, self._label, meaning = _model(kind, self.loaded, place.name, self._keys)
        self._aggregate = AGGREGATES[self._keys.aggregate]
        self.name = f"{place.name} (steps)"
        self.revision = self.loaded.revision
        self._facts = [*self.loaded.notes, f"score: {self._keys.aggregate} over steps of {meaning}", _rule(self._keys)]
        self.notes = list(self._facts)
        self.identity = identity_of(self.loaded, options, self._keys.model_dump_json())
        vocab = self.loaded.model.get_input_embeddings().num_embeddings
        tokenizer, context = self.loaded.tokenizer, self.loaded.context
        self.reader = StepReader(tokenizer, context, options.over_long, vocab, keys=self._keys)
        self.batch_tokens = 0 if self._model.alone else budget_of(self.loaded, options)

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns one score an item; None for a reasoning without steps, and as other models do."""
        found = super().score(items, advance)
        counts = [len(steps_of(item.reasoning, self._keys)) for item in items]
        steps = f"{sum(counts)} steps in {len(counts)} reasonings"
        without = [f"{counts.count(0)} reasonings have no step and no score"] if 0 in counts else []
        self.notes = [*self._facts, steps, *without]
        return found

    def forward(self, batch: list[Tokens]) -> list[float]:
        """Returns the score of each text of a batch."""
        texts = cast(list[StepTokens], batch)  # the reader's
        return [self._whole(values.double().tolist()) for values in self._model.logits(texts)]

    def plain(self, text: Tokens) -> float:
        """Returns the score of a text alone, by the model's own forward."""
        return self._whole(self._model.plain(cast(StepTokens, text)).double().tolist())

    def _whole(self, rows: Sequence[Sequence[float]]) -> float:
        values = [self._of_step(row) for row in rows]
        return self._aggregate(values) if all(map(math.isfinite, values)) else math.nan

    def _of_step(self, row: Sequence[float]) -> float:
        if len(self._label) == 1:
            return row[self._label[0]]
        return sigmoid(row[self._label[0]] - row[self._label[1]])


def _kind(place: Place, keys: StepKeys, adapter: Adapter) -> Kind:
    """Returns what kind of model it is, as its configuration says."""
    try:
        config = json.loads((place.directory / "config.json").read_text(encoding="utf-8"))
        names = config.get("architectures") or [""]
        name = str(names[0])
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        name = ""  # `load` says what is wrong with the directory
    if keys.good is not None:
        if adapter.label is not None:
            raise InputError(f"{place.name}: `label` is for heads, `good` and `bad` for language models; give one")
        return "AutoModelForCausalLM"
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        fix = "give `good` and `bad` under `steps` in an --adapter file, the tokens that it writes behind a step"
        raise InputError(f"{place.name}: a language model; {fix}")
    sequence = name.endswith("ForSequenceClassification")
    return "AutoModelForSequenceClassification" if sequence else "AutoModelForTokenClassification"


def _model(kind: Kind, loaded: Loaded, name: str, keys: StepKeys) -> "tuple[StepModel, tuple[int, ...], str]":
    """Returns the model, the value that is a step's score or the two that it lies between, and what it means."""
    from lcb_rb.scorers.steps_heads import LabelsOfTokens, NextToken  # need torch, which `load` has found

    if keys.good is not None and keys.bad is not None:
        bad, good = (_token(loaded.tokenizer, text, name) for text in (keys.bad, keys.good))
        meaning = f"the probability of {keys.good!r} against {keys.bad!r}"
        return NextToken(loaded, name, bad, good), (1, 0), meaning
    label, meaning = _label(loaded, name)
    if len(label) == 1 and keys.aggregate == "product":
        raise InputError(f"{name}: a product needs probabilities, its head has a logit; choose another `aggregate`")
    of_tokens = kind == "AutoModelForTokenClassification"
    return LabelsOfTokens(loaded, name, of_tokens=of_tokens), label, meaning


def _label(loaded: Loaded, name: str) -> tuple[tuple[int, ...], str]:
    config, chosen = loaded.model.config, loaded.adapter.label
    if chosen is None and config.num_labels > 2:
        fix = "choose one, or two to compare, by `label` in an --adapter file"
        raise InputError(f"{name}: {config.num_labels} labels; a step model has one or two; {fix}")
    if chosen is None:
        chosen = 0 if config.num_labels == 1 else (1, 0)
    label = (chosen,) if isinstance(chosen, int) else tuple(chosen)
    if max(label) >= config.num_labels:
        raise InputError(f"{name}: no label {max(label)} among {config.num_labels}; mend `label` in --adapter")
    names = [config.id2label[index] for index in label]
    return label, f"the logit of {names[0]}" if len(label) == 1 else f"the probability of {' against '.join(names)}"


def _token(tokenizer: "PreTrainedTokenizerBase", text: str, name: str) -> int:
    """Returns the one token of a text; the mark that some tokenizers put before every text is passed over."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) == 2 and not tokenizer.decode(ids[:1]).strip() and not text[0].isspace():
        ids = ids[1:]
    if len(ids) != 1:
        raise InputError(f"{name}: {text!r} is {len(ids)} tokens; mend `good` and `bad` under `steps` in --adapter")
    return ids[0]


def _rule(keys: StepKeys) -> str:
    split = f"at {keys.separator!r}" if keys.separator else "at blank lines"
    read = f"followed by {keys.step_token!r} and read there" if keys.step_token else "read at their last token"
    return f"steps: split {split}, {read}"
