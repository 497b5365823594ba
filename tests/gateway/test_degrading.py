"""A request that a budget degrades after a first attempt keeps one row for each, and none is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

from breakeven.policy.scope import Scope
from breakeven.upstreams.upstream import Receiver
from gateway.serving import gives, says, serving
from ledger.ledgers import budget, rows

TABLES = {
    "upstreams": [{"name": "fake", "url": "http://127.0.0.1:9", "provider": "openai"}],
    "models": [
        {"name": "gpt-4o", "targets": [{"upstream": "fake"}], "degrade_to": "gpt-4o-mini"},
        {"name": "gpt-4o-mini", "targets": [{"upstream": "fake"}]},
    ],
}


def test_attempts_are_numbered_on_when_a_budget_degrades_between_them(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, tables=TABLES) as served:
            fake = served.upstreams["fake"]

            def fails_while_the_budget_shrinks(receiver: Receiver, body: bytes) -> None:
                small = budget(Scope("acme", "tenant", "acme"), 200_000, on_exceed="degrade")
                served.ledger._accounts.put(small)
                fake.answering = says()
                gives(503, b"{}")(receiver, body)

            fake.answering = fails_while_the_budget_shrinks
            answered = await served.chat(model="gpt-4o")
            assert answered.headers["x-breakeven-decision"].startswith("gpt-4o-mini@fake; degraded")
            cost = int(answered.headers["x-breakeven-cost-nano-usd"])
            assert await served.ledger.flush()
            found = [(row["attempt"], row["served_model"], row["effective_nano_usd"]) for row in rows(served.path)]
            assert found == [(1, "gpt-4o", 0), (2, "gpt-4o-mini", cost)]
            assert cost > 0

    asyncio.run(run())
