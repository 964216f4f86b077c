"""The README's commands run as they stand and print what stands there."""

import re
import shlex
import subprocess
import sys
import time

import pytest

from factories import ROOT, run_recode

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ (.+)\n((?:.*\n)*?)```", README)
DEMO_S = 420


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs every console block in order in one empty folder and keeps what each printed."""
    directory = tmp_path_factory.mktemp("readme")
    printed = {}
    for command, _ in CONSOLE:
        words = ["recode", "demo"] if command == "make demo" else shlex.split(command)
        start = time.monotonic()
        result = run_recode(*words[1:], cwd=directory)
        assert result.returncode == 0, result.stderr
        printed[command] = (result.stdout, time.monotonic() - start)
    return directory, printed


def exact(text):
    """The lines whose numbers do not hang on floating-point training."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and "reward-model" not in line]


def test_there_are_three_console_blocks():
    assert [command.split()[:2] for command, _ in CONSOLE] == [
        ["make", "demo"],
        ["recode", "score"],
        ["recode", "build"],
    ]


@pytest.mark.parametrize(("command", "shown"), CONSOLE, ids=[command for command, _ in CONSOLE])
def test_a_command_prints_what_the_readme_shows(folder, command, shown):
    assert sorted(exact(folder[1][command][0])) == sorted(exact(shown))


def test_the_demo_takes_a_few_minutes_also_beside_other_tests(folder):
    assert folder[1]["make demo"][1] < DEMO_S


def test_the_demo_scores_the_model_that_it_trained(folder):
    shown = folder[1]["make demo"][0]
    assert len(re.findall(r"^demo-out/reward-model +\d+ +32 +\d+ +0 +[01]\.\d{3} ", shown, re.MULTILINE)) == 2


def test_the_demo_shares_no_problem_between_benchmark_and_training(folder):
    from lcb_rb.pairs import read_pairs

    benchmark, training = (
        {pair.problem_id for pair in read_pairs(folder[0] / "demo-out" / name)} for name in ("lcb-rb", "crpl")
    )
    assert benchmark and training
    assert not benchmark & training


def test_the_demo_page_shows_every_scorer(folder):
    page = (folder[0] / "demo-out" / "index.html").read_text(encoding="utf-8")
    for name in ("length", "shorter", "random", "tfidf", "demo-out/reward-model"):
        assert page.count(f">{name}</td>") == 2


def test_the_python_block_on_scoring_runs(folder):
    """The one on the Hub runs in test_hub_journeys.py."""
    section = README.partition("## Score")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder[0],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert "accuracy=0." in result.stdout


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_pip_lines_name_extras_that_exist():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"-e '\.\[([\w,]+)\]'", README)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
