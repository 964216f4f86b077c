"""`recode doctor MODEL`: what a run would stumble over, found before it."""

import json
import math

import pytest

from factories import make_pair, needs
from lcb_rb.pairs import write_pairs
from lcb_rb.scorers import ModelOptions, doctor, dry_runs
from lcb_rb.scorers.diagnosis import Check, Diagnosis
from lcb_rb.scorers.doctor import examine_model
from lcb_rb.scorers.texts import Tokens
from lcb_rb.tables import diagnosis_text
from test_bad_input import entries, refusal, run_here
from tiny_models import save_model

needs("torch", "transformers")

CHECKS = ["loads", "chat template", "tokens", "padding", "length"]
MEASURED = ["batches", "own head", "numbers", "memory", "speed"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Models of all kinds, and pairs that fit into them."""
    directory = tmp_path_factory.mktemp("doctor")
    for family in ("qwen2", "gpt2", "bert"):
        save_model(directory / family, family)
    save_model(directory / "other-pad", "qwen2", pad_is_eos=False)
    save_model(directory / "causal", "gpt2", labels=None)
    save_model(directory / "reference", "gpt2", labels=None, seed=1)
    pairs = [
        make_pair(
            f"p{i}/a", problem_id=f"p{i}", chosen_reasoning="We walk. " * i, rejected_reasoning="Sum it. " * (25 - i)
        )
        for i in range(1, 21)
    ]
    write_pairs(pairs, directory / "pairs", "test")
    write_pairs([*pairs, make_pair("long/a", chosen_reasoning="step " * 400)], directory / "long", "test")
    write_pairs([make_pair("long/a", chosen_reasoning="step " * 400)], directory / "only-long", "test")
    return directory


def examined(place, model="qwen2", pairs="pairs", **options):
    return examine_model(str(place / model), str(place / pairs), ModelOptions(**options))


def states(found):
    return {name: check.status for name, check in found.checks.items() if check.status != "ok"}


def adapter(tmp_path, text):
    (tmp_path / "adapter.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "adapter.yaml"


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (
            "other-pad",
            [],
            "Qwen2ForSequenceClassification, 9568 parameters, float32 on cpu, scored by its head of 1 label",
        ),
        ("bert", [], "BertForSequenceClassification"),
        ("causal", ["--as", "loglik-mean"], "GPT2LMHeadModel, 15488 parameters, float32 on cpu, scored by likelihood"),
        ("causal", ["--as", "dpo", "--reference", "reference"], "scored by likelihood"),
        ("other-pad", ["--as", "steps"], "float32 on cpu, scored at the end of every step"),
    ],
)
def test_every_kind_of_model_is_looked_at_and_nothing_is_written(model, options, said, place, monkeypatch):
    monkeypatch.chdir(place)
    before = entries(place)
    code, out, err = run_here("doctor", model, "--pairs", "pairs", *options, "--json")
    found = json.loads(out)
    assert (code or 0, found["sound"], err) == (0, True, "")
    assert list(found["checks"]) == [*CHECKS, *MEASURED, "report"]
    assert {check["status"] for check in found["checks"].values()} == {"ok"}, found
    assert said in found["checks"]["loads"]["detail"]
    assert "16 pairs alone" in found["checks"]["batches"]["detail"]
    assert "0 decisions flipped" in found["checks"]["batches"]["detail"]
    assert "for 20 pairs (estimate from 16)" in found["checks"]["speed"]["detail"]
    assert entries(place) == before


def test_where_pad_is_eos_the_text_says_what_the_models_own_pooling_reads(place):
    check = examined(place).checks["padding"]
    assert check.status == "warning"
    assert "the same: harmless here" in check.detail
    assert "the model's own pooling reads another token in 40 of 40 texts" in check.detail
    assert "pooling: own" in check.fix


@pytest.mark.parametrize("pairs", ["long", "only-long"])
def test_texts_beyond_the_context_are_counted_and_fail(pairs, place):
    code, out, _ = run_here("doctor", place / "other-pad", "--pairs", place / pairs, "--json")
    check = json.loads(out)["checks"]["length"]
    n = 21 if pairs == "long" else 1
    assert (code, check["status"]) == (1, "fails")
    assert f"the model reads 256; 1 of {2 * n} texts are too long, in 1 of {n} pairs, by " in check["detail"]
    assert check["fix"].startswith("cut it with --truncate middle or --truncate left")


@pytest.mark.parametrize("pairs", ["long", "only-long"])
def test_with_truncation_they_are_a_warning_and_are_scored_cut(pairs, place):
    found = examined(place, "other-pad", pairs, over_long="middle")
    assert found.sound
    assert states(found) == {"length": "warning"}
    assert "would be cut (middle)" in found.checks["length"].detail
    assert "up to 256 tokens" in found.checks["memory"].detail or pairs == "long"


def test_a_reasoning_that_no_truncation_can_fit_fails(place):
    found = examined(place, "causal", "only-long", method="loglik-sum", over_long="left")
    assert states(found) == {"length": "fails", "batches": "fails"}
    assert found.checks["length"].fix == "raise the limit or drop the pair"


def test_without_pairs_it_reads_the_starter_set(place):
    code, out, err = run_here("doctor", place / "qwen2")
    assert (code, err) == (1, "")
    assert "texts          the embedded starter set\n" in out
    assert "130 of 130 texts are too long, in 65 of 65 pairs" in out
    assert out.endswith("result         cannot be scored like this: length, batches\n")


def test_of_many_pairs_every_nth_is_counted(place, monkeypatch):
    monkeypatch.setattr(doctor, "MOST_PAIRS", 10)
    found = examined(place, "other-pad")
    assert "of every 2th pair" in found.checks["length"].detail
    assert "for 20 pairs" in found.checks["speed"].detail


def test_a_slow_model_is_tried_on_fewer_pairs(place, monkeypatch):
    monkeypatch.setattr(dry_runs, "TRIAL_S", 0.0)
    found = examined(place, "other-pad")
    assert "1 pair alone" in found.checks["batches"].detail
    assert "not run, it would take about" in found.checks["memory"].detail


def test_a_score_that_feels_its_neighbours_fails(place, monkeypatch):
    from lcb_rb.scorers.classifier import ClassifierScorer

    forward = ClassifierScorer.forward
    monkeypatch.setattr(
        ClassifierScorer, "forward", lambda self, batch: [value + len(batch) for value in forward(self, batch)]
    )
    check = examined(place, "other-pad").checks["batches"]
    assert check.status == "fails"
    assert float(check.detail.partition("at most ")[2].partition(",")[0]) >= 1


def test_flipped_decisions_are_counted():
    assert dry_runs._flips([1, 0, 1, 0, 1, 1], [1, 0, 0, 1, 1, 0]) == 2


def test_another_score_than_the_models_own_fails(place, monkeypatch):
    from lcb_rb.scorers.classifier import ClassifierScorer

    monkeypatch.setattr(ClassifierScorer, "plain", lambda self, text: 7.0)
    assert examined(place, "other-pad").checks["own head"].status == "fails"


def test_scores_that_are_no_numbers_fail(place, monkeypatch):
    from lcb_rb.scorers.classifier import ClassifierScorer

    forward = ClassifierScorer.forward
    monkeypatch.setattr(
        ClassifierScorer,
        "forward",
        lambda self, batch: [
            value if len(text.ids) < 100 else math.nan for text, value in zip(batch, forward(self, batch), strict=True)
        ],
    )
    check = examined(place, "other-pad").checks["numbers"]
    assert check.status == "fails"
    assert " of 96 scores are NaN or infinite" in check.detail


def test_a_head_of_zeros_fails(place, tmp_path):
    from safetensors.torch import load_file, save_file

    save_model(tmp_path, "qwen2", pad_is_eos=False)
    weights = load_file(tmp_path / "model.safetensors")
    weights["score.weight"] *= 0
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert states(examine_model(str(tmp_path), str(place / "pairs"), ModelOptions())) == {"numbers": "fails"}


def test_tokens_that_the_model_lacks_fail_and_nothing_is_run(place, tmp_path):
    from transformers import AutoTokenizer

    save_model(tmp_path, "qwen2", pad_is_eos=False)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_tokens(["walk"])
    tokenizer.save_pretrained(tmp_path)
    found = examine_model(str(tmp_path), str(place / "pairs"), ModelOptions())
    assert states(found) == {"tokens": "fails", "batches": "fails"}
    assert "20 of 40 texts hold some that the model lacks" in found.checks["tokens"].detail


@pytest.mark.parametrize(
    ("template", "said"),
    [("{{ messages[1]['content'] }}", "leaves out the problem"), (None, "none: problem and reasoning are joined")],
)
def test_an_odd_template_is_a_warning(template, said, place, tmp_path):
    save_model(tmp_path, "qwen2", pad_is_eos=False)
    (tmp_path / "chat_template.jinja").write_text(template or "", encoding="utf-8")
    found = examine_model(str(tmp_path), str(place / "pairs"), ModelOptions())
    assert states(found) == {"chat template": "warning"}
    assert said in found.checks["chat template"].detail


def test_a_model_that_must_be_alone_is_said(place, tmp_path):
    found = examined(place, "other-pad", adapter=adapter(tmp_path, "pooling: own"))
    assert states(found) == {"batches": "warning"}
    assert "one text at a time" in found.checks["batches"].detail
    assert "pooling own" in found.checks["loads"].detail
    assert "would note: adapter adapter.yaml" in found.checks["report"].detail


def test_the_models_own_head_is_no_measure_of_another_pooling(place, tmp_path):
    found = examined(place, "other-pad", adapter=adapter(tmp_path, "pooling: mean"))
    assert "not compared" in found.checks["own head"].detail


def test_too_little_memory_is_a_warning(place, monkeypatch):
    monkeypatch.setattr(dry_runs, "_free_bytes", lambda scorer: 100.0)
    check = examined(place, "other-pad").checks["memory"]
    assert check.status == "warning"
    assert check.detail.startswith("weights 37 KiB; largest batch ")
    assert "(estimate); not run; only 0 KiB are free" in check.detail


def test_too_little_memory_for_a_batch_is_no_end_as_it_is_none_of_a_run(place, monkeypatch):
    import torch

    from lcb_rb.scorers.classifier import ClassifierScorer

    forward, sizes = ClassifierScorer.forward, []

    def small(self, batch):
        sizes.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError
        return forward(self, batch)

    def none(self, text):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(ClassifierScorer, "forward", small)
    monkeypatch.setattr(ClassifierScorer, "plain", none)
    found = examined(place, "other-pad")
    assert states(found) == {}
    assert max(sizes) > 1
    assert "not compared" in found.checks["own head"].detail


def test_a_batch_beyond_the_free_memory_is_not_run(place, monkeypatch):
    from lcb_rb.scorers.classifier import ClassifierScorer

    scorer = ClassifierScorer(place / "other-pad")
    monkeypatch.setattr(dry_runs, "_free_bytes", lambda scorer: 100.0)
    scorer.forward = None
    runs = dry_runs.Runs([], [], [], [], 1e9)
    assert dry_runs.check_memory(scorer, [Tokens((1, 2, 3))], runs).status == "warning"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["length"], "is no model"),
        (["tfidf"], "is no model"),
        (["scores.jsonl"], "is no model"),
        (["qwen2", "--as", "dpo"], "--reference MODEL belong together"),
        (["qwen2", "--pairs", "nothing-here"], "nothing-here"),
        (["nothing-here"], "neither a directory with a model"),
        (["nothing-here", "--as", "judge"], "doctor looks at heads, likelihoods and steps only"),
        (["nothing-here", "--as", "judge-pairs"], "doctor looks at heads, likelihoods and steps only"),
        (["qwen2", "--adapter", "none.yaml"], "give --adapter a YAML file"),
        (["--sandbox", "--as", "dpo"], "doctor looks at one thing"),
        (["--sandbox", "--pairs", "pairs"], "doctor looks at one thing"),
    ],
)
def test_what_it_cannot_look_at_is_one_line(arguments, said, place, monkeypatch):
    monkeypatch.chdir(place)
    assert said in refusal(place, "doctor", *arguments)


def test_the_text_is_one_line_a_check():
    checks = {
        "loads": Check("ok", "a model"),
        "padding": Check("warning", "odd", "look"),
        "length": Check("fails", "too long", "cut it"),
    }
    assert diagnosis_text(Diagnosis("m", "pairs", checks)) == (
        "model    m\n"
        "texts    pairs\n"
        "loads    ok: a model\n"
        "padding  WARNING: odd; look\n"
        "length   FAILS: too long; cut it\n"
        "result   cannot be scored like this: length"
    )
    assert diagnosis_text(Diagnosis("m", "pairs", {})).endswith("result  can be scored")
