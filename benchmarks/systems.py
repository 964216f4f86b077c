"""Every system that `execution.py` compares, as a function from tasks to verdicts; run in a process of its own.

A system is prepared (imports, conversion of the tasks), says so, waits for the word and runs. None of the peers' code
is here: they are imported from where the options say.
"""

import contextlib
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runs import MissingError, Row, serve
from tasks import Task, canonical, mixed, read_humaneval

Verdicts = list[bool | None]
"""Passed or not, None when the system gave no verdict; same order as the tasks."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a system is asked to do."""

    system: str
    """Key of SYSTEMS."""
    work: str
    """canonical or mixed."""
    humaneval: str
    """Path of HumanEvalPlus.jsonl."""
    workers: int
    """Processes at a time."""
    timeout_s: float
    """For every sample."""
    repeat: int
    """Copies of the canonical solutions."""
    evaluate: str
    """Clone of huggingface/evaluate."""
    livecodebench: str
    """Clone of LiveCodeBench."""
    evalplus: str
    """Clone of EvalPlus."""


def ours(level: str, *, calibrate: bool = False) -> Callable[[list[Task], Job], Callable[[], Verdicts]]:
    """Returns our executor at a level of isolation; every sample is run, also a copy of another."""

    def prepare(tasks: list[Task], job: Job) -> Callable[[], Verdicts]:
        from lcb_rb.execution import Executor, Limits
        from lcb_rb.schema import Isolation

        items = _our_items(tasks)
        limits = Limits(cpu_s=job.timeout_s)

        def run() -> Verdicts:
            with Executor(
                job.workers, limits=limits, level=Isolation(level), calibrate=calibrate, deduplicate=False
            ) as executor:
                return [result.passed for result in executor.grade_many(items)]

        return run

    return prepare


def ours_functions(tasks: list[Task], job: Job) -> Callable[[], Verdicts]:
    """Returns the function with its defaults."""
    from lcb_rb.execution import Limits, grade_many

    items, limits = _our_items(tasks), Limits(cpu_s=job.timeout_s)
    return lambda: [result.passed for result in grade_many(items, workers=job.workers, limits=limits)]


def _our_items(tasks: list[Task]) -> list[tuple[Any, str]]:
    from lcb_rb.schema import AssertTests, Problem

    problems = {
        row["task_id"]: Problem(
            id=row["task_id"],
            source="humaneval",
            statement="",
            prompt=row["prompt"],
            entry_point=row["entry_point"],
            tests=AssertTests(check=row["test"]),
            reference_solution=row["canonical_solution"],
        )
        for row in {task.problem["task_id"]: task.problem for task in tasks}.values()
    }
    return [(problems[task.problem["task_id"]], task.body) for task in tasks]


def code_eval(tasks: list[Task], job: Job) -> Callable[[], Verdicts]:
    """Returns `evaluate`'s metric code_eval."""
    if not job.evaluate:
        raise MissingError("give --evaluate, a clone of huggingface/evaluate")
    os.environ.update(HF_ALLOW_CODE_EVAL="1", HF_EVALUATE_OFFLINE="1", HF_HUB_OFFLINE="1")
    import evaluate

    metric = evaluate.load(str(Path(job.evaluate) / "metrics" / "code_eval" / "code_eval.py"))
    asked = {"predictions": [[task.program] for task in tasks], "references": [task.test for task in tasks]}

    def run() -> Verdicts:
        _, found = metric.compute(**asked, k=[1], num_workers=job.workers, timeout=job.timeout_s)
        return [found[index][0][1]["passed"] for index in range(len(tasks))]

    return run


def livecodebench(tasks: list[Task], job: Job) -> Callable[[], Verdicts]:
    """Returns LiveCodeBench's codegen_metrics on calls with JSON values; tasks without them get no verdict."""
    if job.livecodebench:
        sys.path.insert(0, job.livecodebench)
    try:
        from lcb_runner.evaluation.compute_code_generation_metrics import codegen_metrics
    except ImportError as error:
        raise MissingError(f"give --livecodebench, a clone: {error}") from error
    known = {row["task_id"]: _as_calls(row) for row in (task.problem for task in tasks)}
    usable = [index for index, task in enumerate(tasks) if known[task.problem["task_id"]]]
    samples = [known[tasks[index].problem["task_id"]] for index in usable]
    programs = [[tasks[index].program] for index in usable]

    def run() -> Verdicts:
        _, results, _ = codegen_metrics(
            samples, programs, k_list=[1], num_process_evaluate=job.workers, timeout=int(job.timeout_s)
        )
        verdicts: Verdicts = [None] * len(tasks)
        for place, index in enumerate(usable):
            verdicts[index] = all(found is True or found > 0 for found in results[place][0])
        return verdicts

    return run


def _as_calls(row: dict[str, Any]) -> dict[str, str] | None:
    """Returns the sample in LiveCodeBench's form, None when a value is not JSON."""
    inputs, outputs = row["base_input"], _expected(row)[0]
    try:
        if json.loads(json.dumps([inputs, outputs])) != [inputs, outputs]:
            return None
    except (TypeError, ValueError):
        return None
    lines = ["\n".join(json.dumps(value) for value in arguments) for arguments in inputs]
    asked = {"inputs": lines, "outputs": [json.dumps(value) for value in outputs], "fn_name": row["entry_point"]}
    return {"input_output": json.dumps(asked)}


def _expected(row: dict[str, Any]) -> tuple[list[Any], list[float]]:
    """Returns result and seconds of the canonical solution for every base input."""
    namespace: dict[str, Any] = {}
    exec(row["prompt"] + row["canonical_solution"], namespace)
    outputs, seconds = [], []
    for arguments in json.loads(json.dumps(row["base_input"])):  # a copy: some solutions change their arguments
        start = time.perf_counter()
        outputs.append(namespace[row["entry_point"]](*arguments))
        seconds.append(time.perf_counter() - start)
    return outputs, seconds


def evalplus(tasks: list[Task], job: Job) -> Callable[[], Verdicts]:
    """Returns EvalPlus's untrusted_check on the base inputs."""
    if job.evalplus:
        sys.path.insert(0, job.evalplus)
    try:
        from evalplus.eval import PASS, untrusted_check
    except ImportError as error:
        raise MissingError(f"give --evalplus, a clone, and install what it needs: {error}") from error
    expected = {row["task_id"]: _expected(row) for row in {t.problem["task_id"]: t.problem for t in tasks}.values()}

    def check(task: Task) -> bool:
        row = task.problem
        outputs, seconds = expected[row["task_id"]]
        found, _ = untrusted_check(
            "humaneval",
            task.program,
            row["base_input"],
            row["entry_point"],
            expected=outputs,
            atol=row["atol"],
            ref_time=seconds,
            fast_check=True,
            min_time_limit=job.timeout_s,
            gt_time_limit_factor=0.0,
        )
        return bool(found == PASS)

    def run() -> Verdicts:
        with ThreadPoolExecutor(job.workers) as pool:
            return list(pool.map(check, tasks))

    return run


def fresh(tasks: list[Task], job: Job) -> Callable[[], Verdicts]:
    """Returns one `python -I -S` a sample, judged by its exit code."""

    def check(task: Task) -> bool:
        command = [sys.executable, "-I", "-S", "-"]
        try:
            done = subprocess.run(
                command, input=f"{task.program}\n{task.test}".encode(), capture_output=True, timeout=job.timeout_s
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def run() -> Verdicts:
        with ThreadPoolExecutor(job.workers) as pool:
            return list(pool.map(check, tasks))

    return run


def in_process(tasks: list[Task], job: Job) -> Callable[[], Verdicts]:
    """Returns the limit: exec of program and test in one process a worker, with an alarm."""
    shares = [(tasks[start :: job.workers], job.timeout_s) for start in range(job.workers)]

    def run() -> Verdicts:
        verdicts: Verdicts = [None] * len(tasks)
        with multiprocessing.get_context("fork").Pool(job.workers) as pool:
            for start, share in enumerate(pool.imap(_exec_all, shares, chunksize=1)):
                verdicts[start :: job.workers] = share
        return verdicts

    return run


def _exec_all(share: tuple[Sequence[Task], float]) -> Verdicts:
    tasks, timeout_s = share
    signal.signal(signal.SIGALRM, _ring)
    return [_exec(task, timeout_s) for task in tasks]


def _exec(task: Task, timeout_s: float) -> bool:
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(f"{task.program}\n{task.test}", {})
    except Exception:  # noqa: BLE001 - whatever it raises, the program failed
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def _ring(number: int, frame: object) -> None:
    raise TimeoutError


SYSTEMS: dict[str, Callable[[list[Task], Job], Callable[[], Verdicts]]] = {
    "ours": ours("full"),
    "ours-no-namespaces": ours("no-namespaces"),
    "ours-calibrated": ours("full", calibrate=True),
    "ours-functions": ours_functions,
    "code_eval": code_eval,
    "livecodebench": livecodebench,
    "evalplus": evalplus,
    "fresh": fresh,
    "in-process": in_process,
}


def prepare(fields: Row) -> Callable[[], Row]:
    """Returns the run of a job, which answers how many samples were judged and which verdicts are wrong."""
    job = Job(**fields)
    problems = read_humaneval(Path(job.humaneval))
    tasks = canonical(problems, job.repeat) if job.work == "canonical" else mixed(problems)
    run = SYSTEMS[job.system](tasks, job)

    def judged() -> Row:
        verdicts = run()
        pairs = list(zip(tasks, verdicts, strict=True))
        return {
            "judged": sum(verdict is not None for verdict in verdicts),
            "unexpected": [
                f"{task.problem['task_id']} {task.kind}"
                for task, verdict in pairs
                if verdict is not None and verdict is not task.passes
            ],
        }

    return judged


if __name__ == "__main__":
    serve(prepare)
