"""What a replay tells: latencies, how busy the fleet was, what waited, and how both went over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from breakeven.serving.compiled import is_compiled
from breakeven.serving.replay_state import BUCKETS_PER_OCTAVE, CARRY, NONE, TICKS_PER_S, Ints

Floats = NDArray[np.float64]

PERCENTILES: Final = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Seconds below which that share of the requests stayed, at most 0.2% off; NaN where there were none."""

    p50_s: float
    p90_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The replay in stretches of ``bin_s`` seconds from its start: arrays of equal length.

    ``replicas`` are those paid for, on average; ``busy_frac`` is the share of their time in which they computed;
    ``waiting_requests`` the longest queue that an arrival found.
    """

    bin_s: float
    replicas: Floats
    busy_frac: Floats
    requests_per_s: Floats
    waiting_requests: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """A trace, served. ``tpot`` is of requests with two tokens or more, as the mean of each.

    ``refused_requests`` need more cache than a replica has, and count as outside the requirement. Requests sent to an
    API are in the latencies and in ``within_slo_frac`` only where its latency was stated (``spilled_is_timed``);
    ``spilled_input_tokens`` and ``spilled_output_tokens`` are theirs, shape (spilled,), in order of arrival. ``span_s``
    is the time to the last event. ``utilization_frac`` is busy over paid time: a lone sequence makes a replica busy.
    ``steps`` are engine iterations. ``input_tokens`` and ``output_tokens`` were counted as they were computed,
    and ``recomputed_tokens``, inputs and parts of answers, are those prefilled again: after ``preemptions``, and after
    ``interruptions``, which are replicas that were taken away while they computed ``interrupted_requests``.
    ``ttft_s`` and ``e2e_s`` are per request in order of arrival, refused ones left out and spilled ones NaN if not
    timed; empty where not kept.
    """

    requests: int
    served_requests: int
    refused_requests: int
    ttft: Percentiles
    tpot: Percentiles
    e2e: Percentiles
    within_slo_frac: float
    span_s: float
    replica_h: float
    busy_h: float
    utilization_frac: float
    mean_wait_s: float
    mean_waiting_requests: float
    most_waiting_requests: int
    input_tokens: int
    output_tokens: int
    steps: int
    preemptions: int
    recomputed_tokens: int
    cold_starts: int
    interruptions: int
    interrupted_requests: int
    timeline: Timeline
    compiled: bool
    ttft_s: Floats = field(default_factory=lambda: np.empty(0))
    e2e_s: Floats = field(default_factory=lambda: np.empty(0))
    spilled_input_tokens: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    spilled_output_tokens: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    spilled_is_timed: bool = False

    @property
    def spilled_requests(self) -> int:
        """Requests sent to an API."""
        return len(self.spilled_input_tokens)

    @property
    def spilled_frac(self) -> float:
        """Share of the received requests that was sent to an API; NaN where none was received."""
        return _ratio(self.spilled_requests, self.requests)

    @property
    def idle_h(self) -> float:
        """Replica hours that were paid for and not used."""
        return self.replica_h - self.busy_h

    @property
    def requests_per_s(self) -> float:
        """Mean rate of served requests."""
        return self.served_requests / self.span_s if self.span_s > 0 else nan


def result_of(state: Any, kept: Ints, refused: int, spilled: Ints) -> SimulationResult:
    """The result of a replay that is finished, from its last state; ``spilled`` are tokens, shape (2, spilled)."""
    seconds = 1.0 / TICKS_PER_S
    last = int(state.last_event)
    busy, billed, queued = (
        int(getattr(state, name)) + CARRY * int(getattr(state, f"{name}_carries"))
        for name in ("busy", "billed", "queued")
    )
    requests = int(state.received) + refused
    columns = np.where(kept[:, : int(state.received)] == NONE, nan, kept[:, : int(state.received)] * seconds)
    timed = int(state.api_ttft) != NONE
    return SimulationResult(
        requests=requests,
        served_requests=int(state.served),
        refused_requests=refused,
        ttft=percentiles(state.ttft),
        tpot=percentiles(state.tpot),
        e2e=percentiles(state.e2e),
        within_slo_frac=_ratio(int(state.within_slo), requests if timed else requests - int(state.spilled)),
        span_s=last * seconds,
        replica_h=billed * seconds / 3_600,
        busy_h=busy * seconds / 3_600,
        utilization_frac=_ratio(busy, billed),
        mean_wait_s=_ratio(queued * seconds, int(state.served)),
        mean_waiting_requests=_ratio(queued, last),
        most_waiting_requests=int(state.most_waiting),
        input_tokens=int(state.prefilled_tokens - state.recomputed_tokens),
        output_tokens=int(state.output_tokens),
        steps=int(state.steps),
        preemptions=int(state.preemptions),
        recomputed_tokens=int(state.recomputed_tokens),
        cold_starts=int(state.cold_starts),
        interruptions=int(state.interruptions),
        interrupted_requests=int(state.interrupted_requests),
        timeline=_timeline(state),
        compiled=is_compiled(),
        ttft_s=columns[0],
        e2e_s=columns[1],
        spilled_input_tokens=spilled[0],
        spilled_output_tokens=spilled[1],
        spilled_is_timed=timed,
    )


def percentiles(histogram: Any) -> Percentiles:
    """Percentiles of a histogram of ticks: the middle of the bucket in which the ranked request lies."""
    counts = np.asarray(histogram, dtype=np.int64)
    ranks = np.cumsum(counts)
    if ranks[-1] == 0:
        return Percentiles(p50_s=nan, p90_s=nan, p95_s=nan, p99_s=nan)
    wanted = np.ceil(np.array(PERCENTILES) / 100 * ranks[-1])
    values = [_bucket_middle_s(int(place)) for place in np.searchsorted(ranks, wanted)]
    return Percentiles(p50_s=values[0], p90_s=values[1], p95_s=values[2], p99_s=values[3])


def _bucket_middle_s(bucket: int) -> float:
    octave, part = divmod(bucket, BUCKETS_PER_OCTAVE)
    middle: float = 2.0**octave * (1 + (part + 0.5) / BUCKETS_PER_OCTAVE) / TICKS_PER_S
    return middle


def _timeline(state: Any) -> Timeline:
    width = 1 << int(state.bin_shift)
    bins = -(-int(state.last_event) // width) or 1
    busy, billed, arrivals, waiting = (
        np.array(column[:bins], dtype=np.int64)
        for column in (state.busy_bins, state.billed_bins, state.arrival_bins, state.waiting_bins)
    )
    lengths = np.full(bins, float(width))
    lengths[-1] = max(int(state.last_event) - (bins - 1) * width, 1)
    return Timeline(
        bin_s=width / TICKS_PER_S,
        replicas=billed / lengths,
        busy_frac=np.divide(busy, billed, out=np.zeros(bins), where=billed > 0),
        requests_per_s=arrivals / lengths * TICKS_PER_S,
        waiting_requests=waiting,
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else nan
