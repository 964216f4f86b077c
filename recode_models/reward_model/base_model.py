"""The model that a training starts from, and its tokenizer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb.errors import InputError
from lcb_rb.schema import PreferencePair
from lcb_rb.scorers.checks import understood
from recode_models.fresh import CHAT_TEMPLATE, PAD, make_model, train_tokenizer
from recode_models.launch import say
from recode_models.reward_model.recipe import RewardRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_base(
    recipe: RewardRecipe, pairs: Sequence[PreferencePair]
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Returns a classifier with one label, and a tokenizer with a chat template.

    Args:
        recipe: Names the model, or describes a new one.
        pairs: What a new tokenizer is trained on.

    Raises:
        InputError: the model cannot be loaded.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    set_seed(recipe.seed)  # a head that the model comes without is drawn anew
    source = recipe.model
    if source.config is not None:
        texts = sorted({text for p in pairs for text in (p.problem, p.chosen_reasoning, p.rejected_reasoning)})
        tokenizer = train_tokenizer(texts, source.vocab_size)
        return _usable(make_model(source.config, tokenizer), tokenizer, pairs[0])
    assert source.id
    known = {"revision": source.revision, "trust_remote_code": False}
    try:
        with understood(Path(source.id), "model"):
            tokenizer = AutoTokenizer.from_pretrained(source.id, **known)
            model = AutoModelForSequenceClassification.from_pretrained(
                source.id, num_labels=1, use_safetensors=True, dtype=source.dtype, **known
            )
    except InputError as error:
        raise InputError(f"recipe, field 'model.id': {error}") from error
    if not tokenizer.chat_template:
        say(f"{source.id} has no chat template; a plain one is used and saved with the model")
        tokenizer.chat_template = CHAT_TEMPLATE
    return _usable(model, tokenizer, pairs[0])


def positions(model: "PreTrainedModel") -> int | None:
    """Returns the most tokens that the model has positions for; None without a limit."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def _usable(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Returns the model with the tokenizer that whoever loads the saved model will get.

    AutoTokenizer chooses a class by the model's type, which can split words otherwise than the one that was saved.
    """
    from transformers import AutoTokenizer

    _separate_pad(model, tokenizer, pair)
    with tempfile.TemporaryDirectory() as directory:
        model.config.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        return model, AutoTokenizer.from_pretrained(directory)


def text_of(tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair, reasoning: str) -> str:
    """Returns what the model reads of one side."""
    return str(tokenizer.apply_chat_template(messages(pair.problem, reasoning), tokenize=False))


def messages(problem: str, reasoning: str) -> list[dict[str, str]]:
    """Returns problem and reasoning as a conversation."""
    return [{"role": "user", "content": problem}, {"role": "assistant", "content": reasoning}]


def lengths(tokenizer: "PreTrainedTokenizerBase", pairs: Sequence[PreferencePair]) -> list[int]:
    """Returns the tokens of the longer side of each pair."""
    texts = [text_of(tokenizer, p, side) for p in pairs for side in (p.chosen_reasoning, p.rejected_reasoning)]
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    return [max(len(ids[i]), len(ids[i + 1])) for i in range(0, len(ids), 2)]


def _separate_pad(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair) -> None:
    """Gives the tokenizer a pad token of its own where texts end in the one it has.

    The head reads the last token that is not the pad token: with pad == eos that would be another one than in scoring.
    """
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    text = text_of(tokenizer, pair, pair.chosen_reasoning)
    if pad is not None and tokenizer(text, add_special_tokens=False)["input_ids"][-1] != pad:
        return
    tokenizer.add_special_tokens({"pad_token": PAD})
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    say(f"texts end in the pad token; {PAD} takes its place")


def switch_dropout_off(model: "PreTrainedModel") -> None:
    """Sets the probabilities of dropout that layers keep as numbers to 0; TRL does so only with Dropout modules."""
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, float) and ("dropout" in name or name.endswith("pdrop")):
                setattr(module, name, 0.0)
