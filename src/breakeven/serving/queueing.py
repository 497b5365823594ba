"""Waiting for a free server: how much load k servers carry before too many requests wait too long.

Requests that arrive at random and take exponentially distributed time are M/M/k: the share that has to wait is Erlang's
C, and a wait exceeds t with probability ``C exp(-(k - load) t / service)``. Source: L. Kleinrock, Queueing Systems I,
1975, chapter 3.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POOLED_SERVERS = 32
"""As far as sharing one queue is followed; more servers are taken to gain nothing further."""

_BISECTIONS = 40
_WAITS_IN_SERVICES = np.concatenate([[0.0], np.logspace(-3, 2, 61)])
"""Allowed waits, in service times, for which loads are tabulated; a wait between two is taken as the shorter."""


def sustainable_load(allowed_wait_in_services: Floats, percentile: float) -> Floats:
    """Load in erlangs (busy servers) that 1, 2, ... ``POOLED_SERVERS`` servers sharing a queue carry.

    Args:
        allowed_wait_in_services: the wait that ``percentile`` of the requests must stay below, over the mean service
            time; shape (n,), at least 0.
        percentile: 0..100.

    Returns:
        Shape (n, POOLED_SERVERS); the load of each server grows along the second axis.
    """
    nearest = np.searchsorted(_WAITS_IN_SERVICES, np.maximum(allowed_wait_in_services, 0.0), side="right") - 1
    return _load_table(percentile)[nearest]


@lru_cache(maxsize=8)
def _load_table(percentile: float) -> Floats:
    """Loads for each tabulated wait, by bisection: the share that waits too long grows with the load."""
    servers = np.arange(1, POOLED_SERVERS + 1, dtype=np.float64)
    low = np.zeros((len(_WAITS_IN_SERVICES), POOLED_SERVERS))
    high = np.broadcast_to(servers, low.shape).copy()
    allowed = max(1 - percentile / 100, 1e-9)
    for _ in range(_BISECTIONS):
        load = (low + high) / 2
        late = erlang_c(load) * np.exp(-(servers - load) * _WAITS_IN_SERVICES[:, None])
        low, high = np.where(late <= allowed, load, low), np.where(late <= allowed, high, load)
    return low


def erlang_c(load: Floats) -> Floats:
    """The share of requests that has to wait; column j has j + 1 servers, ``load`` in erlangs below that number.

    >>> erlang_c(np.array([[0.5, 1.0]])).round(4).tolist()
    [[0.5, 0.3333]]
    """
    servers = np.arange(1, load.shape[1] + 1, dtype=np.float64)
    blocked = np.ones_like(load)
    for count in servers:
        # Erlang's B by recursion over the servers that a column has.
        step = load * blocked / (count + load * blocked)
        blocked = np.where(servers >= count, step, blocked)
    waiting: Floats = blocked / (1 - load / servers * (1 - blocked))
    return waiting
