"""What `breakeven replay` predicts against what a real gateway saves on the same trace, in dollars; 1% apart at most.

Each request of the trace becomes a real body: its text names its content, so equal contents are equal bodies. They are
sent to a gateway with its cache on, in a process of its own, at compressed time, before a model server that bills each
request's own tokens. What the gateway's ledger says it saved is then held against the prediction.

    python scripts/replay_agreement.py TRACE [--requests 3000] [--speed 60] [--ttl 300]

An equal question gets an equal answer here, so the first answer's length stands for all of its repeats in both.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from breakeven import api
from breakeven.plan.repeats import durations_s
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace
from gateway.live import Live
from gateway.mock_upstream import MODEL, Order, mock_upstream

IN_USD_PER_MTOK, OUT_USD_PER_MTOK = 2, 10
MOST_APART = 0.01
PRICES = {
    "prices": [
        {
            "provider": "anthropic",
            "model": "claude-sonnet-5",
            "input_usd_per_mtok": IN_USD_PER_MTOK,
            "output_usd_per_mtok": OUT_USD_PER_MTOK,
            "valid_from": "2026-01-01",
            "source": "this script",
        }
    ]
}


def main() -> int:
    """Replay, serve, compare; 1 where they are further apart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--speed", type=float, default=60.0, help="seconds of the trace in one of the gateway")
    parser.add_argument("--ttl", type=float, default=300.0, help="seconds of the trace for which an answer is kept")
    given = parser.parse_args()
    trace = one_answer_each(first(read_trace(given.trace), given.requests))
    saving = api.replay(trace, lever="response-cache", ttl_s=given.ttl, config=PRICES).levers[0]
    assert saving.saving is not None
    predicted = saving.saving.saved_nano_usd
    served, hits, paid = asyncio.run(serve(trace, given.speed, given.ttl))
    apart = abs(served - predicted) / max(predicted, 1)
    print(f"{trace.rows:,} requests of {trace.name} at {given.speed:g} times their speed, answers kept {given.ttl:g} s")
    print(f"replay   saves ${predicted / 1e9:.6f} with {saving.hits:,} hits")
    print(f"gateway  saved ${served / 1e9:.6f} with {hits:,} hits; it paid ${paid / 1e9:.6f}")
    print(f"apart by {apart:.3%}")
    return int(apart > MOST_APART)


def first(trace: Trace, requests: int) -> Trace:
    """The trace's first requests, without what this script does not use."""
    if trace.contents is None:
        sys.exit(f"{trace.name} does not tell which requests are the same")
    part = slice(requests)
    return replace(
        trace,
        arrivals_s=trace.arrivals_s[part],
        input_tokens=trace.input_tokens[part],
        output_tokens=np.maximum(trace.output_tokens[part], 1),
        contents=trace.contents[part],
        durations_s=None if trace.durations_s is None else trace.durations_s[part],
    )


def one_answer_each(trace: Trace) -> Trace:
    """The trace with each repeat's answer as long as the first's, and how long each takes."""
    assert trace.contents is not None
    _, first_rows, content = np.unique(trace.contents, return_index=True, return_inverse=True)
    of_first = replace(trace, output_tokens=trace.output_tokens[first_rows[content]])
    return replace(of_first, durations_s=durations_s(of_first))


async def serve(trace: Trace, speed: float, ttl_s: float) -> tuple[int, int, int]:
    """Send the trace through a gateway; nano-dollars saved, requests that were not bought, nano-dollars paid."""
    with tempfile.TemporaryDirectory() as folder:
        async with mock_upstream() as mock:
            with Live(folder=Path(folder), config=configuration(mock.url, ttl_s / speed)) as live:
                live.new_key()
                live.start()
                await send(live, trace, speed)
                await live.quiet()
                rows = live.rows()
                live.stop()
    assert len(rows) == trace.rows, (len(rows), trace.rows)
    given = [row for row in rows if row["served_from"] != "upstream"]
    assert len(mock.bills) == len(rows) - len(given)
    saved = sum(row["baseline_nano_usd"] - row["effective_nano_usd"] for row in given)
    return saved, len(given), sum(row["effective_nano_usd"] for row in rows)


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


if __name__ == "__main__":
    sys.exit(main())
