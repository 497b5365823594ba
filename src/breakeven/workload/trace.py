"""A request trace as plain columns, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from breakeven.units import SECONDS_PER_DAY
from breakeven.workload.prefix_blocks import PrefixBlocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests in order of arrival: three columns of shape (n,), n >= 1.

    ``arrivals_s`` are seconds since the first arrival. ``starts_at_clock_s`` is the first arrival's time of day in
    seconds after midnight on the trace's own clock (``clock`` names it), or None where the trace has no clock.
    ``prefix_reuse_frac`` is the share of input tokens whose prefix an earlier request of the trace already sent, or
    None where the trace does not tell. ``notes`` are the facts of reading that a user should see.

    ``contents`` (int64) are equal where the whole request is, ``durations_s`` is how long each answer took (NaN where
    not told), ``blocks`` are the prefix blocks where they were asked for; each None where the trace does not tell.
    """

    name: str
    format_name: str
    arrivals_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    starts_at_clock_s: float | None = None
    clock: str = ""
    prefix_reuse_frac: float | None = None
    notes: tuple[str, ...] = ()
    contents: NDArray[np.int64] | None = None
    durations_s: NDArray[np.float64] | None = None
    blocks: PrefixBlocks | None = None

    @property
    def rows(self) -> int:
        """Number of requests."""
        return len(self.arrivals_s)

    @property
    def span_s(self) -> float:
        """Seconds that the trace stands for: to its last arrival and one mean gap more; 0 if all arrive at once."""
        return float(self.arrivals_s[-1]) * self.rows / max(1, self.rows - 1)

    @property
    def requests_per_day(self) -> float:
        """The trace's mean rate, per day; infinite if all arrive at once."""
        return self.rows / self.span_s * SECONDS_PER_DAY if self.span_s > 0 else float("inf")
