"""Failures of what measures a policy, the executor and the reward model: a few are borne, more end the run."""

import math
from collections import Counter, deque
from collections.abc import Sequence

from recode_models.failures import TrainingError
from recode_models.policy.grading import Grade
from recode_models.policy.rewards import Values

RECENT = 512
"""Completions over which failures are counted, at least the last batch."""
ENOUGH = 200
"""Completions from which the share of failures is taken as it is; of fewer it must exceed chance (three sigma)."""
MESSAGE = 200
"""Characters of a cause that an error shows."""

NO_SCORE = "the reward model gave no score"


class Failures:
    """Counts what could not be graded or scored."""

    def __init__(self, max_share: float) -> None:
        """Keeps the share of completions that may fail."""
        self._max_share = max_share
        self._batches: deque[tuple[int, Counter[str]]] = deque()

    def add(self, grades: Sequence[Grade], values: Values) -> None:
        """Counts a batch.

        Args:
            grades: Of every completion.
            values: Their rewards; None is a failure.

        Raises:
            TrainingError: too many of the last completions have failed.
        """
        found = zip(grades, values, strict=True)
        causes = Counter(
            grade.message if grade.outcome is None else NO_SCORE for grade, value in found if value is None
        )
        self._batches.append((len(values), causes))
        n = sum(size for size, _ in self._batches)
        while n - self._batches[0][0] >= RECENT:
            n -= self._batches.popleft()[0]
        every = sum((known for _, known in self._batches), Counter[str]())
        if every.total() > self._allowed(n):
            self._end(n, every)

    def _allowed(self, n: int) -> float:
        chance = 0.0 if n >= ENOUGH else 3 * math.sqrt(n * self._max_share * (1 - self._max_share))
        return n * self._max_share + chance

    def _end(self, n: int, causes: "Counter[str]") -> None:
        cause, _ = causes.most_common(1)[0]
        fix = "score some texts with `recode score`" if cause == NO_SCORE else "see `recode doctor --sandbox`"
        raise TrainingError(
            f"{causes.total()} of the last {n} completions could not be graded or scored, more than "
            f"{self._max_share:.0%}; most often: {cause[:MESSAGE]}; {fix}"
        )
