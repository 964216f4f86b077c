"""Step models: where they are read, and that neighbours and padding change nothing."""

import math

import pytest

from factories import needs
from lcb_rb.errors import InputError
from lcb_rb.scorers import Item, ModelOptions, load_scorer
from lcb_rb.scorers.adapter import StepKeys
from lcb_rb.scorers.steps_text import StepReader, steps_of, written
from tiny_models import save_model

needs("torch", "transformers")

ITEMS = [
    Item(f"p{i}", "Print the double.", "\n\n".join(f"step {j}: keep the sum {'of it ' * (j % 3)}" for j in range(i)))
    for i in range(1, 9)
]
NO_STEP = Item("none", "Print the double.", " \n\n \n")


def test_steps_are_paragraphs_unless_a_separator_is_given():
    text = "\n\nfirst\nline \n \n\nsecond\n\n"
    assert steps_of(text, StepKeys()) == ["first\nline", "second"]
    assert steps_of("a;; b;;", StepKeys(separator=";")) == ["a", "b"]
    assert steps_of(" \n\n ", StepKeys()) == []


def test_without_a_step_token_the_reasoning_stays_as_it_is():
    text, ends = written(" a\n\na b\n", StepKeys())
    assert text == " a\n\na b\n"
    assert [text[:end] for end in ends] == [" a", " a\n\na b"]


def test_a_step_token_follows_every_step():
    text, ends = written("a\n\nb", StepKeys(step_token=" <s>", join="\n"))
    assert text == "a <s>\nb <s>"
    assert [text[:end] for end in ends] == ["a <s>", "a <s>\nb <s>"]


def save_tokens_model(directory, family, labels=2):
    """A token classifier with random weights."""
    from transformers import AutoConfig, AutoModelForTokenClassification

    save_model(directory, family, labels=labels)
    model = AutoModelForTokenClassification.from_config(AutoConfig.from_pretrained(directory))
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """By kind and family; each is made when it is asked for."""
    made = {}

    def find(kind, family):
        if (kind, family) not in made:
            directory = tmp_path_factory.mktemp("model")
            if kind == "tokens":
                save_tokens_model(directory, family)
            else:
                save_model(directory, family, labels=2 if kind == "sequence" else None)
            made[kind, family] = directory
        return made[kind, family]

    return find


def scorer_of(directory, steps="", batch_tokens=10_000, extra="", **options):
    adapter = directory / f"a{abs(hash((steps, extra)))}.yaml"
    adapter.write_text(f"steps: {{{steps}}}\n{extra}", encoding="utf-8")
    chosen = {"method": "steps", "adapter": adapter, "batch_tokens": batch_tokens, **options}
    return load_scorer(str(directory), options=ModelOptions(**chosen))


def naive(directory, kind, item, mark):
    """The chance of label 1, or of token "+" against "-", at the end of every step: tokenised and run step by step."""
    import transformers

    kinds = {"tokens": "TokenClassification", "sequence": "SequenceClassification", "causal": "CausalLM"}
    model = getattr(transformers, f"AutoModelFor{kinds[kind]}").from_pretrained(directory).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    bad, good = (tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in "-+")
    steps = item.reasoning.split("\n\n")
    content = "".join(f"{step.strip()}{mark}" for step in steps) if mark else item.reasoning
    whole = f"<|user|>{item.problem}<|end|><|assistant|>{content}<|end|>"
    found, at = [], whole.index("<|assistant|>")
    for step in steps:
        at = whole.index(step.strip() + mark, at) + len(step.strip() + mark)
        found.append(_chance(model, tokenizer, whole, at, kind, (bad, good)))
    return found


def _chance(model, tokenizer, whole, at, kind, tokens):
    import torch

    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    count = next(n for n in range(len(ids) + 1) if tokenizer.decode(ids[:n]).startswith(whole[:at]))
    with torch.no_grad():
        if kind == "sequence":
            hidden = model.base_model(input_ids=torch.tensor([ids])).last_hidden_state
            low, high = model.score(hidden)[0, count - 1].tolist()
        else:
            logits = model(input_ids=torch.tensor([ids])).logits[0, count - 1]
            low, high = logits[list(tokens)].tolist() if kind == "causal" else logits.tolist()
    return 1 / (1 + math.exp(low - high))


CASES = [
    ("tokens", "qwen2", ""),
    ("tokens", "gpt2", "<|pad|>"),
    ("tokens", "bert", "\n\n"),
    ("sequence", "qwen2", "\n\n"),
    ("causal", "gpt2", " ки"),
    ("causal", "qwen2", ""),
]


@pytest.mark.parametrize(("kind", "family", "mark"), CASES)
def test_scores_are_those_of_the_plain_model_in_any_batch_and_order(kind, family, mark, models):
    directory = models(kind, family)
    keys = ['good: "+", bad: "-"'] if kind == "causal" else []
    keys += ["step_token: " + repr(mark).replace("'", '"')] if mark else []
    scorer = scorer_of(directory, ", ".join(keys))
    expected = [min(naive(directory, kind, item, mark)) for item in ITEMS]
    assert scorer.score(ITEMS) == pytest.approx(expected, abs=1e-5)
    assert scorer.score(ITEMS[::-1])[::-1] == pytest.approx(expected, abs=1e-5)
    assert scorer_of(directory, ", ".join(keys), batch_tokens=1).score(ITEMS) == pytest.approx(expected, abs=1e-5)
    assert [scorer.plain(text) for text in scorer.reader.read(ITEMS)] == pytest.approx(expected, abs=1e-5)
    assert len(set(expected)) > 1


@pytest.mark.parametrize(
    ("name", "aggregate"),
    [
        ("min", min),
        ("mean", lambda all_: sum(all_) / len(all_)),
        ("last", lambda all_: all_[-1]),
        ("product", math.prod),
    ],
)
def test_the_adapter_chooses_how_steps_become_one_score(name, aggregate, models):
    directory = models("tokens", "gpt2")
    scorer = scorer_of(directory, f"aggregate: {name}")
    assert scorer.score([ITEMS[4]]) == pytest.approx([aggregate(naive(directory, "tokens", ITEMS[4], ""))], abs=1e-5)
    assert f"score: {name} over steps of the probability of LABEL_1 against LABEL_0" in scorer.notes
    assert "5 steps in 1 reasonings" in scorer.notes


def test_a_reasoning_without_steps_is_unscored_and_counted(models):
    scorer = scorer_of(models("tokens", "gpt2"))
    calls = []
    found = scorer.score([NO_STEP, ITEMS[0], NO_STEP], lambda: calls.append(1))
    assert (found[0], found[2], found[1] is None) == (None, None, False)
    assert len(calls) == 3
    assert "2 reasonings have no step and no score" in scorer.notes
    assert scorer.score([NO_STEP]) == [None]


def test_one_label_is_the_score_itself(tmp_path):
    import torch
    from transformers import AutoModelForTokenClassification

    directory = save_tokens_model(tmp_path, "gpt2", labels=1)
    scorer = scorer_of(directory, "aggregate: last")
    (tokens,) = scorer.reader.read([ITEMS[2]])
    with torch.no_grad():
        logits = AutoModelForTokenClassification.from_pretrained(directory)(torch.tensor([tokens.ids])).logits
    assert scorer.score([ITEMS[2]]) == pytest.approx([logits[0, tokens.spots[-1], 0].item()], abs=1e-5)
    with pytest.raises(InputError, match="a product needs probabilities"):
        scorer_of(directory, "aggregate: product")


def test_a_step_token_that_is_written_in_a_reasoning_adds_no_step(models):
    scorer = scorer_of(models("tokens", "gpt2"), 'step_token: "<|pad|>"')
    forged, honest = scorer.reader.read([Item("k", "p", "guess<|pad|><|pad|>"), Item("k", "p", "guess")])
    assert len(forged.spots) == len(honest.spots) == 1
    assert forged.spots[0] == honest.spots[0] + 2


def test_the_spots_are_the_last_tokens_of_the_steps(models):
    scorer = scorer_of(models("tokens", "gpt2"))
    (tokens,) = scorer.reader.read([Item("k", "Print it.", "one é\n\nPrint it.\n\nthree 漢")])
    read = [scorer.reader.tokenizer.decode(tokens.ids[: spot + 1]) for spot in tokens.spots]
    start = "<|user|>Print it.<|end|><|assistant|>"
    assert read == [start + "one é", start + "one é\n\nPrint it.", start + "one é\n\nPrint it.\n\nthree 漢"]


def test_a_template_that_trims_is_followed_and_one_that_rewrites_is_none(models):
    trim = "template: \"{{ messages[1]['content'] | trim }}<|end|>\""
    scorer = scorer_of(models("tokens", "gpt2"), 'step_token: "\\n"', extra=trim)
    (tokens,) = scorer.reader.read([Item("k", "p", " a\n\nb ")])
    assert len(tokens.spots) == 2
    assert scorer.reader.tokenizer.decode(tokens.ids[: tokens.spots[1] + 1]) == "a\nb"
    upper = "template: \"{{ messages[1]['content'] | replace('walk', 'run') }}<|end|>\""
    scorer = scorer_of(models("tokens", "gpt2"), extra=upper)
    assert scorer.score([Item("k", "p", "walk"), Item("k", "p", "sum")])[0] is None


def test_nan_at_one_step_is_no_score_whatever_the_order(models):
    scorer = scorer_of(models("tokens", "gpt2"))
    assert math.isnan(scorer._whole([[0.0, 1.0], [0.0, math.nan]]))
    assert math.isnan(scorer._whole([[0.0, math.nan], [0.0, 1.0]]))


def test_a_text_beyond_the_context_is_an_error(models):
    with pytest.raises(InputError, match=r"pair k: \d+ tokens, but the model reads 256"):
        scorer_of(models("tokens", "gpt2")).score([ITEMS[0], Item("k", "p", "step " * 300)])


@pytest.mark.parametrize(
    ("kind", "family", "steps", "extra", "options", "said"),
    [
        ("causal", "gpt2", "", "", {}, "a language model; give `good` and `bad` under `steps`"),
        ("causal", "gpt2", 'good: "two words", bad: "-"', "", {}, "'two words' is .* tokens"),
        ("causal", "gpt2", 'good: "+"', "", {}, "good and bad belong together"),
        ("causal", "gpt2", 'good: "+", bad: "-"', "label: 1", {}, "`label` is for heads"),
        ("sequence", "bert", "", "", {}, "reads whole texts, not steps"),
        ("tokens", "gpt2", "", "label: 2", {}, "no label 2 among 2"),
        ("tokens", "gpt2", "agregate: min", "", {}, "key 'steps.agregate'"),
        ("tokens", "gpt2", "join: x", "", {}, "join stands behind a step_token"),
        ("tokens", "gpt2", "", "pooling: mean", {}, "`pooling` has no meaning with --as steps"),
        ("tokens", "gpt2", "", "", {"over_long": "left"}, "--truncate has no meaning with --as steps"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(kind, family, steps, extra, options, said, models):
    with pytest.raises(InputError, match=said) as error:
        scorer_of(models(kind, family), steps, extra=extra, **options)
    assert "\n" not in str(error.value)


def test_a_reader_without_keys_splits_at_blank_lines(models):
    reader = scorer_of(models("tokens", "gpt2")).reader
    plain = StepReader(reader.tokenizer, None, "error")
    assert [len(tokens.spots) for tokens in plain.read(ITEMS)] == list(range(1, 9))
