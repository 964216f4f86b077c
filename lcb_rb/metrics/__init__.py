"""Statistics of preference pairs: pure functions."""

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES, clustered_interval, pairwise_accuracy

__all__ = ["DEFAULT_RESAMPLES", "clustered_interval", "pairwise_accuracy"]
