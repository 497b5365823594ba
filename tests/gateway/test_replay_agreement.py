"""What a replay predicts is what a gateway saves on the same trace: by its cache, and by the provider's."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from breakeven import api
from breakeven.workload.prefix_blocks import PrefixBlocks
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace
from gateway.caching_provider import OUTPUT_TOKENS
from gateway.replayed_prompts import predicted, serve_prompts
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


def conversations(requests: int) -> Trace:
    """Eight conversations by turns after a common beginning; each grows by a few blocks and starts anew when long."""
    chance = random.Random(2)
    said = [[0, 1, 2]] * 8
    prompts, arrivals, named, at_s = [], [], 10, 0.0
    for _ in range(requests):
        at_s += chance.expovariate(1 / 4)
        whose, more = chance.randrange(8), chance.randrange(1, 5)
        said[whose] = [*(said[whose] if len(said[whose]) < 30 else [0, 1, 2]), *range(named, named + more)]
        named += more
        prompts.append(said[whose])
        arrivals.append(at_s)
    counts = list(map(len, prompts))
    return Trace(
        name="conversations",
        format_name="made up",
        arrivals_s=np.array(arrivals) - arrivals[0],
        input_tokens=np.array(counts) * 512,
        output_tokens=np.full(requests, 20),
        blocks=PrefixBlocks(
            block_tokens=512,
            ids=np.array(list(chain.from_iterable(prompts))),
            offsets=np.concatenate([[0], np.cumsum(counts)]),
        ),
    )


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_a_replay_predicts_what_marks_save(tmp_path: Path, ttl: str) -> None:
    """1% apart at most: until it has seen a bill, the gateway only guesses how many tokens a body has."""
    trace = conversations(250)
    saving = predicted(trace, ttl)
    billed = asyncio.run(serve_prompts(tmp_path, trace, ttl))
    assert saving.saved_nano_usd > saving.without_nano_usd / 2
    assert billed.saved_nano_usd == pytest.approx(saving.saved_nano_usd, rel=0.01)
    assert billed.paid_nano_usd == pytest.approx(saving.with_nano_usd, rel=0.01)


def test_a_replay_predicts_what_marks_save_on_a_real_trace(tmp_path: Path, shared_data: Path) -> None:
    """All of it begins with writes that are read only minutes later, so a gateway must not give up in the first."""
    trace = first(shared_data / "traces" / "mooncake_conversation.jsonl", 2_500)
    saving = predicted(trace, "5m")
    billed = asyncio.run(serve_prompts(tmp_path, trace, "5m"))
    assert saving.saved_nano_usd > 0.02 * saving.without_nano_usd
    assert billed.saved_nano_usd == pytest.approx(saving.saved_nano_usd, abs=0.002 * saving.with_nano_usd)
    assert billed.paid_nano_usd == pytest.approx(saving.with_nano_usd, rel=0.002)


def first(path: Path, requests: int) -> Trace:
    """The first requests of a trace, with answers as long as the provider's here."""
    trace = read_trace(path, keep_blocks=True)
    assert trace.blocks is not None
    return replace(
        trace,
        arrivals_s=trace.arrivals_s[:requests],
        input_tokens=trace.input_tokens[:requests],
        output_tokens=np.full(requests, OUTPUT_TOKENS),
        contents=None,
        durations_s=None,
        blocks=trace.blocks.taken(np.arange(requests)),
    )
