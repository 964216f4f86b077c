"""What `recode doctor MODEL` finds: records, and the words for them."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "fails"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    status: Status
    """`fails` where scoring would stop or give nothing."""
    detail: str
    """What was found."""
    fix: str = ""
    """What to do, unless all is well."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a run of a model on pairs would meet."""

    model: str
    """As asked for, with the way it is scored."""
    data: str
    """Where the texts are from."""
    checks: dict[str, Check]
    """By name, in the order of the report."""

    @property
    def sound(self) -> bool:
        """Whether the model can be scored on these pairs with these options."""
        return all(check.status != "fails" for check in self.checks.values())


def counted(count: int, what: str) -> str:
    """Returns "1 pair", "2 pairs"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
