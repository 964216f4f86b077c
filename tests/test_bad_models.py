"""`recode score` on models that cannot be scored: exit code 2, one line on stderr, nothing written.

All run through the same `main` in this process, one in a process of its own.
"""

import json
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from factories import make_pair, needs, run_recode
from lcb_rb.pairs import write_pairs
from test_bad_input import entries, refusal, run_here
from tiny_models import save_model

needs("torch", "transformers")

REMOTE = {"AutoConfig": "code.C", "AutoModelForSequenceClassification": "code.M"}
LABELS = {"num_labels": 3, "id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that can be scored, whole and in shards, and pairs."""
    from transformers import AutoModelForSequenceClassification

    place = tmp_path_factory.mktemp("good")
    save_model(place / "model", "qwen2")
    save_model(place / "labels", "qwen2", labels=3)
    save_model(place / "causal", "qwen2", labels=None)
    shutil.copytree(place / "model", place / "shards")
    weights(place / "shards").unlink()
    model = AutoModelForSequenceClassification.from_pretrained(place / "model")
    model.save_pretrained(place / "shards", max_shard_size="5KB")
    write_pairs([make_pair()], place / "pairs", "test")
    return place


@pytest.fixture
def model(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good / "model", tmp_path / "model"))


@pytest.fixture
def shards(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good / "shards", tmp_path / "model"))


def weights(directory: Path) -> Path:
    return directory / "model.safetensors"


def refused(good: Path, model: Path, *options: str | Path) -> str:
    return refusal(model.parent, "score", model, "--pairs", good / "pairs", "--out", model.parent / "r.json", *options)


def change_config(directory: Path, **fields: Any) -> None:
    known = {**json.loads((directory / "config.json").read_text(encoding="utf-8")), **fields}
    kept = {name: value for name, value in known.items() if value is not None}
    (directory / "config.json").write_text(json.dumps(kept), encoding="utf-8")


def change_weights(directory: Path, name: str, value: Any) -> None:
    from safetensors.torch import load_file, save_file

    found = {**load_file(weights(directory)), name: value}
    save_file({key: held for key, held in found.items() if held is not None}, weights(directory), {"format": "pt"})


def change_index(directory: Path, change: Any) -> None:
    path = directory / "model.safetensors.index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**index, "weight_map": change(index["weight_map"])}), encoding="utf-8")


CONFIGS = {
    "garbage": (b"{", "not a valid JSON file"),
    "random bytes": (b"\xff\xfe\x00{", "not a valid JSON file"),
    "a list": (b"[]", "not understood (TypeError"),
    "no model_type": (b"{}", "Should have a `model_type` key"),
    "an unknown model_type": (b'{"model_type": "mine"}', "has model type `mine`"),
    "code of its own": (json.dumps({"model_type": "mine", "auto_map": REMOTE}).encode(), "contains custom code"),
}


@pytest.mark.parametrize("case", list(CONFIGS))
def test_a_bad_config_is_refused(case: str, good: Path, model: Path) -> None:
    data, said = CONFIGS[case]
    (model / "config.json").write_bytes(data)
    (model / "code.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    assert said in refused(good, model)


def test_a_missing_config_is_refused(good: Path, model: Path) -> None:
    (model / "config.json").unlink()
    assert "Should have a `model_type` key in its config.json" in refused(good, model)


FIELDS = {
    "another width": ({"hidden_size": 32}, "and by config.json (300, 32); config.json is of another model"),
    "more layers": ({"num_hidden_layers": 3, "layer_types": None}, "no weights for model.layers.2"),
    "fewer tokens": ({"vocab_size": 10}, "has shape (300, 16), and by config.json (10, 16)"),
    "text for a number": ({"hidden_size": "big"}, "expected int, got str"),
    "no width": ({"hidden_size": 0}, "not understood (ZeroDivisionError"),
    "an unknown activation": ({"hidden_act": "mine"}, "not understood (KeyError: 'mine')"),
    "an unknown dtype": ({"dtype": "float99"}, "has no attribute 'float99'"),
    "an unknown quantisation": ({"quantization_config": {"quant_method": "mine"}}, "transformers does not know"),
    "a quantisation without its package": (
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        "needs a package that is not here",
    ),
}


@pytest.mark.parametrize("case", list(FIELDS))
def test_a_config_of_another_model_is_refused(case: str, good: Path, model: Path) -> None:
    fields, said = FIELDS[case]
    change_config(model, **fields)
    assert said in refused(good, model)


TOKENIZERS = {
    "garbage": (b"{", "Expecting property name"),
    "another object": (b'{"a": 1}', "tokenizer not understood (KeyError: 'added_tokens')"),
    "random bytes": (b"\x00\xff\xb2", "can't decode byte"),
    "zero bytes": (b"", "Expecting value"),
}


@pytest.mark.parametrize("case", list(TOKENIZERS))
def test_a_bad_tokenizer_is_refused(case: str, good: Path, model: Path) -> None:
    data, said = TOKENIZERS[case]
    (model / "tokenizer.json").write_bytes(data)
    assert said in refused(good, model)


def test_no_tokenizer_is_refused_though_transformers_makes_an_empty_one(good: Path, model: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (model / name).unlink()
    assert "no tokenizer, or one that knows no words" in refused(good, model)


TEMPLATES = {
    "no jinja": ("{% for x in %}", "its chat template fails: Expected an expression"),
    "one that raises": ("{{ raise_exception('no assistants here') }}", "its chat template fails: no assistants here"),
    "one for other messages": ("{{ messages[7].content.x }}", "its chat template fails: list object has no element 7"),
    "one that does not show the reasoning": ("{{ messages[0].content }}", "leaves out the assistant's text"),
}


@pytest.mark.parametrize("by", ["model", "adapter"])
@pytest.mark.parametrize("case", list(TEMPLATES))
def test_a_bad_template_is_refused(case: str, by: str, good: Path, model: Path) -> None:
    template, said = TEMPLATES[case]
    adapter = model.parent / "a.yaml"
    adapter.write_text(json.dumps({"template": template} if by == "adapter" else {}), encoding="utf-8")
    if by == "model":
        (model / "chat_template.jinja").write_text(template, encoding="utf-8")
    line = refused(good, model, "--adapter", adapter)
    assert said in line
    assert line.startswith(f"recode: {adapter if by == 'adapter' else model}: ")


def test_tokens_beyond_the_embedding_are_refused(good: Path, model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(["Twice"])
    tokenizer.save_pretrained(model)
    said = "pair p1/a: token 'Twice' is number 301, but the model knows 300"
    assert said in refused(good, model)


FILES = {
    "a truncated file": (lambda data: data[:-50], "not fully covered"),
    "a garbage header": (lambda data: b"garbage!" * 20, "header too large"),
    "a header beyond the file": (lambda data: struct.pack("<Q", 10**6) + data[8:], "invalid header length"),
    "a header of 2**63 bytes": (lambda data: struct.pack("<Q", 2**63) + data[8:], "header too large"),
    "an empty file": (lambda data: b"", "header too small"),
    "zero bytes": (lambda data: bytes(1000), "invalid JSON in header"),
}


@pytest.mark.parametrize("case", list(FILES))
def test_corrupt_weights_are_refused_with_the_file(case: str, good: Path, model: Path) -> None:
    change, said = FILES[case]
    weights(model).write_bytes(change(weights(model).read_bytes()))
    line = refused(good, model)
    assert said in line
    assert f"{weights(model)}: " in line
    assert "download or save it again" in line


def test_no_weights_are_refused(good: Path, model: Path) -> None:
    weights(model).unlink()
    assert "no file named model.safetensors" in refused(good, model)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_weights_that_are_no_numbers_are_named_by_the_real_command(value: str, good: Path, model: Path) -> None:
    import torch

    name = "model.layers.0.mlp.up_proj.weight"
    change_weights(model, name, torch.cat([torch.zeros(1, 16), torch.full((31, 16), float(value))]))
    said = f"recode: {model}: NaN or infinity in {name} (float32); "
    if value != "nan":
        assert refused(good, model).startswith(said)
        return
    before = entries(model.parent)
    done = run_recode("score", model, "--pairs", good / "pairs", "--out", model.parent / "r.json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith(said)
    assert entries(model.parent) == before


def test_a_narrow_dtype_that_overflows_is_refused(good: Path, model: Path) -> None:
    import torch

    change_weights(model, "score.weight", torch.full((1, 16), 1e6))
    (model.parent / "a.yaml").write_text("dtype: float16", encoding="utf-8")
    line = refused(good, model, "--adapter", model.parent / "a.yaml")
    assert "NaN or infinity in score.weight (float16)" in line
    assert "a `dtype` with a wider range" in line


def test_a_head_without_weights_or_of_another_shape_is_refused(good: Path, model: Path) -> None:
    import torch

    change_weights(model, "score.weight", torch.zeros(1, 8))
    assert "score.weight has shape (1, 8), and by config.json (1, 16)" in refused(good, model)
    change_weights(model, "score.weight", None)
    assert "no weights for score.weight" in refused(good, model)


def test_three_labels_are_refused_by_the_command(good: Path, tmp_path: Path) -> None:
    assert "3 labels; a reward model has one or two" in refused(good, good / "labels")
    shutil.copytree(good / "model", tmp_path / "model")
    change_config(tmp_path / "model", **LABELS)
    assert "score.weight has shape (1, 16), and by config.json (3, 16)" in refused(good, tmp_path / "model")


INDEXES = {
    "garbage": ("{", "no `weight_map` from weights to files"),
    "no map": ("{}", "no `weight_map` from weights to files"),
    "a list": ("[]", "no `weight_map` from weights to files"),
    "a map of nothing": ('{"weight_map": {}}', "names no file"),
}


@pytest.mark.parametrize("case", list(INDEXES))
def test_a_bad_index_of_shards_is_refused(case: str, good: Path, shards: Path) -> None:
    text, said = INDEXES[case]
    (shards / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    assert said in refused(good, shards)


def test_a_missing_or_corrupt_shard_is_refused_by_name(good: Path, shards: Path) -> None:
    second = sorted(shards.glob("model-*.safetensors"))[1]
    second.write_bytes(second.read_bytes()[:-8])
    assert f"{second}: " in refused(good, shards)
    second.unlink()
    assert f"there is no {second.name}" in refused(good, shards)


@pytest.mark.parametrize("where", ["../outside.safetensors", "below/outside.safetensors", "/outside.safetensors"])
def test_a_shard_outside_of_the_directory_is_refused(where: str, good: Path, shards: Path) -> None:
    """Only what lies in the directory is part of the revision."""
    change_index(shards, lambda names: {**names, "score.weight": where})
    assert f"{where} lies outside of the directory" in refused(good, shards)


def test_shards_that_are_all_there_are_scored(good: Path) -> None:
    from lcb_rb.scorers import Item, load_scorer

    one, other = (load_scorer(str(good / name)).score([Item("p", "Twice", "we walk")]) for name in ("model", "shards"))
    assert one == other != [None]


def test_pickles_are_refused_and_the_option_is_named(good: Path, model: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(weights(model)), model / "pytorch_model.bin")
    weights(model).unlink()
    line = refused(good, model)
    assert "weights are pickles (pytorch_model.bin), which can hold code" in line
    assert "--allow-pickle" in line
    (model / "pytorch_model.bin").write_bytes(b"garbage")
    assert "a pickle that holds more than weights" in refused(good, model, "--allow-pickle")


def test_a_lora_adapter_alone_is_refused(good: Path, model: Path) -> None:
    (model / "config.json").rename(model / "adapter_config.json")
    assert "a LoRA adapter without its base" in refused(good, model)


@pytest.mark.parametrize("options", [[], ["--allow-pickle"]])
def test_a_lora_adapter_beside_its_base_is_refused(options: list[str], good: Path, model: Path) -> None:
    (model / "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
    (model / "adapter_model.bin").write_bytes(b"garbage")
    line = refused(good, model, *options)
    assert "a LoRA adapter beside its base; merge the two" in line


def test_an_attention_that_short_texts_change_is_refused(good: Path, model: Path) -> None:
    from transformers import BigBirdConfig, BigBirdForSequenceClassification

    from lcb_rb.scorers import Item, load_scorer

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = BigBirdConfig(vocab_size=300, max_position_embeddings=256, num_labels=1, **sizes)
    BigBirdForSequenceClassification(config).save_pretrained(model)
    line = refused(good, model)
    assert "attention_type block_sparse" in line
    assert "save it with attention_type original_full" in line
    change_config(model, attention_type="original_full")
    assert None not in load_scorer(str(model)).score([Item("p", "Twice", "we walk")])


def test_weights_without_a_place_are_noted(good: Path, model: Path) -> None:
    import torch

    from lcb_rb.scorers import load_scorer

    change_weights(model, "v_head.weight", torch.zeros(1, 16))
    assert load_scorer(str(model)).notes == ["1 weights of the files have no place in the model (v_head.weight)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("labl: 1", "key 'labl': Extra inputs are not permitted"), ("pooling: max", "key 'pooling'")],
)
def test_a_wrong_key_of_an_adapter_is_refused(text: str, said: str, good: Path, model: Path) -> None:
    (model.parent / "a.yaml").write_text(text, encoding="utf-8")
    assert said in refused(good, model, "--adapter", model.parent / "a.yaml")


def test_a_reference_of_other_tokens_is_refused(good: Path, tmp_path: Path) -> None:
    from recode_models.fresh import train_tokenizer

    reference = Path(shutil.copytree(good / "causal", tmp_path / "reference"))
    train_tokenizer(["other words entirely"], 290).save_pretrained(reference)
    line = refused(good, good / "causal", "--as", "dpo", "--reference", reference)
    assert f"{reference}: other tokens than {good / 'causal'}" in line


@pytest.fixture
def open_place(good: Path) -> Iterator[Path]:
    """A model and pairs where every user may read, unlike below `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for part in ("model", "pairs"):
            shutil.copytree(good / part, place / "above" / part)
        for path in [place, *place.rglob("*")]:
            path.chmod(0o755)
        done = run_here("score", place / "above" / "model", "--pairs", place / "above" / "pairs")
        assert done[0] is None, "it can be scored, and all that is imported on the way has been"
        yield place / "above"


@contextmanager
def without_rights() -> Iterator[None]:
    """Takes from root, in this process, the right to read what others forbid; nobody else has it."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("locked", ["model", "model/config.json", "model/model.safetensors", "model/tokenizer.json"])
def test_a_model_without_permission_is_refused(locked: str, good: Path, open_place: Path) -> None:
    (open_place / locked).chmod(0)
    with without_rights():
        line = refusal(open_place, "score", open_place / "model", "--pairs", open_place / "pairs")
    (open_place / locked).chmod(0o755)
    assert line.startswith(f"recode: {open_place / 'model'}"), line


@pytest.mark.parametrize("name", ["model", "scores.jsonl"])
def test_a_scorer_in_a_directory_without_permission_is_refused(name: str, good: Path, open_place: Path) -> None:
    (open_place / "locked").mkdir(mode=0)
    with without_rights():
        line = refusal(open_place, "score", open_place / "locked" / name, "--pairs", open_place / "pairs")
    (open_place / "locked").chmod(0o755)
    assert "cannot be read (Permission denied); check " in line
