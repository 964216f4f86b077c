"""The policy that a training starts from, and its tokenizer; what it is asked, as it reads it."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lcb_rb.errors import InputError
from lcb_rb.schema import Problem, Sample
from lcb_rb.scorers.checks import understood
from lcb_rb.sources import read_samples
from recode_models.fresh import ASKING_TEMPLATE, make_policy
from recode_models.launch import is_main, say
from recode_models.policy.completions import TAGS, ends_in_think
from recode_models.policy.data import PolicyData
from recode_models.policy.data_prompt import messages_of
from recode_models.policy.recipe import MICRO, PolicyRecipe
from recode_models.policy.warm_start import Demonstration, demonstrations, warm_start

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Policy = tuple[PreTrainedModel, PreTrainedTokenizerBase]


def load_policy(
    recipe: PolicyRecipe, data: PolicyData, given: Sequence[Demonstration], keep: Path, wait: Callable[[], None]
) -> "Policy":
    """Returns the policy and its tokenizer, which has a chat template.

    Args:
        recipe: Names the model or describes a new one.
        data: The problems; a new tokenizer is trained on them.
        given: What it is taught first.
        keep: Directory for a new or taught model; what is there is taken.
        wait: Returns when all processes have called it.

    Raises:
        InputError: the model cannot be loaded, or its tokenizer would hide the tags.
        TrainingError: the supervised steps failed.
    """
    if recipe.model.config is None and recipe.warm_start is None:
        assert recipe.model.id
        return _loaded(recipe, recipe.model.id)
    if is_main() and not keep.is_dir():
        _make(recipe, data, given, keep)
    wait()
    return _loaded(recipe, str(keep))


def taught(recipe: PolicyRecipe, data: PolicyData) -> list[Demonstration]:
    """Returns what the policy is taught before the first reward; nothing without a warm start.

    Raises:
        InputError: the samples cannot be read, or none is of a training problem.
    """
    if not recipe.warm_start:
        return []
    samples, problems = _samples(recipe.warm_start.samples, data)
    return demonstrations(samples, problems, lambda problem: messages_of(problem, data.prompt.template))


def prompt_text(tokenizer: "PreTrainedTokenizerBase", problem: Problem, data: PolicyData) -> str:
    """Returns what the policy reads before it writes."""
    messages = messages_of(problem, data.prompt.template)
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def prefilled(tokenizer: "PreTrainedTokenizerBase", data: PolicyData) -> bool:
    """Returns whether the chat template opens the reasoning itself."""
    return ends_in_think(prompt_text(tokenizer, data.train[0], data))


def fitting(
    problems: Sequence[Problem],
    tokenizer: "PreTrainedTokenizerBase",
    data: PolicyData,
    limit: int | None,
    room: int | None,
) -> list[Problem]:
    """Returns the problems whose prompt is short enough.

    Args:
        problems: Of the data.
        tokenizer: Of the policy.
        data: Has the prompt.
        limit: Tokens over which a problem is left out.
        room: Tokens that the model has beside the completion; None without a limit.

    Raises:
        InputError: a prompt that is not left out is longer than the room for it.
    """
    texts = [prompt_text(tokenizer, problem, data) for problem in problems]
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []
    kept = [(one, n) for one, n in zip(problems, lengths, strict=True) if limit is None or n <= limit]
    longest = max(kept, key=lambda found: found[1], default=None)
    if longest and room is not None and longest[1] > room:
        raise InputError(
            f"problem {longest[0].id}: its prompt has {longest[1]} tokens, but the model has room for {room} beside "
            f"the completion; leave such problems out with data.max_prompt_tokens, or lower max_completion_length"
        )
    return [problem for problem, _ in kept]


def _make(recipe: PolicyRecipe, data: PolicyData, given: Sequence[Demonstration], keep: Path) -> None:
    """Writes the new or taught model, whole or not at all."""
    if recipe.model.config is not None:
        model, tokenizer = _new(recipe, data, given)
    else:
        assert recipe.model.id
        model, tokenizer = _loaded(recipe, recipe.model.id)
    if recipe.warm_start:
        warm_start(model, tokenizer, given, recipe.warm_start, recipe.seed)
    partial = keep.with_name(f"{keep.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    partial.rename(keep)


def _new(recipe: PolicyRecipe, data: PolicyData, given: Sequence[Demonstration]) -> "Policy":
    from recode_models.policy.micro import WHOLE

    assert recipe.model.config is not None
    asked = [messages_of(problem, data.prompt.template) for problem in data.train]
    texts = [message["content"] for messages in [*asked, *(asked for asked, _ in given)] for message in messages]
    texts += [completion for _, completion in given]
    whole = WHOLE if MICRO in recipe.data.problems else TAGS
    return make_policy(recipe.model.config, texts, recipe.model.vocab_size, whole, recipe.seed)


def _samples(name: str, data: PolicyData) -> tuple[list[Sample], dict[str, Problem]]:
    """Returns samples and their problems: those trained on, since any other may be held out or evaluated on."""
    if name == MICRO and not Path(name).exists():
        from recode_models.policy import micro

        return micro.samples(), {problem.id: problem for problem in micro.demonstrated()}
    problems = {problem.id: problem for problem in data.train}
    given = read_samples([Path(name)]).samples
    samples = [sample for sample in given if sample.problem_id in problems]
    if not samples:
        raise InputError(f"warm start: {name} has no samples of training problems; give samples of those")
    if lost := len(given) - len(samples):
        say(f"warm start: left out {lost} of {len(given)} samples, whose problems are not among the training problems")
    return samples, problems


def _loaded(recipe: PolicyRecipe, name: str) -> "Policy":
    from transformers import AutoModelForCausalLM, AutoTokenizer

    known = {"revision": recipe.model.revision if name == recipe.model.id else None, "trust_remote_code": False}
    try:
        with understood(Path(name), "model"):
            tokenizer = AutoTokenizer.from_pretrained(name, padding_side="left", truncation_side="left", **known)
            model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, dtype=recipe.model.dtype, **known)
    except InputError as error:
        raise InputError(f"recipe, field 'model.id': {error}") from error
    hidden = sorted(set(TAGS) & set(tokenizer.all_special_tokens))
    if hidden:
        raise InputError(
            f"{name}: {hidden[0]} is a special token, which decoding drops; use a tokenizer where it is none"
        )
    if not tokenizer.chat_template:
        say(f"{name} has no chat template; a plain one is used and saved with the model")
        tokenizer.chat_template = ASKING_TEMPLATE
    return model, tokenizer
