"""What an instance carries a day once its fleet was sized by replay, so that a cost curve buys what the replay says."""

from __future__ import annotations

import numpy as np

from breakeven.options import traffic
from breakeven.options.curve import Ints
from breakeven.options.replay_sizing import Sized
from breakeven.workload.workload import Workload


def sized_capacities(formula: Ints, replicas_per_instance: Ints, sized: Sized, workload: Workload) -> Ints:
    """The daily volumes that instances carry, in place of the formula's, arrays of shape (rows, capacities a row).

    The busiest hour's (the smallest) follows from what a replica carries, where that was asked, and then is moved as
    little as the number of instances at the planned volume needs. The other hours keep their proportion to it.
    """
    rows = [
        _scaled(row, _busiest(min(row), held, sized, workload))
        for row, held in zip(formula.tolist(), replicas_per_instance.tolist(), strict=True)
    ]
    return np.array(rows, dtype=np.int64).reshape(formula.shape)


def _busiest(formula: int, held: int, sized: Sized, workload: Workload) -> int:
    """Requests a day that one instance carries, as its busiest hour lets it."""
    if sized.requests_per_s is not None:
        formula = traffic.requests_per_day_at_peak(sized.requests_per_s * held, workload)
    volume, instances = workload.requests_per_day, -(-sized.replicas // held)
    if instances > 1:
        formula = min(formula, -(-volume // (instances - 1)) - 1)
    if instances and formula * instances < volume and -(-volume // instances) * (instances - 1) < volume:
        formula = -(-volume // instances)
    return max(formula, 1)


def _scaled(capacities: list[int], busiest: int) -> list[int]:
    least = max(min(capacities), 1)
    return [capacity * busiest // least for capacity in capacities]
