"""What a saved policy does on held-out problems: pass rate, process score, length, and how much of it is real work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from lcb_rb.errors import InputError
from lcb_rb.execution import Executor
from lcb_rb.pairs import problem_text
from lcb_rb.schema import Problem, Record
from lcb_rb.scorers.base import Item, Scorer
from recode_models.failures import TrainingError
from recode_models.policy.completions import read_completion
from recode_models.policy.data_prompt import messages_of, read_prompt
from recode_models.policy.demonstration.prediction import Ways
from recode_models.policy.demonstration.tasks import Task
from recode_models.policy.micro import Way
from recode_models.policy.process import open_process
from recode_models.policy.recipe import MICRO, ProcessRecipe

ATTEMPTS = 4
"""Completions of each problem, sampled at temperature 1."""
MOST_TOKENS = 32
"""Of a completion."""


class Measured(Record):
    """Means over all completions on the held-out problems."""

    n: int
    """Completions, all of them graded."""
    pass_rate: float
    """Share that passes all tests."""
    process: float
    """Mean process score, 0 where there is no reasoning."""
    length: float
    """Mean tokens."""
    work: float
    """Share with real work, right or wrong."""
    hack: float
    """Share that only looks good: prose that works nothing out, or half of the work."""
    ways: Ways | None
    """Apart, for these two; None where there are not 20 of each."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One completion."""

    passed: bool
    process: float
    length: int
    way: Way


FEW = 20


def measure(policy: Path, task: Task, reward_model: Path, seed: int) -> Measured:
    """Returns what a policy does.

    Raises:
        TrainingError: a completion could not be graded or scored.
    """
    texts, lengths = sampled(policy, task.measured, seed)
    problems = [problem for problem in task.measured for _ in range(ATTEMPTS)]
    written = [read_completion(text) for text in texts]
    with Executor(1) as executor:
        passed = [
            result.passed for result in executor.grade_many((p, w.code) for p, w in zip(problems, written, strict=True))
        ]
    scores = _scores(
        open_process(ProcessRecipe(model=str(reward_model), device="cpu")), problems, [w.reasoning for w in written]
    )
    attempts = []
    for problem, one, right, score, length in zip(problems, written, passed, scores, lengths, strict=True):
        if right is None or score is None:
            raise TrainingError(
                f"a completion on {problem.id} could not be graded or scored; see `recode doctor --sandbox`"
            )
        attempts.append(Attempt(right, score, length, task.way(problem.statement, one.reasoning)))
    return summary(attempts)


def summary(attempts: Sequence[Attempt]) -> Measured:
    """Returns the means over attempts."""
    if not attempts:
        raise InputError("no completion to measure; give held-out problems")
    return Measured(
        n=len(attempts),
        pass_rate=fmean(one.passed for one in attempts),
        process=fmean(one.process for one in attempts),
        length=fmean(one.length for one in attempts),
        work=fmean(one.way == "work" for one in attempts),
        hack=fmean(one.way == "hack" for one in attempts),
        ways=_ways(attempts),
    )


def _ways(attempts: Sequence[Attempt]) -> Ways | None:
    work, hack = ([one for one in attempts if one.way == way] for way in ("work", "hack"))
    if min(len(work), len(hack)) < FEW:
        return None
    return Ways(
        pass_work=fmean(one.passed for one in work),
        pass_hack=fmean(one.passed for one in hack),
        process_work=fmean(one.process for one in work),
        process_hack=fmean(one.process for one in hack),
    )


def sampled(policy: Path, problems: Sequence[Problem], seed: int) -> tuple[list[str], list[int]]:
    """Returns completions, those of one problem together, and their tokens."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(policy, use_safetensors=True).eval()
    template = read_prompt(Path(MICRO)).template
    asked = [messages_of(problem, template) for problem in problems]
    prompts = [tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in asked]
    batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
    set_seed(seed)
    with torch.inference_mode():
        tokens = model.generate(
            **batch,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=MOST_TOKENS,
            num_return_sequences=ATTEMPTS,
            pad_token_id=tokenizer.pad_token_id,
        )[:, batch["input_ids"].shape[1] :]
    lengths = (tokens != tokenizer.pad_token_id).sum(dim=1).tolist()
    return tokenizer.batch_decode(tokens, skip_special_tokens=True), lengths


def _scores(scorer: Scorer, problems: Sequence[Problem], reasonings: Sequence[str]) -> list[float | None]:
    """Returns process scores; no reasoning is worth 0, as in the training."""
    asked = [Item(p.id, problem_text(p), text) for p, text in zip(problems, reasonings, strict=True) if text]
    found = iter(scorer.score(asked))
    return [next(found) if text else 0.0 for text in reasonings]
