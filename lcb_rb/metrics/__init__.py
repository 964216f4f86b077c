"""Statistics of pairs and of samples: pure functions."""

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_interval, pair_points, pairwise_accuracy
from lcb_rb.metrics.agreement import Agreement, cohen_kappa, fleiss_kappa
from lcb_rb.metrics.calibration import calibration
from lcb_rb.metrics.lengths import length_gap, length_groups, margin_length_correlation
from lcb_rb.metrics.paired import PairedAccuracy, mcnemar_exact, paired_accuracy
from lcb_rb.metrics.pairwise import length_correlation, mean_margin, pairwise_summary
from lcb_rb.metrics.passes import pass_at_k, problem_passes, summarise_passes

__all__ = [
    "DEFAULT_RESAMPLES",
    "Agreement",
    "PairedAccuracy",
    "calibration",
    "clustered_interval",
    "cohen_kappa",
    "fleiss_kappa",
    "length_correlation",
    "length_gap",
    "length_groups",
    "margin_length_correlation",
    "mcnemar_exact",
    "mean_margin",
    "pair_points",
    "paired_accuracy",
    "pairwise_accuracy",
    "pairwise_summary",
    "pass_at_k",
    "problem_passes",
    "summarise_passes",
]
