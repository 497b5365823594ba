"""Real requests as measurements: how many were in flight, what is grouped, and what is left out."""

from __future__ import annotations

import math
import statistics
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.serving.observed_load import (
    LEAST_REQUESTS,
    OUTSIDE,
    RARE_LOAD,
    TOO_SHORT,
    UNTIMED,
    Attempt,
    RunningMedian,
    observe,
    with_in_flight,
)

S = 1_000_000_000


def attempt(at_s: float, duration_s: float = 10.0, **fields: object) -> Attempt:
    at_ns = round(at_s * S)
    return Attempt(at_ns, at_ns, duration_s, 0.5, 100, 20)._replace(**fields)


spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3), st.integers(0, 20)), max_size=30)


@given(spans)
def test_in_flight_is_the_mean_overlap_with_all_attempts(given_spans: list[tuple[int, int, int]]) -> None:
    attempts = [
        Attempt(at * S, (at + wait) * S, float(length), 0.5, 100, 20) for at, wait, length in sorted(given_spans)
    ]
    found = list(with_in_flight(attempts))
    assert sorted(each for each, _ in found) == sorted(attempts)
    for each, in_flight in found:
        begin, end = each.started_at_ns, each.started_at_ns + each.duration_s * S
        overlaps = [
            max(0, min(end, other.started_at_ns + other.duration_s * S) - max(begin, other.started_at_ns))
            for other in attempts
        ]
        if each.duration_s:
            assert in_flight == pytest.approx(sum(overlaps) / (end - begin))


def test_one_that_ends_as_another_starts_does_not_meet_it() -> None:
    assert [in_flight for _, in_flight in with_in_flight([attempt(0), attempt(10), attempt(20)])] == [1, 1, 1]


def test_loads_are_grouped_by_the_number_in_flight_and_shared_by_replicas() -> None:
    alone = [attempt(100 * k, input_tokens=100 + k) for k in range(LEAST_REQUESTS)]
    eight = [attempt(10_000 + 10 * k, duration_s=20.5, ttft_s=1.0) for k in range(LEAST_REQUESTS) for _ in range(4)]
    found = observe([*alone, *eight])
    low, high = found.loads
    assert (low.requests, low.concurrency, low.output_tokens) == (LEAST_REQUESTS, 1, 20)
    assert low.input_tokens == pytest.approx(100 + statistics.mean(range(LEAST_REQUESTS)))
    assert low.ttft_ms == pytest.approx(500, rel=0.0011)
    assert low.tpot_ms == pytest.approx(9_500 / 19, rel=0.0011)
    assert 7 < high.concurrency < 9
    assert high.tpot_ms == pytest.approx(19_500 / 19, rel=0.0011)
    assert observe([*alone, *eight], replicas=4).loads[-1].concurrency == pytest.approx(high.concurrency / 4, rel=0.1)


def test_what_measures_nothing_is_load_to_the_others_and_counted() -> None:
    good = [attempt(100 * k) for k in range(LEAST_REQUESTS)]
    silent = [attempt(100 * k, left_out="failed") for k in range(LEAST_REQUESTS)]
    short, untimed = attempt(5_000, output_tokens=15), attempt(5_100, ttft_s=None)
    instant, outside = attempt(5_200, ttft_s=10.0), attempt(5_300, left_out=OUTSIDE)
    crowd = [attempt(6_000) for _ in range(LEAST_REQUESTS - 1)]
    together = sorted([*good, *silent, short, untimed, instant, outside, *crowd])
    found = observe(together)
    assert [load.concurrency for load in found.loads] == [2]
    assert found.left_out == {"failed": LEAST_REQUESTS, RARE_LOAD: LEAST_REQUESTS - 1, UNTIMED: 2, TOO_SHORT: 1}
    assert found.requests == LEAST_REQUESTS


def test_prompts_from_the_cache_time_tokens_and_not_the_first() -> None:
    cached = [attempt(100 * k, reads_cache=True, ttft_s=0.01) for k in range(LEAST_REQUESTS)]
    whole = [attempt(10_000 + 100 * k) for k in range(LEAST_REQUESTS)]
    assert math.isnan(observe(cached).loads[0].ttft_ms)
    both = observe([*cached, *whole])
    assert both.loads[0].ttft_ms == pytest.approx(500, rel=0.0011)
    assert (both.requests, both.cache_reads) == (2 * LEAST_REQUESTS, LEAST_REQUESTS)


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50))
def test_the_running_median_is_a_thousandth_off_at_most(values: list[float]) -> None:
    running = RunningMedian()
    for value in values:
        running.add(value)
    assert running.value() == pytest.approx(statistics.median_low(values), rel=0.00101)


def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    def stream(count: int) -> Iterator[Attempt]:
        return (attempt(k, duration_s=8.0 + k % 5) for k in range(count))

    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        observe(stream(count))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2_000)  # the first call makes what stays
    assert peak_bytes(20_000) < 1.5 * peak_bytes(2_000)
