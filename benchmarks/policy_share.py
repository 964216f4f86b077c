"""How much of a step of CG-GRPO is reward: `recode train policy starter-cpu`, and its completions once more.

    python benchmarks/policy_share.py --out benchmarks/results/policy_share

A short training keeps the completions of its last steps. They are then rewarded anew in the straightforward way of
`policy_step.py`: a fresh interpreter a completion, then the reward model on every reasoning, one by one.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from policy_systems import STOPS, Attempt, straightforward
from runs import Row, provenance

from lcb_rb.writing import write_text
from recode_models.policy import micro
from recode_models.policy import train as training
from recode_models.policy.recipe import PolicyRecipe, load_recipe
from recode_models.policy.reward_function import CGReward

STEPS = 30
"""Of the training; before the first of those that are kept, graders and libraries are warm."""
KEPT = 10
"""Last steps, whose completions and times count."""


class Recording(CGReward):
    """Keeps what it is asked."""

    calls: list[list[Attempt]] = []  # noqa: RUF012 - of all instances: the training makes its own

    async def __call__(self, *args: Any, completions: Sequence[Any], problem_id: Sequence[str], **fields: Any) -> Any:
        """Returns what CGReward does."""
        texts = [one if isinstance(one, str) else one[-1]["content"] for one in completions]
        rows = zip(problem_id, texts, strict=True)
        self.calls.append([Attempt(self._problems[name], text) for name, text in rows])
        return await super().__call__(*args, completions=completions, problem_id=problem_id, **fields)


def trained(out: Path) -> list[Row]:
    """Returns the times of the kept steps of a training, without measuring on held-out problems."""
    known = load_recipe("starter-cpu").model_dump()
    known["training"] |= {"max_steps": STEPS, "eval_strategy": "no", "save_strategy": "no"}
    known["data"]["held_out"] = 0.0
    training.CGReward = Recording  # type: ignore[misc]
    training.train(PolicyRecipe.model_validate(known), out)
    rows = [json.loads(line) for line in (out / "timings.jsonl").read_text(encoding="utf-8").splitlines()]
    return rows[-KEPT:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="without .json and .md; none is written when left out")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        steps = trained(Path(directory) / "policy")
        model = micro.reward_model(Path(directory) / "reward")  # the one of the recipe, made again
        job = {"model": str(model), "timeout_s": 6.0}
        others = {name: _again(Recording.calls[-KEPT:], {**job, "system": name}) for name in STOPS}
    report: Row = {**provenance(1), "steps": steps, "others": others, "rows": rows(steps, others)}
    if options.out:
        write_text(options.out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
        write_text(options.out.with_suffix(".md"), markdown(report))
    sys.stdout.write(markdown(report))


def _again(calls: Sequence[Sequence[Attempt]], job: Row) -> list[float]:
    """Returns the seconds of reward of every step, in the straightforward way."""
    reward = straightforward(job)
    return [sum(reward(call)[field] for field in ("grading_s", "scoring_s")) for call in calls]


def rows(steps: Sequence[Row], others: dict[str, list[float]]) -> list[Row]:
    """Returns medians over steps: seconds of reward, of the rest of a step, and the share of the reward."""
    rest = statistics.median(step["step_s"] - step["reward_s"] for step in steps)
    ours = statistics.median(step["reward_s"] for step in steps)
    found = {"ours": ours, **{name: statistics.median(values) for name, values in others.items()}}
    return [
        {"system": name, "reward_s": value, "rest_s": rest, "share": value / (value + rest), "ratio": value / ours}
        for name, value in found.items()
    ]


def markdown(report: Row) -> str:
    """Returns the table."""
    host = report["machine"]
    lines = [
        f"# Share of the reward in a step, {report['date'][:10]}",
        "",
        f"`{report['command']}` at {report['commit']}",
        "",
        f"{host['cpu']}, {host['cores']} cores, kernel {host['kernel']}, Python {host['python']}; "
        f"`starter-cpu`, medians of steps {STEPS - KEPT + 1} to {STEPS}, 64 completions each; the same completions.",
        "",
        "| system | reward s | generation and update s | share of the step | ratio |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in report["rows"]:
        cells = [row["system"], f"{row['reward_s']:.2f}", f"{row['rest_s']:.2f}", f"{row['share']:.0%}"]
        lines.append("| " + " | ".join([*cells, f"{row['ratio']:.1f}"]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
