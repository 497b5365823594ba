"""A gateway that is killed under load, again and again, and what must be true of its ledger afterwards."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gateway.live import Live, Told, cost_nano_usd
from gateway.mock_upstream import MockUpstream, Order

CLIENTS = 12
KILLED_STARTING_FRAC = 0.2


@dataclass(slots=True, kw_only=True)
class Heard:
    """Everything that clients were told, with what they had ordered."""

    told: list[tuple[Order, Told]] = field(default_factory=list)
    rounds: int = 0

    @property
    def acknowledged(self) -> list[tuple[Order, Told]]:
        """Whole answers: the whole body, or a stream's [DONE]."""
        return [(order, told) for order, told in self.told if told.whole and told.status == 200]


async def round_until_killed(live: Live, chance: random.Random, heard: Heard) -> None:
    """Start the gateway, send it a mixture, kill it at a random moment; keep what the clients were told.

    Now and then it is killed first while it starts, and maybe carries over what the one before it left.
    """
    if chance.random() < KILLED_STARTING_FRAC:
        live.spawn()
        await asyncio.sleep(chance.uniform(0.3, 2.0))
        live.kill()
    live.start()
    heard.rounds += 1
    clients = [asyncio.create_task(_client(live, chance, heard, number)) for number in range(CLIENTS)]
    await asyncio.sleep(chance.uniform(0.0, 0.4))
    live.kill()
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)


async def _client(live: Live, chance: random.Random, heard: Heard, client: int) -> None:
    """One request after another, each in a way of its own; an answer that had come when it was cancelled counts."""
    for turn in range(10_000):
        order = any_order(chance, f"{heard.rounds}-{client}-{turn}")
        told = Told()
        heard.told.append((order, told))
        leaves = chance.random() < 0.1
        await live.chat(
            order,
            stream=chance.random() < 0.5,
            leave_after_events=chance.randint(0, 4) if leaves else None,
            into=told,
        )
        if not told.status:
            await asyncio.sleep(0.005)


def any_order(chance: random.Random, name: str) -> Order:
    """Mostly answers, some of them late or without usage, and every kind of failure."""
    delay_s = chance.choice((0.0, 0.0, 0.002, 0.02))
    kind = chance.choices(("ok", "status", "cut", "reset", "quiet", "fails"), (12, 1, 1, 1, 1, 1))[0]
    shared: dict[str, Any] = {"name": name, "delay_s": delay_s, "output_tokens": chance.randint(4, 20)}
    if kind == "quiet":
        return Order(**shared, tells_usage=False)
    if kind == "fails":
        return Order(**shared, fails=1, status=chance.choice((429, 500, 503)))
    return Order(**shared, kind=kind, status=chance.choice((400, 429, 500, 503)), after=chance.randint(0, 3))


def assert_exactly_once(rows: list[dict[str, Any]], heard: Heard, mock: MockUpstream) -> None:
    """Each acknowledged answer has one row with the cost that was told; nothing that was sent has none."""
    attempts = Counter((row["request_id"], row["attempt"]) for row in rows)
    assert not attempts or max(attempts.values()) == 1
    answered = Counter(row["request_id"] for row in rows if row["outcome"] == "ok")
    assert not answered or max(answered.values()) == 1
    by_request: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_request.setdefault(row["request_id"], []).append(row)
    for order, told in heard.acknowledged:
        own = by_request[told.request_id]
        assert told.cost_nano_usd == sum(row["effective_nano_usd"] for row in own), (order, told, own)
        (row,) = [row for row in own if row["outcome"] == "ok"]
        if order.tells_usage:
            assert row["effective_nano_usd"] == cost_nano_usd(order), (order, dict(row))
        assert row["effective_nano_usd"] > 0
    for row in rows:
        if row["outcome"] == "interrupted":
            assert row["usage_basis"] == "bound"
            assert row["effective_nano_usd"] > 0
    # A hold may have been written and its request not sent, but never the other way about.
    assert len(rows) >= mock.seen.total()
    paid = sum(row["effective_nano_usd"] for row in rows)
    billed = sum(
        cost_nano_usd(Order(input_tokens=b.input_tokens, output_tokens=b.output_tokens))
        for b in told_bills(mock, heard)
    )
    assert paid >= billed


def told_bills(mock: MockUpstream, heard: Heard) -> list[Any]:
    """What the upstream bills for orders whose usage it tells; the others can only be estimated."""
    telling = {order.name for order, _ in heard.told if order.tells_usage and order.kind == "ok"}
    return [bill for bill in mock.bills if bill.name in telling]
