"""Replicas come with the load and a cold start, go after the cooldown, and stay within their limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import InputError
from breakeven.serving.autoscaling import Autoscaling, hourly_replicas
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation import SimulationResult, simulate
from serving.fleets import Requests, engine, made_up, whole

COLD = ColdStart(provision_s=10, pull_s=20, bandwidth_bytes_per_s=1e9, compile_s=5)
COLD_S = 45.0
HEAVY = engine(weight_bytes=10e9)
QUEUE = Autoscaling(
    policy="queue",
    min_replicas=0,
    max_replicas=4,
    target_queue_per_replica=4,
    interval_s=5,
    cooldown_s=60,
    cold_start=COLD,
)


def scaled(requests: Requests, scaling: Autoscaling, clock_s: float = 0.0) -> SimulationResult:
    fleet = Fleet(autoscaling=scaling)
    return simulate(*requests, HEAVY, fleet, starts_at_clock_s=clock_s, keep_requests=True)


def alike(arrivals_s: list[float], inputs: int = 64, outputs: int = 20) -> Requests:
    many = len(arrivals_s)
    return Requests(np.array(arrivals_s), np.full(many, inputs), np.full(many, outputs))


def bursts(count: int, apart_s: float, size: int = 30) -> Requests:
    return alike([burst * apart_s + 0.01 * place for burst in range(count) for place in range(size)])


def test_a_cold_start_is_its_parts() -> None:
    assert COLD.whole_s(10e9) == COLD_S
    assert COLD.load_s(10e9) == 10


def test_from_zero_the_first_request_waits_for_a_cold_start_and_the_next_does_not() -> None:
    result = scaled(alike([100.0, 170.0]), QUEUE)
    alone = simulate(*alike([0.0]), HEAVY, Fleet(), keep_requests=True).ttft_s[0]
    assert result.ttft_s == pytest.approx([COLD_S + alone, alone])
    assert result.cold_starts == 1


def test_a_replica_is_paid_from_the_end_of_provisioning_until_the_cooldown_is_over() -> None:
    result = scaled(alike([100.0, 1_000.0]), QUEUE)
    warm_s = COLD_S - COLD.provision_s
    served_s = result.e2e_s[0] - COLD_S
    first_h = warm_s + served_s + QUEUE.cooldown_s
    last_h = warm_s + served_s
    assert result.cold_starts == 2
    assert result.replica_h * 3_600 == pytest.approx(first_h + last_h, abs=2 * QUEUE.interval_s)


@given(made_up(most=60, span_s=200.0), st.integers(0, 2), st.integers(2, 4), st.sampled_from(("queue", "kv")))
def test_the_fleet_stays_within_its_limits(requests: Requests, least: int, most: int, policy: str) -> None:
    scaling = replace(QUEUE, policy=policy, min_replicas=least, max_replicas=most)
    result = scaled(requests, scaling)
    assert result.served_requests == len(requests.arrivals_s)
    assert result.timeline.replicas.max() <= most * (1 + 1e-9)
    if least:
        assert result.timeline.replicas.min() >= least * (1 - 1e-9)


def test_the_cooldown_keeps_replicas_from_one_burst_to_the_next() -> None:
    impatient, patient = (scaled(bursts(5, 150), replace(QUEUE, cooldown_s=s)) for s in (20, 300))
    assert patient.cold_starts < impatient.cold_starts
    assert patient.replica_h > impatient.replica_h


def test_scaling_to_zero_saves_hours_and_costs_latency() -> None:
    to_zero, floor = (scaled(bursts(4, 1_800, 10), replace(QUEUE, min_replicas=least)) for least in (0, 1))
    assert to_zero.replica_h < 0.5 * floor.replica_h
    assert to_zero.ttft.p99_s > COLD_S > 10 * floor.ttft.p50_s


def test_more_load_gets_more_replicas() -> None:
    rising = alike(np.cumsum(np.repeat([2.0, 0.5, 0.1], 400)).tolist(), outputs=60)
    result = scaled(rising, replace(QUEUE, min_replicas=1))
    by_third = np.array_split(result.timeline.replicas, 3)
    assert by_third[0].mean() == pytest.approx(1)
    assert result.timeline.replicas[-1] > 2


def test_the_cache_calls_for_replicas_where_the_queue_does_not() -> None:
    long = alike(np.arange(0, 100, 0.5).tolist(), inputs=400, outputs=100)
    scaling = replace(QUEUE, min_replicas=1, target_queue_per_replica=1_000, cooldown_s=600)
    assert scaled(long, scaling).cold_starts == 0
    assert scaled(long, replace(scaling, policy="kv", target_kv_frac=0.5)).cold_starts > 0


def test_a_schedule_has_its_replicas_when_the_hour_begins() -> None:
    hours = (0,) * 9 + (3,) + (1,) * 14
    scaling = replace(QUEUE, policy="schedule", hourly_replicas=hours, cooldown_s=0)
    result = scaled(alike([3_600.0, 2 * 3_600.0, 3 * 3_600.0]), scaling, clock_s=8 * 3_600.0)
    assert result.ttft.p99_s < 1  # the hour begins with warm replicas
    paid_s = 3 * 3_600 + 3 * (COLD_S - COLD.provision_s) + 3_600
    assert result.replica_h * 3_600 == pytest.approx(paid_s, abs=8 * QUEUE.interval_s)


def test_the_hours_of_a_schedule_follow_the_shape() -> None:
    assert hourly_replicas([1, 2, 10, 5], most=5, least=1) == (1, 1, 5, 3)


@pytest.mark.parametrize("wrong", [{"policy": "schedule"}, {"min_replicas": 5}, {"max_replicas": 0}])
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        whole(alike([0.0]), Fleet(autoscaling=replace(QUEUE, **wrong)))
