"""Stored LiveCodeBench grades against our own on the public tests: which samples disagree, and why?

    python benchmarks/stored_grades.py --data DIR [--out FILE]

The stored grade is of the hidden tests too, so a stored failure that passes the public tests is no disagreement; a
stored pass that fails them is one, and is listed with our finding.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lcb_rb.execution import Executor, Limits
from lcb_rb.schema import Result, Sample
from lcb_rb.sources import read_problems, read_samples
from lcb_rb.writing import dump_json, write_text


def compared(pairs: Iterable[tuple[Sample, Result]]) -> dict[str, object]:
    """Returns how often stored grade and public tests agree, and the stored passes that fail."""
    counts: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    listed = []
    for sample, result in pairs:
        verdicts[result.verdict.value] += 1
        stored = "pass" if sample.passed else "fail"
        ours = {True: "pass", False: "fail", None: "ungraded"}[result.passed]
        counts[f"stored {stored}, public tests {ours}"] += 1
        if sample.passed and not result.passed:
            listed.append([sample.id, result.verdict.value, result.test_index, result.message])
    return {"counts": dict(sorted(counts.items())), "verdicts": dict(verdicts), "stored_passes_that_fail": listed}


def main() -> None:
    """Grades all samples whose problem is there and writes the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory with generations/lcb and problems")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "stored_grades.json")
    parser.add_argument("--time-limit-s", type=float, default=6.0)
    options = parser.parse_args()
    problems = read_problems([options.data / "problems" / "lcb_problems_public_tests.jsonl.xz"])
    found = read_samples(sorted((options.data / "generations" / "lcb").glob("*.json.gz")), problems).samples
    samples = [
        sample
        for sample in found
        if sample.problem_id in problems and problems[sample.problem_id].tests and sample.passed is not None
    ]
    with Executor(limits=Limits(cpu_s=options.time_limit_s)) as executor:
        results = executor.grade_many((problems[sample.problem_id], sample.code) for sample in samples)
        findings = {
            "samples": len(samples),
            "time_limit_s": options.time_limit_s,
            **compared(zip(samples, results, strict=True)),
        }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.out, dump_json(findings) + "\n")
    print(f"{len(samples)} samples: {findings['counts']}; written to {options.out}")  # noqa: T201


if __name__ == "__main__":
    main()
