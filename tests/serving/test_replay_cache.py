"""The cache of a replica is given out block by block, never beyond its end, and what it cannot hold is recomputed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.serving.engine import linear_step_s
from breakeven.serving.fleet import Fleet
from breakeven.serving.replay_state import BLOCK_TOKENS, NONE
from breakeven.serving.simulation import Simulation
from serving.fleets import Requests, engine, facts, made_up, whole

TIGHT = 25 * BLOCK_TOKENS
"""Room for little more than one of the longest requests that are made up: most of them meet a full cache."""
BLOCKS = st.sampled_from((TIGHT, TIGHT + 7, 40 * BLOCK_TOKENS))
BOTH = pytest.mark.parametrize("admission", ["blocks", "whole"])

busy = made_up(most=40, span_s=2.0, tokens=190)


@given(busy, BLOCKS, st.integers(1, 3))
def test_a_full_cache_loses_no_token_and_never_stalls(requests: Requests, room: int, many: int) -> None:
    result = whole(requests, Fleet(replicas=many), kv_tokens=room)
    assert result.served_requests == len(requests.arrivals_s)
    assert result.output_tokens == requests.output_tokens.sum()
    assert result.input_tokens == requests.input_tokens.sum()
    assert (result.preemptions == 0) == (result.recomputed_tokens == 0)
    assert (result.e2e_s >= result.ttft_s).all()
    assert result.mean_wait_s >= 0


@given(busy, BLOCKS, st.sampled_from((16, 64, 500)))
def test_skipping_over_steps_changes_nothing_where_the_cache_is_full(requests: Requests, room: int, chunk: int) -> None:
    at = engine(kv_tokens=room, chunk_tokens=chunk)
    told = []
    for skips in (True, False):
        running = Simulation(at, Fleet(replicas=2), 0.0, len(requests.arrivals_s), skips=skips)
        running.feed(*requests)
        told.append(facts(running.finish()))
    assert told[0] == told[1]


@given(made_up(), st.integers(1, 3))
def test_with_an_ample_cache_both_rules_are_one(requests: Requests, many: int) -> None:
    ample = 40 * 416  # as many requests as there are, each as long as can be, in whole blocks
    grown, reserved = (
        whole(requests, Fleet(replicas=many), kv_tokens=ample, admission=rule) for rule in ("blocks", "whole")
    )
    assert grown.preemptions == 0
    assert facts(grown) == facts(reserved)


@given(busy)
def test_who_reserves_the_whole_is_never_preempted(requests: Requests) -> None:
    result = whole(requests, Fleet(), kv_tokens=TIGHT, admission="whole")
    assert (result.preemptions, result.recomputed_tokens) == (0, 0)


@given(busy, BLOCKS, st.integers(1, 6), st.integers(1, 2))
def test_blocks_held_never_exceed_the_cache(requests: Requests, room: int, size: int, many: int) -> None:
    """Counted anew from the sequences, one by one, at every moment at which a piece of the trace ends."""
    running = Simulation(engine(kv_tokens=room), Fleet(replicas=many))
    for begin in range(0, len(requests.arrivals_s), size):
        running.feed(*(column[begin : begin + size] for column in requests))
        for replica in running._fleet.replicas:
            assert blocks_held(replica, running._fleet.slots) <= room // BLOCK_TOKENS
    assert running.finish().served_requests == len(requests.arrivals_s)


def blocks_held(replica: Any, slots: Any) -> int:
    """Blocks of the sequences of a replica between two steps."""
    cached = []
    for place in range(replica.decoding):
        request = slots[replica.ends_of[place]]
        cached.append(request.input + request.output - 1 - (replica.ends[place] - replica.decode_steps))
    if replica.prefilling.head != NONE:
        request = slots[replica.prefilling.head]
        cached.append(request.input + request.written)
        assert request.next == NONE
    assert len(cached) == replica.running
    return sum(-(-tokens // BLOCK_TOKENS) for tokens in cached)


def test_the_request_admitted_last_goes_and_is_computed_anew() -> None:
    """Two of 160 + 40 tokens in 22 blocks: both fill theirs at once, and each wants a block more for its next step."""
    free = {"context_s_per_token": 0.0, "attention_s_per_token2": 0.0, "least_prefill_s": 0.0, "chunk_tokens": 500}
    at = engine(kv_tokens=22 * BLOCK_TOKENS, prefill_s_per_token=1e-4, step_s=linear_step_s(0.010, 0.0, 8), **free)
    requests = Requests(np.array([0.0, 0.001]), np.array([160, 160]), np.array([40, 40]))
    running = Simulation(at, Fleet(), 0.0, 2)
    running.feed(*requests)
    result = running.finish()
    # The first starts alone (16 ms + 10 ms), the second in the next step. Their 11th blocks fit, their 12th do not:
    # the first has 1 + 16 tokens when it asks for one, by then the second has 16, and goes.
    assert (result.preemptions, result.recomputed_tokens) == (1, 160 + 16)
    step, prefill = 0.010, 160 * 1e-4
    assert result.ttft_s == pytest.approx([prefill + step, 2 * (prefill + step) - 0.001], rel=1e-6)
    alone_s = prefill + step + (prefill + step) + 38 * step
    assert result.e2e_s[0] == pytest.approx(alone_s, rel=1e-6)
    again_s = alone_s + 176 * 1e-4 + step + 23 * step
    assert result.e2e_s[1] == pytest.approx(again_s - 0.001, rel=1e-6)
    assert result.mean_wait_s == pytest.approx((0 + 0.025 + 23 * step) / 2, rel=1e-6)


def test_growing_admits_more_at_once_than_reserving() -> None:
    draw = np.random.default_rng(17)
    many = 400
    requests = Requests(np.zeros(many), draw.integers(1, 100, many), draw.integers(50, 200, many))
    grown, reserved = (whole(requests, Fleet(), kv_tokens=800, admission=rule) for rule in ("blocks", "whole"))
    assert grown.preemptions > 0
    assert grown.span_s < 0.95 * reserved.span_s


def test_preemptions_cost_the_last_ones_most() -> None:
    """A smaller cache never helps under load: the longest of the answers come later, and more is recomputed."""
    draw = np.random.default_rng(19)
    many = 300
    requests = Requests(np.sort(draw.uniform(0, 6, many)), draw.integers(1, 100, many), draw.integers(50, 200, many))
    results = [whole(requests, Fleet(), kv_tokens=blocks * BLOCK_TOKENS) for blocks in (40, 70, 150)]
    assert results[0].recomputed_tokens > results[1].recomputed_tokens > results[2].recomputed_tokens == 0
    assert results[0].span_s > results[1].span_s > results[2].span_s


@BOTH
@given(requests=made_up(most=30), many=st.integers(1, 3))
def test_twice_the_replicas_never_serve_a_request_later(admission: str, requests: Requests, many: int) -> None:
    serial = {"step_s": linear_step_s(0.010, 0.001, 1), "chunk_tokens": 500, "kv_tokens": 416, "admission": admission}
    few = whole(requests, Fleet(replicas=many, dispatch="round_robin"), **serial)
    more = whole(requests, Fleet(replicas=2 * many, dispatch="round_robin"), **serial)
    assert (more.e2e_s <= few.e2e_s).all()


@BOTH
def test_more_replicas_wait_less_where_the_cache_is_full(admission: str) -> None:
    draw = np.random.default_rng(7)
    requests = Requests(np.sort(draw.uniform(0, 60, 400)), draw.integers(1, 190, 400), draw.integers(1, 190, 400))
    results = [whole(requests, Fleet(replicas=n), kv_tokens=TIGHT, admission=admission) for n in (1, 2, 4, 8)]
    p99 = [result.ttft.p99_s for result in results]
    assert p99 == sorted(p99, reverse=True)
    assert (results[0].preemptions > 0) == (admission == "blocks")


def test_the_longest_request_is_one_of_whole_blocks() -> None:
    at = engine(kv_tokens=TIGHT + 7)
    assert at.longest_request_tokens == TIGHT
    assert replace(at, admission="whole").longest_request_tokens == TIGHT + 7
    both = Requests(np.zeros(2), np.array([TIGHT - 3, TIGHT - 3]), np.array([3, 4]))
    result = whole(both, Fleet(), kv_tokens=TIGHT + 7)
    assert (result.served_requests, result.refused_requests) == (1, 1)
