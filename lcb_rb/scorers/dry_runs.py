"""A few texts scored in several ways, alone and in batches, and what that says of a long run."""

import math
import random
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lcb_rb.scorers.batched import BatchedScorer, plan
from lcb_rb.scorers.diagnosis import Check, counted
from lcb_rb.scorers.texts import Tokens

TRIAL_S = 12.0
"""After this time no further pair is scored alone; the rest takes about as long again."""
APART = 0.25
"""Difference between two ways of scoring, in standard deviations of the scores, that changes decisions."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The texts of a few pairs, chosen and rejected in turn, scored in several ways; NaN where a score is none."""

    alone: list[float]
    """Each text by itself."""
    together: list[float]
    """As `recode score` does it."""
    mixed: list[float]
    """In random order, so with much padding."""
    plain: list[float]
    """Each by the model's own forward; NaN too where that alone does not fit into memory."""
    tokens_s: float
    """Tokens a second of `together`."""


def dry_run(scorer: BatchedScorer, pairs: Sequence[tuple[Tokens, Tokens]]) -> Runs:
    """Returns the scores of at least one pair, and of as many more as the time allows, in the order given."""
    scorer.forward_in_memory([pairs[0][0]])  # the first one is slow
    started = time.monotonic()
    texts: list[Tokens] = []
    alone: list[float] = []
    plain: list[float] = []
    for both in pairs:
        texts += both
        alone += [scorer.forward_in_memory([text])[0] for text in both]
        plain += [_plain(scorer, text) for text in both]
        if time.monotonic() - started > TRIAL_S:
            break
    lengths = [len(text.ids) for text in texts]
    began = time.monotonic()
    together = _scored(scorer, texts, plan(lengths, scorer.batch_tokens))
    seconds = time.monotonic() - began
    mixed = _scored(scorer, texts, _mixed(lengths, scorer.batch_tokens))
    return Runs(alone, together, mixed, plain, sum(lengths) / max(seconds, 1e-9))


def _plain(scorer: BatchedScorer, text: Tokens) -> float:
    """Returns the score by the model's own forward; it keeps all logits, so it may not fit where a run does."""
    from torch import OutOfMemoryError, cuda

    try:
        return scorer.plain(text)
    except OutOfMemoryError:
        pass
    cuda.empty_cache()  # here, where the error no longer holds the tensors of the forward
    return math.nan


def _scored(scorer: BatchedScorer, texts: Sequence[Tokens], batches: Sequence[Sequence[int]]) -> list[float]:
    scores = [math.nan] * len(texts)
    for batch in batches:
        values = scorer.forward_in_memory([texts[index] for index in batch])
        for index, value in zip(batch, values, strict=True):
            scores[index] = value
    return scores


def _mixed(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Returns batches in random order within the budget."""
    batches: list[list[int]] = []
    for index in random.Random(0).sample(range(len(lengths)), len(lengths)):
        longest = max([lengths[index], *(lengths[other] for other in (batches[-1] if batches else []))])
        if batches and (len(batches[-1]) + 1) * longest <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def check_batches(scorer: BatchedScorer, runs: Runs) -> Check:
    """Returns whether a text's score depends on those in its batch."""
    pairs = counted(len(runs.alone) // 2, "pair")
    if not scorer.batch_tokens:
        fix = "nothing is wrong with the scores, but it takes longer"
        return Check("warning", f"{pairs}: one text at a time, since its scores depend on their neighbours", fix)
    apart = max(_apart(runs.alone, runs.together), _apart(runs.alone, runs.mixed))
    flips = _flips(runs.alone, runs.together) + _flips(runs.alone, runs.mixed)
    ways = f"{pairs} alone, in batches and in shuffled batches"
    detail = f"{ways}: scores differ by at most {apart:.1e}, {counted(flips, 'decision')} flipped"
    return _judged(scorer, runs, apart, detail)


def check_own_head(scorer: BatchedScorer, runs: Runs) -> Check:
    """Returns whether a text has the score that the model itself gives it."""
    if scorer.loaded.adapter.pooling in ("first", "mean"):
        return Check("ok", "not compared: the adapter's pooling is not the model's own")
    if not any(map(math.isfinite, runs.plain)):
        return Check("ok", "not compared: the model's own forward gives no number, or does not fit into memory")
    apart = _apart(runs.alone, runs.plain)
    detail = f"scores of single texts differ from the model's own forward by at most {apart:.1e}"
    return _judged(scorer, runs, apart, detail)


def _judged(scorer: BatchedScorer, runs: Runs, apart: float, detail: str) -> Check:
    """Returns ok for what rounding explains, and a failure where decisions would change."""
    from lcb_rb.scorers.padding import TOLERANCE

    finite = [score for score in runs.alone if math.isfinite(score)] or [0.0]
    limit = TOLERANCE.get(scorer.loaded.model.dtype, 1e-5) * max(map(abs, finite))
    if apart <= max(limit, 1e-6):
        return Check("ok", detail)
    exact = str(scorer.loaded.model.dtype) == "torch.float32"
    fix = (
        "do not trust its scores; report this with the model's name" if exact else "give `dtype: float32` by --adapter"
    )
    return Check("fails" if apart > APART * statistics.pstdev(finite) else "warning", detail, fix)


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    differences = [abs(a - b) for a, b in zip(one, other, strict=True)]
    return max((value for value in differences if math.isfinite(value)), default=0.0)


def _flips(one: Sequence[float], other: Sequence[float]) -> int:
    """Returns how many pairs are decided otherwise."""
    signs = [
        [_sign(scores[index] - scores[index + 1]) for index in range(0, len(scores), 2)] for scores in (one, other)
    ]
    return sum(a != b for a, b in zip(*signs, strict=True))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def check_numbers(runs: Runs) -> Check:
    """Returns whether every score is a number, and they differ."""
    scores = [*runs.alone, *runs.together, *runs.mixed]
    bad = sum(not math.isfinite(score) for score in scores)
    if bad:
        fix = "such texts stay unscored; give a `dtype` with a wider range in an --adapter file"
        return Check("fails", f"{bad} of {len(scores)} scores are NaN or infinite", fix)
    low, high = min(runs.alone), max(runs.alone)
    if low == high:
        return Check(
            "fails", f"every text has the score {low:.3g}", "the head sees nothing of the text; see `own head`"
        )
    return Check("ok", f"no NaN or infinity among {len(scores)} scores, from {low:.3g} to {high:.3g}")


def check_memory(scorer: BatchedScorer, texts: Sequence[Tokens], runs: Runs) -> Check:
    """Returns what weights and the largest batch need; it is run where it fits and takes no longer than the trial."""
    batches = plan([len(text.ids) for text in texts], scorer.batch_tokens)
    largest = [texts[index] for index in max(batches, key=lambda batch: len(batch) * len(texts[batch[-1]].ids))]
    longest = len(largest[-1].ids)
    weights, activations = _weight_bytes(scorer), _activation_bytes(scorer, len(largest), longest)
    free, seconds = _free_bytes(scorer), len(largest) * longest / runs.tokens_s
    if activations > free:
        measured = "not run"
    elif seconds <= TRIAL_S:
        scorer.forward_in_memory(largest)
        measured = f"measured peak {_mib(_peak_bytes(scorer))}, program included"
    else:
        measured = f"not run, it would take about {_duration(seconds)}"
    batch = f"largest batch {counted(len(largest), 'text')} of up to {longest} tokens"
    detail = f"weights {_mib(weights)}; {batch}, about {_mib(activations)} (estimate); {measured}"
    if activations <= free:
        return Check("ok", detail)
    fix = "use a machine with more memory, or a smaller `dtype` or `max_tokens` in an --adapter file"
    return Check("warning", f"{detail}; only {_mib(free)} are free", fix)


def check_speed(runs: Runs, tokens: float, n_pairs: int) -> Check:
    """Returns how long all the pairs, of so many tokens, would take."""
    seconds = tokens / runs.tokens_s
    detail = f"about {n_pairs / seconds:.3g} pairs a second ({runs.tokens_s:.3g} tokens): {_duration(seconds)} for "
    return Check("ok", f"{detail}{counted(n_pairs, 'pair')} (estimate from {len(runs.alone) // 2})")


def _weight_bytes(scorer: BatchedScorer) -> int:
    return sum(weights.numel() * weights.element_size() for weights in scorer.loaded.model.parameters())


def _activation_bytes(scorer: BatchedScorer, texts: int, longest: int) -> int:
    """Returns a rough upper bound: a block's inputs, projections and inner layer, and attention where it is stored."""
    config = scorer.loaded.model.config.get_text_config()
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    values = texts * longest * (6 * config.hidden_size + 3 * inner)
    if config._attn_implementation == "eager":
        values += 2 * texts * config.num_attention_heads * longest**2
    if scorer.reader.finds_start:
        from lcb_rb.scorers.likelihoods import CHUNK_LOGITS

        values += 2 * min(texts * longest * config.vocab_size, CHUNK_LOGITS)
    return int(values * scorer.loaded.model.dtype.itemsize)


def _peak_bytes(scorer: BatchedScorer) -> int:
    if scorer.loaded.device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _free_bytes(scorer: BatchedScorer) -> float:
    """Returns the memory that is left, infinity where it cannot be known."""
    if scorer.loaded.device.type == "cuda":
        import torch

        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # by torch, for tensors to come
        return float(torch.cuda.mem_get_info()[0] + kept)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return math.inf
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), math.inf)


def _mib(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB" if size >= 2**20 else f"{size / 2**10:,.0f} KiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
