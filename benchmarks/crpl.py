"""A reward model trained on rule-made flaws (CRPL): does it see them in other problems, and does it help on real pairs?

    python benchmarks/crpl.py --data DATA --out benchmarks/results/crpl

Trains the recipe on the verified reasonings of LeetCodeDataset's training split and their degraded variants, and scores
it beside a bag of words and the content-blind baselines: on the variants of held-out problems, and on natural pairs of
LiveCodeBench generations. Every step is the command that a user would call; each is timed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from runs import Row, provenance

from lcb_rb.schema import Accuracy
from lcb_rb.writing import dump_json, write_text

TRAINING = "problems/LeetCodeDataset-v0.2.0-train.jsonl.gz"
GENERATIONS = "generations/lcb"
MIN_CHARS = 200
BLIND = ("length", "shorter", "random")


class Steps:
    """Runs `recode` in a working directory and keeps what it took."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.taken: list[Row] = []

    def run(self, *words: str) -> Row:
        """Returns what the command printed as JSON; its failure ends the program."""
        wall, cpu = time.perf_counter(), os.times()
        command = [str(Path(sys.executable).with_name("recode")), *words, "--json"]
        done = subprocess.run(command, cwd=self.directory, stdout=subprocess.PIPE, text=True, check=True)
        used = os.times()
        self.taken.append(
            {
                "command": " ".join(["recode", *(Path(word).name if word.startswith("/") else word for word in words)]),
                "wall_s": time.perf_counter() - wall,
                "cpu_s": used.children_user + used.children_system - cpu.children_user - cpu.children_system,
            }
        )
        found: Row = json.loads(done.stdout)
        return found


def measured(steps: Steps, data: Path, recipe: str) -> Row:
    """Returns the counts, and the reports of all scorers on both sets of pairs."""
    files = [str(path) for path in sorted((data / GENERATIONS).glob("*.json.gz"))]
    crpl = steps.run("build", "crpl", "--samples", str(data / TRAINING), "--out", "crpl")
    natural = steps.run(
        *("build", "lcb-rb", "--samples", *files, "--min-reasoning-chars", str(MIN_CHARS), "--out", "lcb-rb")
    )
    trained = steps.run("train", "reward", recipe, "--pairs", "crpl", "--evaluate", "lcb-rb", "--out", "model")
    sets = {
        "held-out CRPL pairs": ("--pairs", "crpl", "--split", "validation"),
        "natural LCB-RB pairs": ("--pairs", "lcb-rb"),
    }
    reports = {
        name: {
            scorer: steps.run("score", scorer, *where, *(("--fit-on", "crpl") if scorer == "tfidf" else ()))
            for scorer in ("model", "tfidf", *BLIND)
        }
        for name, where in sets.items()
    }
    return {"crpl": crpl, "natural": natural, "trained": trained, "reports": reports}


def markdown(found: Row) -> str:
    """Returns the tables, with what each step took."""
    lines = [
        f"# {found['recipe']} on LeetCodeDataset's verified reasonings",
        "",
        f"`{found['command']}` at {found['commit']}, {found['date']}, {_where(found['machine'])}.",
        f"{found['crpl']['pairs']} pairs over {found['crpl']['problems']} problems; "
        f"{found['trained']['kept']} of {found['trained']['given']} training pairs used.",
    ]
    for name, reports in found["reports"].items():
        lines += ["", f"## {name}", "", *_table(reports)]
    model = found["reports"]["held-out CRPL pairs"]["model"]
    lines += ["", "## The model on held-out CRPL pairs, by dimension", "", *_rows("dimension", model["by_dimension"])]
    lines += ["", "## Time", "", "| step | wall s | CPU s |", "|---|--:|--:|"]
    lines += [f"| `{step['command'][:100]}` | {step['wall_s']:.0f} | {step['cpu_s']:.0f} |" for step in found["steps"]]
    return "\n".join(lines) + "\n"


def _table(reports: Row) -> list[str]:
    return _rows("scorer", {name: report["overall"] for name, report in reports.items()})


def _rows(title: str, accuracies: Row) -> list[str]:
    head = f"| {title} | n | problems | ties | unscored | accuracy | 95 % interval |"
    return [head, "|---|--:|--:|--:|--:|--:|--:|", *(_row(name, found) for name, found in accuracies.items())]


def _row(name: str, fields: Row) -> str:
    found = Accuracy.model_validate(fields)
    interval = f"{found.interval.low:.3f}-{found.interval.high:.3f}" if found.interval else "-"
    cells = (name, found.n, found.n_problems, found.n_ties, found.n_unscored, f"{found.accuracy:.3f}", interval)
    return "| " + " | ".join(map(str, cells)) + " |"


def _where(told: Row) -> str:
    return f"{told['cores']} cores of {told['cpu']}, Python {told['python']}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs all steps and writes a .json with every report and a .md with the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory with generations/ and problems/")
    parser.add_argument("--recipe", default="starter-cpu")
    parser.add_argument("--work", type=Path, help="directory for datasets and model; a temporary one without it")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "crpl")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        steps = Steps(options.work or Path(temporary))
        steps.directory.mkdir(parents=True, exist_ok=True)
        found = measured(steps, options.data.resolve(), options.recipe)
    found = {**provenance(1), "recipe": options.recipe, "steps": steps.taken, **found}
    write_text(options.out.with_suffix(".json"), dump_json(found) + "\n")
    table = markdown(found)
    write_text(options.out.with_suffix(".md"), table)
    print(table)  # noqa: T201


if __name__ == "__main__":
    main()
