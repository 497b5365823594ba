"""Arrivals that are made up, where the real ones are not known: as many requests over the same time."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ArrivalKind = Literal["trace", "poisson", "gamma"]
"""The trace's own times, or made-up ones: without memory, or as uneven as the trace."""

SEED = 20_261_124


def poisson_arrivals_s(requests: int, span_s: float, seed: int = SEED) -> Floats:
    """Times of a Poisson process, given their number: uniform, in order. Real traffic is burstier."""
    return np.sort(np.random.default_rng(seed).uniform(0.0, span_s, requests))


def gamma_arrivals_s(requests: int, span_s: float, variation: float, seed: int = SEED) -> Floats:
    """Times with independent gamma gaps of this coefficient of variation (1 is Poisson), stretched to the span."""
    shape = 1.0 / max(variation, 1e-3) ** 2
    times = np.cumsum(np.random.default_rng(seed).gamma(shape, 1.0, requests))
    scaled: Floats = times * (span_s / times[-1]) if times[-1] > 0 else times
    return scaled


def gap_variation(arrivals_s: Floats) -> float:
    """Coefficient of variation of the gaps between arrivals; 1 where there are fewer than two gaps."""
    gaps = np.diff(arrivals_s)
    return float(gaps.std() / gaps.mean()) if len(gaps) > 1 and gaps.mean() > 0 else 1.0
