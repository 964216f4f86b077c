"""Intervals of days, by which problems are told apart from training data."""

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """An interval of days, both ends included; None is open."""

    start: datetime.date | None = None
    end: datetime.date | None = None

    def __contains__(self, day: datetime.date | None) -> bool:
        """Returns whether the day lies inside; an unknown day lies only in the window without ends."""
        if day is None:
            return self.start is None and self.end is None
        return (self.start is None or day >= self.start) and (self.end is None or day <= self.end)

    def __str__(self) -> str:
        """Returns START:END, as the option --window takes it."""
        return ":".join(day.isoformat() if day else "" for day in (self.start, self.end))
