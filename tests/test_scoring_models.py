"""Odd models: adapters, pickles, likelihoods, and DPO's implicit reward."""

import json
from dataclasses import replace

import pytest

from factories import needs
from lcb_rb.errors import InputError
from lcb_rb.scorers import Item, ModelOptions, load_scorer
from tiny_models import save_model

needs("torch", "transformers")

ITEMS = [Item(f"p{i}", "Print the double.", "walk over the list, " * i + "keep the sum.") for i in range(1, 10)]
LONG = Item("p9/a", "Print the double of the sum. " * 40, "keep the sum.")


def adapted(path, text):
    path.write_text(text, encoding="utf-8")
    return ModelOptions(adapter=path)


def score(directory, items=ITEMS, **options):
    return load_scorer(str(directory), options=ModelOptions(**options)).score(items)


@pytest.mark.parametrize(("label", "expected"), [("2", [0, 0, 1]), ("[2, 0]", [-1, 0, 1])])
def test_an_adapter_chooses_among_labels(label, expected, tmp_path):
    import torch

    save_model(tmp_path / "m", "gpt2", labels=3)
    scorer = load_scorer(str(tmp_path / "m"), options=adapted(tmp_path / "a.yaml", f"label: {label}"))
    logits = scorer._head.logits(scorer.reader.read(ITEMS))
    assert scorer.forward(scorer.reader.read(ITEMS)) == pytest.approx(
        (logits @ torch.tensor(expected).float()).tolist()
    )
    assert scorer.notes[0].startswith("adapter a.yaml (sha256 ")
    assert "label" in scorer.notes[0]


def test_an_adapters_template_is_what_the_model_reads(tmp_path):
    options = adapted(tmp_path / "a.yaml", "template: \"{{ messages[1]['content'] }}\"")
    scorer = load_scorer(str(save_model(tmp_path / "m", "gpt2")), options=options)
    assert scorer.reader._text(ITEMS[0], reasoning=True) == ITEMS[0].reasoning


def test_an_adapters_dtype_is_used_and_said(tmp_path):
    import torch

    save_model(tmp_path / "m", "gpt2")
    scorer = load_scorer(str(tmp_path / "m"), options=adapted(tmp_path / "a.yaml", "dtype: bfloat16"))
    assert scorer._head._model.dtype == torch.bfloat16
    assert scorer.score(ITEMS) == pytest.approx(score(tmp_path / "m"), abs=0.2)
    assert "dtype bfloat16" in scorer.notes[0]


def test_an_adapter_can_lower_the_context(tmp_path):
    save_model(tmp_path / "m", "gpt2")
    with pytest.raises(InputError, match="the model reads 10 "):
        load_scorer(str(tmp_path / "m"), options=adapted(tmp_path / "a.yaml", "max_tokens: 10")).score(ITEMS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "labl: 1",
            "key 'labl': Extra inputs are not permitted; the keys are template, pooling, label, dtype, max_tokens",
        ),
        ("label: -1", "key 'label'"),
        ("label: [1]", "key 'label'"),
        ("dtype: int8", "key 'dtype'"),
        ("max_tokens: 257", "max_tokens 257 is beyond the model's context of 256"),
        ("label: 1", "no label 1 among 1"),
        ("- label", "the keys are"),
        ("label: [", "not YAML"),
    ],
)
def test_a_wrong_adapter_is_one_clear_line(text, said, tmp_path):
    save_model(tmp_path / "m", "gpt2")
    with pytest.raises(InputError) as error:
        load_scorer(str(tmp_path / "m"), options=adapted(tmp_path / "a.yaml", text))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_adapter_is_one_clear_line(tmp_path):
    save_model(tmp_path / "m", "gpt2")
    with pytest.raises(InputError, match="give --adapter a YAML file"):
        score(tmp_path / "m", adapter=tmp_path / "none.yaml")


def pickled(directory):
    import torch
    from safetensors.torch import load_file

    save_model(directory, "gpt2")
    torch.save(load_file(directory / "model.safetensors"), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()
    return directory


def test_pickled_weights_are_read_only_when_allowed(tmp_path):
    directory = pickled(tmp_path)
    with pytest.raises(InputError, match="safetensors"):
        score(directory)
    assert None not in score(directory, allow_pickle=True)


def test_pickled_weights_are_part_of_the_revision(tmp_path):
    directory = pickled(tmp_path)
    before = load_scorer(str(directory), options=ModelOptions(allow_pickle=True)).revision
    (directory / "extra.bin").write_bytes(b"other")
    assert load_scorer(str(directory), options=ModelOptions(allow_pickle=True)).revision != before


def test_code_of_a_model_is_never_run(tmp_path):
    """Not even when a terminal could be asked."""
    (tmp_path / "config.json").write_text(
        '{"model_type": "mine", "auto_map": {"AutoConfig": "code.C", "AutoModelForSequenceClassification": "code.M"}}',
        encoding="utf-8",
    )
    (tmp_path / "code.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    with pytest.raises(InputError):
        score(tmp_path)


def reference_likelihoods(directory, mean):
    """One text at a time, all logits: the log-likelihood of what follows the problem's turn."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory).eval()
    found = []
    for item in ITEMS:
        prompt = tokenizer(f"<|user|>{item.problem}<|end|>", add_special_tokens=False)["input_ids"]
        rest = tokenizer(f"<|assistant|>{item.reasoning}<|end|>", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + rest])).logits[0]
        values = logits.log_softmax(-1)[range(len(prompt) - 1, len(prompt) + len(rest) - 1), rest].double()
        found.append(float(values.mean() if mean else values.sum()))
    return found


@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
@pytest.mark.parametrize("method", ["loglik-mean", "loglik-sum"])
def test_likelihoods_are_those_of_the_plain_model(family, method, tmp_path, monkeypatch):
    from lcb_rb.scorers import likelihoods

    monkeypatch.setattr(likelihoods, "CHUNK_LOGITS", 2100)  # seven positions at a time
    save_model(tmp_path, family, labels=None)
    expected = reference_likelihoods(tmp_path, method == "loglik-mean")
    assert score(tmp_path, method=method) == pytest.approx(expected, rel=1e-5)
    assert score(tmp_path, method=method, batch_tokens=1) == pytest.approx(expected, rel=1e-5)


def test_dpo_is_the_difference_to_the_reference(tmp_path):
    policy = save_model(tmp_path / "policy", "qwen2", labels=None)
    reference = save_model(tmp_path / "reference", "qwen2", labels=None, seed=1)
    one, other = (reference_likelihoods(place, mean=False) for place in (policy, reference))
    found = score(policy, method="dpo", reference=str(reference))
    assert found == pytest.approx([a - b for a, b in zip(one, other, strict=True)], abs=1e-3)


def test_dpo_against_itself_is_zero(tmp_path):
    policy = save_model(tmp_path, "qwen2", labels=None)
    assert score(policy, method="dpo", reference=str(policy)) == [0.0] * len(ITEMS)


def test_name_and_notes_say_what_the_score_is(tmp_path):
    policy = save_model(tmp_path, "gpt2", labels=None)
    scorer = load_scorer(str(policy), options=ModelOptions(method="dpo", reference=str(policy)))
    assert scorer.name == f"{policy} (dpo)"
    assert "implicit reward" in scorer.notes[0]
    assert scorer.notes[1] == f"reference {policy} ({scorer.revision})"


def test_a_scaled_head_is_read_as_the_model_reads_it(tmp_path, monkeypatch):
    """Some models bend their logits after the head; then the model's own forward is used."""
    from transformers import GPT2LMHeadModel

    save_model(tmp_path, "gpt2", labels=None)
    plain = GPT2LMHeadModel.forward

    def bent(self, **arguments):
        found = plain(self, **arguments)
        found.logits = found.logits / 3
        return found

    monkeypatch.setattr(GPT2LMHeadModel, "forward", bent)
    assert score(tmp_path, method="loglik-sum") == pytest.approx(reference_likelihoods(tmp_path, mean=False), rel=1e-5)


def test_only_the_problem_is_cut_for_a_likelihood(tmp_path):
    save_model(tmp_path, "gpt2", labels=None)
    scorer = load_scorer(str(tmp_path), options=ModelOptions(method="loglik-sum", over_long="left"))
    tokens, short = scorer.reader.read([LONG, Item("k", "p", LONG.reasoning)])
    assert len(tokens.ids) == 256
    assert tokens.ids[tokens.start :] == short.ids[short.start :]
    assert scorer.score([LONG]) != [None]


def test_a_reasoning_that_fills_the_context_is_an_error(tmp_path):
    save_model(tmp_path, "gpt2", labels=None)
    with pytest.raises(InputError, match="drop the pair"):
        score(tmp_path, [Item("k", "p", "walk " * 300)], method="loglik-sum", over_long="left")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "dpo"}, "--reference MODEL belong together"),
        ({"reference": "."}, "--reference MODEL belong together"),
        ({"method": "loglik-sum", "reference": "."}, "--reference MODEL belong together"),
        ({"method": "loglik-sum", "over_long": "middle"}, "middle has no meaning"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, said, tmp_path):
    with pytest.raises(InputError, match=said):
        score(tmp_path, **options)


def test_an_encoder_has_no_likelihood(tmp_path):
    from transformers import BertConfig, BertLMHeadModel

    save_model(tmp_path, "bert")
    BertLMHeadModel(BertConfig.from_pretrained(tmp_path)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="not a causal language model"):
        score(tmp_path, method="loglik-sum")


def test_a_reference_with_other_tokens_is_refused(tmp_path):
    policy = save_model(tmp_path / "policy", "gpt2", labels=None)
    reference = save_model(tmp_path / "reference", "gpt2", labels=None)
    from recode_models.fresh import train_tokenizer

    train_tokenizer(["other words entirely"], 290).save_pretrained(reference)
    with pytest.raises(InputError, match="other tokens than"):
        score(policy, method="dpo", reference=str(reference))


def naive_pooling(directory, pooling):
    """One text at a time: the plain decoder, its states pooled by hand, its head; or all of it as it is."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    found = []
    for item in ITEMS:
        text = f"<|user|>{item.problem}<|end|><|assistant|>{item.reasoning}<|end|>"
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            if pooling == "own":
                found.append(float(model(input_ids=ids).logits))
                continue
            states = model.base_model(input_ids=ids).last_hidden_state[0]
            pooled = {"last": states[-1], "first": states[0], "mean": states.mean(0)}[pooling]
            found.append(float(model.score(pooled)))
    return found


def assert_pooled(directory, options, expected):
    """Batch 1, batch 32, shuffled and the naive loop are the same."""
    assert len({round(value, 4) for value in expected}) > 5, "scores that differ, or nothing is tested"
    scorer = load_scorer(str(directory), options=options)
    assert scorer.score(ITEMS) == pytest.approx(expected, abs=1e-5)
    assert scorer.score(ITEMS[::-1]) == pytest.approx(expected[::-1], abs=1e-5)
    single = load_scorer(str(directory), options=replace(options, batch_tokens=1))
    assert single.score(ITEMS) == pytest.approx(expected, abs=1e-5)
    return scorer


@pytest.mark.parametrize("pad_is_eos", [True, False])
@pytest.mark.parametrize("pooling", ["last", "mean", "own"])
@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
def test_a_poolings_scores_are_those_of_a_naive_loop(family, pooling, pad_is_eos, tmp_path):
    save_model(tmp_path / "m", family, pad_is_eos=pad_is_eos)
    options = adapted(tmp_path / "a.yaml", f"pooling: {pooling}")
    scorer = assert_pooled(tmp_path / "m", options, naive_pooling(tmp_path / "m", pooling))
    assert f"pooling {pooling}" in scorer.notes[0]
    assert (scorer.batch_tokens == 0) is (pooling == "own"), "only a model's own forward runs alone"


def test_own_pooling_reads_what_the_model_reads_where_pad_is_eos(tmp_path):
    save_model(tmp_path / "m", "qwen2", pad_is_eos=True)
    assert naive_pooling(tmp_path / "m", "own") != pytest.approx(naive_pooling(tmp_path / "m", "last"), abs=1e-3)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_decoder_that_looks_ahead_is_pooled_too(pooling, tmp_path, monkeypatch):
    from transformers.models.qwen2 import modeling_qwen2

    from test_scoring_batches import _bidirectional

    save_model(tmp_path / "m", "qwen2")
    config = json.loads((tmp_path / "m" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "m" / "config.json").write_text(json.dumps({**config, "is_causal": False}), encoding="utf-8")
    monkeypatch.setattr(modeling_qwen2, "create_causal_mask", _bidirectional)
    options = adapted(tmp_path / "a.yaml", f"pooling: {pooling}")
    assert assert_pooled(tmp_path / "m", options, naive_pooling(tmp_path / "m", pooling)).batch_tokens


def test_own_is_how_an_encoder_is_read_anyway(tmp_path):
    save_model(tmp_path / "m", "bert")
    scorer = load_scorer(str(tmp_path / "m"), options=adapted(tmp_path / "a.yaml", "pooling: own"))
    assert scorer.score(ITEMS) == score(tmp_path / "m")
    assert scorer.batch_tokens


@pytest.mark.parametrize(
    ("family", "labels", "pooling", "method", "said"),
    [
        ("bert", 1, "mean", "head", "BertForSequenceClassification pools in a way of its own; give own"),
        ("bert", 1, "last", "head", "BertForSequenceClassification pools in a way of its own; give own"),
        ("qwen2", 1, "first", "head", "reads from left to right, its first token sees nothing; give last or mean"),
        ("qwen2", None, "mean", "loglik-mean", "`pooling` has no meaning with --as loglik-mean"),
    ],
)
def test_a_pooling_that_is_none_for_the_model_is_refused(family, labels, pooling, method, said, tmp_path):
    save_model(tmp_path / "m", family, labels=labels)
    options = replace(adapted(tmp_path / "a.yaml", f"pooling: {pooling}"), method=method)
    with pytest.raises(InputError) as error:
        load_scorer(str(tmp_path / "m"), options=options)
    assert said in str(error.value)
