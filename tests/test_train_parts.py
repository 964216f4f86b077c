"""Parts of the training that need no trl: recipes, overlap, style, calibration."""

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import needs
from lcb_rb.errors import InputError
from lcb_rb.pairs import write_pairs
from lcb_rb.schema import PairKind
from lcb_rb.scorers.calibrated import RewardScale, measured_scale, read_scale, write_scale
from recode_models.reward_model.data import WINDOW, order_by_length, read_data
from recode_models.reward_model.recipe import RECIPES, RewardRecipe, evaluated_on, load_recipe
from recode_models.reward_model.style import FILLER, STYLES, probe, probe_items, sentences
from trainings import make_data, pair, statement

needs("datasketch")

SCALE = RewardScale(mu=2.0, sigma=0.5, n=9, source="reasonings")
ONE = {"model": {"id": "a"}}
TEXT = "First we sort. Then we walk over it! What is left?\nThe sum."
LINES = st.lists(st.sampled_from(["We sort.", "The sum is 3!", "Why?", "x = 1"]), min_size=1, max_size=9)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_a_recipe(path):
    assert isinstance(load_recipe(path.stem), RewardRecipe)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model: {}", "give either id or config"),
        ("model: {id: a, config: {model_type: qwen2}}", "give either id or config"),
        ("model: {config: {hidden_size: 3}}", "needs a model_type"),
        ("model: {id: a}\nkinds: [natura]", "kinds.0"),
        ("model: {id: a}\nmodle: 1", "modle"),
        ("model: {id: a}\nobjective: rank", "objective"),
        ("model: {id: a}\nlora: {r: 0}", "lora.r"),
        ("model: {id: a}\nobjective: score\ntraining: {center_rewards_coefficient: 0.01}", "remove it"),
        ("model: {id: a}\nearly_stopping_patience: 1\ntraining: {eval_strategy: 'no'}", "eval_strategy"),
        ("model: {id: a}\nevaluation: [{pairs: a/x}, {pairs: b/x}]", "two results would be called 'x'"),
        ("model: {id: a", "not YAML"),
        ("- 1", "recipe"),
    ],
)
def test_a_wrong_recipe_names_file_and_field(tmp_path, text, says):
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"wrong\.yaml") as error:
        load_recipe(str(path))
    assert says in str(error.value)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(InputError, match="starter-cpu"):
        load_recipe("no-such-recipe")


def test_results_are_named_after_the_held_out_pairs():
    found = evaluated_on(RewardRecipe.model_validate(ONE), ["recode/lcb-rb@v1.0.0", "/data/My pairs/"])
    assert [entry.name for entry in found.evaluation] == ["lcb_rb", "my_pairs"]


@pytest.mark.parametrize("name", ["a/x", "some/validation"])
def test_two_results_of_one_name_are_refused(name):
    with pytest.raises(InputError, match="two results would be called"):
        evaluated_on(RewardRecipe.model_validate(ONE), ["b/x", name])


def read(tmp_path, *held_out, **changes):
    data = make_data(tmp_path / "pairs", held_out=0)
    write_pairs(held_out, tmp_path / "bench", "test")
    wanted = RewardRecipe.model_validate({**ONE, "evaluation": [{"pairs": str(tmp_path / "bench")}], **changes})
    return read_data(wanted, data, "default", tmp_path / "shared.jsonl")


def test_problems_that_are_held_out_are_refused_by_id(tmp_path):
    with pytest.raises(InputError, match=r"pairs: 1 training problems are also in bench: p3; .*overlap: drop"):
        read(tmp_path, pair(3, problem=statement("other")))


def test_problems_that_are_held_out_are_refused_by_their_words(tmp_path):
    copied = pair(90, problem=statement("p5").upper().replace(" ", "\n"))
    with pytest.raises(InputError, match=r"p5 \(like p90, 1\.00\)"):
        read(tmp_path, copied)


def test_a_long_list_of_shared_problems_is_a_file(tmp_path):
    with pytest.raises(InputError, match=r"5 training problems .*, \.\.\.; all in .*shared\.jsonl"):
        read(tmp_path, *(pair(i) for i in range(5)))
    rows = [json.loads(line) for line in (tmp_path / "shared.jsonl").read_text().splitlines()]
    assert [row["problem_id"] for row in rows] == [f"p{i}" for i in range(5)]


def test_shared_problems_can_be_dropped(tmp_path):
    found = read(tmp_path, pair(3), pair(90), overlap="drop")
    assert found.overlapping == 1
    assert "p3" not in {p.problem_id for p in found.train.pairs}
    assert len(found.train.pairs) == len(found.train.targets) == 31


def test_a_problem_in_two_splits_is_refused_whatever_the_recipe_says(tmp_path):
    data = make_data(tmp_path / "pairs", held_out=0)
    write_pairs([pair(3)], data, "validation")
    with pytest.raises(InputError, match="also in validation: p3; build the pairs again"):
        read_data(RewardRecipe.model_validate({**ONE, "overlap": "drop"}), data, "default", tmp_path / "list")


def test_styles_change_looks_and_keep_what_is_said():
    assert STYLES["terse"](TEXT) == "First we sort. Then we walk over it!"
    assert STYLES["formatted"](TEXT).splitlines()[:2] == ["## Step 1", "- **First** we sort."]
    assert STYLES["wordy"](TEXT).startswith(f"First we sort. {FILLER[0]} Then we walk")
    assert STYLES["empty"](TEXT) == ""


@given(LINES)
def test_wordy_texts_hold_every_sentence_and_terse_ones_at_least_half(lines):
    text = " ".join(lines)
    assert all(part in STYLES["wordy"](text) for part in sentences(text))
    assert 2 * len(sentences(STYLES["terse"](text))) >= len(sentences(text))


def scored(reward):
    pairs = [pair(i) for i in range(4)]
    return probe([reward(item.reasoning) for item in probe_items(pairs)], SCALE, "here")


def test_a_model_that_pays_for_length_is_found_out():
    assert scored(lambda text: float(len(text))).style_beats_substance == 1.0


def test_a_model_that_reads_is_not_taken_in():
    found = scored(lambda text: 3.0 if "proved" in text else 1.0)
    assert (found.style_beats_substance, found.n) == (0.0, 8)
    means = {(cell.reasoning, cell.style): cell.mean for cell in found.cells}
    assert means["right", "wordy"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert means["wrong", "wordy"] == pytest.approx(1 / (1 + math.exp(2)))


def test_a_model_without_an_opinion_ties():
    assert scored(lambda text: 1.0).style_beats_substance == 0.5


def test_unscored_texts_are_counted_out_and_are_no_zero():
    found = scored(lambda text: None if "guess" in text else 2.0)
    assert {cell.n for cell in found.cells if (cell.reasoning, cell.style) == ("wrong", "wordy")} == {0}
    assert found.style_beats_substance is None


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_rewards_are_shares_and_keep_the_order(first, second):
    low, high = SCALE.reward(min(first, second)), SCALE.reward(max(first, second))
    assert 0.0 <= low <= high <= 1.0


def test_the_mean_accepted_reasoning_gets_one_half_and_no_score_stays_none():
    assert SCALE.reward(2.0) == 0.5
    assert SCALE.reward(2.5) == pytest.approx(1 / (1 + math.exp(-1)))
    assert SCALE.reward(None) is None


def test_a_scale_is_mean_and_standard_deviation_of_what_was_scored():
    found = measured_scale([1.0, None, 3.0], [0.0, 2.0], "here")
    assert (found.mu, found.sigma, found.n) == (2.0, pytest.approx(math.sqrt(2)), 2)


@pytest.mark.parametrize("scores", [[], [1.0], [2.0, 2.0], [None, 1.0], [5.0, 5.01]])
def test_scores_that_do_not_differ_have_no_scale(scores):
    assert measured_scale(scores, [], "here") is None
    assert measured_scale([1.0, 1.1], [1.0, 1.1], "here", close=0.05) is None


def test_where_good_is_parted_wholly_from_bad_noise_among_the_good_is_no_reward():
    good, bad = [2.0, 2.001, 2.002] * 5, [-2.0, -2.001, -2.002] * 5
    found = measured_scale(good, bad, "here")
    assert found.accepted_deviation < 0.001 < 1 < found.sigma
    assert abs(found.reward(2.002) - found.reward(2.0)) < 0.001
    assert 0.01 < found.reward(-2.0) < 0.03


def test_a_scale_is_read_back_and_one_of_an_older_training_is_taken_away(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    write_scale(tmp_path, SCALE)
    assert read_scale(tmp_path) == SCALE
    write_scale(tmp_path, None)
    assert json.loads((tmp_path / "config.json").read_text()) == {"model_type": "qwen2"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no map from scores to rewards; train it with `recode train reward`"),
        ("{}", "no map from scores to rewards"),
        ('{"recode_calibration": {"mu": 0, "sigma": 0, "n": 2, "source": ""}}', "recode_calibration.sigma"),
        ('{"recode_calibration": {"mu": 0, "n": 2, "source": ""}}', "recode_calibration.sigma"),
        ('{"recode_calibration": {"mu": 2, "sigma": 8e-4, "n": 2, "source": ""}}', "less than scores reproduce"),
    ],
)
def test_a_model_without_a_scale_says_what_to_do(tmp_path, text, says):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json") as error:
        read_scale(tmp_path)
    assert says in str(error.value)


def test_originals_of_accepted_samples_are_told_from_rewrites():
    from recode_models.reward_model.examine import sides

    found = {kind: (sides(pair(0, kind=kind)) or [None])[0] for kind in PairKind}
    chosen, rejected = pair(0).chosen_reasoning, pair(0).rejected_reasoning
    assert found == {
        PairKind.NATURAL: chosen,
        PairKind.DEGRADED: chosen,
        PairKind.OPTIMIZED: rejected,
        PairKind.STRONG: None,
        PairKind.SAME_CODE: chosen,
        PairKind.LUCKY: chosen,
    }


@given(st.lists(st.integers(1, 4000), max_size=300), st.integers(1, 8), st.integers(0, 3))
def test_batches_of_like_length_hold_every_pair_once(lengths, batch, seed):
    order = order_by_length(lengths, batch, seed)
    assert sorted(order) == list(range(len(lengths)))
    assert order == order_by_length(lengths, batch, seed)
    full = [order[at : at + batch] for at in range(0, len(order) - batch + 1, batch)]
    if len(lengths) <= WINDOW * batch:  # one window: no two batches overlap in length
        spans = sorted((min(lengths[i] for i in part), max(lengths[i] for i in part)) for part in full)
        assert all(high <= low for (_, high), (low, _) in itertools.pairwise(spans))
