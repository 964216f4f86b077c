"""Statistics of pairs and of samples: pure functions."""

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_interval, pairwise_accuracy
from lcb_rb.metrics.pairwise import length_correlation, mean_margin, pairwise_summary
from lcb_rb.metrics.passes import pass_at_k, problem_passes, summarise_passes

__all__ = [
    "DEFAULT_RESAMPLES",
    "clustered_interval",
    "length_correlation",
    "mean_margin",
    "pairwise_accuracy",
    "pairwise_summary",
    "pass_at_k",
    "problem_passes",
    "summarise_passes",
]
