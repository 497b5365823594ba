"""The workload's traffic in the units in which options are sized and billed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from breakeven import units
from breakeven.catalog.evidence import Assumption
from breakeven.options.curve import Floats, Ints
from breakeven.workload.workload import Workload

BYTES_PER_STREAMED_TOKEN = 250
"""What one output token weighs on the wire: a server-sent event with one token in an OpenAI-shaped chunk."""

_MOST_REQUESTS_PER_DAY = float(1 << 61)


def mean_output_tokens(workload: Workload) -> Fraction:
    """Mean output tokens of a request, exact."""
    return Fraction(int(workload.output_tokens.sum()), len(workload.output_tokens))


def egress_gb_per_daily_request(workload: Workload) -> Fraction:
    """Gigabytes a month that leave the data centre for one request a day."""
    return mean_output_tokens(workload) * BYTES_PER_STREAMED_TOKEN * units.DAYS_PER_MONTH / units.BYTES_PER_GB


def daily_capacity(requests_per_s: Floats, workload: Workload) -> Ints:
    """Requests a day, rounded down, that always-on capacity carries when sized for the busiest minute.

    ``requests_per_s`` is the sustainable rate, shape (n,); the result has the same shape.
    """
    usable = requests_per_s * workload.costs.peak_load_frac
    return _whole(usable * units.SECONDS_PER_DAY / workload.peak_to_mean_frac)


def hourly_capacities(requests_per_s: Floats, workload: Workload) -> Ints:
    """The daily volume that capacity carries in each hour of the day, shape (n, hours with traffic).

    Capacity that is switched by the hour must carry an hour's share of the day at that hour's busiest minute.
    """
    shares = np.array([share for share in workload.hourly_shape if share > 0])
    usable = requests_per_s * workload.costs.peak_load_frac
    return _whole(usable[:, None] * units.SECONDS_PER_HOUR / (shares * workload.burst_frac))


def requests_per_day_at_peak(requests_per_s: float, workload: Workload) -> int:
    """The daily volume, rounded down, whose busiest minute has this rate."""
    return int(min(requests_per_s * units.SECONDS_PER_DAY / workload.peak_to_mean_frac, _MOST_REQUESTS_PER_DAY))


def _whole(requests_per_day: Floats) -> Ints:
    finite = np.nan_to_num(requests_per_day, nan=0.0, posinf=_MOST_REQUESTS_PER_DAY)
    return np.floor(np.minimum(finite, _MOST_REQUESTS_PER_DAY)).astype(np.int64)


def sizing_assumptions() -> tuple[Assumption, ...]:
    """What every comparison rests on, beside the workload's own assumptions."""
    return (
        Assumption(
            name="tokens_of_every_model",
            value="as stated",
            unit="input and output tokens of a request, whatever the model",
            basis="assumed",
            source="tokenizers differ by some 10-20%, and reasoning models write more",
        ),
        Assumption(
            name="streamed_token_bytes",
            value=BYTES_PER_STREAMED_TOKEN,
            unit="bytes of egress per output token",
            basis="assumed",
            source="one server-sent event per token in an OpenAI-shaped chunk",
        ),
    )
