"""What requests that were really served measured: a few loads, each with the medians of the requests that met it.

Real requests come and go, so the load of each is the number that were in flight, averaged over its own time. Requests
are read in order and forgotten: memory grows with those in flight at once, and not with their number.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

LEAST_REQUESTS: Final = 30
"""Requests that a load needs: the median of 30 is off by a quarter of their spread."""

LEAST_OUTPUT_TOKENS: Final = 16
"""Tokens that an answer needs to be timed: a short one often comes in one piece."""

TOO_SHORT: Final = f"answers of fewer than {LEAST_OUTPUT_TOKENS} tokens"
UNTIMED: Final = "no time to the first token before the last"
OUTSIDE: Final = "outside the stretch asked for"
"""Load to those within it, and not counted among what was left out."""

RARE_LOAD: Final = f"at a load that fewer than {LEAST_REQUESTS} requests met"

_STEP: Final = 0.002
_NS_PER_S: Final = 1_000_000_000


class Attempt(NamedTuple):
    """One attempt at a request. It starts when it was admitted, or later where it had to wait.

    ``left_out`` says why it is load to others and no measurement, and is empty where it is one.
    ``reads_cache`` says that part of its prompt was not computed, so that its first token came early.
    """

    admitted_at_ns: int
    started_at_ns: int
    duration_s: float
    ttft_s: float | None
    input_tokens: int
    output_tokens: int
    reads_cache: bool = False
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedLoad:
    """The requests that met about the same load: their mean concurrency and lengths, and median times.

    ``ttft_ms`` is NaN where too few computed their whole prompt.
    """

    requests: int
    concurrency: float
    input_tokens: float
    output_tokens: float
    ttft_ms: float
    tpot_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Loads in ascending order, and the attempts that are in none of them, counted by the reason.

    ``cache_reads`` are requests in the loads whose time to the first token was not used; ``name`` says what it is.
    """

    name: str = ""
    loads: tuple[ObservedLoad, ...]
    left_out: Mapping[str, int]
    cache_reads: int

    @property
    def requests(self) -> int:
        """Requests that the loads are made of."""
        return sum(load.requests for load in self.loads)


def observe(attempts: Iterable[Attempt], *, name: str = "", replicas: int = 1) -> Observed:
    """The loads that attempts at one deployment measured.

    Args:
        attempts: in order of ``admitted_at_ns``, with all those that were in flight meanwhile.
        name: what was observed.
        replicas: engines that shared them evenly.
    """
    bands: dict[int, _Band] = {}
    left_out: Counter[str] = Counter()
    for attempt, in_flight in with_in_flight(attempts):
        if reason := attempt.left_out or _untimed(attempt):
            left_out[reason] += reason != OUTSIDE
            continue
        concurrency = max(in_flight / replicas, 1.0)
        bands.setdefault(round(math.log2(concurrency)), _Band()).add(attempt, concurrency)
    kept = [bands[octave] for octave in sorted(bands) if bands[octave].requests >= LEAST_REQUESTS]
    if rare := sum(band.requests for band in bands.values()) - sum(band.requests for band in kept):
        left_out[RARE_LOAD] = rare
    return Observed(
        name=name,
        loads=tuple(band.load() for band in kept),
        left_out={reason: count for reason, count in left_out.most_common() if count},
        cache_reads=sum(band.requests - band.ttft.count for band in kept),
    )


def with_in_flight(attempts: Iterable[Attempt]) -> Iterator[tuple[Attempt, float]]:
    """Each attempt, in order of their ends, with the attempts in flight averaged over its time: itself and others.

    An attempt is in flight from its start up to its end, the end left out.
    """
    sweep = _Sweep()
    for attempt in attempts:
        yield from sweep.ended_before(attempt.admitted_at_ns)
        sweep.add(attempt)
    yield from sweep.ended_before(math.inf)


class _Sweep:
    """Starts and ends still to come, in order of time; an end comes before a start at the same nanosecond."""

    def __init__(self) -> None:
        self._events: list[tuple[int, bool, int, Attempt, int]] = []
        self._added = 0
        self._running = 0
        self._at_ns = 0
        self._running_ns = 0
        """Integral of the running attempts over the time so far."""

    def add(self, attempt: Attempt) -> None:
        self._added += 1
        starts_at_ns = max(attempt.started_at_ns, attempt.admitted_at_ns)  # a clock may have gone back between
        heapq.heappush(self._events, (starts_at_ns, True, self._added, attempt, 0))

    def ended_before(self, at_ns: float) -> Iterator[tuple[Attempt, float]]:
        events = self._events
        while events and events[0][0] < at_ns:
            moment_ns, is_start, order, attempt, before_ns = heapq.heappop(events)
            self._running_ns += self._running * (moment_ns - self._at_ns)
            self._at_ns = moment_ns
            length_ns = round(max(attempt.duration_s, 0) * _NS_PER_S)
            if is_start:
                self._running += 1
                heapq.heappush(events, (moment_ns + length_ns, False, order, attempt, self._running_ns))
                continue
            yield attempt, (self._running_ns - before_ns) / length_ns if length_ns else float(self._running)
            self._running -= 1


class RunningMedian:
    """The median of positive numbers, at most 0.1% off, in memory that grows with their range and not their count."""

    def __init__(self) -> None:
        self.count = 0
        self._counts: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """Count one number."""
        self.count += 1
        self._counts[round(math.log(value) / _STEP)] += 1

    def value(self) -> float:
        """The median of those so far; NaN of none."""
        below = 0
        for step in sorted(self._counts):
            below += self._counts[step]
            if 2 * below >= self.count:
                return math.exp(step * _STEP)
        return math.nan


@dataclass(slots=True)
class _Band:
    """The requests of one load, added up."""

    requests: int = 0
    concurrency: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    ttft: RunningMedian = field(default_factory=RunningMedian)
    tpot: RunningMedian = field(default_factory=RunningMedian)

    def add(self, attempt: Attempt, concurrency: float) -> None:
        self.requests += 1
        self.concurrency += concurrency
        self.input_tokens += attempt.input_tokens
        self.output_tokens += attempt.output_tokens
        ttft_s = attempt.ttft_s or 0.0
        self.tpot.add((attempt.duration_s - ttft_s) / (attempt.output_tokens - 1))
        if not attempt.reads_cache:
            self.ttft.add(ttft_s)

    def load(self) -> ObservedLoad:
        return ObservedLoad(
            requests=self.requests,
            concurrency=self.concurrency / self.requests,
            input_tokens=self.input_tokens / self.requests,
            output_tokens=self.output_tokens / self.requests,
            ttft_ms=self.ttft.value() * 1e3 if self.ttft.count >= LEAST_REQUESTS else math.nan,
            tpot_ms=self.tpot.value() * 1e3,
        )


def _untimed(attempt: Attempt) -> str:
    if attempt.output_tokens < LEAST_OUTPUT_TOKENS:
        return TOO_SHORT
    timed = attempt.ttft_s is not None and 0 < attempt.ttft_s < attempt.duration_s
    return "" if timed else UNTIMED
