"""The busiest stretch of a recorded trace, at any share of its traffic: what a fleet must be able to carry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.workload.synthetic_arrivals import SEED
from breakeven.workload.trace import Trace
from breakeven.workload.trace_scaling import SECONDS_PER_MINUTE

MOST_COUNTED: Final = 2_000
"""Requests around the busiest minute whose latency counts, at most."""
MOST_LEAD_IN: Final = 1_000
"""Requests before those, which fill the fleet and do not count, at most."""
FEWEST: Final = 200
"""Requests of a small share, at least: a percentile of a few of them says little."""
_MOST_STRETCHED: Final = 1_000.0
_HALF_S: Final = 1_800.0
_LEAD_IN_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Requests in order of arrival, columns of equal length; those from row ``first_counted`` on count."""

    arrivals_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    first_counted: int

    @property
    def counted(self) -> int:
        """Requests that count."""
        return len(self.arrivals_s) - self.first_counted


class BusiestStretch:
    """The requests around the busiest minute of a trace, at most an hour of them, at any share of its traffic.

    A share below 1 draws that part of the requests at random, with a fixed seed, and leaves their times: so do the
    users behind one replica of many. Where fewer than `FEWEST` would be left, so many are, with wider gaps. Above 1 the
    gaps shrink by it.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    @cached_property
    def _middle_s(self) -> float:
        """The middle of the minute in which the most requests arrive; the first of equals."""
        per_minute = np.bincount((self._trace.arrivals_s // SECONDS_PER_MINUTE).astype(np.int64))
        return (int(np.argmax(per_minute)) + 0.5) * SECONDS_PER_MINUTE

    @cached_property
    def _near(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Times from the middle, rows and random numbers of all requests that any share below 1 may need."""
        around = (self._middle_s - _HALF_S - _LEAD_IN_S, self._middle_s + _HALF_S)
        first, last = np.searchsorted(self._trace.arrivals_s, around)
        rows = np.arange(first, last)
        return self._trace.arrivals_s[rows] - self._middle_s, rows, np.random.default_rng(SEED).random(len(rows))

    def at_share(self, share: float) -> Stretch:
        """The stretch at ``share`` times the trace's traffic."""
        if share < 1:
            near_s, near, drawn = self._near
            drawn_share = max(share, min(FEWEST / len(near), 1.0))
            kept = drawn < drawn_share
            return self._cut(near_s[kept], near[kept], min(drawn_share / share, _MOST_STRETCHED))
        middle = int(np.searchsorted(self._trace.arrivals_s, self._middle_s))
        first = max(0, middle - MOST_COUNTED - MOST_LEAD_IN)
        rows = np.arange(first, min(self._trace.rows, middle + MOST_COUNTED))
        return self._cut((self._trace.arrivals_s[rows] - self._middle_s) / share, rows, 1.0)

    def _cut(self, from_middle_s: NDArray[np.float64], rows: NDArray[np.int64], gaps: float) -> Stretch:
        """The requests nearest to the middle, within half an hour, and the lead-in before them; ``gaps`` as wide."""
        low, high = np.searchsorted(from_middle_s, (-_HALF_S, _HALF_S)).tolist()
        if high - low > MOST_COUNTED:
            nearest = low + np.argsort(np.abs(from_middle_s[low:high]), kind="stable")[:MOST_COUNTED]
            low, high = int(nearest.min()), int(nearest.max()) + 1
        led_in = low
        if high > low:
            led_in = max(low - MOST_LEAD_IN, int(np.searchsorted(from_middle_s, from_middle_s[low] - _LEAD_IN_S)))
        chosen = rows[led_in:high]
        times_s = from_middle_s[led_in:high]
        return Stretch(
            arrivals_s=(times_s - times_s[:1]) * gaps,
            input_tokens=self._trace.input_tokens[chosen],
            output_tokens=self._trace.output_tokens[chosen],
            first_counted=low - led_in,
        )
