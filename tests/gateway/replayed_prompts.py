"""A trace's prompts sent through a real gateway to a provider that keeps a prompt cache, by a clock that both share.

Each block of the trace is a block of text of its size, so equal beginnings are equal beginnings. Requests follow one
another as fast as they are answered; the clock stands at each one's arrival.
"""

from __future__ import annotations

import random
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from breakeven.catalog.hosted import find_card
from breakeven.options.replayed_bills import Saving
from breakeven.plan.lever_replay import LeverQuestion, replay_levers
from breakeven.plan.lever_report import Lives
from breakeven.workload.prefix_blocks import PrefixBlocks
from breakeven.workload.trace import Trace
from gateway.caching_provider import CHARS_PER_TOKEN, KEPT_S, CachingAnthropic, Clock
from gateway.preparing import before, rows, upstream
from gateway.provider import provider

MODEL = "claude-sonnet-4-5"
OVERHEAD_CHARS = len('[null, null] user {"text": "", "type": "text"}')
"""What the provider counts of a block beside its text."""


class Billed(NamedTuple):
    """What the ledger says of the trace's prompts, nano-dollars, and the requests that read from the cache."""

    saved_nano_usd: int
    paid_nano_usd: int
    hits: int


def predicted(trace: Trace, ttl: str) -> Saving:
    """What a replay says of the trace, of which each block is one of a body."""
    question = LeverQuestion(
        trace=trace,
        card=find_card(MODEL, provider="anthropic"),
        lives=Lives(prefix_s=KEPT_S[ttl]),
        asked="prompt-cache",
        is_block_markable=True,
    )
    (lever,) = replay_levers(question).levers
    assert lever.saving is not None
    return lever.saving


async def serve_prompts(folder: Path, trace: Trace, ttl: str) -> Billed:
    """Send every prompt of the trace, marked by the gateway as it sees fit, to be kept ``5m`` or ``1h``."""
    assert trace.blocks is not None
    clock = Clock()
    begun_s = clock.now_s
    with provider(CachingAnthropic(clock)) as found:
        tables: dict[str, Any] = {
            "gateway": {"prompt_cache_ttl": ttl},
            "upstreams": [upstream("anthropic", found.url, "anthropic", [MODEL])],
        }
        async with before(folder, tables) as (served, keys):
            served.gateway.pipeline.shared.preparation.marker.now_s = clock
            for row, at_s in enumerate(trace.arrivals_s.tolist()):
                clock.now_s = begun_s + at_s
                body = prompt(trace.blocks, row, int(trace.input_tokens[row]))
                answer = await served.ask("POST", "/v1/messages", body, key=keys["acme"])
                assert answer.status == 200, answer.body
                found.heard.clear()
    told = rows(folder)
    return Billed(
        saved_nano_usd=sum(row["prompt_cache_saved_nano_usd"] for row in told),
        paid_nano_usd=sum(row["effective_nano_usd"] for row in told),
        hits=sum(row["cache_read_tokens"] > 0 for row in told),
    )


def prompt(blocks: PrefixBlocks, row: int, input_tokens: int) -> dict[str, Any]:
    """One request's body: a block of text for each block of the trace, the last one as long as what is left.

    The provider rounds down, so lengths are rounded up here: what has its minimum in the trace must have it there.
    """
    ids = blocks.of(row)
    texts = []
    for place, block in enumerate(ids):
        upto = min((place + 1) * blocks.block_tokens, input_tokens)
        chars = ceil(upto * CHARS_PER_TOKEN) - ceil(min(place * blocks.block_tokens, input_tokens) * CHARS_PER_TOKEN)
        texts.append({"type": "text", "text": words(block, max(chars - OVERHEAD_CHARS, 1))})
    return {"model": MODEL, "max_tokens": 20, "messages": [{"role": "user", "content": texts}]}


def words(block: int, chars: int) -> str:
    """So many letters that belong to this block and no other."""
    return f"{random.Random(block).getrandbits(chars * 4):0{chars}x}"[:chars]
