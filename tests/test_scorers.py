"""Baselines, the bag of words, and classifier directories."""

from pathlib import Path

import pytest

from factories import make_pair
from lcb_rb.errors import InputError
from lcb_rb.evaluation import score_pairs
from lcb_rb.scorers import Item, load_scorer

ITEMS = [Item("a", "Print the double.", "short"), Item("a", "Print the double.", "a longer reasoning")]


def test_length_prefers_the_longer():
    short, long = load_scorer("length").score(ITEMS)
    assert short < long


def test_shorter_is_the_opposite_of_length():
    assert load_scorer("shorter").score(ITEMS) == [-score for score in load_scorer("length").score(ITEMS)]


def test_random_depends_on_seed_and_item_alone():
    first, again = load_scorer("random", seed=1).score(ITEMS), load_scorer("random", seed=1).score(ITEMS[::-1])
    assert first == again[::-1]
    assert first != load_scorer("random", seed=2).score(ITEMS)


def test_advance_is_called_once_an_item():
    calls = []
    load_scorer("length").score(ITEMS, lambda: calls.append(1))
    assert len(calls) == len(ITEMS)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InputError, match="length, shorter, random, tfidf"):
        load_scorer("no-such-model")


def test_tfidf_without_pairs_says_how_to_give_them():
    with pytest.raises(InputError, match="--fit-on"):
        load_scorer("tfidf")


def test_tfidf_learns_a_word():
    training = [
        make_pair(f"p{i}/x", problem_id=f"p{i}", chosen_reasoning=f"proved {i}", rejected_reasoning=f"guessed {i}")
        for i in range(20)
    ]
    good, bad = load_scorer("tfidf", fit_on=training).score([Item("k", "", "proved it"), Item("k", "", "guessed it")])
    assert good > bad


def test_both_sides_of_a_pair_have_one_key():
    """A scorer that reads keys must not see which side is the better one."""

    class Spy:
        name, revision, notes = "spy", "", []

        def score(self, items, advance=lambda: None):
            self.keys = [item.key for item in items]
            return [0.0 for _ in items]

    spy = Spy()
    score_pairs(spy, [make_pair("p1/a")], data="d", data_revision="r", command="c")
    assert spy.keys == ["p1/a", "p1/a"]


def test_a_report_has_every_group_and_the_scores():
    pairs = [make_pair("p1/a"), make_pair("p2/a", problem_id="p2", difficulty=None)]
    report = score_pairs(load_scorer("length"), pairs, data="d", data_revision="r", command="c")
    assert report.overall.accuracy == 1.0
    assert set(report.by_difficulty) == {"easy", "unknown"}
    assert list(report.by_kind) == ["natural"]
    assert report.by_dimension == {}
    assert [score.id for score in report.scores] == ["p1/a", "p2/a"]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory) -> Path:
    """A random GPT-2 classifier whose pad token is its end token, the case in which padding goes wrong."""
    torch = pytest.importorskip("torch")
    from transformers import GPT2Config, GPT2ForSequenceClassification

    from recode_models.fresh import train_tokenizer

    torch.manual_seed(0)
    tokenizer = train_tokenizer(["Print the double. short a longer reasoning"], 300)
    tokenizer.pad_token = tokenizer.eos_token
    size = len(tokenizer)
    config = GPT2Config(
        vocab_size=size,
        n_embd=16,
        n_layer=1,
        n_head=2,
        n_positions=128,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    directory = tmp_path_factory.mktemp("model")
    GPT2ForSequenceClassification(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def test_a_classifier_reads_the_last_token_although_pad_is_eos(tiny_model):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    scorer = load_scorer(str(tiny_model))
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    messages = [{"role": "user", "content": ITEMS[0].problem}, {"role": "assistant", "content": ITEMS[0].reasoning}]
    ids = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False), return_tensors="pt")["input_ids"]
    with torch.no_grad():
        expected = model.score(model.transformer(ids).last_hidden_state[0, -1]).item()
    assert scorer.score(ITEMS[:1]) == [pytest.approx(expected, abs=1e-6)]


def test_scores_do_not_depend_on_order_or_neighbours(tiny_model):
    scorer = load_scorer(str(tiny_model))
    together, alone = scorer.score(ITEMS), [scorer.score([item])[0] for item in ITEMS]
    assert together == pytest.approx(alone, abs=1e-6)
    assert scorer.score(ITEMS[::-1])[::-1] == together


def test_a_text_beyond_the_context_is_an_error(tiny_model):
    with pytest.raises(InputError, match=r"pair k: .* the model reads 128"):
        load_scorer(str(tiny_model)).score([Item("k", "p", "word " * 500)])


def test_a_missing_chat_template_is_noted(tiny_model, tmp_path):
    for path in tiny_model.iterdir():
        if path.name != "chat_template.jinja":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    scorer = load_scorer(str(tmp_path))
    assert scorer.notes == ["no chat template: problem and reasoning joined by a blank line"]


def test_pickled_weights_are_refused(tiny_model, tmp_path):
    import torch

    for path in tiny_model.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load_scorer(str(tmp_path))


def test_a_directory_without_a_model_is_one_clear_error(tmp_path):
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="save_pretrained"):
        load_scorer(str(tmp_path))


def test_a_model_without_a_trained_head_is_refused_not_scored_at_random(tiny_model, tmp_path):
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    config = GPT2Config.from_pretrained(tiny_model)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"no weights for score\.weight"):
        load_scorer(str(tmp_path))


def test_the_revision_changes_with_the_chat_template(tiny_model, tmp_path):
    for path in tiny_model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    same = load_scorer(str(tmp_path)).revision
    (tmp_path / "chat_template.jinja").write_text("{{ messages[1]['content'] }}", encoding="utf-8")
    assert same == load_scorer(str(tiny_model)).revision != load_scorer(str(tmp_path)).revision


def test_three_labels_are_refused(tiny_model, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=3, ignore_mismatched_sizes=True)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="3 labels"):
        load_scorer(str(tmp_path))
