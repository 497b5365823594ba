"""What a full fleet sends to an API: counted, never lost, and in the latencies only where the API's are stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import InputError
from breakeven.serving.autoscaling import Autoscaling
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.fleet import ApiLatency, Fleet, Spill
from breakeven.serving.simulation import SimulationResult
from serving.fleets import Requests, facts, in_pieces, made_up, whole

SOON = ColdStart(provision_s=0.2, pull_s=0.1, compile_s=0.1, bandwidth_bytes_per_s=1e9)
TO_ZERO = Autoscaling(
    policy="queue",
    max_replicas=3,
    min_replicas=0,
    target_queue_per_replica=4,
    interval_s=0.25,
    cooldown_s=0.5,
    cold_start=SOON,
)
FAST = ApiLatency(ttft_s=0.2, tpot_s=0.01)

spills = st.builds(
    Spill,
    above_requests_per_replica=st.integers(0, 6),
    latency=st.sampled_from((None, FAST, ApiLatency(ttft_s=9, tpot_s=1))),
)
fleets = st.one_of(
    st.builds(
        Fleet, replicas=st.integers(0, 3), dispatch=st.sampled_from(("round_robin", "least_outstanding")), spill=spills
    ),
    st.builds(Fleet, autoscaling=st.just(TO_ZERO), spill=spills),
)


@given(made_up(tokens=700), fleets)
def test_every_request_is_served_or_spilled_once_with_all_its_tokens(requests: Requests, fleet: Fleet) -> None:
    result = whole(requests, fleet)
    assert result.requests == len(requests.arrivals_s) == result.served_requests + result.spilled_requests
    assert result.refused_requests == 0  # what no replica could hold goes to the API too
    assert result.input_tokens + result.spilled_input_tokens.sum() == requests.input_tokens.sum()
    assert result.output_tokens + result.spilled_output_tokens.sum() == requests.output_tokens.sum()
    assert result.spilled_frac == result.spilled_requests / result.requests
    timed = result.served_requests if fleet.spill.latency is None else result.requests
    assert np.isfinite(result.ttft_s).sum() == np.isfinite(result.e2e_s).sum() == timed


@given(made_up(tokens=700), fleets, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_it_does_not_depend_on_how_it_is_computed(requests: Requests, fleet: Fleet, sizes: list[int]) -> None:
    at_once = facts(whole(requests, fleet))
    assert facts(in_pieces(requests, fleet, sizes)) == at_once
    assert facts(in_pieces(requests, fleet, [len(requests.arrivals_s)], skips=False)) == at_once


@given(made_up(), st.integers(1, 3), st.sampled_from(("round_robin", "least_outstanding")))
def test_a_threshold_that_nothing_reaches_changes_nothing(requests: Requests, replicas: int, dispatch: str) -> None:
    fleet = Fleet(replicas=replicas, dispatch=dispatch)
    unreached = whole(requests, replace(fleet, spill=Spill(above_requests_per_replica=10**18)))
    assert unreached.spilled_requests == 0
    assert facts(unreached) == facts(whole(requests, fleet))


@given(made_up())
def test_without_a_ready_replica_all_is_spilled(requests: Requests) -> None:
    result = whole(requests, Fleet(replicas=0, spill=Spill(above_requests_per_replica=10**6)))
    assert result.spilled_requests == result.requests
    assert result.spilled_input_tokens.tolist() == requests.input_tokens.tolist()
    assert result.spilled_output_tokens.tolist() == requests.output_tokens.tolist()
    assert (result.replica_h, result.steps, result.served_requests) == (0, 0, 0)
    assert np.isnan(result.within_slo_frac)
    assert np.isnan(result.ttft.p99_s)


def test_a_fleet_without_replicas_and_without_an_api_is_refused() -> None:
    with pytest.raises(InputError):
        whole(Requests(np.zeros(1), np.ones(1, int), np.ones(1, int)), Fleet(replicas=0))


def at_once(many: int, dispatch: str = "least_outstanding", **spill: object) -> SimulationResult:
    """So many equal requests together, on two replicas."""
    requests = Requests(np.zeros(many), np.full(many, 64), np.full(many, 11))
    return whole(requests, Fleet(replicas=2, dispatch=dispatch, spill=Spill(**spill)))


@pytest.mark.parametrize("dispatch", ["round_robin", "least_outstanding"])
def test_a_replica_has_at_most_one_request_more_than_the_threshold(dispatch: str) -> None:
    assert at_once(20, dispatch, above_requests_per_replica=3).served_requests == 2 * (3 + 1)
    assert at_once(20, dispatch, above_requests_per_replica=0).served_requests == 2
    assert at_once(7, dispatch, above_requests_per_replica=3).spilled_requests == 0


def test_latencies_leave_the_api_out_unless_its_own_are_stated() -> None:
    unknown = at_once(20, above_requests_per_replica=3)
    assert unknown.within_slo_frac == 1
    assert unknown.ttft.p99_s < 1
    slow = at_once(20, above_requests_per_replica=3, latency=ApiLatency(ttft_s=5.0, tpot_s=0.5))
    assert slow.within_slo_frac == 8 / 20
    assert slow.ttft.p99_s == pytest.approx(5.0, rel=0.002)
    assert slow.tpot.p99_s == pytest.approx(0.5, rel=0.002)
    assert slow.e2e.p99_s == pytest.approx(5.0 + 10 * 0.5, rel=0.002)
    assert slow.span_s == pytest.approx(10.0)
    quick = at_once(20, above_requests_per_replica=3, latency=FAST)
    assert quick.within_slo_frac == 1
    assert quick.ttft_s[8:] == pytest.approx(0.2)


def test_the_api_bridges_a_cold_start() -> None:
    arrivals = np.arange(40) * 0.05
    requests = Requests(arrivals, np.full(40, 20), np.full(40, 2))
    fleet = Fleet(autoscaling=replace(TO_ZERO, cooldown_s=60.0), spill=Spill(above_requests_per_replica=8))
    result = whole(requests, fleet)
    warm_s = SOON.whole_s(0.0)
    assert result.spilled_requests == (arrivals < warm_s).sum()
    assert result.cold_starts == 1
    assert result.ttft.p99_s < warm_s < whole(requests, replace(fleet, spill=None)).ttft.p99_s


def test_the_lower_the_threshold_the_more_is_spilled_and_the_less_waits() -> None:
    draw = np.random.default_rng(9)
    requests = Requests(np.sort(draw.uniform(0, 60, 500)), draw.integers(1, 300, 500), draw.integers(1, 200, 500))
    results = [whole(requests, Fleet(replicas=2, spill=Spill(above_requests_per_replica=n))) for n in (1, 4, 16, 64)]
    spilled = [each.spilled_requests for each in results]
    assert spilled == sorted(spilled, reverse=True)
    assert spilled[0] > 2 * spilled[-1]
    p99 = [each.ttft.p99_s for each in results]
    assert p99 == sorted(p99)
