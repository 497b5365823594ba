"""Replicas that are taken away: no request and no token is lost with them, and what they had is computed again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import InputError
from breakeven.serving.autoscaling import Autoscaling
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.engine import linear_step_s
from breakeven.serving.fleet import Fleet, Spill
from breakeven.serving.interruptions import Interruptions
from serving.fleets import Requests, engine, facts, in_pieces, made_up, whole

SOON = ColdStart(provision_s=0.2, pull_s=0.1, compile_s=0.1, bandwidth_bytes_per_s=1e9)
SOON_S = 0.4
SCALED = Autoscaling(
    policy="queue",
    max_replicas=3,
    min_replicas=1,
    target_queue_per_replica=4,
    interval_s=0.25,
    cooldown_s=0.5,
    cold_start=SOON,
)

losses = st.lists(st.tuples(st.integers(0, 8_000), st.integers(0, 1)), max_size=12).map(sorted)
policies = st.sampled_from((Fleet(replicas=3), Fleet(replicas=3, dispatch="round_robin"), Fleet(autoscaling=SCALED)))


def losing(fleet: Fleet, lost: list[tuple[float, int]], *, kept: int = 1, notice_s: float = 0.0) -> Fleet:
    """The fleet with losses at these seconds, of these places behind those kept."""
    told = Interruptions(
        at_s=tuple(at_s for at_s, _ in lost),
        places=tuple(place for _, place in lost),
        kept_replicas=kept,
        notice_s=notice_s,
        cold_start=SOON,
    )
    return replace(fleet, interruptions=told)


fleets = st.builds(
    lambda fleet, lost, notice_s, spill: replace(
        losing(fleet, [(at_ms / 1e3, place) for at_ms, place in lost], notice_s=notice_s), spill=spill
    ),
    policies,
    losses,
    st.sampled_from((0.0, 0.5)),
    st.sampled_from((None, Spill(above_requests_per_replica=5))),
)


@given(made_up(), fleets)
def test_no_request_and_no_token_is_lost(requests: Requests, fleet: Fleet) -> None:
    result = whole(requests, fleet)
    assert result.requests == result.served_requests + result.spilled_requests
    assert result.input_tokens + result.spilled_input_tokens.sum() == requests.input_tokens.sum()
    assert result.output_tokens + result.spilled_output_tokens.sum() == requests.output_tokens.sum()
    answered = np.isfinite(result.ttft_s)
    assert (result.ttft_s[answered] > 0).all()
    assert (result.e2e_s[answered] >= result.ttft_s[answered]).all()
    assert 0 <= result.busy_h <= result.replica_h * (1 + 1e-12)
    assert result.mean_wait_s >= 0 or np.isnan(result.mean_wait_s)
    assert result.interruptions <= len(fleet.interruptions.at_s)
    if not result.interruptions:
        assert result.interrupted_requests == 0


@given(made_up(), fleets, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_it_does_not_depend_on_how_it_is_computed(requests: Requests, fleet: Fleet, sizes: list[int]) -> None:
    at_once = facts(whole(requests, fleet))
    assert facts(in_pieces(requests, fleet, sizes)) == at_once
    assert facts(in_pieces(requests, fleet, [len(requests.arrivals_s)], skips=False)) == at_once


@given(made_up(), policies, st.sampled_from((0.0, 5.0)))
def test_losses_after_the_last_answer_change_nothing(requests: Requests, fleet: Fleet, notice_s: float) -> None:
    undisturbed = whole(requests, losing(fleet, []))
    late = losing(fleet, [(1e4, 0), (1e4, 1), (2e4, 0)], notice_s=notice_s)
    assert facts(whole(requests, late)) == facts(undisturbed)


def test_a_request_whose_replica_is_lost_is_prefilled_again_with_what_it_had() -> None:
    """A request of 64 tokens decodes when its replica goes; a fresh one prefills prompt and answer, and goes on."""
    at = engine()
    alone = whole(Requests(np.zeros(1), np.array([64]), np.array([50])), Fleet())
    fleet = losing(Fleet(replicas=1), [(0.3, 0)], kept=0)
    result = whole(Requests(np.zeros(1), np.array([64]), np.array([50])), fleet)
    assert (result.interruptions, result.interrupted_requests, result.cold_starts) == (1, 1, 1)
    assert result.ttft_s[0] == alone.ttft_s[0]  # its first token was out
    steps = np.cumsum([0.0] + [at.step_s[1] + at.context_s_per_token * (64 + 1 + j) for j in range(49)])
    had = 1 + int(np.searchsorted(alone.ttft_s[0] + steps[1:], 0.3)) + 1  # the step under way is finished
    lost_s = alone.ttft_s[0] + steps[had - 1]
    assert result.recomputed_tokens == 64 + had
    again = 64 + had
    chunks = [min(64, again - done) for done in range(0, again, 64)]
    work = [at.prefill_s_per_token * k + at.attention_s_per_token2 * k * (128 * n + k) for n, k in enumerate(chunks)]
    prefilled_s = sum(max(each, at.least_prefill_s) + at.step_s[0] for each in work)
    rest_s = steps[49] - steps[had]
    assert result.e2e_s[0] == pytest.approx(lost_s + SOON_S + prefilled_s + rest_s, rel=1e-5)
    # Paid for until the loss, and again from the end of provisioning.
    assert result.replica_h * 3_600 == pytest.approx(result.e2e_s[0] - SOON.provision_s, rel=1e-6)


def test_its_requests_go_before_those_that_wait_elsewhere_in_their_order() -> None:
    serial = {"step_s": linear_step_s(0.010, 0.001, 1)}
    requests = Requests(np.array([0.0, 0.0, 0.1, 0.1, 0.15, 0.15]), np.full(6, 10), np.full(6, 100))
    fleet = losing(Fleet(replicas=2, dispatch="round_robin"), [(0.2, 0)])
    result = whole(requests, fleet, **serial)
    # The replica that is kept had 0, 2 and 4; what the lost one had goes before 2 and 4.
    order = np.argsort(result.e2e_s + requests.arrivals_s).tolist()
    assert order == [0, 1, 3, 5, 2, 4]


def test_what_is_kept_is_never_let_go_before_the_rest() -> None:
    """The kept replica stays through a quiet time, so that losses of the others take none of it."""
    draw = np.random.default_rng(4)
    busy = np.sort(draw.uniform(0, 5, 200))
    requests = Requests(np.append(busy, [60.0, 60.1]), np.full(202, 50), np.full(202, 20))
    result = whole(requests, losing(Fleet(autoscaling=SCALED), [(50.0, 0), (50.0, 1)]))
    assert result.interruptions == 0
    assert result.ttft_s[-1] < SOON_S


def test_notice_lets_requests_finish() -> None:
    requests = Requests(np.arange(60) * 0.05, np.full(60, 30), np.full(60, 10))
    fleet = Fleet(replicas=3)
    abrupt, told = (whole(requests, losing(fleet, [(2.0, 0), (2.0, 1)], notice_s=s)) for s in (0.0, 1.0))
    assert abrupt.interruptions == told.interruptions == 2
    assert abrupt.interrupted_requests > 0 == told.interrupted_requests
    assert told.recomputed_tokens == 0 < abrupt.recomputed_tokens


@given(made_up(most=15), st.lists(st.integers(0, 6_000), max_size=5).map(sorted), st.integers(0, 6_000))
def test_one_more_interruption_never_serves_a_lone_replica_sooner(
    requests: Requests, lost_ms: list[int], more_ms: int
) -> None:
    """One replica that serves one request at a time: its queue only ever shifts to later."""
    serial = {"step_s": linear_step_s(0.010, 0.001, 1), "chunk_tokens": 500}
    few, more = (
        whole(requests, losing(Fleet(replicas=1), [(ms / 1e3, 0) for ms in each], kept=0), **serial)
        for each in (lost_ms, sorted([*lost_ms, more_ms]))
    )
    assert more.within_slo_frac <= few.within_slo_frac
    assert more.ttft.p99_s >= few.ttft.p99_s


def test_the_more_interruptions_the_fewer_requests_within_the_requirement() -> None:
    draw = np.random.default_rng(17)
    requests = Requests(
        np.sort(draw.uniform(0, 300, 1_800)), draw.integers(1, 300, 1_800), draw.integers(1, 100, 1_800)
    )
    every = sorted((float(at_s), place) for place in (0, 1) for at_s in draw.uniform(0, 300, 64))
    slow = ColdStart(provision_s=2, pull_s=2, compile_s=6)
    within = []
    for step in (1, 4, 16, 1_000):
        fleet = losing(Fleet(replicas=3), every[::step])
        fleet = replace(fleet, interruptions=replace(fleet.interruptions, cold_start=slow))
        within.append(whole(requests, fleet).within_slo_frac)
    assert within == sorted(within)
    assert within[0] < within[-1]


@pytest.mark.parametrize(
    ("lost", "kept"), [([(1.0, 2)], 1), ([(2.0, 0), (1.0, 0)], 0), ([(-1.0, 0)], 0), ([(float("nan"), 0)], 0), ([], 4)]
)
def test_interruptions_that_cannot_be_are_refused(lost: list[tuple[float, int]], kept: int) -> None:
    with pytest.raises(InputError):
        whole(Requests(np.zeros(1), np.ones(1, int), np.ones(1, int)), losing(Fleet(replicas=3), lost, kept=kept))
