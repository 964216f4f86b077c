"""`recode doctor MODEL`: what a long run would stumble over, found in a minute on a few pairs."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from lcb_rb.errors import InputError
from lcb_rb.scorers import BASELINES, JUDGES, TFIDF, Item, ModelOptions, load_scorer
from lcb_rb.scorers.batched import BatchedScorer
from lcb_rb.scorers.checks import PROBLEM, filled_template
from lcb_rb.scorers.diagnosis import Check, Diagnosis, counted
from lcb_rb.scorers.dry_runs import check_batches, check_memory, check_numbers, check_own_head, check_speed, dry_run
from lcb_rb.scorers.steps_text import StepReader
from lcb_rb.scorers.texts import Tokens

PAIRS = 16
"""Pairs that are scored in several ways."""
MOST_PAIRS = 2000
"""Pairs whose tokens are counted; of more, every n-th."""
RARE_UNKNOWN = 0.01
"""Share of unknown tokens that says: this tokenizer is not made for such texts."""


def examine_model(model: str, pairs: str | None, options: ModelOptions) -> Diagnosis:
    """Returns what was found; loads the model and scores a few pairs, and writes nothing.

    Args:
        model: Directory, or id on the Hub.
        pairs: Directory, or id of a dataset on the Hub; the embedded starter set when None.
        options: As they would be given to `recode score`.

    Raises:
        InputError: no such model or pairs, or one that cannot be loaded, or a judge.
        HubError: neither the Hub nor the cache has them.
    """
    from lcb_rb.scorers.stored import is_scores_file

    if model in (*BASELINES, TFIDF) or is_scores_file(model):
        raise InputError(f"{model}: is no model; doctor looks at models, and with --sandbox at this machine")
    if options.method in JUDGES:
        what = "doctor looks at heads, likelihoods and steps only"
        raise InputError(f"--as {options.method}: {what}; score a few pairs instead")
    data, sides = _texts(pairs)
    scorer = cast(BatchedScorer, load_scorer(model, options=options))  # as all models but judges are
    items = [item for both in sides[:: math.ceil(len(sides) / MOST_PAIRS)] for item in both]
    whole = replace(scorer.reader, context=None, vocab=None).read(items)
    return Diagnosis(scorer.name, data, _checks(scorer, items, whole, len(sides)))


def _texts(pairs: str | None) -> tuple[str, list[tuple[Item, Item]]]:
    """Returns where the texts are from, and both sides of every pair."""
    if pairs is None:
        return "the embedded starter set", _starter()
    from lcb_rb.scoring import read_source

    source = read_source(pairs)
    sides = [
        (Item(pair.id, pair.problem, pair.chosen_reasoning), Item(pair.id, pair.problem, pair.rejected_reasoning))
        for pair in source.pairs
    ]
    return source.name, sides


def _starter() -> list[tuple[Item, Item]]:
    """Returns two reasonings of every starter problem; which one is better does not matter here."""
    from lcb_rb.sources import STARTER, read_problems, read_samples

    problems, found = read_problems([Path(STARTER)]), read_samples([Path(STARTER)])
    of: dict[str, list[Item]] = {}
    for sample in found.samples:
        if sample.reasoning and sample.problem_id in problems:
            item = Item(sample.problem_id, problems[sample.problem_id].statement, sample.reasoning)
            of.setdefault(sample.problem_id, []).append(item)
    return [(items[0], items[1]) for items in of.values() if len(items) > 1]


def _checks(
    scorer: BatchedScorer, items: Sequence[Item], whole: Sequence[Tokens | None], n_pairs: int
) -> dict[str, Check]:
    texts = [text for text in whole if text is not None]
    read, refused = _read(scorer, items, whole)
    checks = {
        "loads": _loads(scorer),
        "chat template": _template(scorer),
        "tokens": _tokens(scorer, texts),
        "padding": _padding(scorer, texts),
        "length": _length(scorer, whole, n_pairs, refused),
    }
    both = [(one, other) for one, other in zip(read[::2], read[1::2], strict=True) if one and other]
    if both and checks["tokens"].status != "fails":
        planned = list(dict.fromkeys(text for text in read if text))
        checks |= _measured(scorer, both, planned, n_pairs * 2 / len(whole), n_pairs)
    else:
        checks["batches"] = Check("fails", "not tried: no pair can be scored as it is", "mend what fails above first")
    return {**checks, "report": _report(scorer)}


def _read(
    scorer: BatchedScorer, items: Sequence[Item], whole: Sequence[Tokens | None]
) -> tuple[Sequence[Tokens | None], str]:
    """Returns the texts as a run would read them, and what it would say of those that it refuses."""
    fits = not any(_excess(scorer, text) for text in whole if text)
    reader = replace(scorer.reader, vocab=None)  # unknown tokens are looked for elsewhere
    if fits:
        return whole, ""
    try:
        return reader.read(items), ""
    except InputError as error:
        return replace(reader, over_long="unscored").read(items), str(error)


def _measured(
    scorer: BatchedScorer, both: Sequence[tuple[Tokens, Tokens]], texts: Sequence[Tokens], share: float, n_pairs: int
) -> dict[str, Check]:
    """Returns what is found by running the model; each text counted stands for `share` of all."""
    runs = dry_run(scorer, _spread(both, PAIRS))
    return {
        "batches": check_batches(scorer, runs),
        "own head": check_own_head(scorer, runs),
        "numbers": check_numbers(runs),
        "memory": check_memory(scorer, texts, runs),
        "speed": check_speed(runs, share * sum(len(text.ids) for text in texts), n_pairs),
    }


def _loads(scorer: BatchedScorer) -> Check:
    model, loaded = scorer.loaded.model, scorer.loaded
    size = sum(weights.numel() for weights in model.parameters())
    kind = f"{type(model).__name__}, {_size(size)} parameters"
    if scorer.reader.finds_start:
        what = "scored by likelihood"
    elif isinstance(scorer.reader, StepReader):
        what = "scored at the end of every step"
    else:
        pooling = f", pooling {loaded.adapter.pooling}" if loaded.adapter.pooling else ""
        what = f"scored by its head of {counted(model.config.num_labels, 'label')}{pooling}"
    return Check("ok", f"{kind}, {str(model.dtype).removeprefix('torch.')} on {loaded.device.type}, {what}")


def _template(scorer: BatchedScorer) -> Check:
    if not scorer.reader.tokenizer.chat_template:
        fix = "if it was trained with one, give it as `template` in an --adapter file"
        return Check("warning", "none: problem and reasoning are joined by a blank line", fix)
    where = "the adapter's" if scorer.loaded.adapter.template else "the tokenizer's"
    if PROBLEM not in filled_template(scorer.reader.tokenizer):
        return Check("warning", f"{where}, which leaves out the problem", "mend it if the model should see the problem")
    return Check("ok", f"{where}, with problem and reasoning in it")


def _tokens(scorer: BatchedScorer, texts: Sequence[Tokens]) -> Check:
    tokenizer, vocab = scorer.reader.tokenizer, scorer.reader.vocab or 0
    strange = sum(max(text.ids) >= vocab for text in texts)
    detail = f"{len(tokenizer)} in the tokenizer, {vocab} in the model"
    if strange:
        fix = "give the tokenizer that the model was trained with"
        return Check("fails", f"{detail}; {strange} of {len(texts)} texts hold some that the model lacks", fix)
    unknown = sum(text.ids.count(tokenizer.unk_token_id) for text in texts) / sum(len(text.ids) for text in texts)
    if unknown > RARE_UNKNOWN:
        return Check("warning", f"{detail}; {unknown:.1%} of the texts is unknown to it", "choose another model")
    return Check("ok", f"{detail}; {unknown:.1%} of the texts is unknown to it")


def _padding(scorer: BatchedScorer, texts: Sequence[Tokens]) -> Check:
    """Other tools look for the last token that is not padding; where pad is also eos they read the one before it."""
    tokenizer = scorer.reader.tokenizer
    last, count = Counter(text.ids[-1] for text in texts).most_common(1)[0]
    names = f"pad {tokenizer.pad_token!r}, eos {tokenizer.eos_token!r}"
    if tokenizer.pad_token is not None and tokenizer.pad_token == tokenizer.eos_token:
        names += ", the same: harmless here, the last token is found by length"
    other = sum(text.ids[-1] == scorer.loaded.pad for text in texts)
    if other and _pools_by_pad(scorer):
        fix = "if it was trained to read the token before it, give `pooling: own` in an --adapter file"
        return Check(
            "warning", f"{names}; the model's own pooling reads another token in {other} of {len(texts)} texts", fix
        )
    return Check("ok", f"{names}; {count} of {len(texts)} texts end in {tokenizer.convert_ids_to_tokens(last)!r}")


def _pools_by_pad(scorer: BatchedScorer) -> bool:
    """Returns whether the model's own head would look for the last token that is not padding, and we do not."""
    from lcb_rb.scorers.heads import token_head

    by_steps = isinstance(scorer.reader, StepReader)
    return not by_steps and token_head(scorer.loaded.model) is not None and scorer.loaded.adapter.pooling is None


def _length(scorer: BatchedScorer, whole: Sequence[Tokens | None], n_pairs: int, refused: str) -> Check:
    texts = [text for text in whole if text is not None]
    lengths = sorted(len(text.ids) for text in texts)
    quantiles = ", ".join(f"{name} {lengths[int(share * (len(lengths) - 1))]}" for name, share in _QUANTILES.items())
    sampled = "" if len(whole) == 2 * n_pairs else f" of every {round(2 * n_pairs / len(whole))}th pair"
    detail = f"tokens of a text{sampled}: {quantiles}; the model reads {scorer.reader.context or 'any number'}"
    excess = [_excess(scorer, text) if text else 0 for text in whole]
    if not any(excess):
        return Check("ok", detail)
    pairs = sum(max(both) > 0 for both in zip(excess[::2], excess[1::2], strict=True))
    over = f"{sum(map(bool, excess))} of {len(whole)} texts are too long, in {pairs} of {len(whole) // 2} pairs"
    share = f"{sum(excess)} tokens ({sum(excess) / sum(lengths):.1%})"
    if refused:
        return Check("fails", f"{detail}; {over}, by {share}", refused.rpartition("; ")[2])
    fix = "choose a model with a longer context to have all of it read"
    return Check("warning", f"{detail}; {over}; {share} would be cut ({scorer.reader.over_long})", fix)


_QUANTILES = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "longest": 1.0}


def _excess(scorer: BatchedScorer, text: Tokens) -> int:
    return max(len(text.ids) - (scorer.reader.context or len(text.ids)), 0)


def _spread(pairs: Sequence[tuple[Tokens, Tokens]], count: int) -> list[tuple[Tokens, Tokens]]:
    """Returns pairs of all lengths, in an order in which those of the middle come first."""
    ranked = sorted(pairs, key=lambda both: len(both[0].ids) + len(both[1].ids))
    chosen = (
        [ranked[int((index + 0.5) * len(ranked) / count)] for index in range(count)] if len(ranked) > count else ranked
    )
    middle = (len(chosen) - 1) / 2
    return [chosen[index] for index in sorted(range(len(chosen)), key=lambda place: abs(place - middle))]


def _report(scorer: BatchedScorer) -> Check:
    return Check("ok", f"would note: {'; '.join(scorer.notes)}" if scorer.notes else "would note nothing")


def _size(count: int) -> str:
    unit, name = next(
        ((unit, name) for unit, name in ((10**9, " billion"), (10**6, " million")) if count >= unit), (1, "")
    )
    return f"{count / unit:.3g}{name}" if name else f"{count}"
