"""What `recode publish` refuses before any request: the file, why, and what to do."""

import gzip
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factories import run_recode
from hub import environment
from lcb_rb.cards import CARD
from lcb_rb.errors import InputError
from lcb_rb.hub.checks import check, check_target
from lcb_rb.hub.files import files_of
from lcb_rb.hub.remote import Target
from publishable import make_dataset, make_model, make_space

MAKE: dict[str, Callable[[Path], Path]] = {"dataset": make_dataset, "model": make_model, "space": make_space}
PARQUET = "data/test-00000-of-00001.parquet"
TOKEN = "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3h"


def refusal(directory: Path, kind: str, **options: object) -> str:
    target = Target("recode/x", kind, **options)
    with pytest.raises(InputError) as caught:
        check(files_of(directory), target, directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def without_column(directory: Path, name: str) -> None:
    table = pq.read_table(directory / PARQUET)
    pq.write_table(table.drop_columns([name]), directory / PARQUET)


def retyped(directory: Path, name: str) -> None:
    table = pq.read_table(directory / PARQUET)
    column = table[name].cast(pa.int64())
    pq.write_table(table.set_column(table.column_names.index(name), name, column), directory / PARQUET)


def with_text(directory: Path, name: str, value: object) -> None:
    table = pq.read_table(directory / PARQUET)
    column = pa.array([value] * len(table))
    pq.write_table(table.set_column(table.column_names.index(name), name, column), directory / PARQUET)


@pytest.mark.parametrize("kind", MAKE)
def test_a_good_directory_passes(tmp_path, kind):
    directory = MAKE[kind](tmp_path / "it")
    card = check(files_of(directory), Target("recode/x", kind), directory)
    assert card


DATASET: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no card": (lambda d: (d / CARD).unlink(), CARD, "is missing"),
    "card without YAML": (lambda d: (d / CARD).write_text("# Title\n"), CARD, "line 1: has no block of YAML"),
    "open block": (lambda d: (d / CARD).write_text("---\nlicense: x\n# Title\n"), CARD, "has no block of YAML"),
    "broken YAML": (lambda d: edit(d / CARD, "pretty_name: LCB-RB", "pretty_name: [LCB"), CARD, "is broken YAML"),
    "a list": (lambda d: (d / CARD).write_text("---\n- a\n---\n"), CARD, "no mapping"),
    "not UTF-8": (lambda d: (d / CARD).write_bytes(b"---\nlicense: \xff\n---\n"), CARD, "is not UTF-8"),
    "no licence": (lambda d: edit(d / CARD, "license: other\n", ""), CARD, "field 'license': is missing"),
    "configs": (
        lambda d: edit(d / CARD, "config_name: default\n  default", "default"),
        CARD,
        "field 'configs.0.config_name'",
    ),
    "no such file": (lambda d: edit(d / CARD, "data/test-*", "data/train-*"), CARD, "'data/train-*', of which"),
    "no such type": (lambda d: edit(d / CARD, "dtype: int32", "dtype: int33"), CARD, "field 'dataset_info'"),
    "0 bytes": (lambda d: (d / PARQUET).write_bytes(b""), PARQUET, "is empty (0 bytes)"),
    "no parquet": (lambda d: (d / PARQUET).write_text("a,b\n"), PARQUET, "is no parquet file"),
    "cut off": (lambda d: os.truncate(d / PARQUET, 900), PARQUET, "is no parquet file"),
    "missing column": (lambda d: without_column(d, "platform"), PARQUET, "field 'platform': is declared"),
    "other type": (lambda d: retyped(d, "chosen_chars"), PARQUET, "'chosen_chars': is int64, declared as int32"),
    "undeclared column": (
        lambda d: edit(d / CARD, "  - name: platform\n    dtype: string\n", ""),
        PARQUET,
        "field 'platform': is not declared",
    ),
    "program": (lambda d: (d / "x.py").write_text("1"), "x.py", "is a program in the root"),
    "pickle": (lambda d: (d / "x.pkl").write_bytes(b"1"), "x.pkl", "is a pickle"),
    "hidden pickle": (lambda d: (d / "x.dat").write_bytes(pickle.dumps([1])), "x.dat", "is a pickle"),
    "token": (lambda d: (d / "a.txt").write_text(f"one\ntwo {TOKEN}\n"), "a.txt", "line 2: holds a Hugging Face"),
    "token in the card": (lambda d: edit(d / CARD, "# LCB-RB", f"# {TOKEN}"), CARD, "holds a Hugging Face token"),
    "token in data": (lambda d: with_text(d, "problem", f"say {TOKEN}"), PARQUET, "'problem': holds a Hugging Face"),
    "private key": (
        lambda d: (d / "a.txt").write_text("-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG"),
        "a.txt",
        "holds a private key",
    ),
    "other keys": (lambda d: (d / "a.txt").write_text("AKIA" + "ABCDEFGHIJKLMNOP"), "a.txt", "holds an AWS key"),
    "credentials": (lambda d: (d / ".env").write_text("A=1"), ".env", "is a file for credentials"),
    "path": (lambda d: (d / "a.json").write_text('{"x": "/ho' + 'me/me/run"}'), "a.json", "holds a path of a machine"),
    "no such date": (
        lambda d: edit(d / CARD, "license: other", "license: other\ndate: 2024-13-45"),
        CARD,
        "broken YAML",
    ),
    "infos": (
        lambda d: edit(d / CARD, "dataset_info:\n- config_name: default", "dataset_info: 5\nx:\n- y: z"),
        CARD,
        "info",
    ),
    "data_files": (lambda d: edit(d / CARD, "    path: data/test-*", "    path:"), CARD, "field 'configs.0.data_files"),
    "two defaults": (
        lambda d: edit(
            d / CARD,
            "- config_name: default\n  default: true",
            "- config_name: x\n  default: true\n- config_name: default\n  default: true",
        ),
        CARD,
        "has several defaults",
    ),
    "no configs": (
        lambda d: (edit(d / CARD, "configs:\n- config_name: default", "x:\n- y: z"), without_column(d, "platform")),
        PARQUET,
        "field 'platform': is declared",
    ),
    "upper case": (lambda d: (d / "data/X.PARQUET").write_bytes(b""), "data/X.PARQUET", "is empty (0 bytes)"),
    "program in capitals": (lambda d: (d / "x.PY").write_text("1"), "x.PY", "is a program in the root"),
    "ignored": (lambda d: (d / ".gitignore").write_text("*.parquet"), ".gitignore", "leave files out"),
    "old pickle": (lambda d: (d / "x").write_bytes(pickle.dumps([len], protocol=0)), "x", "is a pickle"),
    "packed pickle": (lambda d: (d / "x.pkl.gz").write_bytes(b"1"), "x.pkl.gz", "is a pickle"),
    "token in a notebook": (
        lambda d: (d / "a.ipynb").write_text(json.dumps({"x": [TOKEN]})),
        "a.ipynb",
        "Hugging Face",
    ),
    "token in UTF-16": (lambda d: (d / "a.txt").write_text(TOKEN, encoding="utf-16"), "a.txt", "holds a Hugging Face"),
    "token in gz": (lambda d: (d / "a.gz").write_bytes(gzip.compress(TOKEN.encode())), "a.gz", "holds a Hugging Face"),
    "token in a list": (lambda d: with_text(d, "problem", [{"a": [TOKEN]}]), PARQUET, "field 'problem': "),
    "environment": (lambda d: (d / ".env.local").write_text("A=1"), ".env.local", "is a file for credentials"),
    "unreadable": (lambda d: (d / "a.txt").write_bytes(b"\xff" * 9 + TOKEN.encode()), "a.txt", "holds a Hugging Face"),
    "own path": (lambda d: (d / "a.md").write_text(f"made in {d.parent}/x\n"), "a.md", "holds a path of this machine"),
    "link": (lambda d: (d / "a.txt").symlink_to("/etc/hostname"), "a.txt", "is a link"),
    "pipe": (lambda d: os.mkfifo(d / "a.txt"), "a.txt", "no regular file"),
}


@pytest.mark.parametrize("fault", DATASET)
def test_a_bad_dataset_is_refused(tmp_path, fault):
    directory = make_dataset(tmp_path / "it")
    spoil, file, said = DATASET[fault]
    spoil(directory)
    with pytest.raises(InputError) as caught:
        check(files_of(directory), Target("recode/x", "dataset"), directory)
    message = str(caught.value)
    assert message.startswith(str(directory / file)) and said in message and "\n" not in message
    assert TOKEN not in message


INNOCENT = {
    "scikit-learn": "<div class='sk-toggleable__label-arrow sk-estimator-doc-link'>",
    "class": "hf_AutoModelForSequenceClassificationWrapper = None",
    "word": "-----BEGIN PRIVATE KEY----- stands at the top of such files",
    "base64": "data:image/png;base64,iVBORw0KGgo/AK" + "IAIOSFODNN7EXAMPLE/Zz",
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_only_looks_like_a_secret_passes(tmp_path, name):
    directory = make_dataset(tmp_path / "it")
    (directory / "notes.md").write_text(INNOCENT[name])
    check(files_of(directory), Target("recode/x", "dataset"), directory)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.set_column(table.column_names.index("kind"), "kind", table["kind"].dictionary_encode()),
        lambda table: table.set_column(table.column_names.index("dimension"), "dimension", pa.nulls(len(table))),
        lambda table: table.set_column(
            table.column_names.index("problem"), "problem", table["problem"].cast(pa.large_string())
        ),
    ],
    ids=["dictionary", "null", "large"],
)
def test_columns_that_datasets_reads_the_same_pass(tmp_path, change):
    directory = make_dataset(tmp_path / "it")
    pq.write_table(change(pq.read_table(directory / PARQUET)), directory / PARQUET)
    check(files_of(directory), Target("recode/x", "dataset"), directory)


MODEL: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no weights": (lambda d: (d / "model.safetensors").unlink(), "", "holds no .safetensors weights"),
    "pickled weights": (lambda d: (d / "pytorch_model.bin").write_bytes(b"1"), "pytorch_model.bin", "is a pickle"),
    "training arguments": (lambda d: (d / "training_args.bin").write_bytes(b"1"), "training_args.bin", "is a pickle"),
    "zipped pickle": (
        lambda d: (d / "x.zip").write_bytes(b"PK\x03\x04" + bytes(20) + b"archive/data.pkl"),
        "x.zip",
        "is a pickle",
    ),
    "code": (lambda d: (d / "modeling_x.py").write_text("1"), "modeling_x.py", "is code"),
    "code elsewhere": (
        lambda d: (d / "config.json").write_text('{"auto_map": {"AutoModel": "a/b--x.X"}}'),
        "config.json",
        "field 'auto_map': names code",
    ),
    "no config": (lambda d: (d / "config.json").unlink(), "config.json", "is missing"),
    "broken config": (lambda d: (d / "config.json").write_text("{"), "config.json", "is no JSON"),
    "weights cut off": (lambda d: os.truncate(d / "model.safetensors", 100), "model.safetensors", "has 100 bytes"),
    "empty weights": (lambda d: os.truncate(d / "model.safetensors", 0), "model.safetensors", "is no safetensors"),
    "odd weights": (
        lambda d: (d / "model.safetensors").write_bytes(
            header('{"a": {"dtype": "F32", "shape": [1], "data_offsets": "z"}}')
        ),
        "model.safetensors",
        "is no safetensors",
    ),
    "odd index": (
        lambda d: (d / "model.safetensors.index.json").write_text('{"weight_map": {"a": ["b"]}}'),
        "model.safetensors.index.json",
        "field 'weight_map.a'",
    ),
    "code for the tokenizer": (
        lambda d: (d / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": "a/b--x.X"}}'),
        "tokenizer_config.json",
        "field 'auto_map': names code",
    ),
    "missing shard": (
        lambda d: (d / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b.safetensors"}}'),
        "model.safetensors.index.json",
        "names b.safetensors, which is missing",
    ),
}


def header(text: str) -> bytes:
    return len(text).to_bytes(8, "little") + text.encode()


@pytest.mark.parametrize("fault", MODEL)
def test_a_bad_model_is_refused(tmp_path, fault):
    directory = make_model(tmp_path / "it")
    spoil, file, said = MODEL[fault]
    spoil(directory)
    message = refusal(directory, "model")
    assert message.startswith(str(directory / file)) and said in message


SPACE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no title": (lambda d: edit(d / CARD, "title: A metric\n", ""), CARD, "field 'title': is missing"),
    "unknown sdk": (lambda d: edit(d / CARD, "static", "statics"), CARD, "field 'sdk': input should be"),
    "colour": (lambda d: edit(d / CARD, "sdk: static", "sdk: static\ncolorFrom: mauve"), CARD, "field 'colorFrom'"),
    "long description": (lambda d: edit(d / CARD, "sdk: static", "sdk: static\nshort_description: " + "x" * 61), CARD,
                         "field 'short_description'"),
    "tags": (lambda d: edit(d / CARD, "tags: [evaluate, metric]", "tags: 5"), CARD, "field 'tags'"),
    "no page": (lambda d: (d / "index.html").unlink(), CARD, "field 'app_file': is 'index.html'"),
    "two imports": (lambda d: edit(d / "a_metric.py", "import datasets\n", "import datasets, os\n"), "a_metric.py",
                    "line 1: imports several"),
    "broken module": (lambda d: (d / "a_metric.py").write_text("def"), "a_metric.py", "is not valid Python"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPACE)
def test_a_bad_space_is_refused(tmp_path, fault):
    directory = make_space(tmp_path / "it")
    spoil, file, said = SPACE[fault]
    spoil(directory)
    message = refusal(directory, "space")
    assert message.startswith(str(directory / file)) and said in message


@pytest.mark.parametrize("tag", ["v0.4", "v0.4.6"])
def test_a_metric_does_not_take_the_tag_that_evaluate_asks_for(tmp_path, tag):
    assert "is a version of evaluate" in refusal(make_space(tmp_path / "it"), "space", tag=tag)


@pytest.mark.parametrize(
    ("repo_id", "options", "said"),
    [
        ("nobody", {}, "names no owner"),
        ("a/b/c", {}, "is no repository id"),
        ("recode/x y", {}, "is no repository id"),
        ("recode/x", {"tag": "v 1"}, "is no name of a version"),
        ("recode/x", {"tag": ""}, "is no name of a version"),
        ("recode/x", {"tag": "a..b"}, "is no name of a version"),
        ("recode/x", {"tag": "v1.lock"}, "is no name of a version"),
        ("recode/x", {"tag": "main"}, "is a name of the Hub's own"),
        ("recode/x", {"revision": "../x"}, "is no name of a version"),
        ("recode/x", {"create_pr": True, "tag": "v1.0.0"}, "leave out --tag"),
        ("recode/x", {"create_pr": True, "revision": "dev"}, "leave out --tag and --revision"),
    ],
)
def test_a_wrong_target_is_refused(repo_id, options, said):
    with pytest.raises(InputError, match=said):
        check_target(Target(repo_id, "dataset", **options))


def test_paths_are_part_of_problems(tmp_path):
    directory = make_dataset(tmp_path / "it")
    with_text(directory, "problem", "Simplify /ho" + "me/user/../x.")
    check(files_of(directory), Target("recode/x", "dataset"), directory)


def test_what_is_never_published_is_left_out(tmp_path):
    directory = make_dataset(tmp_path / "it")
    for name in (".git", "__pycache__", ".cache"):
        (directory / name).mkdir()
        (directory / name / "x.pyc").write_text("1")
    assert set(files_of(directory)) == {CARD, PARQUET}


def test_the_command_refuses_before_any_request(tmp_path, hub):
    directory = make_dataset(tmp_path / "it")
    (directory / PARQUET).write_bytes(b"")
    settings = environment(hub, tmp_path / "home", "hf_owner", hub.xet)
    done = run_recode("publish", directory, "recode/x", "--type", "dataset", environment=settings)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "is empty (0 bytes)" in done.stderr
    assert not hub.log()


@pytest.mark.parametrize("place", ["missing", "file", "empty"])
def test_what_is_no_directory_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=place):
        files_of(tmp_path / place)
    shutil.rmtree(tmp_path / "empty")
