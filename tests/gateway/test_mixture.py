"""After any mixture of success, failure, timeout, departure and kill -9: nothing is held, and there is one number."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.live import Live, Told, assert_one_number, configuration
from gateway.mock_upstream import CHEAP_MODEL, FREE_MODEL, MODEL, MockUpstream, Order, mock_upstream

REQUESTS = 160
KINDS = ("ok", "status", "cut", "reset", "hang", "raw", "quiet", "fails")
SPOILT = (
    *("", "null", "[]", "{}", "not json", "<html>\n</html>", "{" * 5_000),
    *('{"usage": null}', '{"usage": {"prompt_tokens": "many"}}', '{"usage": {"prompt_tokens": 1e30}}'),
    *('{"usage": {"prompt_tokens": -5, "completion_tokens": -7}}', '{"error": {"message": "200, but no answer"}}'),
    *("data: [DONE]\n\n", "data: {\n\ndata: [DONE]\n\n", ": only a comment\n\n"),
)


def mixed_order(chance: random.Random, name: str) -> Order:
    """Anything that an upstream may do."""
    kind = chance.choices(KINDS, (12, 2, 2, 2, 1, 3, 2, 2))[0]
    shared: dict[str, Any] = {
        "name": name,
        "delay_s": chance.choice((0.0, 0.0, 0.005, 0.05)),
        "gap_s": chance.choice((0.0, 0.0, 0.01)),
        "output_tokens": chance.randint(0, 20),
        "after": chance.randint(0, 4),
    }
    if kind == "quiet":
        return Order(**shared, tells_usage=False)
    if kind == "fails":
        return Order(**shared, fails=chance.randint(1, 4), status=chance.choice((408, 429, 500, 503, 529)))
    if kind == "raw":
        content_type = chance.choice(("application/json", "text/event-stream", "text/html"))
        return Order(**shared, kind="raw", raw=chance.choice(SPOILT), content_type=content_type)
    return Order(**shared, kind=kind, status=chance.choice((400, 401, 404, 408, 429, 500, 502, 503, 504)))


async def ask_as_mixed(live: Live, order: Order, chance: random.Random) -> Told:
    leaves = chance.choices(("stays", "events", "time"), (7, 2, 1))[0]
    told = Told()
    await live.chat(
        order,
        model=chance.choice((MODEL, MODEL, CHEAP_MODEL, FREE_MODEL, "with-fallback")),
        stream=chance.random() < 0.5,
        leave_after_events=chance.randint(0, 5) if leaves == "events" else None,
        leave_after_s=chance.uniform(0.001, 0.1) if leaves == "time" else None,
        into=told,
    )
    return told


@pytest.mark.parametrize("seed", [1, 2])
def test_one_number_after_any_mixture_and_after_a_kill(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)

    async def scenario() -> None:
        async with mock_upstream() as mock:
            config = configuration(mock.url, drain_after_disconnect_s=0.5, retry_within_s=3.0)
            with Live(folder=tmp_path, config=config) as live:
                live.new_key()
                live.budget("tenant:acme", 10**12)
                live.budget("user:alice", 10**11)
                live.budget(f"key:{live.key_id}", 10**11)
                live.start()
                told = await burst(live, chance, "first")
                await check_told(live, mock, told)
                assert_untroubled(live.log)
                late = asyncio.create_task(burst(live, chance, "second"))
                await asyncio.sleep(chance.uniform(0.1, 0.5))
                live.kill()
                late.cancel()
                await asyncio.gather(late, return_exceptions=True)
                live.start()
                spent = await assert_one_number(live)
                assert spent >= sum(each.cost_nano_usd or 0 for _, each in told)

    asyncio.run(scenario())


async def burst(live: Live, chance: random.Random, name: str) -> list[tuple[Order, Told]]:
    orders = [mixed_order(chance, f"{name}-{number}") for number in range(REQUESTS)]
    return list(zip(orders, await asyncio.gather(*(ask_as_mixed(live, each, chance) for each in orders)), strict=True))


async def check_told(live: Live, mock: MockUpstream, told: list[tuple[Order, Told]]) -> None:
    """Each client was told the cost of all its attempts, and each attempt that the upstream saw has a row."""
    await assert_one_number(live)
    rows = live.rows()
    paid = Counter[str]()
    for row in rows:
        paid[row["request_id"]] += row["effective_nano_usd"]
    for order, each in told:
        if each.whole:
            assert each.cost_nano_usd == paid[each.request_id], (order, each)
        if each.status in range(1, 600):
            assert each.status < 500 or each.status in {502, 503, 504, 529, order.status}, (order, each)
    assert len(rows) >= mock.seen.total()
    assert {row["usage_basis"] for row in rows} <= {"reported", "estimated", "bound", "none"}
    for row in rows:
        free = row["deployment"] == "free" or row["usage_basis"] == "none"
        says_zero = row["usage_basis"] == "reported" and not row["input_tokens"] + row["output_tokens"]
        assert row["effective_nano_usd"] > 0 or free or says_zero, dict(row)


def assert_untroubled(log: str) -> None:
    assert "Traceback" not in log, log
    assert "a handler failed" not in log, log
