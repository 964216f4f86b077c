"""The one callable that TRL's GRPOTrainer is given: it grades a batch, scores what passed, and gates."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from lcb_rb.pairs import problem_text
from lcb_rb.schema import Problem
from lcb_rb.scorers.base import Item, Scorer
from recode_models.policy.completions import Completion, Written, read_completion
from recode_models.policy.grading import BatchGrader, Grade
from recode_models.policy.instruments import Failures
from recode_models.policy.rewards import Parts, Rule, Values, signals
from recode_models.policy.statistics import Rewarded, batch_metrics

LogMetric = Callable[[str, float], None]
LogExtra = Callable[[str, list[Any]], None]


@dataclass(frozen=True, slots=True)
class Spent:
    """Where the time of one batch went."""

    grading_s: float
    """Until the last completion was graded, wall seconds."""
    scoring_s: float
    """In the reward model, wall seconds; partly beside the grading."""
    all_s: float
    """Of the whole call, wall seconds."""
    ended: float
    """When it ended, by time.monotonic()."""
    graded: int
    """Completions."""
    scored: int
    """Reasonings that the reward model read."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A completion on a held-out problem."""

    problem_id: str
    passed: bool | None
    """None when ungraded."""
    process: float | None
    """None where it was not scored or the format is not kept."""
    length: int
    """Tokens."""


class CGReward:
    """Rewards completions: format, outcome, and the process behind the gate; for `reward_funcs` of TRL's GRPOTrainer.

    Every process must be given whole groups (`trainer.refuse_split_groups`). A completion that cannot be graded or
    scored gets None, which TRL leaves out of its group.
    """

    def __init__(
        self,
        problems: Mapping[str, Problem],
        rule: Rule,
        group: int,
        grader: BatchGrader,
        scorer: Scorer | None = None,
        *,
        watched: int = 8,
        waves: int = 2,
        prefilled: bool = False,
        max_failed_share: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Keeps what the rewards are made of.

        Args:
            problems: By the id in the column `problem_id`.
            rule: Gate, mode and weights.
            group: Completions of one prompt.
            grader: Runs the code.
            scorer: Gives process rewards in [0, 1]; None for format and outcome only.
            watched: Failed completions a batch that are scored all the same, for the log; drawn anew in each step.
            waves: Parts of a batch; one is scored while the next ones are still being graded.
            prefilled: Whether prompts end in `<think>`.
            max_failed_share: Share of completions that may be ungraded or unscored.
            seed: Of which failed completions are watched.
        """
        self.__name__ = "cg_reward"  # TRL's name for it in metrics
        self._problems, self._group = problems, group
        self._rule = rule if scorer else replace(rule, process_weight=0.0)
        self._grader, self._scorer = grader, scorer
        self._watched, self._waves, self._prefilled = watched, waves, prefilled
        self._seed = seed
        self._failures = {measuring: Failures(max_failed_share) for measuring in (False, True)}
        self.spent: list[Spent] = []
        """Of every batch so far; whoever reads it may clear it."""
        self.attempts: list[Attempt] = []
        """On held-out problems; whoever reads it may clear it."""
        self.shown: list[dict[str, Any]] = []
        """The telling completions of the last batch."""

    async def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        problem_id: Sequence[str],
        held_out: Sequence[bool] = (),
        log_metric: LogMetric | None = None,
        log_extra: LogExtra | None = None,
        trainer_state: Any = None,
        **columns: Any,
    ) -> Values:
        """Returns one number a completion, None for what could not be graded or scored.

        Raises:
            TrainingError: too many of the last completions could not be graded or scored.
        """
        start = time.monotonic()
        written = [read_completion(completion, prefilled=self._prefilled) for completion in completions]
        problems = [self._problems[name] for name in problem_id]
        measuring = any(held_out)
        draw = f"{self._seed} {getattr(trainer_state, 'global_step', 0)}"
        grades, process, grading_s, scoring_s = await self._measured(problems, written, draw, everything=measuring)
        parts = [
            Parts(float(text.well_formed), grade.outcome, _process(text, score, self._scorer), grade.pass_rate)
            for text, grade, score in zip(written, grades, process, strict=True)
        ]
        values = [self._rule.reward(one) for one in parts] if measuring else signals(parts, self._rule, self._group)
        batch = [
            Rewarded(*row)
            for row in zip(problem_id, parts, values, (grade.verdict for grade in grades), completion_ids, strict=True)
        ]
        self._failures[measuring].add(grades, values)
        scored = sum(score is not None for score in process)
        end = time.monotonic()
        self.spent.append(Spent(grading_s, scoring_s, end - start, end, len(grades), scored))
        if measuring:
            self.attempts += [_attempt(one) for one in batch]
            return values
        self.shown = telling(batch, written)
        if log_metric:
            for name, value in batch_metrics(batch, self._rule, self._group).items():
                log_metric(name, value)
        if log_extra:
            log_extra("verdict", [one.verdict for one in batch])
            log_extra("process", [one.parts.process for one in batch])
        return values

    async def _measured(
        self, problems: Sequence[Problem], written: Sequence[Written], draw: str, *, everything: bool
    ) -> tuple[list[Grade], list[float | None], float, float]:
        """Returns grades and process scores, wave after wave, and the seconds that both took.

        Which completions are scored together depends on their order only, never on which was graded first.
        """
        start = time.monotonic()
        batch = self._grader.start([(problem, text.code) for problem, text in zip(problems, written, strict=True)])
        size = -(-len(written) // self._waves) or 1
        size = -(-size // self._group) * self._group
        grades: list[Grade] = []
        scores: list[asyncio.Future[tuple[list[float | None], float]]] = []
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "scoring") as thread:  # one, so that waves are scored in their order
            for at in range(0, len(written), size):
                found = await batch.part(at, at + size)
                grades += found
                items = self._items(problems, written, found, at, draw, everything=everything)
                scores.append(loop.run_in_executor(thread, self._scored, items))
            grading_s = time.monotonic() - start
            done = await asyncio.gather(*scores)
        return grades, [score for some, _ in done for score in some], grading_s, sum(took for _, took in done)

    def _items(
        self,
        problems: Sequence[Problem],
        written: Sequence[Written],
        grades: Sequence[Grade],
        start: int,
        draw: str,
        *,
        everything: bool,
    ) -> list[Item | None]:
        """Returns what the reward model reads of a wave: what the gate lets through, and a few others to watch."""
        wanted, others = set(), []
        for index, grade in enumerate(grades):
            parts = Parts(1.0, grade.outcome, None, grade.pass_rate)
            if not written[start + index].reasoning or grade.outcome is None:
                continue
            if everything or (self._rule.process_weight and self._rule.opening(parts)):
                wanted.add(index)
            else:
                others.append(index)
        others.sort(key=lambda index: hashlib.sha256(f"{draw} {start + index}".encode()).digest())
        wanted |= set(others[: -(-self._watched // self._waves)])
        return [
            Item(problems[start + index].id, problem_text(problems[start + index]), written[start + index].reasoning)
            if index in wanted and self._scorer
            else None
            for index in range(len(grades))
        ]

    def _scored(self, items: Sequence[Item | None]) -> tuple[list[float | None], float]:
        """Runs in the scoring thread; one call, which sorts by length itself."""
        start = time.monotonic()
        asked = [item for item in items if item]
        found = iter(self._scorer.score(asked) if self._scorer and asked else [])
        return [next(found) if item else None for item in items], time.monotonic() - start


def telling(batch: Sequence[Rewarded], written: Sequence[Written]) -> list[dict[str, Any]]:
    """Returns a table of samples: the best and worst process among the accepted, the best among the failed."""
    known = [(one, text) for one, text in zip(batch, written, strict=True) if one.parts.process is not None]
    known.sort(key=lambda row: (row[0].parts.process or 0.0, row[1].text))
    accepted = [row for row in known if row[0].parts.outcome == 1]
    failed = [row for row in known if row[0].parts.outcome == 0]
    chosen = {"accepted, best process": accepted[-1:], "accepted, worst process": accepted[:1]}
    chosen["failed, best process"] = failed[-1:]
    return [
        {
            "what": what,
            "problem_id": one.problem_id,
            "verdict": one.verdict,
            "process": one.parts.process,
            "signal": one.signal,
            "completion": text.text,
        }
        for what, rows in chosen.items()
        for one, text in rows
    ]


def _process(text: Written, score: float | None, scorer: Scorer | None) -> float | None:
    """Returns the process reward; 0 where there is no reasoning to score, which is no failure of ours."""
    return 0.0 if scorer and not text.reasoning else score


def _attempt(one: Rewarded) -> Attempt:
    outcome = one.parts.outcome
    process = one.parts.process if one.parts.format else None  # as in what is logged of a step
    return Attempt(one.problem_id, None if outcome is None else outcome == 1, process, len(one.tokens))
