"""Loading models that others made: no code of theirs, weights from safetensors, a head that was trained."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lcb_rb import __version__
from lcb_rb.errors import InputError, MissingExtraError
from lcb_rb.scorers.adapter import Adapter, adapter_note, read_adapter
from lcb_rb.scorers.base import ModelOptions
from lcb_rb.scorers.checks import (
    refuse_fickle_attention,
    refuse_odd_files,
    refuse_unread_weights,
    refuse_unsound_weights,
    refuse_useless_template,
    refuse_useless_tokenizer,
    understood,
    unused_weights,
)
from lcb_rb.scorers.sharding import local_device, unsharded

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DECISIVE = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt"})
"""Suffixes of files that decide a score."""
PICKLES = frozenset({".bin", ".pt", ".pth"})
"""Suffixes of weights that can hold code."""
NO_TEMPLATE = "no chat template: problem and reasoning joined by a blank line"
ROPE_BY_LENGTH = frozenset({"dynamic", "longrope"})
"""Rotary embeddings that change with the longest text of a batch."""
BUDGETS = {"cpu": 2048, "cuda": 16384}
"""Tokens of a batch: on a CPU, few enough for its caches; on a GPU, enough to keep it busy."""

Kind = Literal["AutoModelForSequenceClassification", "AutoModelForTokenClassification", "AutoModelForCausalLM"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model lies."""

    directory: Path
    """As `save_pretrained` writes it."""
    name: str
    """For the report."""
    revision: str | None = None
    """Commit on the Hub; None for a hash of the content."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to be run."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    device: "torch.device"
    adapter: Adapter
    context: int | None
    """Most tokens that it reads."""
    pad: int | None
    """Token that the model's own head passes over at the end of a text."""
    revision: str
    """Commit or content hash."""
    notes: list[str]
    """What a reader of the scores must know."""


def load(kind: Kind, place: Place, options: ModelOptions) -> Loaded:
    """Returns model and tokenizer of a directory.

    Raises:
        InputError: it holds no such model, or one whose head has no weights, or the adapter does not fit.
        MissingExtraError: torch or transformers is not installed.
    """
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError("transformers", "models") from error
    transformers.utils.logging.disable_progress_bar()
    adapter = read_adapter(options.adapter, options.method) if options.adapter else Adapter()
    device = device_of(options)
    dtype = getattr(torch, adapter.dtype or ("bfloat16" if device.type == "cuda" else "float32"))
    directory = place.directory
    with understood(directory, "files"):
        refuse_odd_files(directory, pickles=options.allow_pickle)
    tokenizer = load_tokenizer(directory)
    with understood(directory, "model"), unsharded():
        model, loading = getattr(transformers, kind).from_pretrained(
            directory,
            use_safetensors=None if options.allow_pickle else True,
            trust_remote_code=False,
            dtype=dtype,
            ignore_mismatched_sizes=True,  # they are refused by name below
            output_loading_info=True,
        )
        model = model.eval().to(device)
    refuse_unread_weights(directory, loading)
    refuse_unsound_weights(directory, model)
    refuse_fickle_attention(directory, model)
    tokenizer.chat_template = adapter.template or tokenizer.chat_template
    where = options.adapter if adapter.template else directory
    refuse_useless_template(str(where), tokenizer, prompts=kind == "AutoModelForCausalLM")
    model.config.get_text_config().use_cache = False
    with understood(directory, "files"):
        revision = place.revision or content_hash(directory, pickles=options.allow_pickle)
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        device=device,
        adapter=adapter,
        context=lowest(_context(model, adapter, options.adapter), options.max_tokens),
        pad=model.config.get_text_config().pad_token_id,
        revision=revision,
        notes=[*_notes(tokenizer, device, dtype, options, adapter), *unused_weights(loading)],
    )


def load_tokenizer(directory: Path) -> "PreTrainedTokenizerBase":
    """Returns the tokenizer of a directory, with its own chat template.

    Raises:
        InputError: it holds none, or one without words.
    """
    from transformers import AutoTokenizer

    with understood(directory, "tokenizer"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
        refuse_useless_tokenizer(directory, tokenizer)
    return tokenizer


def device_of(options: ModelOptions) -> "torch.device":
    """Returns where a model runs.

    Raises:
        InputError: there is no such device, or none for this process.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if options.device is None:
        return torch.device("cuda", local_device("GPU", count)) if count else torch.device("cpu")
    known = ["cpu", *(f"cuda:{index}" for index in range(count))]
    if options.device not in known:
        raise InputError(f"device {options.device}: not on this machine; give {', '.join(known)}, or leave it out")
    return torch.device(options.device)


def lowest(*limits: int | None) -> int | None:
    """Returns the lowest of several limits; None where there is none."""
    return min((limit for limit in limits if limit), default=None)


def budget_of(loaded: Loaded, options: ModelOptions) -> int:
    """Returns the most tokens of a batch: as asked for, or what suits the device."""
    return options.batch_tokens or BUDGETS[loaded.device.type]


def identity_of(loaded: Loaded, options: ModelOptions, *more: str) -> str:
    """Returns everything but the texts that a score depends on, as one string."""
    import torch
    import transformers

    versions = [__version__, torch.__version__, transformers.__version__]
    facts = [loaded.revision, options.method, loaded.device.type, loaded.adapter.model_dump(mode="json")]
    return json.dumps([*versions, *facts, str(loaded.model.dtype), *more])


def stands_alone(loaded: Loaded) -> bool:
    """Returns whether a text may have no neighbours, since the model's layout makes its score depend on them."""
    config = loaded.model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    return bool(loaded.model.config.is_encoder_decoder) or rope.get("rope_type") in ROPE_BY_LENGTH


def content_hash(directory: Path, *, pickles: bool = False) -> str:
    """Returns a hash of everything that decides a score: weights, configuration, tokenizer, chat template."""
    digest = hashlib.sha256()
    suffixes = DECISIVE | PICKLES if pickles else DECISIVE
    for path in sorted(directory.iterdir()):
        if path.suffix in suffixes and path.name != "recode.json":
            with path.open("rb") as stream:  # never whole in memory
                digest.update(f"{path.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\0".encode())
    return f"sha256:{digest.hexdigest()}"


def _context(model: "PreTrainedModel", adapter: Adapter, path: Path | None) -> int | None:
    """Returns the most tokens that have a position, or the adapter's lower limit."""
    from torch.nn import Embedding

    limit: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    for name, module in model.named_modules():
        counted = name.endswith("position_embeddings") and isinstance(module, Embedding)
        if counted and module.padding_idx is not None:  # RoBERTa counts from behind the pad token
            limit = module.num_embeddings - module.padding_idx - 1
    if adapter.max_tokens and limit and adapter.max_tokens > limit:
        raise InputError(f"{path}: max_tokens {adapter.max_tokens} is beyond the model's context of {limit}; lower it")
    return adapter.max_tokens or limit


def _notes(
    tokenizer: "PreTrainedTokenizerBase",
    device: "torch.device",
    dtype: "torch.dtype",
    options: ModelOptions,
    adapter: Adapter,
) -> list[str]:
    notes = [f"scored on cuda in {str(dtype).removeprefix('torch.')}"] if device.type == "cuda" else []
    notes += [adapter_note(options.adapter, adapter)] if options.adapter else []
    return notes if tokenizer.chat_template else [*notes, NO_TEMPLATE]
