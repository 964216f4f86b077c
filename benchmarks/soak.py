"""Ten thousand mixed samples on two workers: is each judged right, and is anything left behind?

    python benchmarks/soak.py [--samples N] [--workers N] [--out FILE]

Exits with 1 when a verdict is wrong, the parent's memory moved by more than 20 MB, or a process, a descriptor or a file
is left; then kills a busy pool with SIGKILL and looks for survivors after one second.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lcb_rb.execution import Executor, Limits
from lcb_rb.schema import CallTests, Problem, StdinTests, Verdict

CALL = Problem(
    id="call",
    source="soak",
    statement="Double a number.",
    tests=CallTests(fn_name="double", inputs=["1", "4", "21"], outputs=["2", "8", "42"]),
)
STDIN = CALL.model_copy(update={"id": "stdin", "tests": StdinTests(inputs=["1", "4"], outputs=["2", "8"])})
MIX = [
    (0.30, CALL, "def double(n): return 2 * n", Verdict.ACCEPTED),
    (0.20, STDIN, "print(2 * int(input()))", Verdict.ACCEPTED),
    (0.15, CALL, "def double(n): return n + 1", Verdict.WRONG_ANSWER),
    (0.10, CALL, "def double(n): return n / 0", Verdict.RUNTIME_ERROR),
    (0.09, STDIN, "import os\nos._exit(3)", Verdict.RUNTIME_ERROR),
    (0.05, CALL, "def double(n: return", Verdict.SYNTAX_ERROR),
    (0.05, CALL, "def double(n): return [0] * 10**9", Verdict.MEMORY_LIMIT),
    (0.04, STDIN, "import sys\nwhile True: sys.stdout.write('x' * 10**6)", Verdict.OUTPUT_LIMIT),
    (0.01, CALL, "def double(n):\n    while True: pass", Verdict.TIME_LIMIT),
    (0.01, CALL, "import time\ndef double(n): time.sleep(3600)", Verdict.TIME_LIMIT),
]
LIMITS = Limits(cpu_s=0.3, memory_mb=256, output_mb=4)
TOLERANCE_MB = 20
VICTIM = """
import sys
sys.path.insert(0, sys.argv[1])
import soak
with soak.Executor(2) as executor:
    print("ready", flush=True)
    list(executor.grade_many([(soak.CALL, "def double(n):\\n    while True: pass")] * 8))
"""


def samples(count: int) -> Iterator[tuple[Problem, str, Verdict]]:
    """Yields the mix, evenly spread, each text its own so that none is known already."""
    owed = [0.0] * len(MIX)
    for number in range(count):
        owed = [due + share for due, (share, *_) in zip(owed, MIX, strict=True)]
        chosen = max(range(len(MIX)), key=lambda index: owed[index])
        owed[chosen] -= 1
        _, problem, code, expected = MIX[chosen]
        yield problem, f"# {number}\n{code}", expected


def rss_mb() -> float:
    """Returns this process's resident memory, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    """Returns how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def below(pid: int) -> set[int]:
    """Returns the processes below one, zombies too."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has ended meanwhile
    found, wave = set(), {pid}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        found |= wave
    return found


def scratch() -> set[str]:
    """Returns the names of our files in the temporary directory."""
    return {path.name for path in Path(tempfile.gettempdir()).glob("recode-*")}


def runs(pid: int) -> bool:
    """Returns whether a process is there and not a zombie, which is for the machine's first process to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soak(count: int, workers: int) -> dict[str, object]:
    """Returns what grading the mix showed."""
    work = list(samples(count))
    files, before = scratch(), descriptors()
    start, verdicts, wrong, memory = time.monotonic(), Counter(), [], []
    with Executor(workers, limits=LIMITS) as executor:
        results = executor.grade_many((problem, code) for problem, code, _ in work)
        for number, ((_, _, expected), found) in enumerate(zip(work, results, strict=True)):
            verdicts[found.verdict.value] += 1
            if found.verdict is not expected:
                wrong.append([number, expected.value, found.verdict.value, found.message])
            if number % 100 == 0 and number >= count // 10:
                memory.append(rss_mb())
        level = executor.level.value
    return {
        "samples": count,
        "workers": workers,
        "level": level,
        "wall_s": round(time.monotonic() - start, 1),
        "verdicts": dict(verdicts),
        "wrong": wrong,
        "parent_mb": {"least": round(min(memory), 1), "most": round(max(memory), 1)},
        "left": {
            "processes": len(below(os.getpid())),
            "descriptors": descriptors() - before,
            "files": sorted(scratch() - files),
        },
    }


def killed() -> dict[str, object]:
    """Returns how many processes of a busy pool live one second after its parent was killed."""
    command = [sys.executable, "-c", VICTIM, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout
        victim.stdout.readline()
        time.sleep(1.0)
        found = below(victim.pid)
        victim.send_signal(signal.SIGKILL)
        time.sleep(1.0)
        alive = [pid for pid in found if runs(pid)]
    return {"processes": len(found), "alive_after_1_s": len(alive)}


def main() -> None:
    """Prints the findings as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="file for the findings")
    options = parser.parse_args()
    found = soak(options.samples, options.workers) | {"killed": killed()}
    text = json.dumps(found, indent=1)
    print(text)  # noqa: T201
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    memory, left = found["parent_mb"], found["left"]
    flat = memory["most"] - memory["least"] <= 2 * TOLERANCE_MB  # type: ignore[index]
    clean = not any(left.values()) and not found["killed"]["alive_after_1_s"]  # type: ignore[attr-defined, index]
    sys.exit(0 if flat and clean and not found["wrong"] else 1)


if __name__ == "__main__":
    main()
