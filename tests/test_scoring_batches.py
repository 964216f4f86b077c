"""Scores of models do not depend on neighbours, order or padding, and are those of the plain model."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import needs
from lcb_rb.errors import InputError
from lcb_rb.scorers import Item, ModelOptions
from lcb_rb.scorers.batched import batch_key, plan
from lcb_rb.scorers.classifier import ClassifierScorer
from lcb_rb.scorers.texts import Tokens
from tiny_models import save_model

needs("torch", "transformers")

FAMILIES = ("qwen2", "gpt2", "bert")
MANY, ONE = 10_000, 1
"""Tokens of a batch that hold 32 texts, and that hold one."""


def items(count=32, longest=150):
    draw = random.Random(0)
    words = ["step", "sum", "list", "walk", "double", "keep"]
    return [
        Item(f"p{i}", "Print the double.", " ".join(draw.choices(words, k=draw.randint(1, longest // 3))))
        for i in range(count)
    ]


@pytest.fixture(scope="module", params=[(family, same) for family in FAMILIES for same in (True, False)], ids=str)
def directory(request, tmp_path_factory):
    family, pad_is_eos = request.param
    return save_model(tmp_path_factory.mktemp("model"), family, pad_is_eos=pad_is_eos)


def scored(directory, batch_tokens=MANY, given=None, **options):
    scorer = ClassifierScorer(directory, options=ModelOptions(batch_tokens=batch_tokens, **options))
    return scorer.score(items() if given is None else given)


def naive(directory, given, column=lambda logits: logits[0]):
    """The plain model on one text after another; without a pad token it reads the last token."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    model.config.pad_token_id = None
    scores = []
    for item in given:
        messages = [{"role": "user", "content": item.problem}, {"role": "assistant", "content": item.reasoning}]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            scores.append(float(column(model(input_ids=ids).logits[0])))
    return scores


def test_one_by_one_and_all_together_are_the_same(directory):
    assert scored(directory, MANY) == pytest.approx(scored(directory, ONE), abs=1e-5)


def test_the_order_changes_nothing(directory):
    shuffled = random.Random(1).sample(range(32), 32)
    scorer = ClassifierScorer(directory)
    in_order = scorer.score(items())
    assert scorer.score([items()[i] for i in shuffled]) == pytest.approx([in_order[i] for i in shuffled], abs=1e-5)


def test_scores_are_those_of_the_plain_model(directory):
    expected = naive(directory, items())
    assert len({round(score, 4) for score in expected}) > 16, "scores that differ, or nothing is tested"
    assert scored(directory) == pytest.approx(expected, abs=1e-5)


def test_decoders_run_without_a_mask_and_encoders_with_one(directory):
    head = ClassifierScorer(directory)._head
    assert not head.alone
    assert head._masked is (head._last is None)


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_two_labels_are_scored_by_the_difference_and_it_is_said(family, tmp_path):
    save_model(tmp_path, family, labels=2)
    scorer = ClassifierScorer(tmp_path)
    assert scorer.notes == ["two labels: the score is the logit of LABEL_1 minus that of LABEL_0"]
    assert scorer.score(items()) == pytest.approx(naive(tmp_path, items(), lambda row: row[1] - row[0]), abs=1e-5)


def test_a_decoder_that_looks_ahead_is_padded_with_a_mask(tmp_path, monkeypatch):
    """Some embedding models are decoders without the causal mask; the trial notices."""
    save_model(tmp_path, "qwen2")
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "is_causal": False}), encoding="utf-8")
    from transformers.models.qwen2 import modeling_qwen2

    monkeypatch.setattr(modeling_qwen2, "create_causal_mask", _bidirectional)
    scorer = ClassifierScorer(tmp_path)
    assert scorer._head._masked
    assert scored(tmp_path, MANY) == pytest.approx(scored(tmp_path, ONE), abs=1e-5)


def _bidirectional(**arguments):
    from transformers.masking_utils import create_bidirectional_mask

    wanted = ("config", "inputs_embeds", "attention_mask")
    return create_bidirectional_mask(**{name: arguments[name] for name in wanted})


def test_rotary_embeddings_that_change_with_the_length_are_never_batched(tmp_path):
    save_model(tmp_path, "qwen2")
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config["rope_parameters"] = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert ClassifierScorer(tmp_path).batch_tokens == 0


def test_equal_texts_are_scored_once(tmp_path):
    scorer = ClassifierScorer(save_model(tmp_path, "gpt2"))
    seen = []
    forward = scorer.forward
    scorer.forward = lambda batch: seen.extend(batch) or forward(batch)
    calls = []
    found = scorer.score([items()[0]] * 3, lambda: calls.append(1))
    assert (len(seen), len(calls), len(set(found))) == (1, 3, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_none(value, tmp_path):
    scorer = ClassifierScorer(save_model(tmp_path, "gpt2"))
    scorer.forward = lambda batch: [value for _ in batch]
    assert scorer.score(items()[:2]) == [None, None]


def test_what_does_not_fit_into_memory_is_scored_in_halves(tmp_path):
    import torch

    scorer = ClassifierScorer(save_model(tmp_path, "gpt2"))
    expected, plain, sizes = scorer.score(items()), scorer.forward, []

    def small(batch):
        sizes.append(len(batch))
        if len(batch) > 5:
            raise torch.OutOfMemoryError
        return plain(batch)

    scorer.forward = small
    assert scorer.score(items()) == pytest.approx(expected, abs=1e-5)
    assert max(sizes) > 10
    scorer.forward = lambda batch: small([batch[0]] * 6)
    with pytest.raises(InputError, match=r"a text of \d+ tokens does not fit into the GPU's memory"):
        scorer.score(items()[:1])


def test_nothing_to_score_is_no_error(tmp_path):
    assert ClassifierScorer(save_model(tmp_path, "gpt2")).score([]) == []


LONG = Item("p9/a", "Print the double.", "step by step " * 300)


@pytest.mark.parametrize("truncate", ["middle", "left"])
def test_truncation_keeps_what_it_says_and_is_reported(truncate, tmp_path):
    scorer = ClassifierScorer(save_model(tmp_path, "gpt2"), options=ModelOptions(over_long=truncate))
    whole = scorer.reader._tokenised([scorer.reader._text(LONG, reasoning=True)])[0]
    found = scorer.reader.read([LONG, items()[0]])
    first, last = (128, 128) if truncate == "middle" else (0, 256)
    assert found[0].ids == whole[:first] + whole[-last:]
    assert (found[0].cut, found[1].cut) == (True, False)
    assert None not in scorer.score([LONG, items()[0]])
    assert scorer.cut == {"p9/a"}


def test_a_special_token_that_opens_a_text_is_kept(tmp_path):
    """Heads of encoders read it."""
    scorer = ClassifierScorer(save_model(tmp_path, "bert"), options=ModelOptions(over_long="left"))
    scorer.reader.tokenizer.chat_template = "<|end|>{{ messages[1]['content'] }}"
    ids = scorer.reader.read([LONG])[0].ids
    assert len(ids) == 256
    assert ids[0] == scorer.reader.tokenizer.eos_token_id


def test_an_over_long_text_is_an_error_that_says_what_to_do(tmp_path):
    scorer = ClassifierScorer(save_model(tmp_path, "gpt2"), options=ModelOptions())
    said = r"pair p9/a: \d+ tokens, but the model reads 256 \(1 of 2 texts are too long\); cut it with --truncate"
    with pytest.raises(InputError, match=said):
        scorer.score([items()[0], LONG])


def test_after_training_an_over_long_text_is_unscored(tmp_path):
    assert ClassifierScorer(save_model(tmp_path, "gpt2")).score([LONG]) == [None]


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(0, 200))
def test_batches_hold_everything_once_within_the_budget(lengths, budget):
    batches = plan(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


def test_a_batch_is_known_by_model_options_and_tokens():
    batch = [Tokens((1, 2), 1)]
    keys = {
        batch_key("m", batch),
        batch_key("n", batch),
        batch_key("m", [Tokens((1, 3), 1)]),
        batch_key("m", [Tokens((1, 2), 0)]),
    }
    assert len(keys) == 4
