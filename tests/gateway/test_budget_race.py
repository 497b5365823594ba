"""Five hundred requests at once against budgets that fit some of them: as many go through as fit, and not one more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.live import (
    Live,
    assert_one_number,
    bound_nano_usd,
    chat_body,
    configuration,
    cost_nano_usd,
    encoded,
)
from gateway.mock_upstream import Order, mock_upstream

PARALLEL = 500


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("echo")
    with Live(folder=folder, config="", arguments=("--upstream", "echo")) as live:
        yield live.start()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tightest", ["user", "team", "key"])
def test_a_burst_spends_exactly_what_fits_under_three_budgets(echo: Live, tightest: str, stream: bool) -> None:
    """The echo knows its usage before, so that the hold is the cost and nothing is left over but less than one."""
    body = {"model": "echo", "messages": [{"role": "user", "content": "say this again"}], "max_tokens": 8}
    body |= {"stream": True} if stream else {}
    tenant = f"{tightest}-{stream}"
    fits = 137

    async def scenario() -> None:
        alone = await echo.ask("POST", "/v1/chat/completions", body, key=echo.new_key("carol", tenant=tenant))
        assert alone.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
        cost = alone.cost_nano_usd
        assert cost
        key = echo.new_key("alice", tenant=tenant)
        scopes = {"user": "user:alice", "team": "team:red", "key": f"key:{echo.key_id}"}
        for place, (kind, scope) in enumerate(scopes.items()):
            spent = cost if kind == "team" else 0
            room = fits if kind == tightest else fits + 40 * (place + 1)
            echo.budget(scope, spent + room * cost + cost - 1, tenant=tenant)
        echo.budget(f"tenant:{tenant}", 10**12, tenant=tenant)
        await echo.admin("/admin/budgets")  # the gateway knows them all
        told = await asyncio.gather(*(echo.ask("POST", "/v1/chat/completions", body, key=key) for _ in range(PARALLEL)))
        assert Counter(each.status for each in told) == {200: fits, 429: PARALLEL - fits}
        assert all(each.whole for each in told if each.status == 200)
        assert {each.cost_nano_usd for each in told} == {cost, 0}
        await assert_one_number(echo)
        assert await echo.spent(f"tenant:{tenant}", tenant) == (1 + fits) * cost
        assert await echo.spent(scopes[tightest], tenant) == fits * cost + (cost if tightest == "team" else 0)

    asyncio.run(scenario())


def test_a_burst_waits_for_holds_and_spends_all_that_can_be_spent(tmp_path: Path) -> None:
    """Holds are four times what requests cost; who is let in is who still fits once the others are settled."""
    order = Order(delay_s=0.004)
    bodies = [chat_body(order), chat_body(order, stream=True)]
    bodies = [encoded(body).ljust(max(len(encoded(each)) for each in bodies)) for body in bodies]  # equal holds
    cost, bound = cost_nano_usd(order), bound_nano_usd(bodies[0])
    limits = {"team:red": 60 * cost + bound, "user:alice": 75 * cost + bound - 1, "tenant:acme": 10**12}
    fits = (limits["team:red"] - bound) // cost + 1
    assert bound > 2 * cost

    async def scenario() -> None:
        async with mock_upstream() as mock:
            with Live(folder=tmp_path, config=configuration(mock.url)) as live:
                live.new_key()
                for scope, limit in limits.items():
                    live.budget(scope, limit)
                live.budget(f"key:{live.key_id}", 90 * cost + bound)
                live.start()
                told = await asyncio.gather(
                    *(
                        live.ask("POST", "/v1/chat/completions", bodies[number % 2], key=live.key)
                        for number in range(PARALLEL)
                    )
                )
                assert Counter(each.status for each in told) == {200: fits, 429: PARALLEL - fits}
                assert all(each.whole for each in told if each.status == 200)
                assert len(mock.bills) == fits
                spent = await assert_one_number(live, sum(each.cost_nano_usd or 0 for each in told))
                assert spent == fits * cost <= limits["team:red"]

    asyncio.run(scenario())


def test_who_waited_in_vain_for_holds_is_told_to_ask_again(tmp_path: Path) -> None:
    """Nothing was spent that would refuse the request for good; the clients' own libraries ask again for this."""
    order = Order(delay_s=0.8)
    bound = bound_nano_usd(chat_body(order))

    async def scenario() -> None:
        async with mock_upstream() as mock:
            with Live(folder=tmp_path, config=configuration(mock.url, budget_wait_s=0.2)) as live:
                live.new_key(
                    "alice", "--budget-usd", f"{(bound + cost_nano_usd(order)) / 1e9:.9f}", "--window", "total"
                )
                live.start()
                first = asyncio.create_task(live.chat(order))
                while not mock.under_way:
                    await asyncio.sleep(0.01)
                held = await live.chat(order)
                assert (held.status, held.json["error"]["code"]) == (429, "budget_held")
                assert held.headers["retry-after"] == "1"
                assert "x-should-retry" not in held.headers
                assert (await first).status == 200
                assert (await live.chat(order)).status == 200
                refused = await live.chat(order)
                assert (refused.status, refused.json["error"]["code"]) == (429, "insufficient_quota")
                assert refused.headers["x-should-retry"] == "false"
                assert await assert_one_number(live) == 2 * cost_nano_usd(order)

    asyncio.run(scenario())
