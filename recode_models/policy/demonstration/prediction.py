"""When does a plain sum of rewards prefer the hack? A rule in four numbers that can be measured before the training."""

from lcb_rb.schema import Record


class Ways(Record):
    """The two ways of answering of a policy before its training: by work, and by what only looks good."""

    pass_work: float
    """Pass rate of completions with real work."""
    pass_hack: float
    """Of those that only look good."""
    process_work: float
    """Mean process score of completions with real work, from 0 to 1."""
    process_hack: float
    """Of those that only look good."""

    @property
    def threshold(self) -> float | None:
        """Process weight above which the sum prefers the hack; None where no weight does."""
        gain = self.process_hack - self.process_work
        return (self.pass_work - self.pass_hack) / gain if gain > 0 else None


def prefers_hack(ways: Ways, weight: float) -> bool:
    """Returns whether `weight * (process_hack - process_work) > pass_work - pass_hack`.

    The left side is what the hack gains in process reward, the right what it loses in outcome reward. The rule knows
    nothing of what the policy learns on the way: work that gets better raises the right side.
    """
    return weight * (ways.process_hack - ways.process_work) > ways.pass_work - ways.pass_hack
