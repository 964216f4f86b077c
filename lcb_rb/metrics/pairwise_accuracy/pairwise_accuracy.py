"""Pairwise accuracy of scores as a module of `evaluate`; the work is done by the package lcb-rb."""

import datasets
import evaluate

from lcb_rb.metrics.accuracy import DEFAULT_RESAMPLES  # From: lcb-rb
from lcb_rb.metrics.pairwise import LABELS, NUMBERS, pair_columns, pairwise_summary  # From: lcb-rb

_DESCRIPTION = """
The share of pairs in which the better item scores higher; a tie counts half. With a 95 % interval clustered by problem,
per subset, mean margin, and the correlation of score differences with length differences.
"""

_KWARGS_DESCRIPTION = """
Args:
    chosen_scores: Scores of the better items, any scale; None or NaN where scoring failed.
    rejected_scores: Scores of the worse ones, in the same order.
    groups: Optional; problem of each pair, text or integer: the clusters of the interval.
    subsets: Optional; part that each pair is also reported in.
    chosen_lengths: Optional, with rejected_lengths; lengths of the better items, any unit.
    rejected_lengths: Lengths of the worse ones.
    seed: Of the bootstrap.
    resamples: Bootstrap replicates.
Returns:
    A dict: "accuracy", "strict_accuracy" (a tie counts as lost), "n" pairs, "n_ties", "n_unscored" (pairs without two
    finite scores, left out), "n_problems", "interval" (None below two problems), "mean_margin", "length_correlation"
    (Pearson, of chosen minus rejected score with chosen minus rejected length; None when undefined), and "subsets":
    the same by subset.
Examples:
    >>> module = evaluate.load("recode/pairwise_accuracy")
    >>> found = module.compute(chosen_scores=[1.5, 0.2, 0.7], rejected_scores=[0.5, 0.9, 0.7], groups=["a", "a", "b"])
    >>> found["accuracy"], found["strict_accuracy"], found["n_ties"]
    (0.5, 0.3333333333333333, 1)
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class PairwiseAccuracy(evaluate.Metric):  # type: ignore[misc]
    """Adapter from `evaluate` to `lcb_rb`."""

    def _info(self):  # type: ignore[no-untyped-def]
        numbers = {name: datasets.Value("float64") for name in NUMBERS}
        labels = {name: datasets.Value("string") for name in LABELS}
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(numbers | labels),
            license="Apache-2.0",
        )

    def add_batch(self, *, predictions=None, references=None, **columns):  # type: ignore[no-untyped-def]
        """Adds some pairs; the optional columns may be left out."""
        super().add_batch(**pair_columns(columns))

    def add(self, *, prediction=None, reference=None, **values):  # type: ignore[no-untyped-def]
        """Adds one pair; the optional values may be left out."""
        columns = pair_columns({name: [value] for name, value in values.items()})
        super().add(**{name: column[0] for name, column in columns.items()})

    def _compute(self, seed=0, resamples=DEFAULT_RESAMPLES, **columns):  # type: ignore[no-untyped-def]
        without = [name for name in NUMBERS[2:] if all(length is None for length in columns[name])]
        return pairwise_summary(**columns | dict.fromkeys(without), seed=seed, resamples=resamples)
