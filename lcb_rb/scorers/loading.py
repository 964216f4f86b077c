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

Kind = Literal["AutoModelForSequenceClassification", "AutoModelForCausalLM"]


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
    adapter = read_adapter(options.adapter) if options.adapter else Adapter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = getattr(torch, adapter.dtype or ("bfloat16" if device.type == "cuda" else "float32"))
    directory = place.directory
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
        model, loading = getattr(transformers, kind).from_pretrained(
            directory,
            use_safetensors=None if options.allow_pickle else True,
            trust_remote_code=False,
            dtype=dtype,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError) as error:
        fix = "give a model saved by save_pretrained, with its tokenizer and safetensors weights"
        raise InputError(f"{directory}: {str(error).splitlines()[0]}; {fix}") from error
    _refuse_untrained(directory, loading)
    tokenizer.chat_template = adapter.template or tokenizer.chat_template
    model.config.get_text_config().use_cache = False
    return Loaded(
        model=model.eval().to(device),
        tokenizer=tokenizer,
        device=device,
        adapter=adapter,
        context=_context(model, adapter, options.adapter),
        revision=place.revision or content_hash(directory, pickles=options.allow_pickle),
        notes=_notes(tokenizer, device, dtype, options, adapter),
    )


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
            digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return f"sha256:{digest.hexdigest()}"


def _refuse_untrained(directory: Path, loading: dict[str, list[str]]) -> None:
    untrained = sorted(loading["missing_keys"]) + sorted(str(key) for key in loading["mismatched_keys"])
    if untrained:
        raise InputError(f"{directory}: no weights for {untrained[0]}; give a model whose reward head was trained")


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
