"""A small model with random weights and a tokenizer trained on the data, so that a run needs nothing from a hub."""

import tempfile
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
CHAT_TEMPLATE = "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
ASKING_TEMPLATE = CHAT_TEMPLATE + "{% if add_generation_prompt %}<|assistant|>{% endif %}"
"""For models that write."""


def train_tokenizer(texts: Iterable[str], vocab_size: int, whole: Sequence[str] = ()) -> "PreTrainedTokenizerFast":
    """Returns a byte-level BPE tokenizer with a chat template; pad and end are different tokens.

    Args:
        texts: What merges are learned from.
        vocab_size: Of the merges, the bytes and the special tokens.
        whole: Strings that are one more token each, and part of the text: decoding does not skip them.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END)
    fast.chat_template = CHAT_TEMPLATE
    fast.add_tokens([AddedToken(text, normalized=False, special=False) for text in whole])
    return fast


def make_model(config: dict[str, Any], tokenizer: "PreTrainedTokenizerFast") -> "PreTrainedModel":
    """Returns a sequence classifier with one label and random weights."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    fields = {**config, "vocab_size": len(tokenizer), "num_labels": 1, "pad_token_id": tokenizer.pad_token_id}
    return AutoModelForSequenceClassification.from_config(AutoConfig.for_model(**fields))


def make_policy(
    config: dict[str, Any], texts: Iterable[str], vocab_size: int, whole: Sequence[str], seed: int
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Returns a causal language model with random weights, and its tokenizer as whoever loads the saved model gets it.

    Args:
        config: Fields of a transformers config with `model_type`.
        texts: As in `train_tokenizer`.
        vocab_size: Likewise.
        whole: Likewise.
        seed: Of the weights.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, set_seed

    trained = train_tokenizer(texts, vocab_size, whole)
    trained.chat_template = ASKING_TEMPLATE
    ends = {"pad_token_id": trained.pad_token_id, "eos_token_id": trained.eos_token_id}
    set_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**{**config, "vocab_size": len(trained), **ends}))
    with tempfile.TemporaryDirectory() as directory:  # AutoTokenizer chooses a class by the model's type
        model.config.save_pretrained(directory)
        trained.save_pretrained(directory)
        return model, AutoTokenizer.from_pretrained(directory)
