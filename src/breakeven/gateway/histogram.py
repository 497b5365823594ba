"""How long things took: counts in buckets, as Prometheus adds them up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

DURATION_BUCKETS_S: Final = (*(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),)
"""Upper bounds of gen_ai.server.request.duration (OpenTelemetry GenAI semantic conventions)."""

TTFT_BUCKETS_S: Final = (*(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),)
"""Upper bounds of gen_ai.server.time_to_first_token (the same)."""


class Histogram:
    """Values in seconds, counted by the smallest bound that is not below them."""

    __slots__ = ("bounds_s", "counts", "total_s")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.total_s = 0.0

    def observe(self, value_s: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds_s, value_s)] += 1
        self.total_s += value_s

    def copy(self) -> Histogram:
        """The same values, as they are now."""
        copied = Histogram(self.bounds_s)
        copied.counts = self.counts[:]
        copied.total_s = self.total_s
        return copied

    def cumulative(self) -> list[tuple[str, float]]:
        """Each bound as text with the number of values up to it; the last bound is infinite."""
        found, total = [], 0
        for bound, count in zip([*map(repr, self.bounds_s), "+Inf"], self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found
