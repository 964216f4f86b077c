"""Supervised steps before the first reward: a policy that never succeeds has nothing to be rewarded for.

A plain loop in place of TRL's SFTTrainer: for the small models that need it, the trainer's own work a step is more than
the model's, and here nothing of what it offers (packing, evaluation, sharding) is used. A model that needs those should
come trained, as `model.id`.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lcb_rb.errors import InputError
from lcb_rb.progress import bar
from lcb_rb.schema import Problem, Sample
from recode_models.failures import TrainingError
from recode_models.launch import is_main
from recode_models.policy.recipe import WarmStart

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Messages = list[dict[str, str]]
Demonstration = tuple[Messages, str]
"""What the policy is asked, and what it should write."""
Row = tuple[list[int], int]
"""Tokens, and how many of them are the prompt's."""

_WARM_UP = 0.05
"""Share of the steps in which the learning rate rises; it falls to 0 as a cosine in the others."""
_IGNORED = -100


def demonstrations(
    samples: Sequence[Sample], problems: Mapping[str, Problem], ask: Callable[[Problem], Messages]
) -> list[Demonstration]:
    """Returns what is learned from samples.

    Args:
        samples: Each with a completion.
        problems: Of the samples, by id.
        ask: Gives the messages of a problem, as the training will.

    Raises:
        InputError: a sample has no completion, or its problem is not known.
    """
    found = []
    for sample in samples:
        if sample.completion is None:
            raise InputError(f"warm start: sample {sample.id} has no completion; give samples with completions")
        if sample.problem_id not in problems:
            raise InputError(
                f"warm start: sample {sample.id} answers {sample.problem_id}, which is none of the problems"
            )
        found.append((ask(problems[sample.problem_id]), sample.completion))
    return found


def warm_start(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    given: Sequence[Demonstration],
    recipe: WarmStart,
    seed: int,
) -> float:
    """Trains the model on demonstrations and returns the mean loss of the last epoch.

    Args:
        model: Changed in place; left in evaluation mode.
        tokenizer: With a chat template.
        given: Demonstrations.
        recipe: Epochs, learning rate, batch size.
        seed: Of the order.

    Raises:
        TrainingError: the loss is not a number.
    """
    import torch

    rows = _encoded(tokenizer, given)
    per_epoch = -(-len(rows) // recipe.batch_size)
    steps = per_epoch * recipe.epochs
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
    losses: list[float] = []
    model.train()
    with bar("warm start", steps if is_main() else 0) as advance:
        for epoch in range(recipe.epochs):
            for rows_B in _batches(rows, recipe.batch_size, f"{seed}/{epoch}"):
                loss = model(**_tensors(rows_B, int(tokenizer.pad_token_id), model.device)).loss
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
                schedule.step()
                losses.append(float(loss.detach()))
                if not math.isfinite(losses[-1]):
                    raise TrainingError(
                        f"warm start, step {len(losses)}: loss is {losses[-1]}; lower its learning_rate"
                    )
                advance()
    model.eval()
    return math.fsum(losses[-per_epoch:]) / per_epoch


def _batches(rows: Sequence[Row], size: int, seed: str) -> Iterator[list[Row]]:
    shuffled = random.Random(seed).sample(rows, len(rows))
    for start in range(0, len(shuffled), size):
        yield shuffled[start : start + size]


def _rate(step: int, steps: int) -> float:
    rising = max(1, round(_WARM_UP * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _encoded(tokenizer: "PreTrainedTokenizerBase", given: Sequence[Demonstration]) -> list[Row]:
    """Returns the demonstrations as tokens, each with an end."""
    prompts = [
        str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        for messages, _ in given
    ]
    asked = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    written = tokenizer([text for _, text in given], add_special_tokens=False)["input_ids"]
    end = [tokenizer.eos_token_id]
    return [(prompt + answer + end, len(prompt)) for prompt, answer in zip(asked, written, strict=True)]


def _tensors(rows: Sequence[Row], pad: int, device: "torch.device") -> dict[str, Any]:
    """Returns tensors (rows, longest), padded on the right; the loss is of completions only."""
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = [row + [pad] * (width - len(row)) for row, _ in rows]
    mask = [[1] * len(row) + [0] * (width - len(row)) for row, _ in rows]
    labels = [[_IGNORED] * prompt + row[prompt:] + [_IGNORED] * (width - len(row)) for row, prompt in rows]
    columns = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {name: torch.tensor(values, device=device) for name, values in columns.items()}
