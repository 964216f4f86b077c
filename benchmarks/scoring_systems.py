"""One run of `scoring.py`: our scoring, the loop that benchmarks of reward models usually have, or rewardbench."""

import math
import random
import resource
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from runs import Row, serve

if TYPE_CHECKING:
    from torch import Tensor

MIXES = {
    "median560": (560, 0.35, 64, 1500, 1),
    "crpl560": (560, 0.35, 64, 1500, 4),
    "long-tail": (800, 1.0, 64, 4096, 1),
}
"""By name: median, spread (sigma of the logarithm), least and most of a log-normal draw of tokens; pairs that share a
problem and its chosen side, as the variants of one reasoning do (3.8 in CRPL pairs of LeetCodeDataset)."""
PROBLEM = 0.16
"""Share of the problem in a text; so 8 % of the tokens are in both sides of a pair."""
SIDES = (0.85, 1.15)
"""How long the sides of a pair are, between these multiples of the draw."""
SPECIAL = 16
"""Tokens that the chat template needs, at most."""
LETTERS = "abcdefghijklm"
WORDS = [f" {a}{b}{c}" for a in LETTERS for b in LETTERS for c in LETTERS]
"""Each becomes one token."""
BATCH = 8
"""Texts at a time in the loops, as rewardbench has it."""

Text = tuple[str, str]
"""Problem and reasoning."""
Run = Callable[[], list[float | None]]


def texts(mix: str, pairs: int, seed: int) -> list[Text]:
    """Returns the sides of the pairs, chosen and rejected in turn."""
    median, sigma, low, high, shared = MIXES[mix]
    draw, found = random.Random(f"{seed} {mix}"), []
    for pair in range(pairs):
        if pair % shared == 0:
            length = draw.lognormvariate(math.log(median), sigma)
            words = round(PROBLEM * min(max(length, low), high))
            problem = "".join(draw.choices(WORDS, k=words))
            chosen = _reasoning(draw, length, words, low, high)
        found += [(problem, chosen), (problem, _reasoning(draw, length, words, low, high))]
    return found


def _reasoning(draw: random.Random, length: float, words: int, low: int, high: int) -> str:
    side = min(max(length * draw.uniform(*SIDES), low), high)
    return "".join(draw.choices(WORDS, k=max(round(side) - words - SPECIAL, 1)))


def ours(job: Row) -> Run:
    """Returns our scoring of all sides, the model loaded."""
    from lcb_rb.scorers import Item, load_scorer

    scorer = load_scorer(job["model"])
    sides = enumerate(texts(job["mix"], job["pairs"], job["seed"]))
    items = [Item(str(index), problem, reasoning) for index, (problem, reasoning) in sides]
    return lambda: scorer.score(items)


def naive(job: Row) -> Run:
    """Returns the usual loop over all sides, the model loaded."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job["model"], padding_side="left")
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], torch_dtype=torch.float32).eval()
    chats = _chats(job, tokenizer.apply_chat_template)

    def scores(batch: list[str]) -> list[float]:
        inputs = tokenizer(batch, padding=True, return_tensors="pt")
        with torch.no_grad():
            found: list[float] = model(**inputs).logits[:, 0].tolist()
        return found

    return lambda: _in_file_order(chats, scores)


def rewardbench(job: Row) -> Run:
    """Returns the scoring of rewardbench's own pipeline class over all sides, the model loaded.

    What its command does with `--not_quantized`, but for what ends it on a CPU: tensors that it sends to "cuda" stay
    where they are, weights are float32, and the tokenizer is told to make no `token_type_ids`, which it asks for in
    vain.
    """
    import torch
    from rewardbench.models.pipeline import RewardBenchPipeline
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, BatchEncoding

    BatchEncoding.to = lambda self, device: self
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    tokenizer.padding_side, tokenizer.model_input_names = "left", ["input_ids", "attention_mask"]
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], torch_dtype=torch.float32)
    pipeline = RewardBenchPipeline("text-classification", model, tokenizer)
    options = {
        "batch_size": BATCH,
        "truncation": False,
        "padding": True,
        "max_length": 512,
        "return_token_type_ids": False,
    }
    chats = _chats(job, tokenizer.apply_chat_template)

    def scores(batch: list[str]) -> list[float]:
        logits: Tensor = pipeline(batch, **options)
        return [row[0] for row in logits.float().cpu().numpy().tolist()]

    return lambda: _in_file_order(chats, scores)


def _chats(job: Row, template: Callable[..., str]) -> list[str]:
    """Returns the rendered texts: rewardbench, too, renders before its loop."""
    return [
        template([{"role": "user", "content": problem}, {"role": "assistant", "content": reasoning}], tokenize=False)
        for problem, reasoning in texts(job["mix"], job["pairs"], job["seed"])
    ]


def _in_file_order(chats: list[str], scores: Callable[[list[str]], list[float]]) -> list[float | None]:
    """Returns the scores of all texts, batch after batch: chosen sides, then the rejected ones of the same pairs."""
    found: list[float | None] = [None] * len(chats)
    for places in _batches(len(chats)):
        for place, value in zip(places, scores([chats[place] for place in places]), strict=True):
            found[place] = value
    return found


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, 2 * BATCH):
        for side in range(2):
            yield range(start + side, min(start + 2 * BATCH, count), 2)


SYSTEMS: dict[str, Callable[[Row], Run]] = {"ours": ours, "naive": naive, "rewardbench": rewardbench}


def prepare(job: Row) -> Callable[[], Row]:
    """Returns the run of a job, everything before it done."""
    import torch

    torch.set_num_threads(job["threads"])
    run = SYSTEMS[job["system"]](job)

    def finish() -> Row:
        before_mb = _peak_mb()
        return {"scores": run(), "before_mb": before_mb, "peak_mb": _peak_mb()}

    return finish


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    serve(prepare)
