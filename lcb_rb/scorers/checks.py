"""What is refused of a model that others made, before it is read, while it is, and after."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from lcb_rb.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

INDEX = "model.safetensors.index.json"
"""File that says in which shard a weight lies."""
PROBE = "Print the double of a number, 0 to 9."
"""Text in which every tokenizer finds a word that it knows."""
PROBLEM, REASONING = "problem 7135", "reason 2846"
"""What a chat template is tried with."""
_FIX = "give a model saved by save_pretrained, with its tokenizer and safetensors weights"
_MEMORY = "use a machine with more memory, or a smaller `dtype` in an --adapter file"


@contextmanager
def understood(directory: Path, what: str) -> Iterator[None]:
    """Turns what libraries raise about files that they cannot read into one line; they log nothing meanwhile.

    Args:
        directory: Of the model.
        what: The part that is read.
    """
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(f"{directory}: the {what} does not fit into memory; {_MEMORY}") from error
    except SafetensorError as error:
        raise InputError(f"{_broken(directory)}: {_said(error)}; download or save it again") from error
    except UnpicklingError as error:
        raise InputError(f"{directory}: a pickle that holds more than weights, or is none; {_FIX}") from error
    except ImportError as error:
        raise InputError(f"{directory}: the {what} needs a package that is not here: {_said(error)}") from error
    except (OSError, ValueError, StrictDataclassError) as error:
        raise InputError(f"{directory}: {_said(error)}; {_FIX}") from error
    # Whatever else: a key that lacks, a list where an object belongs, sizes that cannot be.
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, EOFError) as error:
        raise InputError(f"{directory}: {what} not understood ({type(error).__name__}: {_said(error)}); {_FIX}") from (
            error
        )
    finally:
        logging.set_verbosity(level)


def refuse_odd_files(directory: Path, *, pickles: bool) -> None:
    """Refuses a directory by its files alone, before anything is read of them.

    Args:
        directory: Of the model.
        pickles: Whether weights may be pickles.
    """
    # Beside its base too: transformers would load it, a pickle even, and not tell of a head without weights.
    if (directory / "adapter_config.json").exists():
        where = "beside" if (directory / "config.json").exists() else "without"
        fix = "merge the two (peft's merge_and_unload) into a directory of its own"
        raise InputError(f"{directory}: a LoRA adapter {where} its base; {fix}")
    pickled = sorted(path.name for path in directory.glob("*.bin"))
    if not pickles and pickled and not any(directory.glob("*.safetensors")):
        fix = "save it with safetensors, or pass --allow-pickle if you trust whoever made it"
        raise InputError(f"{directory}: weights are pickles ({pickled[0]}), which can hold code; {fix}")
    _refuse_odd_index(directory / INDEX)


def _refuse_odd_index(path: Path) -> None:
    """Refuses shards that are missing, or lie elsewhere: the revision is a hash of this directory's files."""
    if not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted({str(name) for name in found.values()})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no `weight_map` from weights to files ({_said(error)}); save it again") from error
    if not shards:
        raise InputError(f"{path}: names no file; save it again")
    for name in shards:
        if PurePath(name).name != name:
            raise InputError(f"{path}: {name} lies outside of the directory; move it there and mend the index")
        if not (path.parent / name).is_file():
            raise InputError(f"{path}: there is no {name}; download or save it again")


def refuse_unread_weights(directory: Path, loading: Mapping[str, object]) -> None:
    """Refuses a model of which a part has no weights, or weights of another shape, by what was said of its loading."""
    missing, mismatched = (sorted(map(_entry, _listed(loading[key]))) for key in ("missing_keys", "mismatched_keys"))
    if mismatched:
        raise InputError(f"{directory}: {mismatched[0]}; config.json is of another model")
    if missing:
        raise InputError(f"{directory}: no weights for {missing[0]}; give a model whose reward head was trained")


def unused_weights(loading: Mapping[str, object]) -> list[str]:
    """Returns what to say of weights in the files that the model has no place for."""
    unused = sorted(map(str, _listed(loading["unexpected_keys"])))
    return [f"{len(unused)} weights of the files have no place in the model ({unused[0]})"] if unused else []


def refuse_fickle_attention(directory: Path, model: "PreTrainedModel") -> None:
    """Refuses BigBird's sparse attention: the first short text, one of ours, makes its model give it up for good."""
    if getattr(model.config, "attention_type", None) == "block_sparse":
        fix = "save it with attention_type original_full, which is what short texts use"
        raise InputError(
            f"{directory}: attention_type block_sparse, which a short text changes for all later ones; {fix}"
        )


def refuse_unsound_weights(directory: Path, model: "PreTrainedModel") -> None:
    """Refuses weights that are NaN or infinite, and those of an unknown quantisation; reads every weight once."""
    import torch

    if getattr(model.config, "quantization_config", None) and getattr(model, "hf_quantizer", None) is None:
        raise InputError(f"{directory}: quantised in a way that transformers does not know; {_FIX}")
    for name, weights in model.named_parameters():
        if weights.dtype not in (torch.float32, torch.float16, torch.bfloat16, torch.float64) or not weights.numel():
            continue
        ends = torch.stack(torch.aminmax(weights.detach()))  # NaN when one is; without a copy of the weights
        if not bool(torch.isfinite(ends).all()):
            kind = str(weights.dtype).removeprefix("torch.")
            raise InputError(f"{directory}: NaN or infinity in {name} ({kind}); {_UNSOUND}")


_UNSOUND = "save the model again, or give a `dtype` with a wider range in an --adapter file"


def refuse_useless_tokenizer(directory: Path, tokenizer: "PreTrainedTokenizerBase") -> None:
    """Refuses a tokenizer without words: where its files are missing, transformers makes an empty one."""
    found = set(tokenizer(PROBE)["input_ids"])
    if found <= set(tokenizer.all_special_ids):
        raise InputError(f"{directory}: no tokenizer, or one that knows no words; {_FIX}")


def refuse_useless_template(where: str, tokenizer: "PreTrainedTokenizerBase", *, prompts: bool) -> None:
    """Refuses a chat template that cannot be filled, or in which the reasoning does not appear.

    Args:
        where: Directory or file that the template is from.
        tokenizer: With or without a template.
        prompts: Whether the problem alone is also written, as likelihoods need it.
    """
    if not tokenizer.chat_template:
        return
    from jinja2 import TemplateError

    try:
        text = filled_template(tokenizer)
        if prompts:
            tokenizer.apply_chat_template([_message("user", PROBLEM)], tokenize=False, add_generation_prompt=True)
    except (TemplateError, TypeError, ValueError) as error:
        raise InputError(f"{where}: its chat template fails: {_said(error)}; {_TEMPLATE}") from error
    if REASONING not in text:
        raise InputError(f"{where}: its chat template leaves out the assistant's text; {_TEMPLATE}")


def filled_template(tokenizer: "PreTrainedTokenizerBase") -> str:
    """Returns the chat template filled with PROBLEM and REASONING."""
    messages = [_message("user", PROBLEM), _message("assistant", REASONING)]
    return str(tokenizer.apply_chat_template(messages, tokenize=False))


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


_TEMPLATE = "mend it, or give another as `template` in an --adapter file"


def _broken(directory: Path) -> Path:
    """Returns the file of weights that cannot be opened; the directory when all can."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(directory.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError):
            return path
    return directory


def _said(error: BaseException) -> str:
    """Returns the first line of an error, or its kind when it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (" ".join(lines[:2]) if lines and lines[0].endswith(":") else "".join(lines[:1])) or type(error).__name__


def _listed(found: object) -> list[object]:
    return list(found) if isinstance(found, list | set | tuple) else []


def _entry(key: object) -> str:
    """Returns a weight's name, with both shapes where they differ."""
    if not isinstance(key, tuple):
        return str(key)
    name, stored, wanted = key
    return f"{name} has shape {tuple(stored)}, and by config.json {tuple(wanted)}"
