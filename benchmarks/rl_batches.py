"""Grades real RL-like batches (n samples of one model a problem) and measures what each way of doing less buys.

Run `python benchmarks/rl_batches.py --help`; benchmarks/README.md says what is measured and how.
"""

import ast
import gzip
import json
import lzma
import random
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from meter import own_descendants
from runs import Row, measure, provenance, serve

sys.path.insert(0, str(Path(__file__).parents[1]))
from lcb_rb.execution import Executor, Limits
from lcb_rb.schema import Problem, Result, Verdict
from lcb_rb.sources import read_problems
from lcb_rb.writing import write_text

HERE = Path(__file__).parent
FILES = {
    "DSCoder-6.7b n=10": "generations/lcb/v6-n10.DSCoder-6.7b-Ins.eval_all.json.gz",
    "Qwen2.5-Coder-7B n=10": "generations/lcb/v6-n10.Qwen2.5-Coder-Ins-7B.eval_all.json.gz",
    "DeepSeek-V3 n=5": "generations/lcb_v1_deepseek_v3_n5.samples.jsonl.xz",
}
PROBLEMS = "problems/lcb_problems_public_tests.jsonl.xz"

PLAIN = {"deduplicate": False, "adaptive": False, "yield_sleepers": False}
VARIANTS: dict[str, dict[str, bool]] = {
    "plain": PLAIN,
    "deduplicate": {**PLAIN, "deduplicate": True},
    "adaptive": {**PLAIN, "adaptive": True},
    "yield sleepers": {**PLAIN, "yield_sleepers": True},
    "all": dict.fromkeys(PLAIN, True),
}
"""Options of Executor by the name of the row."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run grades."""

    variant: str
    """Key of VARIANTS."""
    batch: str
    """Key of FILES."""
    data: str
    """Folder with generations/ and problems/."""
    workers: int
    """Processes at a time."""
    timeout_s: float
    """CPU time of one test."""
    limit: int
    """Problems taken, 0 for all."""


def main(
    data: Annotated[Path, typer.Option(help="folder with generations/ and problems/")],
    variants: Annotated[str, typer.Option(help=f"some of: {', '.join(VARIANTS)}")] = ",".join(VARIANTS),
    rounds: Annotated[int, typer.Option(help="interleaved repetitions; medians are reported")] = 3,
    workers: Annotated[int, typer.Option(help="processes at a time")] = 2,
    timeout_s: Annotated[float, typer.Option(help="CPU time of one test")] = 6.0,
    limit: Annotated[int, typer.Option(help="problems of each batch, 0 for all")] = 0,
    out: Annotated[Path, typer.Option(help="results, .json and .md are added")] = HERE / "results" / "rl_batches",
) -> None:
    """Measures the variants and writes a table."""
    names = variants.split(",")
    unknown = sorted(set(names) - set(VARIANTS))
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; known are {', '.join(VARIANTS)}")
    own_descendants()
    job = Job(variant="", batch="", data=str(data), workers=workers, timeout_s=timeout_s, limit=limit)
    report = {
        **provenance(rounds),
        "job": {**asdict(job), "data": data.name},
        "batches": {name: describe(replace(job, batch=name)) for name in FILES},
        "runs": list(_measure_all(job, names, rounds)),
    }
    table = markdown(report)
    write_text(out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    write_text(out.with_suffix(".md"), table)
    typer.echo(table)


def read_batch(job: Job) -> list[tuple[Problem, str, bool]]:
    """Returns (problem, code, stored grade) of a batch: problems shuffled, the samples of one beside each other."""
    problems = read_problems([Path(job.data) / PROBLEMS])
    groups: dict[str, list[tuple[Problem, str, bool]]] = {}
    for problem_id, code, passed in _samples(Path(job.data) / FILES[job.batch]):
        if problem_id in problems and problems[problem_id].tests is not None:
            groups.setdefault(problem_id, []).append((problems[problem_id], code, passed))
    order = sorted(groups)
    random.Random(0).shuffle(order)
    return [item for name in order[: job.limit or None] for item in groups[name]]


def _samples(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Yields (question id, code, stored grade) of a LiveCodeBench result file or of one sample a line."""
    if path.suffix == ".gz":
        for row in json.loads(gzip.decompress(path.read_bytes())):
            for code, passed in zip(row["code_list"], row["graded_list"], strict=True):
                yield row["question_id"], code, passed
        return
    for line in lzma.decompress(path.read_bytes()).splitlines():
        row = json.loads(line)
        yield row["question_id"], row["code"], row["passed"]


def describe(job: Job) -> Row:
    """Returns how much of a batch is the same work twice."""
    batch = read_batch(job)
    same = Counter((problem.id, code) for problem, code, _ in batch)
    alike = Counter((problem.id, normalised(code)) for problem, code, _ in batch)
    return {
        "problems": len({problem.id for problem, _, _ in batch}),
        "samples": len(batch),
        "duplicates": len(batch) - len(same),
        "normalised_duplicates": len(batch) - len(alike),
    }


def normalised(code: str) -> str:
    """Returns the program without comments and layout, or itself when it cannot be parsed."""
    try:
        return ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def prepare(fields: Row) -> Callable[[], Row]:
    """Returns the run of a job, which answers verdicts and how they compare with the stored grades."""
    job = Job(**fields)
    batch = read_batch(job)
    grade = _grader(job)

    def run() -> Row:
        results = grade([(problem, code) for problem, code, _ in batch])
        verdicts = [result.verdict for result in results]
        stored = [passed for _, _, passed in batch]
        pairs = list(zip(verdicts, stored, strict=True))
        return {
            "judged": len(verdicts),
            "verdicts": dict(sorted(Counter(map(str, verdicts)).items())),
            "stored_pass_failed": sum(p and v is not Verdict.ACCEPTED for v, p in pairs),
            "stored_fail_accepted": sum(not p and v is Verdict.ACCEPTED for v, p in pairs),
            "sequence": "".join(_LETTERS[verdict] for verdict in verdicts),
        }

    return run


_LETTERS = dict(zip(Verdict, "AWTMORSNU", strict=True))


def _grader(job: Job) -> Callable[[list[tuple[Problem, str]]], list[Result]]:
    def grade(items: list[tuple[Problem, str]]) -> list[Result]:
        with Executor(workers=job.workers, limits=Limits(cpu_s=job.timeout_s), **VARIANTS[job.variant]) as executor:
            return list(executor.grade_many(items))

    return grade


def _measure_all(job: Job, names: list[str], rounds: int) -> Iterator[Row]:
    for number in range(rounds):
        for batch in FILES:
            for name in names[number % len(names) :] + names[: number % len(names)]:
                run = measure(HERE / "rl_batches.py", asdict(replace(job, variant=name, batch=batch)))
                shown = {key: value for key, value in run.items() if key != "sequence"}
                typer.echo(f"round {number + 1} {batch} {name}: {json.dumps(shown)}", err=True)
                yield {"round": number + 1, "batch": batch, "variant": name, **run}


def markdown(report: Row) -> str:
    """Returns the table that a reader sees."""
    host, job = report["machine"], report["job"]
    lines = [
        f"# Real batches, {report['date'][:10]}",
        "",
        f"`{report['command']}` at {report['commit']}",
        "",
        f"{host['cpu']}, {host['cores']} cores, kernel {host['kernel']}, Python {host['python']}; {job['workers']} "
        f"workers, {job['timeout_s']:g} CPU s a test, median of {report['rounds']} interleaved rounds. Tests are the "
        "public ones. Changed are verdicts that differ from the first plain run.",
    ]
    for name, facts in report["batches"].items():
        lines += [
            "",
            f"## {name}",
            "",
            f"{facts['samples']} samples of {facts['problems']} problems; {facts['duplicates']} repeat an earlier one, "
            f"{facts['normalised_duplicates']} but for comments and layout.",
            "",
            "| variant | samples/s | wall s | CPU ms/sample | faster | changed | foreign CPU s |",
            "|---|" + "--:|" * 6,
            *_rows([run for run in report["runs"] if run["batch"] == name]),
        ]
    return "\n".join(lines) + "\n"


def _rows(runs: list[Row]) -> Iterator[str]:
    plain: list[Row] = [run for run in runs if run["variant"] == "plain"]
    for name in dict.fromkeys(run["variant"] for run in runs):
        found = [run for run in runs if run["variant"] == name]
        wall_s, n = _median(found, "wall_s"), found[0]["judged"]
        faster = f"{_median(plain, 'wall_s') / wall_s:.2f}x" if plain else ""
        changed = max(_differences(run["sequence"], plain[0]["sequence"]) for run in found) if plain else ""
        cells: list[Any] = [name, f"{n / wall_s:.0f}", f"{wall_s:.1f}", f"{1000 * _median(found, 'cpu_s') / n:.2f}"]
        yield "| " + " | ".join(map(str, [*cells, faster, changed, f"{_median(found, 'foreign_cpu_s'):.1f}"])) + " |"


def _median(runs: list[Row], field: str) -> float:
    return float(statistics.median(run[field] for run in runs))


def _differences(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


if __name__ == "__main__":
    if sys.stdin.isatty() or len(sys.argv) > 1:
        typer.run(main)
    else:
        serve(prepare)
