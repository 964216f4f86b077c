"""Compares executors on the same work in one interleaved run: CPU seconds of the whole process tree and wall time.

Run `python benchmarks/execution.py --help`; benchmarks/README.md says what is measured and how.
"""

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from meter import own_descendants
from runs import Row, measure, provenance
from systems import SYSTEMS, Job

from lcb_rb.writing import write_text

HERE = Path(__file__).parent
DEFAULT_SYSTEMS = "ours,ours-no-namespaces,ours-calibrated,code_eval,livecodebench,evalplus,fresh,in-process"
MIXED_ONLY = frozenset({"ours-calibrated"})
WORKS = ("canonical", "mixed")
HEAD = (
    "system",
    "samples",
    "CPU ms/sample",
    "samples/s",
    "wall s",
    "CPU ratio",
    "wall ratio",
    "unexpected",
    "left behind",
    "foreign CPU s",
)


def main(
    humaneval: Annotated[Path, typer.Option(help="HumanEvalPlus.jsonl(.gz)")],
    systems: Annotated[str, typer.Option(help=f"some of: {', '.join(SYSTEMS)}")] = DEFAULT_SYSTEMS,
    works: Annotated[str, typer.Option(help="canonical, mixed or both")] = ",".join(WORKS),
    rounds: Annotated[int, typer.Option(help="interleaved repetitions; medians are reported")] = 3,
    workers: Annotated[int, typer.Option(help="processes at a time, for every system")] = 2,
    repeat: Annotated[int, typer.Option(help="copies of the canonical solutions")] = 2,
    timeout_s: Annotated[float, typer.Option(help="limit of a sample, for every system")] = 3.0,
    evaluate: Annotated[str, typer.Option(help="clone of huggingface/evaluate, for code_eval")] = "",
    livecodebench: Annotated[str, typer.Option(help="clone of LiveCodeBench")] = "",
    evalplus: Annotated[str, typer.Option(help="clone of EvalPlus")] = "",
    out: Annotated[Path, typer.Option(help="results, .json and .md are added")] = HERE / "results" / "execution",
) -> None:
    """Measures the systems and writes a table."""
    names = systems.split(",")
    unknown = sorted({*names, *works.split(",")} - {*SYSTEMS, *WORKS})
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; known are {', '.join([*SYSTEMS, *WORKS])}")
    own_descendants()
    job = Job(
        system="",
        work="",
        humaneval=str(humaneval),
        workers=workers,
        timeout_s=timeout_s,
        repeat=repeat,
        evaluate=evaluate,
        livecodebench=livecodebench,
        evalplus=evalplus,
    )
    runs = list(_measure_all(job, names, works.split(","), rounds))
    report = {
        **provenance(rounds),
        "workers": workers,
        "timeout_s": timeout_s,
        "repeat": repeat,
        "summary": _summary(runs),
        "runs": runs,
    }
    table = markdown(report)
    write_text(out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    write_text(out.with_suffix(".md"), table)
    typer.echo(table)


def _measure_all(job: Job, names: list[str], works: list[str], rounds: int) -> Iterator[Row]:
    missing: set[str] = set()
    for number in range(rounds):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for work in works:
            for name in turned:
                if name in missing or (name in MIXED_ONLY and work != "mixed"):
                    continue
                run = measure(HERE / "systems.py", asdict(replace(job, system=name, work=work)))
                if "missing" in run:
                    missing.add(name)
                typer.echo(f"round {number + 1} {work} {name}: {_line(run)}", err=True)
                yield {"round": number + 1, "work": work, "system": name, **run}


def _line(run: Row) -> str:
    if "missing" in run:
        return f"missing: {run['missing']}"
    each = f"{1000 * run['cpu_s'] / run['judged']:.2f} ms CPU, {run['judged'] / run['wall_s']:.0f} samples/s"
    wrong = len(run["unexpected"])
    return f"{each}, wall {run['wall_s']:.1f} s, foreign CPU {run['foreign_cpu_s']:.1f} s, {wrong} unexpected"


def _summary(runs: list[Row]) -> list[Row]:
    """Returns medians over the rounds for every work and system, with ratios to ours."""
    rows: list[Row] = []
    for work, name in dict.fromkeys((run["work"], run["system"]) for run in runs):
        found = [run for run in runs if (run["work"], run["system"]) == (work, name)]
        if "missing" in found[0]:
            rows.append({"work": work, "system": name, "missing": found[0]["missing"]})
            continue
        rows.append(
            {
                "work": work,
                "system": name,
                "samples": found[0]["judged"],
                "cpu_ms": statistics.median(1000 * run["cpu_s"] / run["judged"] for run in found),
                "wall_s": statistics.median(run["wall_s"] for run in found),
                "wall_ms": statistics.median(1000 * run["wall_s"] / run["judged"] for run in found),
                "foreign_cpu_s": statistics.median(run["foreign_cpu_s"] for run in found),
                "unexpected": sorted({item for run in found for item in run["unexpected"]}),
                "left_behind": max(run["left_behind"] for run in found),
            }
        )
    measured = [row for row in rows if "missing" not in row]
    for row in measured:
        base = next((r for r in measured if r["work"] == row["work"] and r["system"].startswith("ours")), None)
        if base:
            row["cpu_ratio"] = row["cpu_ms"] / base["cpu_ms"]
            row["wall_ratio"] = row["wall_ms"] / base["wall_ms"]
    return rows


def markdown(report: Row) -> str:
    """Returns the table that a reader sees."""
    host = report["machine"]
    lines = [
        f"# Executors compared, {report['date'][:10]}",
        "",
        f"`{report['command']}` at {report['commit']}",
        "",
        f"{host['cpu']}, {host['cores']} cores, kernel {host['kernel']}, Python {host['python']}; "
        f"{report['workers']} workers, limit {report['timeout_s']:g} s, "
        f"median of {report['rounds']} interleaved rounds. CPU is that of the whole process tree; ratios are against "
        "the first of ours; unexpected are wrong verdicts; left behind are processes that outlived the run; foreign "
        "CPU is what else the machine did meanwhile.",
    ]
    for work in dict.fromkeys(row["work"] for row in report["summary"]):
        lines += ["", f"## {work}", "", f"| {' | '.join(HEAD)} |", "|---|" + "--:|" * (len(HEAD) - 1)]
        lines += [_cells(row) for row in report["summary"] if row["work"] == work]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> str:
    if "missing" in row:
        return f"| {row['system']} | missing |" + " |" * (len(HEAD) - 2)
    ratios = [f"{row[name]:.2f}" if name in row else "" for name in ("cpu_ratio", "wall_ratio")]
    cells = [
        row["system"],
        row["samples"],
        f"{row['cpu_ms']:.2f}",
        f"{1000 / row['wall_ms']:.0f}",
        f"{row['wall_s']:.1f}",
        *ratios,
        len(row["unexpected"]),
        row["left_behind"],
        f"{row['foreign_cpu_s']:.1f}",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    typer.run(main)
