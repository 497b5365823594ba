"""A trace sent through a real gateway: each request a real body, at its time, and what the ledger says it saved.

A body's text names its content, so equal contents are equal bodies. The model server bills each request's own tokens.
An equal question gets an equal answer, so the first answer's length stands for all of its repeats.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from breakeven.plan.repeats import durations_s
from breakeven.workload.trace import Trace
from gateway.live import Live
from gateway.mock_upstream import MODEL, Order, mock_upstream

IN_USD_PER_MTOK, OUT_USD_PER_MTOK = 2, 10
PRICES: dict[str, Any] = {
    "prices": [
        {
            "provider": "anthropic",
            "model": "claude-sonnet-5",
            "input_usd_per_mtok": IN_USD_PER_MTOK,
            "output_usd_per_mtok": OUT_USD_PER_MTOK,
            "valid_from": date(2026, 1, 1),
            "source": "the mock's",
        }
    ]
}
"""The mock's prices, for a replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the ledger says of a trace: nano-dollars saved and paid, and the requests that were not bought."""

    saved_nano_usd: int
    paid_nano_usd: int
    hits: int


def one_answer_each(trace: Trace) -> Trace:
    """The trace with each repeat's answer as long as the first's, and how long each takes."""
    assert trace.contents is not None
    _, first_rows, content = np.unique(trace.contents, return_index=True, return_inverse=True)
    of_first = replace(trace, output_tokens=trace.output_tokens[first_rows[content]])
    if trace.durations_s is not None:
        return replace(of_first, durations_s=trace.durations_s[first_rows[content]])
    return replace(of_first, durations_s=durations_s(of_first))


async def serve(folder: Path, trace: Trace, speed: float, ttl_s: float) -> Served:
    """Send the trace through a gateway, at ``speed`` times its own, with answers kept ``ttl_s`` of its seconds."""
    async with mock_upstream() as mock:
        with Live(folder=folder, config=configuration(mock.url, ttl_s / speed)) as live:
            live.new_key()
            live.start()
            await send(live, trace, speed)
            await live.quiet()
            rows = live.rows()
            live.stop()
    assert len(rows) == trace.rows, (len(rows), trace.rows)
    given = [row for row in rows if row["served_from"] != "upstream"]
    assert len(mock.bills) == len(rows) - len(given)
    return Served(
        saved_nano_usd=sum(row["baseline_nano_usd"] - row["effective_nano_usd"] for row in given),
        paid_nano_usd=sum(row["effective_nano_usd"] for row in rows),
        hits=len(given),
    )


def configuration(url: str, ttl_s: float) -> str:
    """A gateway with one priced upstream, and answers kept so long."""
    return f"""
[cache]
enabled = true
ttl_s = {ttl_s}

[[upstreams]]
name = "hosted"
url = "{url}"
max_output_tokens = 100_000
input_usd_per_mtok = {IN_USD_PER_MTOK}
output_usd_per_mtok = {OUT_USD_PER_MTOK}

[[models]]
name = "{MODEL}"
targets = [{{ upstream = "hosted" }}]
"""


async def send(live: Live, trace: Trace, speed: float) -> None:
    """Every request at its time."""
    assert trace.contents is not None
    assert trace.durations_s is not None
    begun = time.monotonic()
    asking = set()
    columns = (trace.arrivals_s, trace.contents, trace.input_tokens, trace.output_tokens, trace.durations_s)
    for at_s, content, tokens_in, tokens_out, takes_s in zip(*(each.tolist() for each in columns), strict=True):
        await asyncio.sleep(max(0.0, begun + at_s / speed - time.monotonic()))
        order = Order(
            name=f"{content:x}", input_tokens=tokens_in, output_tokens=tokens_out, delay_s=round(takes_s / speed, 4)
        )
        asking.add(asyncio.create_task(ask(live, order)))
    await asyncio.gather(*asking)


async def ask(live: Live, order: Order) -> None:
    """One request, which must be answered."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": order.text}],
        "max_tokens": order.output_tokens,
        "temperature": 0,
    }
    told = await live.ask("POST", "/v1/chat/completions", body, key=live.key)
    assert told.status == 200, told
