"""Clients that leave: after every piece of a stream, before an answer, or without reading: the row says the cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.live import Live, Told, assert_one_number, configuration, cost_nano_usd
from gateway.mock_upstream import MockUpstream, Order, mock_upstream_aside

CHUNKS = 6
DRAIN_S = 1.5


Served = tuple[Live, MockUpstream]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with mock_upstream_aside() as mock:
        config = configuration(mock.url, timeout_s=60.0, drain_after_disconnect_s=DRAIN_S)
        with Live(folder=tmp_path_factory.mktemp("gateway"), config=config) as live:
            yield live.start(), mock


@pytest.fixture
def served(process: Served, request: pytest.FixtureRequest) -> Served:
    """The gateway, with a tenant of its own for each test, and a mock that has billed nothing yet."""
    live, mock = process
    live.begin_tenant(request.node.name)
    mock.bills.clear()
    return process


def row_of(live: Live, order: Order, told: Told) -> dict[str, Any]:
    """The one row of a request."""
    (row,) = [row for row in live.own_rows() if row["request_id"] == told.request_id]
    return row


def test_leaving_after_every_chunk_costs_what_the_upstream_says(served: Served) -> None:
    """The upstream goes on, is heard out, and its usage is what the row has."""
    live, mock = served

    async def scenario() -> None:
        order = Order(chunks=CHUNKS, gap_s=0.02, output_tokens=CHUNKS)
        await asyncio.gather(
            *(live.chat(order, stream=True, leave_after_events=events) for events in range(CHUNKS + 2))
        )
        await live.quiet()
        rows = live.own_rows()
        assert len(rows) == len(mock.bills) == CHUNKS + 2
        for row in rows:
            assert (row["outcome"], row["usage_basis"]) == ("ok", "reported"), dict(row)
            assert row["effective_nano_usd"] == cost_nano_usd(order)
        await assert_one_number(live, len(rows) * cost_nano_usd(order))

    asyncio.run(scenario())


def test_leaving_an_upstream_that_never_ends_costs_an_estimate_within_the_bound(served: Served) -> None:
    live, _ = served

    async def scenario() -> None:
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


def test_who_leaves_before_anything_came_still_pays(served: Served) -> None:
    """Neither a stream's head nor a byte of an answer came; the upstream was asked, and bills it."""
    live, _ = served

    async def scenario() -> None:
        slow, never = Order(name="slow", delay_s=0.3), Order(name="never", kind="hang")
        for stream in (False, True):
            await live.chat(slow, stream=stream, leave_after_s=0.1)
            await live.chat(never, stream=stream, leave_after_s=0.1)
        await live.quiet()
        rows = live.own_rows()
        assert sorted((row["outcome"], row["usage_basis"]) for row in rows) == [
            *[("client_gone", "estimated")] * 2,
            *[("ok", "reported")] * 2,
        ]
        assert all(row["effective_nano_usd"] > 0 for row in rows)
        await assert_one_number(live)

    asyncio.run(scenario())


def test_a_client_that_does_not_read_and_leaves_is_heard_out(served: Served) -> None:
    """The upstream is held back while the client does not read; once it is gone, nothing is."""
    live, _ = served

    async def scenario() -> None:
        order = Order(chunks=300, padding=20_000, output_tokens=300)
        await live.stalled_chat(order, stay_s=1.0, max_tokens=400)
        await live.quiet()
        (row,) = live.own_rows()
        assert (row["outcome"], row["usage_basis"]) == ("ok", "reported")
        assert row["effective_nano_usd"] == cost_nano_usd(order)

    asyncio.run(scenario())
