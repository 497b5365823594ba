"""What a replay predicts is what a gateway with its cache on saves on the same trace, to the nano-dollar."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from breakeven import api
from breakeven.workload.trace import Trace
from gateway.replayed_trace import PRICES, one_answer_each, serve

SPEED = 100.0
TTL_S, TAKES_S = 200.0, 80.0
"""Seconds of the trace. An answer lives from its end, so for 280 s after the request that bought it."""

ASKED_AT_S = (0.0, 40.0, 140.0, 220.0, 340.0, 380.0, 480.0, 700.0)
"""Bought, shared, kept, kept, bought anew, shared, kept, bought; 40 s or more from any edge: 0.4 s of the gateway's."""


def asked() -> Trace:
    """Fifteen contents, each asked at these times; half of the traffic is never repeated."""
    random = np.random.default_rng(3)
    arrivals = np.concatenate([np.repeat(ASKED_AT_S, 15), random.uniform(0, 700, 120)])
    contents = np.concatenate([np.tile(np.arange(1, 16), len(ASKED_AT_S)), np.arange(1_001, 1_121)])
    order = np.argsort(arrivals, kind="stable")
    return one_answer_each(
        Trace(
            name="asked",
            format_name="made up",
            arrivals_s=arrivals[order],
            input_tokens=(contents * 37 % 4_001 + 10)[order],
            output_tokens=random.integers(1, 500, len(arrivals)),
            durations_s=np.full(len(arrivals), TAKES_S),
            contents=contents[order],
        )
    )


def test_a_replay_predicts_what_the_gateway_saves(tmp_path: Path) -> None:
    trace = asked()
    (lever,) = api.replay(trace, lever="response-cache", ttl_s=TTL_S, config=PRICES).levers
    assert lever.saving is not None
    served = asyncio.run(serve(tmp_path, trace, SPEED, TTL_S))
    assert served.hits == lever.hits == 15 * 5
    assert served.saved_nano_usd == lever.saving.saved_nano_usd
    assert served.paid_nano_usd == lever.saving.with_nano_usd
