"""Continuous batching: its closed form for one sequence, its limits, and Little's law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.catalog.open_models import open_models
from breakeven.serving import batching, roofline
from breakeven.serving.batching import Waiting
from serving import cases
from serving.cases import HALF, column

NO_WAIT = Waiting(base_ms=0.0, queue_frac=0.0)


def test_one_sequence_is_its_prefill_and_its_steps() -> None:
    one = cases.deployed()
    state = batching.steady_state(one, column(1), column(500), column(100), HALF, NO_WAIT)
    step = roofline.decode_step_s(one, column(1), column(550), HALF)
    prefill = roofline.prefill_s(one, column(500), HALF)
    assert state.cycle_s == pytest.approx(100 * step + prefill)
    assert state.output_tokens_per_s == pytest.approx(100 / state.cycle_s)
    assert state.tpot_s == pytest.approx(state.cycle_s / 100)
    assert state.ttft_s == pytest.approx(roofline.prefill_latency_s(one, column(500), HALF) + state.tpot_s / 2)


def test_the_cache_limits_the_batch_as_counted_by_hand() -> None:
    room = 80e9 * batching.MEMORY_FRAC - batching.RESERVED_BYTES - 2e9
    expected = room * batching.KV_FRAC / (2_000 * 1_000 * 2)
    assert batching.kv_limited_batch(cases.deployed(), column(2_000))[0] == pytest.approx(expected)


def test_weights_without_room_give_no_batch() -> None:
    heavy = cases.deployed(open_models()["Llama-3.1-70B"])
    assert batching.kv_limited_batch(heavy, column(100))[0] < 0


def test_clients_beyond_the_cache_wait_and_add_no_throughput() -> None:
    small = cases.deployed(open_models()["Llama-3.1-8B"])
    limit = float(batching.kv_limited_batch(small, column(20_000))[0])
    at_limit, beyond = (
        batching.closed_loop(small, column(clients), column(19_000), column(1_000), HALF, NO_WAIT)
        for clients in (limit, 2 * limit)
    )
    assert beyond.output_tokens_per_s == pytest.approx(at_limit.output_tokens_per_s)
    assert beyond.ttft_s == pytest.approx(at_limit.ttft_s + at_limit.cycle_s)
    assert beyond.tpot_s == pytest.approx(at_limit.tpot_s)


def test_littles_law_agrees_with_the_cycle_for_long_outputs() -> None:
    one = cases.deployed()
    state = batching.closed_loop(one, column(64), column(10), column(10_000), HALF, NO_WAIT)
    by_latency = batching.closed_loop_tokens_per_s(state, column(64), column(10_000))
    assert by_latency == pytest.approx(state.output_tokens_per_s, rel=1e-3)


def test_attention_replicas_share_the_clients() -> None:
    alone = batching.closed_loop(cases.deployed(), column(8), column(100), column(100), HALF, NO_WAIT)
    four = batching.closed_loop(cases.deployed(data_parallel=4), column(32), column(100), column(100), HALF, NO_WAIT)
    assert four.output_tokens_per_s == pytest.approx(4 * alone.output_tokens_per_s)
    assert four.tpot_s == pytest.approx(alone.tpot_s)


def test_an_offline_run_has_whole_waves_and_a_smaller_last_one() -> None:
    one, tokens = cases.deployed(), (column(2_048), column(2_048))
    requests = 6.5e6 / 4_096
    running = float(batching.offline_batch(one, *tokens)[0])
    assert running == pytest.approx(requests)  # all fit at once
    cycle = batching.cycle_s(one, column(requests), *tokens, HALF)
    assert batching.offline_tokens_per_s(one, *tokens, HALF) == pytest.approx(requests * 2_048 / cycle)


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(sorted(open_models())),
    clients=st.integers(1, 500),
    tokens=st.tuples(st.integers(1, 20_000), st.integers(1, 4_000)),
)
def test_more_clients_never_lower_the_throughput_nor_the_latency(
    model: str, clients: int, tokens: tuple[int, int]
) -> None:
    one = cases.deployed(open_models()[model])
    if batching.kv_limited_batch(one, column(sum(tokens)))[0] < 1:
        return
    fewer, more = (
        batching.closed_loop(one, column(n), column(tokens[0]), column(tokens[1]), HALF, NO_WAIT)
        for n in (clients, clients + 1)
    )
    assert more.output_tokens_per_s[0] >= fewer.output_tokens_per_s[0] * (1 - 1e-9)
    assert more.ttft_s[0] >= fewer.ttft_s[0] * (1 - 1e-9)
    assert np.isfinite(more.ttft_s[0])
