"""No way round a budget: every endpoint, streamed or not, by an alias, a fallback, a degraded or a retried request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.live import Live, Told, assert_one_number, bound_nano_usd, chat_body, configuration, cost_nano_usd
from gateway.mock_upstream import (
    CHEAP_MODEL,
    FREE_MODEL,
    MODEL,
    MockUpstream,
    Order,
    mock_upstream,
    mock_upstream_aside,
)

SAID = [{"role": "user", "content": "say this again, please"}]
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": SAID, "max_tokens": 8}),
    "chat stream": ("/v1/chat/completions", {"messages": SAID, "max_tokens": 8, "stream": True}),
    "choices": ("/v1/chat/completions", {"messages": SAID, "max_tokens": 8, "n": 3}),
    "completions": ("/v1/completions", {"prompt": "say this again", "max_tokens": 8}),
    "completions stream": ("/v1/completions", {"prompt": "say this again", "max_tokens": 8, "stream": True}),
    "responses": ("/v1/responses", {"input": "say this again", "max_output_tokens": 16}),
    "responses stream": ("/v1/responses", {"input": "say this again", "max_output_tokens": 16, "stream": True}),
    "messages": ("/v1/messages", {"messages": SAID, "max_tokens": 8}),
    "messages stream": ("/v1/messages", {"messages": SAID, "max_tokens": 8, "stream": True}),
    "embeddings": ("/v1/embeddings", {"input": "say this again"}),
}
KNOWN_AFTER_S = 0.1
"""A gateway knows of a changed budget within 50 ms."""

ECHO = """
[[upstreams]]
name = "echo"
wire = "echo"
[[models]]
name = "echo"
targets = [{ upstream = "echo" }]
[[models]]
name = "alias"
targets = [{ upstream = "echo", model = "echo" }]
[[models]]
name = "falls-back"
targets = [{ upstream = "dear", model = "mock-model" }]
fallbacks = [{ upstream = "echo", model = "echo" }]
[[models]]
name = "degrades"
targets = [{ upstream = "dear", model = "mock-model" }]
degrade_to = "echo"
"""


Served = tuple[Live, MockUpstream]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with mock_upstream_aside() as mock:
        config = configuration(mock.url, max_attempts=3) + ECHO
        with Live(folder=tmp_path_factory.mktemp("gateway"), config=config) as live:
            yield live.start(), mock


@pytest.fixture
def served(process: Served, request: pytest.FixtureRequest) -> Served:
    """The gateway, with a key of a tenant of its own for each test, and a mock that has billed nothing yet."""
    live, mock = process
    live.begin_tenant(request.node.name)
    mock.bills.clear()
    mock.seen.clear()
    return process


async def ask(live: Live, what: str, model: str, key: str = "") -> Told:
    path, body = BODIES[what]
    return await live.ask("POST", path, {"model": model, **body}, key=key or live.key)


def key_with(live: Live, nano_usd: int, *options: str) -> str:
    """A new key with a budget of its own."""
    return live.new_key("bob", "--budget-usd", f"{nano_usd / 1e9:.9f}", "--window", "total", *options)


def test_each_endpoint_is_held_to_the_last_nano_dollar(served: Served) -> None:
    """A budget of exactly one request lets one through, and one nano-dollar less lets none."""
    live, mock = served

    async def scenario() -> None:
        rich = live.key
        for what in BODIES:
            for model in ("echo", "alias"):
                free_of_budget = await ask(live, what, model, rich)
                cost = free_of_budget.cost_nano_usd
                assert free_of_budget.status == 200, (what, model, free_of_budget)
                assert cost, (what, model, free_of_budget)
                enough = key_with(live, cost)
                found = [(await ask(live, what, model, enough)).status for _ in range(2)]
                assert found == [200, 429], (what, model)
                too_little = key_with(live, cost - 1)
                assert (await ask(live, what, model, too_little)).status == 429, (what, model)
        await assert_one_number(live)
        assert not mock.bills

    asyncio.run(scenario())


def test_a_used_up_budget_lets_no_request_out_by_any_route(served: Served) -> None:
    live, mock = served

    async def scenario() -> None:
        poor = key_with(live, 1)
        for what in BODIES:
            for model in (MODEL, CHEAP_MODEL, "echo", "alias", "falls-back", "degrades", "with-fallback"):
                told = await ask(live, what, model, poor)
                assert told.status == 429 or "operation_not_supported" in told.body.decode(), (what, model, told)
                assert told.cost_nano_usd == 0
        assert not mock.seen
        await live.quiet()
        assert not live.own_rows()

    asyncio.run(scenario())


def test_what_has_no_price_is_not_sent(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mock_upstream() as mock:
            upstream = f'[[upstreams]]\nname = "unpriced"\nurl = "{mock.url}"\n'
            with Live(folder=tmp_path, config=upstream) as live:
                live.new_key()
                live.start()
                for what in BODIES:
                    for model in ("no-such-model", "unpriced/no-such-model", "mock-model"):
                        told = await ask(live, what, model)
                        assert told.status == 404, (what, model, told)
                        assert told.cost_nano_usd == 0
                tiers = [{"service_tier": "no-such-tier"}, {"modalities": ["text", "audio"]}]
                for fields in tiers:
                    body = {**chat_body(Order(), model="gpt-4o-mini"), **fields}
                    told = await live.ask("POST", "/v1/chat/completions", body, key=live.key)
                    assert (told.status, told.json["error"]["code"]) == (400, "not_priced"), told
                assert not mock.seen
                assert live.stop() == 0
                live.config = upstream + '[[models]]\nname = "m"\ntargets = [{ upstream = "unpriced" }]\n'
                (tmp_path / "breakeven.toml").write_text(live.config)
                assert refuses_to_start(live)

    asyncio.run(scenario())


def refuses_to_start(live: Live) -> bool:
    """A configuration with a model that has no price is bad input."""
    try:
        live.start()
    except AssertionError:
        return live.process is not None and live.process.wait(10) == 2
    return False


def test_a_request_dearer_than_its_keys_cap_is_not_sent(served: Served) -> None:
    live, mock = served

    async def scenario() -> None:
        order = Order()
        bound = bound_nano_usd(chat_body(order))
        for cap, status in ((bound, 200), (bound - 1, 400), (0, 400)):
            live.new_key("bob", "--max-usd-per-request", f"{cap / 1e9:.9f}")
            told = await live.chat(order)
            assert told.status == status, (cap, told)
            free = await live.chat(order, model=FREE_MODEL)
            assert (free.status, free.cost_nano_usd) == (200, 0)
        assert len(mock.bills) == 4
        unlimited = {key: value for key, value in chat_body(order).items() if key != "max_tokens"}
        live.new_key("bob", "--max-usd-per-request", "1")
        assert (await live.ask("POST", "/v1/chat/completions", unlimited, key=live.key)).status == 200
        assert mock.bodies[-1]["max_tokens"] == 64, "a limit is sent where money is limited"

    asyncio.run(scenario())


def test_free_models_pass_where_the_budget_is_used_up(served: Served) -> None:
    live, mock = served

    async def scenario() -> None:
        key_with(live, 0)
        for stream in (False, True):
            assert (await live.chat(Order(), stream=stream)).status == 429
            told = await live.chat(Order(), model=FREE_MODEL, stream=stream)
            assert (told.status, told.whole, told.cost_nano_usd) == (200, True, 0)
        assert len(mock.bills) == 2
        await assert_one_number(live, 0)

    asyncio.run(scenario())


def test_a_degraded_request_is_priced_and_held_as_what_it_became(served: Served) -> None:
    live, mock = served

    async def scenario() -> None:
        order = Order()
        bound = bound_nano_usd(chat_body(order))
        key_with(live, bound - 1, "--on-exceed", "degrade")
        for stream in (False, True):
            told = await live.chat(order, stream=stream)
            assert (told.status, told.cost_nano_usd) == (200, cost_nano_usd(order) // 10)
            assert "degraded" in told.headers["x-breakeven-decision"]
        live.budget("user:bob", 1)
        await asyncio.sleep(KNOWN_AFTER_S)
        assert (await live.chat(order)).status == 429, "another budget of the same request refuses"
        live.budget("user:bob", 10**9)
        live.budget(f"model:{CHEAP_MODEL}", 1)
        await asyncio.sleep(KNOWN_AFTER_S)
        assert (await live.chat(order)).status == 429, "so does one of the model that it would become"
        assert [bill.model for bill in mock.bills] == [CHEAP_MODEL] * 2
        await assert_one_number(live, 2 * cost_nano_usd(order) // 10)

    asyncio.run(scenario())


def test_each_attempt_has_a_row_and_the_sum_is_what_the_upstream_bills(served: Served) -> None:
    live, mock = served

    async def scenario() -> None:
        orders = [
            Order(name=f"{fails}-{status}", fails=fails, status=status) for fails in range(4) for status in (429, 503)
        ]
        told = await asyncio.gather(
            *(live.chat(each, stream=bool(place % 2)) for place, each in enumerate(orders)),
            *(
                live.chat(Order(name=f"f{each.name}", fails=each.fails, status=each.status), model="with-fallback")
                for each in orders
            ),
        )
        await assert_one_number(live, sum(each.cost_nano_usd or 0 for each in told))
        rows = live.own_rows()
        assert len(rows) == mock.seen.total()
        for each in told[: len(orders)]:
            own = [row for row in rows if row["request_id"] == each.request_id]
            assert [row["attempt"] for row in own] == list(range(1, len(own) + 1))
            assert [row["first"] for row in own] == [1, *[0] * (len(own) - 1)]
        answered = [row for row in rows if row["outcome"] == "ok"]
        assert sorted(row["served_model"] for row in answered) == sorted(bill.model for bill in mock.bills)
        cheap = sum(bill.model == CHEAP_MODEL for bill in mock.bills)
        assert cheap
        dear = len(mock.bills) - cheap
        billed = dear * cost_nano_usd(Order()) + cheap * cost_nano_usd(Order()) // 10
        assert sum(row["effective_nano_usd"] for row in rows) == billed

    asyncio.run(scenario())


def test_a_fallback_is_held_against_the_budget_of_its_own_model_and_allowed_by_the_key(served: Served) -> None:
    """Without room for it the client gets the failure that it was to mend; a key that may not use it gets a retry."""
    live, mock = served

    async def scenario() -> None:
        live.budget(f"model:{CHEAP_MODEL}", 1)
        await asyncio.sleep(KNOWN_AFTER_S)
        told = await live.chat(Order(name="no room", fails=1, status=503), model="with-fallback")
        assert (told.status, told.cost_nano_usd) == (503, 0)
        assert not mock.bills
        live.new_key("carol", "--models", "with-fallback")
        told = await live.chat(Order(name="not allowed", fails=1, status=503), model="with-fallback")
        assert told.status == 200
        await assert_one_number(live)
        served_models = [row["served_model"] for row in live.own_rows() if row["user"] == "carol"]
        assert served_models == ["with-fallback"] * 2
        assert [bill.model for bill in mock.bills] == ["with-fallback"]

    asyncio.run(scenario())
