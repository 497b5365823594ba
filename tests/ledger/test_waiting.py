"""Waiting for room under any mix of sizes, cancellations and impatience: nobody is stuck, nothing is overspent."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from breakeven.ledger.ledger_store import Hold
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Admission
from breakeven.policy.scope import Scope
from ledger.ledgers import AT_NS, TENANT, budget, entry, recomputed, rows, stored_budget, summed

USERS = tuple(Scope("acme", "user", name) for name in ("alice", "bob", "carol"))
LIMITS = {TENANT: 30_000, USERS[0]: 14_000, USERS[1]: 9_000, USERS[2]: 40_000}


class Crowd:
    """Requests of all sizes; some give up, some are cancelled, some are called and never ask."""

    def __init__(self, ledger: SqliteLedger, seed: int) -> None:
        self.ledger = ledger
        self.chance = random.Random(seed)
        self.ends = Counter[str]()

    def left(self, scope: Scope) -> int:
        account = self.ledger.account(budget(scope, 0).budget_id)
        return LIMITS[scope] - (account.spent_nano_usd if account is not None else 0)

    async def request(self, name: str) -> None:
        await asyncio.sleep(self.chance.uniform(0, 0.05))
        scopes, bound = (TENANT, self.chance.choice(USERS)), self.chance.choice([0, 50, 200, 3_000])
        while isinstance(answer := await self.ledger.hold(name, scopes, bound, AT_NS), Admission):
            if answer.verdict == "refuse":
                assert min(self.left(scope) for scope in scopes) < bound  # no false refusal
                self.ends["refused"] += 1
                return
            if not await self.ledger.wait_for_room(answer, self.chance.choice([0.002, 10, 10])):
                self.ends["impatient"] += 1
                return
            if self.chance.random() < 0.05:
                self.ends["called and gone"] += 1
                return
        await self.serve(name, scopes[1], answer)

    async def serve(self, name: str, user: Scope, hold: Hold) -> None:
        try:
            await asyncio.sleep(self.chance.uniform(0, 0.004))
        except asyncio.CancelledError:
            await self.ledger.release(hold)
            raise
        if self.chance.random() < 0.1:
            await self.ledger.release(hold)
            self.ends["released"] += 1
        else:
            cost = self.chance.randint(0, hold.bound_nano_usd)
            await self.ledger.settle(hold, entry(name, cost, user=user.name))
            self.ends["settled"] += 1

    async def come_and_go(self) -> None:
        tasks = [asyncio.create_task(self.request(f"r{n}")) for n in range(400)]
        await asyncio.sleep(0.03)
        for task in self.chance.sample(tasks, 40):
            self.ends["cancelled"] += task.cancel()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 9)  # nobody waits those 10 s out
        assert [each for each in done if isinstance(each, Exception)] == []


@pytest.mark.parametrize("seed", range(6))
def test_nobody_is_stuck_and_nothing_is_overspent(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "breakeven.db"
    stored_budget(path, *(budget(scope, limit) for scope, limit in LIMITS.items()))

    async def body() -> Counter[str]:
        ledger = SqliteLedger.open(path)
        crowd = Crowd(ledger, seed)
        await crowd.come_and_go()
        assert (ledger.holds_count, ledger.holds_nano_usd) == (0, 0)
        await asyncio.sleep(0.06)  # turns of those who were called and went lapse
        for scope, limit in LIMITS.items():
            account = ledger.account(budget(scope, 0).budget_id)
            assert account is not None
            assert account.reserved_nano_usd == 0
            assert account.line is None or account.line.is_empty
            assert account.spent_nano_usd <= limit
        await ledger.close()
        return crowd.ends

    ends = asyncio.run(body())
    assert min(ends[end] for end in ("settled", "refused", "released", "cancelled")) > 0
    assert len(rows(path)) == ends["settled"]
    assert summed(path) == recomputed(path)
