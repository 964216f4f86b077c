"""Random models small enough for a test, saved as directories."""

from pathlib import Path
from typing import Any

from recode_models.fresh import train_tokenizer

TEXT = "Print the double. We walk over the list once and keep the sum of what we saw, step by step."


def make_tokenizer(*, pad_is_eos: bool) -> Any:
    """A BPE tokenizer whose chat template ends in eos."""
    tokenizer = train_tokenizer([TEXT], 300)
    if pad_is_eos:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def save_model(directory: Path, family: str, *, labels: int | None = 1, pad_is_eos: bool = True, seed: int = 0) -> Path:
    """Saves a model of a family, qwen2, gpt2 or bert: a classifier with labels, or a language model with None."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

    torch.manual_seed(seed)
    tokenizer = make_tokenizer(pad_is_eos=pad_is_eos)
    sizes = {
        "qwen2": {"intermediate_size": 32, "num_key_value_heads": 1, "max_position_embeddings": 256},
        "gpt2": {"n_positions": 256},
        "bert": {"intermediate_size": 32, "max_position_embeddings": 256},
    }[family]
    config = AutoConfig.for_model(
        family,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.2,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **sizes,
    )
    if labels is None:
        model = AutoModelForCausalLM.from_config(config)
    else:
        config.num_labels = labels
        model = AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
