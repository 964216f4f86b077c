"""One run of `policy_step.py`: the rewards of some batches of completions, by `CGReward` or in the straightforward way.

Straightforward is what one writes first: a fresh interpreter a completion, which runs the tests one after another, then
the reward model on every completion, one by one, and the sum with its gate.
"""

import asyncio
import atexit
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runs import MissingError, Row, serve

from lcb_rb.execution import Executor, Limits
from lcb_rb.schema import CallTests, Problem, Sample, StdinTests
from lcb_rb.scorers.calibrated import read_scale
from lcb_rb.sources import read_problems, read_samples
from recode_models.policy.completions import read_completion
from recode_models.policy.grading import BatchGrader
from recode_models.policy.process import open_process
from recode_models.policy.recipe import ProcessRecipe
from recode_models.policy.reward_function import CGReward
from recode_models.policy.rewards import Gate, Parts, Rule

RUNNER = Path(__file__).with_name("policy_tests.py")
"""What the fresh interpreter runs."""
GATES: dict[str, Gate] = {"ours": "strict", "ours, calibrated": "strict", "ours, no gate": "none"}
"""Of `CGReward`; without a gate, every reasoning is scored."""
CALIBRATED = "ours, calibrated"
"""With `grading.calibrate`; for problems without a reference solution, an accepted sample stands in."""
STOPS = {"straightforward": False, "straightforward, stops": True}
"""Whether the straightforward way leaves out the tests behind the first that fails."""
SLACK_S = 5.0
"""How long a fresh interpreter may take beyond its tests, seconds."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A completion, and the problem that it is about."""

    problem: Problem
    completion: str


def batches(job: Row) -> list[list[Attempt]]:
    """Returns whole groups of completions of shuffled problems, `groups` of them a batch.

    Raises:
        MissingError: too few problems have enough samples.
    """
    problems = read_problems([Path(path) for path in job["problems"]])
    samples = read_samples([Path(path) for path in job["generations"]], problems).samples
    by_problem: dict[str, list[Sample]] = {}
    for sample in samples:
        by_problem.setdefault(sample.problem_id, []).append(sample)
    usable = [name for name, found in sorted(by_problem.items()) if _is_usable(problems.get(name), found, job["group"])]
    random.Random(job["seed"]).shuffle(usable)
    wanted = job["groups"] * job["steps"]
    if len(usable) < wanted:
        raise MissingError(f"{len(usable)} problems with {job['group']} samples, {wanted} wanted; lower --steps")
    groups = [
        [Attempt(problems[name], _completion(sample)) for sample in by_problem[name][: job["group"]]]
        for name in usable[:wanted]
    ]
    starts = range(0, wanted, job["groups"])
    return [[one for group in groups[start : start + job["groups"]] for one in group] for start in starts]


def _is_usable(problem: Problem | None, found: Sequence[Sample], group: int) -> bool:
    return problem is not None and isinstance(problem.tests, StdinTests | CallTests) and len(found) >= group


def _completion(sample: Sample) -> str:
    """Returns what a policy would have written; without a reasoning, it breaks the format."""
    think = f"<think>\n{sample.reasoning}\n</think>\n" if sample.reasoning else ""
    return f"{think}<answer>\n```python\n{sample.code}\n```\n</answer>"


def ours(job: Row) -> Callable[[Sequence[Attempt]], Row]:
    """Returns our reward of a batch; graders and reward model are there, as after the first step of a training."""
    scorer = open_process(ProcessRecipe(model=job["model"]))
    calibrate = job["system"] == CALIBRATED
    executor = Executor(job["workers"], limits=Limits(cpu_s=job["timeout_s"]), calibrate=calibrate)
    atexit.register(executor.close)
    known = {one.problem.id: one.problem for batch in batches(job) for one in batch}
    known = with_references(known, job) if calibrate else known
    rule, grader = Rule(GATES[job["system"]]), BatchGrader(executor, 3600.0)
    reward = CGReward(known, rule, job["group"], grader, scorer, watched=job["watched"], max_failed_share=1.0)

    def step(batch: Sequence[Attempt]) -> Row:
        completions = [one.completion for one in batch]
        names = [one.problem.id for one in batch]
        values = asyncio.run(
            reward(prompts=names, completions=completions, completion_ids=_ids(batch), problem_id=names)
        )
        spent = reward.spent.pop()
        return {"grading_s": spent.grading_s, "scoring_s": spent.scoring_s, "scored": spent.scored, "values": values}

    return step


def with_references(problems: dict[str, Problem], job: Row) -> dict[str, Problem]:
    """Returns the problems, those of which a sample passes with that in the place of a reference solution."""
    samples = read_samples([Path(path) for path in job["generations"]], problems).samples
    found = dict(problems)
    with Executor(job["workers"], limits=Limits(cpu_s=job["timeout_s"])) as executor:
        for one in samples:
            problem = found.get(one.problem_id)
            if problem and one.passed and not problem.reference_solution and executor.grade(problem, one.code).passed:
                found[problem.id] = problem.model_copy(update={"reference_solution": one.code})
    return found


def _ids(batch: Sequence[Attempt]) -> list[list[int]]:
    """Returns words in the place of tokens: only statistics are made of them."""
    return [[hash(word) for word in one.completion.split()] for one in batch]


def straightforward(job: Row) -> Callable[[Sequence[Attempt]], Row]:
    """Returns the reward as one writes it first, the reward model loaded."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], dtype=torch.float32).eval()
    scale, rule = read_scale(Path(job["model"])), Rule()

    def score(problem: str, reasoning: str) -> float | None:
        chat = [{"role": "user", "content": problem}, {"role": "assistant", "content": reasoning}]
        ids = tokenizer(tokenizer.apply_chat_template(chat, tokenize=False), return_tensors="pt")
        with torch.no_grad():
            return scale.reward(model(**ids).logits[0, 0].item())

    def step(batch: Sequence[Attempt]) -> Row:
        written = [read_completion(one.completion) for one in batch]
        start = time.monotonic()
        passed = [_passes(one.problem, text.code, job) for one, text in zip(batch, written, strict=True)]
        graded = time.monotonic()
        pairs = zip(batch, written, strict=True)
        process = [score(one.problem.statement, text.reasoning) if text.reasoning else None for one, text in pairs]
        rows = zip(written, passed, process, strict=True)
        values = [rule.reward(Parts(float(text.well_formed), float(ok), found or 0.0)) for text, ok, found in rows]
        scored = sum(found is not None for found in process)
        spent = {"grading_s": graded - start, "scoring_s": time.monotonic() - graded, "scored": scored}
        return {**spent, "values": values}

    return step


def _passes(problem: Problem, code: str, job: Row) -> bool:
    """Returns whether all tests pass in a fresh interpreter."""
    assert isinstance(problem.tests, StdinTests | CallTests)
    told = {"code": code, "timeout_s": job["timeout_s"], "stops": STOPS[job["system"]]}
    task = json.dumps({**told, "tests": problem.tests.model_dump(mode="json")})
    limit_s = len(problem.tests.inputs) * job["timeout_s"] + SLACK_S
    try:
        done = subprocess.run(
            [sys.executable, str(RUNNER)], input=task, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.stdout.endswith("all tests passed")


def prepare(job: Row) -> Callable[[], Row]:
    """Returns the run of a job: all batches, one after another, each timed."""
    import torch

    torch.set_num_threads(job["threads"])
    work = batches(job)
    step = straightforward(job) if job["system"] in STOPS else ours(job)

    def run() -> Row:
        steps = []
        for batch in work:
            start = time.perf_counter()
            found = step(batch)
            steps.append({"reward_s": time.perf_counter() - start, "completions": len(batch), **found})
        return {"steps": steps}

    return run


if __name__ == "__main__":
    serve(prepare)
