"""Samples per second and memory of `recode build`, from a thousand to a hundred thousand samples; Ray beside local.

    python benchmarks/builders.py --generations GENERATIONS/lcb --out benchmarks/results/builders

The samples are made from real LiveCodeBench generations: 50 for each problem, their sentences drawn anew and numbers
changed, so that no text comes twice; half of them are accepted. Every run is a process of its own. Memory is the
greatest sum of resident memory of the process and all its descendants, looked at ten times a second (pages that
processes share count for each, so it is an upper bound).
"""

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runs import provenance

from lcb_rb.sources import iter_samples
from lcb_rb.writing import write_text

EACH = 50
"""Samples of a problem."""
LOOK_S = 0.1
"""How often memory is looked at."""
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")
_NUMBER = re.compile(r"\d+")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def texts(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the sentences and the codes of real generations."""
    reads = [read.sample for read in iter_samples(sorted(folder.glob("*.json.gz")))]
    sentences = sorted({line for sample in reads for line in _SENTENCE.split(sample.reasoning) if len(line) > 20})
    return sentences, sorted({sample.code for sample in reads if sample.code})


def samples(count: int, sentences: list[str], codes: list[str], chars: int) -> Iterator[dict[str, object]]:
    """Yields synthetic samples whose reasonings have about so many characters."""
    for number in range(count):
        drawn = random.Random(f"sample/{number}")
        lines: list[str] = []
        length = drawn.uniform(0.7, 1.3) * chars
        while length > 0:
            line = _NUMBER.sub(str(drawn.randint(0, 99)), drawn.choice(sentences))
            lines.append(line)
            length -= len(line) + 1
        yield {
            "id": f"s{number:08}",
            "problem_id": f"p{number // EACH:06}",
            "model": f"model-{drawn.randint(1, 4)}",
            "reasoning": "\n".join(lines),
            "code": f"{drawn.choice(codes)}\n# {number}",
            "passed": drawn.random() < 0.5,
        }


def problems(count: int) -> Iterator[dict[str, object]]:
    """Yields their problems."""
    for number in range(-(-count // EACH)):
        statement = " ".join(hashlib.sha256(f"{number}/{word}".encode()).hexdigest()[:7] for word in range(60))
        yield {"id": f"p{number:06}", "source": "synthetic", "statement": statement, "date": "2025-01-31"}


def write_lines(path: Path, rows: Iterator[dict[str, object]]) -> Path:
    """Writes JSON Lines."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def measured(words: list[str]) -> dict[str, Any]:
    """Returns seconds and peak memory of a command, and what it printed as JSON."""
    start, peak = time.monotonic(), 0.0
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen([sys.executable, "-m", "recode", *words, "--json"], stdout=printed)
        while process.poll() is None:
            peak = max(peak, resident_mb(process.pid))
            time.sleep(LOOK_S)
        seconds = time.monotonic() - start
        printed.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)}: ended with {process.returncode}")
        return {"seconds": round(seconds, 2), "peak_mb": round(peak), **json.loads(printed.read())}


def resident_mb(pid: int) -> float:
    """Returns the resident memory of a process and its descendants."""
    parents, sizes = {}, {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                sizes[int(path.name)] = int((path / "statm").read_text().split()[1]) * _PAGE_MB
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sum(sizes.get(one, 0.0) for one in found)


def digest(directory: Path) -> str:
    """Returns the sha256 over the names and bytes of a directory."""
    whole = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            whole.update(path.relative_to(directory).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def run(build: str, size: int, engine: str, folder: Path) -> dict[str, Any]:
    """Returns the measurement of one build."""
    out = folder / f"{build}-{size}-{engine}"
    files = ["--samples", str(folder / f"samples-{size}.jsonl"), "--problems", str(folder / f"problems-{size}.jsonl")]
    found = measured(["build", build, *files, "--engine", engine, "--out", str(out)])
    row = {"build": build, "samples": size, "engine": engine, "seconds": found["seconds"], "peak_mb": found["peak_mb"]}
    return {**row, "samples_per_s": round(size / found["seconds"], 1), "pairs": found["pairs"], "sha256": digest(out)}


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the markdown table."""
    head = ("build", "samples", "engine", "seconds", "samples_per_s", "peak_mb", "pairs")
    lines = [head, ["---"] * len(head), *([str(row[name]) for name in head] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=Path, required=True, help="folder of *.eval_all.json.gz")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--chars", type=int, default=2_000, help="of a reasoning, about")
    parser.add_argument("--builds", nargs="+", default=["lcb-rb", "crpl"])
    parser.add_argument("--ray", type=int, default=10_000, help="size that is built on Ray, too; 0 for none")
    parser.add_argument("--out", type=Path, required=True, help="file for the report, without .json or .md")
    options = parser.parse_args()
    sentences, codes = texts(options.generations)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in options.sizes:
            write_lines(folder / f"samples-{size}.jsonl", samples(size, sentences, codes, options.chars))
            write_lines(folder / f"problems-{size}.jsonl", problems(size))
            for build in options.builds:
                for engine in ("local", "ray")[: 1 + (size == options.ray)]:
                    rows.append(run(build, size, engine, folder))
                    print(rows[-1], file=sys.stderr, flush=True)  # noqa: T201
    equal = {
        build: len({row["sha256"] for row in rows if (row["build"], row["samples"]) == (build, options.ray)}) == 1
        for build in options.builds
    }
    report = {**provenance(1), "rows": rows, "ray_equals_local": equal}
    write_text(options.out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    facts = "\n".join(f"- {what}: {report[what]}" for what in ("date", "command", "commit", "machine"))
    same = f"Bytes of the output on Ray and local are equal: {equal}." if options.ray else ""
    write_text(options.out.with_suffix(".md"), f"# Builders\n\n{facts}\n\n{table(rows)}\n\n{same}\n")


if __name__ == "__main__":
    main()
