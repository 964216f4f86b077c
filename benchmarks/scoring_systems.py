"""One run of `scoring.py`: our scoring, or the loop that benchmarks of reward models usually have."""

import math
import random
import resource
from collections.abc import Callable

from runs import Row, serve

MIXES = {"median560": (560, 0.35, 64, 2048), "long-tail": (800, 1.0, 64, 4096)}
"""By name: median, spread (sigma of the logarithm), least and most of a log-normal draw of tokens."""
LETTERS = "abcdefghijklm"
WORDS = [f" {a}{b}{c}" for a in LETTERS for b in LETTERS for c in LETTERS]
"""Each becomes one token."""
BATCH = 8
"""Texts at a time in the loop."""


def lengths(mix: str, count: int, seed: int) -> list[int]:
    """Returns the reasonings' lengths in words, each of one token."""
    median, sigma, low, high = MIXES[mix]
    draw = random.Random(f"{seed} {mix}")
    return [min(max(round(draw.lognormvariate(math.log(median), sigma)), low), high - 16) for _ in range(count)]


def texts(mix: str, pairs: int, seed: int) -> list[str]:
    """Returns the sides of the pairs, chosen and rejected in turn; sides of a pair are about as long as each other."""
    draw = random.Random(f"words {seed} {mix}")
    base = [length for length in lengths(mix, pairs, seed) for _ in range(2)]
    sizes = [max(round(length * draw.uniform(0.8, 1.0)), 1) for length in base]
    return ["".join(draw.choices(WORDS, k=size)) for size in sizes]


def ours(job: Row) -> Callable[[], list[float | None]]:
    """Returns our scoring of all sides, the model loaded."""
    from lcb_rb.scorers import Item, load_scorer

    scorer = load_scorer(job["model"])
    items = [Item(str(index), "aaa", text) for index, text in enumerate(texts(job["mix"], job["pairs"], job["seed"]))]
    return lambda: scorer.score(items)


def naive(job: Row) -> Callable[[], list[float | None]]:
    """Returns the usual loop over all sides, the model loaded."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job["model"], padding_side="left")
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], dtype=torch.float32).eval()
    sides = texts(job["mix"], job["pairs"], job["seed"])

    def scores(batch: list[str]) -> list[float]:
        messages = [[{"role": "user", "content": "aaa"}, {"role": "assistant", "content": text}] for text in batch]
        chats = tokenizer.apply_chat_template(messages, tokenize=False)
        inputs = tokenizer(chats, padding=True, return_tensors="pt", add_special_tokens=False)
        with torch.no_grad():
            found: list[float] = model(**inputs).logits[:, 0].tolist()
        return found

    def run() -> list[float | None]:
        found: list[float | None] = [None] * len(sides)
        for start in range(0, len(sides), 2 * BATCH):
            for side in range(2):
                places = range(start + side, min(start + 2 * BATCH, len(sides)), 2)
                for place, value in zip(places, scores([sides[place] for place in places]), strict=True):
                    found[place] = value
        return found

    return run


def prepare(job: Row) -> Callable[[], Row]:
    """Returns the run of a job, everything before it done."""
    import torch

    torch.set_num_threads(job["threads"])
    run = {"ours": ours, "naive": naive}[job["system"]](job)

    def finish() -> Row:
        before_mb = _peak_mb()
        return {"scores": run(), "before_mb": before_mb, "peak_mb": _peak_mb()}

    return finish


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    serve(prepare)
