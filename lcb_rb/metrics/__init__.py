"""Statistics of pairs and of samples: pure functions."""

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_interval, pairwise_accuracy
from lcb_rb.metrics.passes import pass_at_k, problem_passes, summarise_passes

__all__ = [
    "DEFAULT_RESAMPLES",
    "clustered_interval",
    "pairwise_accuracy",
    "pass_at_k",
    "problem_passes",
    "summarise_passes",
]
