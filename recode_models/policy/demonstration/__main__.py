"""`python -m recode_models.policy.demonstration --out DIR`: every arm, seed and setting, and the report of them."""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lcb_rb.errors import RecodeError
from lcb_rb.writing import dump_json, write_text
from recode_models.policy.demonstration.bases import Settings
from recode_models.policy.demonstration.report import draw, forecasts, gains, markdown, rows
from recode_models.policy.demonstration.runs import ARMS, Arm, Job, Outcome, Worker, each
from recode_models.policy.demonstration.tasks import Setting

WEIGHTS = (0.25, 0.5, 2.0)
"""Of the process in further plain sums, one seed each, beside 1."""
GAIN: tuple[Arm, ...] = ("outcome only", "strict gate", "papo")


def jobs_of(part: str, seeds: Sequence[int], settings: Settings) -> list[Job]:
    """Returns the runs of a part of the demonstration.

    Args:
        part: `claim`: every arm on the weak base; `rule`: plain sums with other weights, and a strong base; `gain`:
            weak tests.
        seeds: Of the runs of each arm.
        settings: How long everything takes.
    """

    def job(setting: Setting, arm: Arm, seed: int, weight: float = 1.0) -> Job:
        return Job(setting=setting, arm=arm, seed=seed, settings=settings, weight=weight)

    if part == "claim":
        return [job("weak base", arm, seed) for seed in seeds for arm in ARMS]
    if part == "rule":
        strong = [job("strong base", arm, seeds[0]) for arm in ("outcome only", "plain sum", "strict gate")]
        return [*(job("weak base", "plain sum", seeds[0], weight) for weight in WEIGHTS), *strong]
    return [job("weak tests", arm, seed) for seed in seeds for arm in GAIN]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is asked for and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory; finished runs in it are kept")
    parser.add_argument("--parts", nargs="+", default=["claim", "rule", "gain"], choices=["claim", "rule", "gain"])
    parser.add_argument("--seeds", type=int, default=3, help="of every arm; two more for the gain")
    parser.add_argument(
        "--first-seed", type=int, default=1, help="no policy was rewarded on the settings of 1 and later"
    )
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=50, help="of the warm start")
    parser.add_argument("--least-pass-given-work", type=float, default=0.4, help="below which a warm start has failed")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    start = time.monotonic()
    settings = Settings(steps=options.steps, epochs=options.epochs, least_pass_given_work=options.least_pass_given_work)
    first = options.first_seed
    jobs = [
        job
        for part in options.parts
        for job in jobs_of(part, range(first, first + options.seeds + 2 * (part == "gain")), settings)
    ]
    worker = Worker(options.out, settings)
    needed = list(dict.fromkeys((job.setting, job.seed) for job in jobs))
    bases = each(worker.base, needed, options.processes)
    outcomes = each(worker.run, jobs, options.processes)
    told = f"{len(outcomes)} runs of {options.steps} steps, {options.processes} processes of one thread"
    spent = sum(one.wall_s for one in outcomes)
    found: dict[str, Any] = {
        "command": " ".join(["python -m recode_models.policy.demonstration", *(arguments or sys.argv[1:])]),
        "told": f"{told}, {platform.machine()}, Python {platform.python_version()}; {spent:.0f} s in the runs",
        "wall_s": round(time.monotonic() - start, 1),
    }
    write(options.out, found, outcomes, bases)


def write(out: Path, found: dict[str, Any], outcomes: list[Outcome], bases: list[Any]) -> None:
    """Writes report.json, report.md and the plots, and prints the table."""
    report = {
        **found,
        "rows": [row.model_dump(mode="json") for row in rows(outcomes, bases)],
        "forecasts": [one.model_dump(mode="json") for one in forecasts(outcomes, bases)],
        "gains": {
            setting: [gain.model_dump(mode="json") for gain in gains(outcomes, setting)]
            for setting in dict.fromkeys(base.setting for base in bases)
        },
        "bases": [base.model_dump(mode="json") for base in bases],
        "outcomes": [one.model_dump(mode="json") for one in outcomes],
    }
    text = markdown(found, outcomes, bases)
    write_text(out / "report.json", dump_json(report) + "\n")
    write_text(out / "report.md", text)
    for setting in dict.fromkeys(one.job.setting for one in outcomes):
        draw(outcomes, setting, out / f"{setting.replace(' ', '-')}.png")
    sys.stdout.write(text)


if __name__ == "__main__":
    try:
        main()
    except RecodeError as error:
        sys.stderr.write(f"recode: {error}\n")
        raise SystemExit(1) from error
