"""The range: a closed place where hostile programs are graded and their side effects are seen.

    python tests/attack_range.py FILE.jsonl[.gz]... --level full|no-namespaces --user root|5001 [--only SUBSTRING]

Without files it takes the project's own suite (`attack_cases.py`). There are three processes. `shoot`, outside,
unshares pid, mount, network, uts and ipc namespaces with limits on memory and processes. `supervise`, process 1 in
there, lays out the victims, listens, watches and judges. `work` holds the executor, as root or as an ordinary user.
What a program breaks goes with the namespaces; when the worker dies or hangs, `shoot` goes on in new ones.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from attack_cases import own_cases
from attack_ground import ROOT, TOKEN, VICTIM, Case, Watch, lay_out, leftovers, listen, prepare, victims

ORDINARY = 5001
CGROUPS = {"memory": ("memory.limit_in_bytes", 4 * 2**30), "pids": ("pids.max", 1000)}
NAMESPACES = ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net", "--uts", "--ipc"]


def read_cases(paths: Iterable[Path]) -> list[Case]:
    """Returns the cases in files of JSON lines, gzipped or not."""
    cases = []
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
            cases += [json.loads(line) for line in stream]
    return cases


def shoot(cases: list[Case], level: str, user: str) -> Iterator[Case]:
    """Yields one outcome a case: its id, `faults` (empty when all is well), `ungraded` and the `results`.

    Args:
        cases: In the format of the shared suite.
        level: `full`, `no-namespaces`, or `none` for a grader without any protection, to see that attacks work.
        user: `root`, or `5001` for an ordinary user.

    Raises:
        OSError: this machine gives no range, as when it forbids namespaces.
    """
    command = ["unshare", *NAMESPACES, sys.executable, __file__, "--inside", "supervise", "--level", level]
    with confined() as limited:
        left = [case for case in cases if limited or not case.get("danger")]
        while left:
            before = len(left)
            lines = "".join(json.dumps(case) + "\n" for case in left)
            with subprocess.Popen([*command, "--user", user], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as range_:
                threading.Thread(target=feed, args=(range_, lines.encode()), daemon=True).start()
                for line in range_.stdout:
                    left.pop(0)
                    yield json.loads(line)
            if len(left) == before:
                raise OSError(f"no range here: {' '.join(command[:-2])} exits with {range_.returncode}")


def feed(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    """Writes all to a process that may end before it has read it."""
    with suppress(BrokenPipeError), process.stdin as stream:
        stream.write(data)


@contextmanager
def confined() -> Iterator[bool]:
    """Yields whether this process and all that it starts lie in control groups; if not, dangerous cases stay out."""
    folders = [Path("/sys/fs/cgroup", name, f"range-{os.getpid()}") for name in CGROUPS]
    try:
        for folder, (name, most) in zip(folders, CGROUPS.values(), strict=True):
            folder.mkdir()
            (folder / name).write_text(str(most))
            (folder / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        for folder in folders:
            (folder.parent / "cgroup.procs").write_text(str(os.getpid()))
            with suppress(OSError):  # a namespace that is being torn down still counts as a member
                folder.rmdir()


def supervise(level: str, user: str) -> None:
    """Grades the cases on stdin in a worker and writes one outcome a line."""
    cases = [json.loads(line) for line in sys.stdin]
    mode = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []} if user != "root" else {}
    prepare(protected=level != "none")
    environment = {"HF_TOKEN": TOKEN, "HOME": str(VICTIM), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen(
        [sys.executable, __file__, "--inside", "work", "--level", level],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd="/tmp",
        **mode,
    )
    if worker.stdout.readline() != b"ready\n":
        sys.exit(2)  # the executor does not reach the level; it said why
    with ExitStack() as stack:
        heard = listen(stack)
        for case in cases:
            lay_out(ORDINARY if mode else 0)
            heard.clear()
            before, old = victims(), leftovers()
            seen = Watch(worker)
            worker.stdin.write(json.dumps(case).encode() + b"\n")
            worker.stdin.flush()
            results, lost = seen.answer()
            faults = [lost] if lost else []
            faults += judge(case, results) + seen.probe(case.get("probe")) + [f"reached {name}" for name in heard]
            faults += [f"left {path}" for path in sorted(leftovers() - old)]
            faults += ["a victim changed"] if victims() != before else []
            ungraded = any(result["verdict"] == "UNGRADED" for result in results)
            outcome = {"id": case["id"], "faults": faults, "ungraded": ungraded, "results": results}
            sys.stdout.write(json.dumps(outcome) + "\n")
            sys.stdout.flush()
            if lost:
                os._exit(0)  # as process 1: the kernel kills all that is left in here


def judge(case: Case, results: list[Case]) -> list[str]:
    """Returns what is wrong with the verdicts on a case and its followers."""
    faults = []
    for number, (sample, result) in enumerate(zip([case, *case.get("follow", [])], results, strict=False)):
        verdict, name = result["verdict"], f"follower {number}: " if number else ""
        if verdict == "UNGRADED" and case["means"] not in ("crash", "hang"):
            faults.append(f"{name}UNGRADED ({result['message']})")
        elif (verdict == "ACCEPTED") != (sample["expect"] == "pass") and verdict != "UNGRADED":
            faults.append(f"{name}{verdict}, not {sample['expect']} ({result['message']})")
    return faults


def work(level: str) -> None:
    """Grades the cases on stdin and writes one list of results a line; nothing else may write to that pipe."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with ExitStack() as stack:
        grade = naive if level == "none" else guarded(stack, level)
        answers.write("ready\n")
        answers.flush()
        for line in sys.stdin:
            case = json.loads(line)
            samples = [{**case, **follower} for follower in [{}, *case.get("follow", [])]]
            answers.write(json.dumps([grade(sample) for sample in samples]) + "\n")
            answers.flush()


def guarded(stack: ExitStack, level: str) -> Callable[[Case], Case]:
    """Returns the project's grader: one executor for attacks, one with ample time for what must pass."""
    from factories import make_problem
    from lcb_rb.execution import Executor, Limits
    from lcb_rb.schema import Isolation

    limits = {"fail": Limits(cpu_s=0.5), "pass": Limits()}
    executors = {
        expect: stack.enter_context(Executor(workers=1, limits=limit, level=Isolation(level)))
        for expect, limit in limits.items()
    }

    def grade(case: Case) -> Case:
        fields = {"prompt": case.get("prompt") or "", "entry_point": case.get("entry_point")}
        problem = make_problem(case["id"], tests={"kind": case["kind"], **case["tests"]}, **fields)
        return dict(executors[case["expect"]].grade(problem, case["code"]).model_dump(mode="json"))

    return grade


def naive(case: Case) -> Case:
    """Grades without protection: a fresh interpreter for solution and tests, whose exit code is the verdict."""
    tests, program = case["tests"], f"{case.get('prompt') or ''}\n{case['code']}\n"
    inputs = [None]
    if case["kind"] == "assert":
        program += f"{tests['check']}\ncheck({case['entry_point']})\n"
    elif case["kind"] == "call":
        for given, expected in zip(tests["inputs"], tests["outputs"], strict=True):
            arguments = ", ".join(repr(json.loads(line)) for line in given.split("\n"))
            program += f"assert {tests['fn_name']}({arguments}) == {json.loads(expected)!r}\n"
    else:
        inputs = tests["inputs"]
    passed = True
    for number, given in enumerate(inputs):
        try:
            run = subprocess.run(
                [sys.executable, "-I", "-c", program],
                input=given or "",
                capture_output=True,
                text=True,
                timeout=5,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"verdict": "TIME_LIMIT", "message": ""}
        expected = tests["outputs"][number] if case["kind"] == "stdin" else run.stdout
        passed = passed and run.returncode == 0 and run.stdout.split() == expected.split()
    return {"verdict": "ACCEPTED" if passed else "WRONG_ANSWER", "message": run.stderr[-200:]}


def main() -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Grade hostile programs in a closed range.")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--level", choices=["full", "no-namespaces", "none"], default="full")
    parser.add_argument("--user", choices=["root", str(ORDINARY)], default="root")
    parser.add_argument("--only", default="", help="take only cases with this text in their id")
    parser.add_argument("--json", action="store_true", help="write every outcome as a line of JSON")
    parser.add_argument("--inside", choices=["supervise", "work"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        supervise(options.level, options.user) if options.inside == "supervise" else work(options.level)
        return 0
    cases = read_cases(options.files) if options.files else own_cases()
    cases = [case for case in cases if options.only in case["id"]]
    shot = at_fault = 0
    for outcome in shoot(cases, options.level, options.user):
        shot += 1
        at_fault += bool(outcome["faults"])
        lines = [f"{outcome['id']}: {fault}" for fault in outcome["faults"]]
        for line in [json.dumps(outcome)] if options.json else lines:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    if options.json:
        return 0
    left_out = f" ({len(cases) - shot} dangerous ones left out)" if shot < len(cases) else ""
    sys.stdout.write(f"{shot} cases, {at_fault} at fault{left_out}\n")
    return 1 if at_fault else 0


if __name__ == "__main__":
    sys.exit(main())
