"""Clients that leave: after every piece of a stream, before an answer, or without reading: the row says the cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.live import Live, Told, assert_one_number, configuration, cost_nano_usd
from gateway.mock_upstream import MockUpstream, Order, mock_upstream

CHUNKS = 6
DRAIN_S = 0.8


@asynccontextmanager
async def started(folder: Path, **gateway: Any) -> AsyncIterator[tuple[Live, MockUpstream]]:
    """A gateway before a mock upstream, with a key and a budget that does not bind."""
    async with mock_upstream() as mock:
        with Live(folder=folder, config=configuration(mock.url, **gateway)) as live:
            live.new_key()
            live.budget("tenant:acme", 10**12)
            live.start()
            yield live, mock


def row_of(live: Live, order: Order, told: Told) -> dict[str, Any]:
    """The one row of a request."""
    (row,) = [row for row in live.rows() if row["request_id"] == told.request_id]
    return row


def test_leaving_after_every_chunk_costs_what_the_upstream_says(tmp_path: Path) -> None:
    """The upstream goes on, is heard out, and its usage is what the row has."""

    async def scenario() -> None:
        async with started(tmp_path) as (live, mock):
            order = Order(chunks=CHUNKS, gap_s=0.02, output_tokens=CHUNKS)
            await asyncio.gather(
                *(live.chat(order, stream=True, leave_after_events=events) for events in range(CHUNKS + 2))
            )
            await live.quiet()
            rows = live.rows()
            assert len(rows) == len(mock.bills) == CHUNKS + 2
            for row in rows:
                assert (row["outcome"], row["usage_basis"]) == ("ok", "reported"), dict(row)
                assert row["effective_nano_usd"] == cost_nano_usd(order)
            await assert_one_number(live, len(rows) * cost_nano_usd(order))

    asyncio.run(scenario())


def test_leaving_an_upstream_that_never_ends_costs_an_estimate_within_the_bound(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path, timeout_s=60.0, drain_after_disconnect_s=DRAIN_S) as (live, _):
            began = time.monotonic()
            told = await asyncio.gather(
                *(
                    live.chat(Order(kind="hang", after=CHUNKS, chunks=CHUNKS), stream=True, leave_after_events=events)
                    for events in range(1, CHUNKS + 1)
                )
            )
            await live.quiet()
            assert time.monotonic() - began < DRAIN_S + 4.0  # and a second or two until it is noticed
            for events, each in enumerate(told, start=1):
                row = row_of(live, Order(), each)
                assert (row["outcome"], row["usage_basis"]) == ("client_gone", "estimated")
                assert row["output_tokens"] >= events
                assert row["effective_nano_usd"] > 0
            await assert_one_number(live)

    asyncio.run(scenario())


def test_who_leaves_before_anything_came_still_pays(tmp_path: Path) -> None:
    """Neither a stream's head nor a byte of an answer came; the upstream was asked, and bills it."""

    async def scenario() -> None:
        async with started(tmp_path, timeout_s=60.0, drain_after_disconnect_s=DRAIN_S) as (live, _):
            slow, never = Order(name="slow", delay_s=0.3), Order(name="never", kind="hang")
            for stream in (False, True):
                await live.chat(slow, stream=stream, leave_after_s=0.1)
                await live.chat(never, stream=stream, leave_after_s=0.1)
            await live.quiet()
            rows = live.rows()
            assert sorted((row["outcome"], row["usage_basis"]) for row in rows) == [
                *[("client_gone", "estimated")] * 2,
                *[("ok", "reported")] * 2,
            ]
            assert all(row["effective_nano_usd"] > 0 for row in rows)
            await assert_one_number(live)

    asyncio.run(scenario())


def test_a_client_that_does_not_read_and_leaves_is_heard_out(tmp_path: Path) -> None:
    """The upstream is held back while the client does not read; once it is gone, nothing is."""

    async def scenario() -> None:
        async with started(tmp_path, drain_after_disconnect_s=3.0) as (live, _):
            order = Order(chunks=300, padding=20_000, output_tokens=300)
            await live.stalled_chat(order, stay_s=1.0, max_tokens=400)
            await live.quiet()
            (row,) = live.rows()
            assert (row["outcome"], row["usage_basis"]) == ("ok", "reported")
            assert row["effective_nano_usd"] == cost_nano_usd(order)

    asyncio.run(scenario())
