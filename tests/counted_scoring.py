"""`recode` with small batches, each of which is told on stderr; after BATCHES of them it hangs."""

import os
import sys
import time
from pathlib import Path
from typing import Any

PRELOADED = ["lcb_rb.scoring", "lcb_rb.scorers.heads", "torch.distributed", "transformers.models.qwen2.modeling_qwen2"]
"""What takes seconds to import."""


def main() -> None:
    """Runs the command of this process."""
    from lcb_rb.scorers import classifier, loading

    plain, left = classifier.ClassifierScorer.forward, int(os.environ.get("BATCHES", "1000"))

    def forward(self: Any, batch: Any) -> list[float]:
        nonlocal left
        sys.stderr.write(f"forward of {os.environ.get('RANK', '0')}\n")
        left -= 1
        time.sleep(60 if left < 0 else 0)
        return plain(self, batch)

    loading.BUDGETS["cpu"], classifier.ClassifierScorer.forward = 100, forward
    import recode

    recode.main()


def forked(arguments: list[str], folder: Path, environment: dict[str, str], stderr: str) -> None:
    """Runs a command in a process that was forked for it."""
    os.chdir(folder)
    os.environ |= environment
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(2, 1)
    sys.argv = ["recode", *arguments]
    main()


if __name__ == "__main__":
    main()
