"""When a fleet gets more or fewer replicas: by its queue, by its cache, or by the hour; never by GPU utilization.

A GPU is close to 100% busy as soon as one sequence decodes, so utilization says nothing about load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from breakeven.serving.cold_start import ColdStart

Policy = Literal["queue", "kv", "schedule"]
"""What the number of replicas follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """A policy and its limits.

    ``queue`` wants one replica for ``target_queue_per_replica`` requests that wait or run; ``kv`` one for each
    ``target_kv_frac`` of a replica's cache that waiting and running requests need; ``schedule`` has
    ``hourly_replicas`` (24 numbers, by the trace's clock) and starts a cold start ahead of the hour. The policy is
    looked at every ``interval_s``. More replicas start at once; fewer are kept only when, for ``cooldown_s``, no more
    were wanted. With ``min_replicas = 0`` the fleet goes to zero, and a request that finds none waits for a cold start.
    """

    policy: Policy
    max_replicas: int
    min_replicas: int = 1
    target_queue_per_replica: float = 32.0
    target_kv_frac: float = 0.7
    hourly_replicas: tuple[int, ...] = ()
    interval_s: float = 15.0
    cooldown_s: float = 300.0
    cold_start: ColdStart = field(default_factory=ColdStart)


def hourly_replicas(hourly_shape: Sequence[float], most: int, least: int = 0) -> tuple[int, ...]:
    """Replicas by hour in proportion to the shape, ``most`` in the busiest hour, rounded up.

    >>> hourly_replicas((0.0, 1.0, 2.0, 4.0), most=4, least=1)
    (1, 1, 2, 4)
    """
    peak = max(hourly_shape)
    return tuple(max(ceil(most * share / peak - 1e-9), least) for share in hourly_shape)
