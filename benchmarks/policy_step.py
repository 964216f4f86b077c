"""Seconds of reward in a step of CG-GRPO: ours against a straightforward reward function, on the same completions.

    python benchmarks/policy_step.py --problems FILE... --generations FILE... --out benchmarks/results/policy_step

Straightforward: a fresh interpreter a completion that runs the tests one after another, then the reward model on every
completion, one by one. Ours: `CGReward`. Without files, the samples of the embedded starter set are the completions.
Each run is a fresh process; graders and reward model are ready before the clock starts.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from meter import own_descendants
from policy_systems import GATES, STOPS
from runs import MissingError, Row, measure, provenance

from lcb_rb.scorers.calibrated import RewardScale, write_scale
from lcb_rb.sources import STARTER, read_problems, read_samples
from lcb_rb.writing import write_text

SYSTEM = Path(__file__).with_name("policy_systems.py")
"""Runs one job."""
SYSTEMS = (*GATES, *STOPS)
FIELDS = ("reward_s", "grading_s", "scoring_s")
CONTEXT = 8192
VOCAB = 4000


def make_model(directory: Path, hidden: int, layers: int, texts: list[str]) -> int:
    """Saves a random Qwen2 classifier with a calibration and a tokenizer of its own; returns its parameters."""
    import torch
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    from recode_models.fresh import train_tokenizer

    torch.manual_seed(0)
    tokenizer = train_tokenizer(texts, VOCAB)
    tokenizer.save_pretrained(directory)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=max(hidden // 128, 1),
        max_position_embeddings=CONTEXT,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen2ForSequenceClassification(config)
    model.save_pretrained(directory)
    write_scale(directory, RewardScale(mu=0.0, sigma=1.0, source="the benchmark"))
    return sum(weights.numel() for weights in model.parameters())


def summarised(rounds: list[dict[str, Row]]) -> list[Row]:
    """Returns one row a system: medians over the rounds of the sums over the steps, and ratios within a round."""
    rows = []
    for system in rounds[0]:
        runs = [found[system] for found in rounds]
        row: Row = {"system": system}
        for field in FIELDS:
            row[field] = statistics.median(_sum(run, field) for run in runs)
            ratios = [_sum(found[system], field) / _sum(found["ours"], field) for found in rounds]
            row[f"{field}_ratio"] = statistics.median(ratios)
        row |= {"completions": _sum(runs[0], "completions"), "scored": _sum(runs[0], "scored")}
        row["cpu_s"] = statistics.median(run["cpu_s"] for run in runs)
        row["foreign_cpu_s"] = max(run["foreign_cpu_s"] for run in runs)
        row["other_rewards"] = (
            None if system == "ours, no gate" else max(map(_different, rounds, [system] * len(rounds)))
        )
        rows.append(row)
    return rows


def _sum(run: Row, field: str) -> float:
    return sum(step[field] for step in run["steps"])


def _different(found: dict[str, Row], system: str) -> int:
    """Returns how many completions two systems reward differently."""
    sides = [[value for step in found[name]["steps"] for value in step["values"]] for name in ("ours", system)]
    return sum(a is None or b is None or abs(a - b) > 1e-3 for a, b in zip(*sides, strict=True))


def markdown(report: Row) -> str:
    """Returns the table, with what it depends on."""
    host, job = report["machine"], report["job"]
    lines = [
        f"# Reward of a policy's step, {report['date'][:10]}",
        "",
        f"`{report['command']}` at {report['commit']}",
        "",
        f"{host['cpu']}, {host['cores']} cores, kernel {host['kernel']}, Python {host['python']}; "
        f"{job['steps']} steps of {job['groups']} groups of {job['group']} completions, {job['timeout_s']:g} s a test, "
        f"{job['workers']} graders, {job['threads']} threads of torch; reward model: random Qwen2 of "
        f"{report['parameters'] / 1e6:.1f} M parameters, float32. Median of {report['rounds']} interleaved rounds; "
        "seconds are sums over the steps; ratios are to ours, within a round. Grading and scoring of ours overlap.",
        "",
        "| system | completions | scored | reward s | ratio | grading s | ratio | scoring s | ratio | CPU s | "
        "other rewards | foreign CPU s |",
        "|---|" + "--:|" * 11,
    ]
    for row in report["summary"]:
        timed = [f"{row[field]:.1f} | {row[f'{field}_ratio']:.1f}" for field in FIELDS]
        other = "" if row["other_rewards"] is None else row["other_rewards"]
        cells = [row["system"], row["completions"], row["scored"], *timed, f"{row['cpu_s']:.1f}", other]
        lines.append("| " + " | ".join(map(str, [*cells, f"{row['foreign_cpu_s']:.1f}"])) + " |")
    return "\n".join(lines) + "\n"


def measured(job: Row, systems: Sequence[str], rounds: int) -> list[dict[str, Row]]:
    """Returns every run, the systems in turn, in another order each round.

    Raises:
        MissingError: the data is too little.
    """
    found = []
    for number in range(rounds):
        order = [*systems[number % len(systems) :], *systems[: number % len(systems)]]
        runs = {system: measure(SYSTEM, {**job, "system": system}) for system in order}
        missing = [run["missing"] for run in runs.values() if "missing" in run]
        if missing:
            raise MissingError(missing[0])
        for system, run in runs.items():
            sys.stderr.write(
                f"round {number + 1} {system}: {[round(step['reward_s'], 1) for step in run['steps']]} s\n"
            )
        found.append({system: runs[system] for system in systems})
    return found


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=[STARTER], help="files of problems with tests")
    parser.add_argument("--generations", nargs="+", default=[STARTER], help="files of samples")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, help="ours first")
    parser.add_argument("--group", type=int, default=4, help="completions of a problem")
    parser.add_argument("--groups", type=int, default=8, help="problems of a step")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout-s", type=float, default=6.0, help="of one test: CPU in ours, an alarm in the other")
    parser.add_argument("--workers", type=int, default=3, help="graders of ours")
    parser.add_argument("--threads", type=int, default=2, help="of torch, in all")
    parser.add_argument("--watched", type=int, default=8, help="failed completions a step that ours scores for the log")
    parser.add_argument("--hidden", type=int, default=256, help="size of the reward model")
    parser.add_argument("--layers", type=int, default=8, help="of the reward model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="without .json and .md; none is written when left out")
    return parser.parse_args(arguments)


_NOT_OF_JOBS = {"rounds", "out", "hidden", "layers", "systems"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes a table."""
    options = parsed(arguments)
    own_descendants()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    job = {name: value for name, value in vars(options).items() if name not in _NOT_OF_JOBS}
    problems = read_problems([Path(path) for path in options.problems])
    samples = read_samples([Path(path) for path in options.generations], problems).samples
    with tempfile.TemporaryDirectory() as directory:
        texts = [sample.reasoning for sample in samples[:500]] + [
            one.statement for one in list(problems.values())[:200]
        ]
        parameters = make_model(Path(directory), options.hidden, options.layers, texts)
        rounds = measured({**job, "model": directory}, options.systems, options.rounds)
    files = {name: [Path(path).name for path in job[name]] for name in ("problems", "generations")}
    report: Row = {**provenance(options.rounds), "job": {**job, **files}, "parameters": parameters}
    report |= {"summary": summarised(rounds), "runs": [_without_values(found) for found in rounds]}
    table = markdown(report)
    if options.out:
        write_text(options.out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
        write_text(options.out.with_suffix(".md"), table)
    sys.stdout.write(table)


def _without_values(found: dict[str, Row]) -> dict[str, Row]:
    steps = {
        name: [{k: v for k, v in step.items() if k != "values"} for step in run["steps"]] for name, run in found.items()
    }
    return {name: {**run, "steps": steps[name]} for name, run in found.items()}


if __name__ == "__main__":
    main()
