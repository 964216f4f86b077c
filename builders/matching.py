"""Who is paired with whom: as many pairs as possible, within a model first, alike in length and style."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from builders.audit.surface import surface
from lcb_rb.schema import Sample

BLOCK = 256
"""Samples of a side that are matched at once: the time of a problem stays linear in its samples."""
OTHER_MODEL = 1e6
"""Cost of a pair across models: above all differences of form together."""


def matched(accepted: Sequence[Sample], failed: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Returns as many (accepted, failed) pairs as possible, few of them across models, with like forms."""
    return [pair for block in _blocks(accepted, failed) for pair in _match(*block)]


def _match(accepted: Sequence[Sample], failed: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    if not accepted or not failed:
        return []
    better, worse = _forms(accepted), _forms(failed)
    cost = np.abs(better[:, None, :] - worse[None, :, :]).sum(axis=2)
    cost += OTHER_MODEL * (_models(accepted)[:, None] != _models(failed)[None, :])
    rows, columns = linear_sum_assignment(cost)
    return [(accepted[i], failed[j]) for i, j in zip(rows.tolist(), columns.tolist(), strict=True)]


def _forms(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Returns the numbers of each reasoning's form, on a scale on which relative differences count."""
    return np.log1p(np.array([surface(sample.reasoning) for sample in samples], dtype=np.float64))


def _models(samples: Sequence[Sample]) -> NDArray[np.str_]:
    return np.array([sample.model for sample in samples], dtype=str)


def _blocks(
    accepted: Sequence[Sample], failed: Sequence[Sample]
) -> Iterator[tuple[Sequence[Sample], Sequence[Sample]]]:
    """Yields the samples of both sides in blocks, those of a model and of a length together."""
    count = -(-max(len(accepted), len(failed)) // BLOCK)
    if count <= 1:
        yield accepted, failed
        return
    sides = [
        sorted(side, key=lambda sample: (sample.model, len(sample.reasoning), sample.id)) for side in (accepted, failed)
    ]
    for index in range(count):
        first, second = ([*side[len(side) * index // count : len(side) * (index + 1) // count]] for side in sides)
        yield first, second
