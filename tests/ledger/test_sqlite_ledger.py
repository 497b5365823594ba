"""Holds and settlements: one number enforced, stored and recomputed; nothing admitted that does not fit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError, Unavailable
from breakeven.ledger import keys, waiting
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.ledger_store import Hold
from breakeven.ledger.policy_cache import LOOK_FOR_UNKNOWN_S
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Admission
from breakeven.stores import sqlite
from ledger.ledgers import (
    AT_NS,
    KEY,
    SCOPES,
    TENANT,
    USER,
    budget,
    entry,
    recomputed,
    rows,
    stored_budget,
    summed,
)

DAY_NS = 86_400_000_000_000


def is_hold(answer: Hold | Admission) -> bool:
    return not isinstance(answer, Admission)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "breakeven.db"


def serving(path: Path, body: Callable[[SqliteLedger], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run ``body`` with an open ledger, then close it."""

    async def run() -> None:
        ledger = SqliteLedger.open(path, **options)
        try:
            await body(ledger)
        finally:
            await ledger.close()

    asyncio.run(run())


async def held(ledger: SqliteLedger, request_id: str, bound: int, at_ns: int = AT_NS, attempt: int = 1) -> Hold:
    answer = await ledger.hold(request_id, SCOPES, bound, at_ns, attempt=attempt)
    assert not isinstance(answer, Admission), answer
    return answer


def test_five_hundred_at_once_admit_exactly_what_fits(path: Path) -> None:
    limit, bound, cost = 10_007, 100, 37
    stored_budget(path, budget(TENANT, limit), budget(USER, limit + 5), budget(KEY, limit * 2))
    admitted: list[str] = []

    async def request(ledger: SqliteLedger, name: str) -> None:
        while isinstance(answer := await ledger.hold(name, SCOPES, bound, AT_NS), Admission):
            if answer.verdict != "wait" or not await ledger.wait_for_room(answer, 30):
                return
        admitted.append(name)
        await asyncio.sleep(0)
        await ledger.settle(answer, entry(name, cost))

    async def body(ledger: SqliteLedger) -> None:
        await asyncio.gather(*(request(ledger, f"r{n}") for n in range(500)))
        assert len(admitted) == (limit - bound) // cost + 1
        assert admitted == [f"r{n}" for n in range(len(admitted))]  # first come, first served
        account = ledger.account(budget(TENANT, 0).budget_id)
        assert account is not None
        assert (account.spent_nano_usd, account.reserved_nano_usd) == (len(admitted) * cost, 0)
        assert account.spent_nano_usd <= limit
        assert (ledger.holds_count, ledger.holds_nano_usd) == (0, 0)

    serving(path, body)
    assert len(rows(path)) == len(admitted)
    assert summed(path) == recomputed(path)


def test_all_scopes_are_held_or_none(path: Path) -> None:
    stored_budget(path, budget(TENANT, 1_000), budget(USER, 99))

    async def body(ledger: SqliteLedger) -> None:
        answer = await ledger.hold("r1", SCOPES, 100, AT_NS)
        assert isinstance(answer, Admission)
        assert answer.verdict == "refuse"
        assert answer.budget is not None
        assert answer.budget.scope == USER
        tenant = ledger.account(budget(TENANT, 0).budget_id)
        assert tenant is not None
        assert tenant.reserved_nano_usd == 0

    serving(path, body)


def test_what_is_free_passes_a_spent_budget(path: Path) -> None:
    stored_budget(path, budget(TENANT, 0))

    async def body(ledger: SqliteLedger) -> None:
        assert is_hold(await ledger.hold("r1", SCOPES, 0, AT_NS))
        assert not is_hold(await ledger.hold("r2", SCOPES, 1, AT_NS))

    serving(path, body)


def test_a_hold_counts_in_the_window_that_it_was_placed_in(path: Path) -> None:
    stored_budget(path, budget(TENANT, 1_000, "day"))

    async def body(ledger: SqliteLedger) -> None:
        hold = await held(ledger, "r1", 900)
        late = await held(ledger, "r2", 1_000, AT_NS + DAY_NS)  # a new day: all of it is there
        await ledger.settle(hold, entry("r1", 900))
        account = ledger.account(budget(TENANT, 0, "day").budget_id)
        assert account is not None
        assert (account.spent_nano_usd, account.reserved_nano_usd) == (0, 1_000)
        await ledger.settle(late, entry("r2", 10))
        # The clock goes back a day: the window that was left stays left.
        assert not is_hold(await ledger.hold("r3", SCOPES, 991, AT_NS))
        assert is_hold(await ledger.hold("r4", SCOPES, 990, AT_NS))

    serving(path, body)
    assert summed(path) == recomputed(path)


def test_a_rolling_window_forgets_what_left_it(path: Path) -> None:
    stored_budget(path, budget(TENANT, 1_000, "2d"))

    async def body(ledger: SqliteLedger) -> None:
        await ledger.settle(await held(ledger, "r1", 600), entry("r1", 600))
        await ledger.settle(await held(ledger, "r2", 300, AT_NS + DAY_NS), entry("r2", 300))
        long = await held(ledger, "r3", 50, AT_NS + DAY_NS)
        account = ledger.account(budget(TENANT, 0, "2d").budget_id)
        assert account is not None
        await ledger.settle(await held(ledger, "r4", 0, AT_NS + 2 * DAY_NS), entry("r4", 0))
        assert (account.spent_nano_usd, account.reserved_nano_usd) == (300, 50)
        await ledger.settle(long, entry("r3", 40))
        assert (account.spent_nano_usd, account.reserved_nano_usd) == (340, 0)
        await held(ledger, "r5", 0, AT_NS + 4 * DAY_NS)
        assert account.spent_nano_usd == 0

    serving(path, body)


def test_attempts_that_failed_but_were_billed_cannot_overspend(path: Path) -> None:
    stored_budget(path, budget(TENANT, 100))

    async def body(ledger: SqliteLedger) -> None:
        await ledger.settle(await held(ledger, "r1", 80), entry("r1", 15))
        hold = await held(ledger, "r1", 80, attempt=2)  # 15 spent, 80 held: there is room
        with pytest.raises(ValueError, match="is not attempt 2"):
            await ledger.settle(hold, entry("r1", 1, attempt=1))
        await ledger.settle(hold, entry("r1", 15, attempt=2))
        refused = await ledger.hold("r1", SCOPES, 80, AT_NS, attempt=3)
        assert isinstance(refused, Admission)
        assert refused.verdict == "refuse"
        hold = await held(ledger, "r1", 70, attempt=3)
        await ledger.settle(hold, entry("r1", 70, attempt=3))
        account = ledger.account(budget(TENANT, 0).budget_id)
        assert account is not None
        assert (account.spent_nano_usd, account.reserved_nano_usd) == (100, 0)
        with pytest.raises(ValueError, match="open"):
            await ledger.release(hold)

    serving(path, body)
    assert [(row["attempt"], row["first"]) for row in rows(path)] == [(1, 1), (2, 0), (3, 0)]


def test_a_small_request_does_not_overtake_one_that_waits(path: Path) -> None:
    stored_budget(path, budget(TENANT, 100))
    order: list[str] = []

    async def request(ledger: SqliteLedger, name: str, bound: int) -> None:
        while isinstance(answer := await ledger.hold(name, SCOPES, bound, AT_NS), Admission):
            assert await ledger.wait_for_room(answer, 5)
        order.append(name)
        await ledger.release(answer)

    async def body(ledger: SqliteLedger) -> None:
        first = await held(ledger, "r0", 60)
        large = asyncio.create_task(request(ledger, "large", 90))
        await asyncio.sleep(0)
        small = asyncio.create_task(request(ledger, "small", 10))
        await asyncio.sleep(0.01)
        assert order == []
        await ledger.release(first)
        await asyncio.gather(large, small)
        assert order == ["large", "small"]

    serving(path, body)


def test_who_gives_up_waiting_blocks_nobody(path: Path) -> None:
    stored_budget(path, budget(TENANT, 100))

    async def body(ledger: SqliteLedger) -> None:
        first = await held(ledger, "r0", 60)
        answer = await ledger.hold("gone", SCOPES, 90, AT_NS)
        assert isinstance(answer, Admission)
        gone = asyncio.create_task(ledger.wait_for_room(answer, 60))
        await asyncio.sleep(0)
        other = await ledger.hold("next", SCOPES, 50, AT_NS)
        assert isinstance(other, Admission)
        waiting = asyncio.create_task(ledger.wait_for_room(other, 60))
        await asyncio.sleep(0)
        await ledger.release(first)  # calls "gone", which never asks
        assert await gone
        assert await asyncio.wait_for(waiting, 1)
        await ledger.release(await held(ledger, "next", 50))
        impatient = await held(ledger, "r1", 100)
        late = await ledger.hold("late", SCOPES, 1, AT_NS)
        assert isinstance(late, Admission)
        assert not await ledger.wait_for_room(late, 0.01)
        await ledger.release(impatient)
        assert is_hold(await ledger.hold("r2", SCOPES, 100, AT_NS))

    serving(path, body)


def test_a_second_process_is_refused(path: Path) -> None:
    async def body(ledger: SqliteLedger) -> None:
        with pytest.raises(Unavailable, match="in use"):
            SqliteLedger.open(path)

    serving(path, body)


def test_keys_and_budgets_of_another_process_are_seen_at_once(path: Path) -> None:
    new = keys.new_key("acme", user="alice")

    async def body(ledger: SqliteLedger) -> None:
        assert await ledger.key(keys.digest(new.secret)) is None
        await asyncio.sleep(0.01)
        with opened(path) as connection:
            keys.create(connection, new)
        assert await ledger.key(keys.digest(new.secret)) == new.key
        # A budget counts what was held before it was known.
        hold = await held(ledger, "r1", 70)
        stored_budget(path, budget(TENANT, 100))
        with opened(path) as connection:
            revoked = keys.revoke(connection, new.key.key_id)
        await asyncio.sleep(0.06)
        assert await ledger.key(keys.digest(new.secret)) == revoked
        assert not is_hold(await ledger.hold("r2", SCOPES, 31, AT_NS))
        await ledger.settle(hold, entry("r1", 70))
        account = ledger.account(budget(TENANT, 0).budget_id)
        assert account is not None
        assert (account.spent_nano_usd, account.reserved_nano_usd) == (70, 0)

    serving(path, body)


def test_a_locked_database_delays_and_loses_nothing(path: Path) -> None:
    stored_budget(path, budget(TENANT, 10**9))

    async def body(ledger: SqliteLedger) -> None:
        with closing(sqlite.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            for n in range(20):
                await ledger.settle(await held(ledger, f"r{n}", 10), entry(f"r{n}", 7))
            await asyncio.sleep(0.7)
            assert ledger.health().failure is not None
            await ledger.settle(await held(ledger, "degraded", 10), entry("degraded", 7))
            assert ledger.health().degraded_holds == 1
            other.execute("ROLLBACK")
        await asyncio.sleep(0.3)
        assert await ledger.flush()
        assert ledger.health().failure is None
        assert len(rows(path)) == 21

    serving(path, body)
    assert summed(path) == recomputed(path)


def test_where_deny_is_declared_a_locked_database_refuses(path: Path) -> None:
    async def body(ledger: SqliteLedger) -> None:
        with closing(sqlite.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            under_way = await held(ledger, "r1", 10)
            await ledger.settle(await held(ledger, "r2", 10), entry("r2", 7))
            await asyncio.sleep(0.7)
            with pytest.raises(Unavailable, match="cannot be written"):
                await ledger.hold("r3", SCOPES, 10, AT_NS)
            await ledger.settle(under_way, entry("r1", 7))
            other.execute("ROLLBACK")
        await asyncio.sleep(0.3)
        assert await ledger.flush()
        assert len(rows(path)) == 2

    serving(path, body, mode="deny")


def test_a_ledger_that_is_moved_away_delays_and_loses_nothing(path: Path) -> None:
    stored_budget(path, budget(TENANT, 10**9))
    away = path.with_name("away.db")

    async def body(ledger: SqliteLedger) -> None:
        await ledger.settle(await held(ledger, "r1", 10), entry("r1", 7))
        assert await ledger.flush()
        path.rename(away)
        await ledger.settle(await held(ledger, "r2", 10), entry("r2", 7))
        await asyncio.sleep(0.1)
        assert "no file" in str(ledger.health().failure)
        await ledger.settle(await held(ledger, "r3", 10), entry("r3", 7))
        away.rename(path)
        await asyncio.sleep(0.3)
        assert await ledger.flush()
        assert ledger.health().failure is None

    serving(path, body)
    assert [row["request_id"] for row in rows(path)] == ["r1", "r2", "r3"]
    assert summed(path) == recomputed(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"effective_nano_usd": -1},
        {"effective_nano_usd": 2**63},
        {"baseline_nano_usd": 10**16},
        {"usage": Usage(input_tokens=2**62)},
        {"duration_s": float("nan")},
        {"ttft_s": float("nan")},
    ],
)
def test_what_no_table_holds_is_refused_before_it_is_journaled(path: Path, wrong: dict[str, Any]) -> None:
    async def body(ledger: SqliteLedger) -> None:
        hold = await held(ledger, "r1", 10)
        with pytest.raises(ValueError, match="cannot have"):
            await ledger.settle(hold, entry("r1", **wrong))
        await ledger.settle(hold, entry("r1", 7))
        assert await ledger.flush()

    serving(path, body)
    assert [row["effective_nano_usd"] for row in rows(path)] == [7]


def test_a_request_that_may_cost_a_fortune_is_refused(path: Path) -> None:
    async def body(ledger: SqliteLedger) -> None:
        with pytest.raises(InputError, match="1,000,000"):
            await ledger.hold("r1", SCOPES, 2**70, AT_NS)
        assert ledger.holds_count == 0

    serving(path, body)


def test_a_flood_of_wrong_keys_costs_few_looks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(ledger: SqliteLedger) -> None:
        looks = 0
        look = ledger._policy.look

        def counted() -> None:
            nonlocal looks
            looks += 1
            look()

        monkeypatch.setattr(ledger._policy, "look", counted)
        started_s = time.monotonic()
        found = await asyncio.gather(*(ledger.key(keys.digest(f"sk-be-{n}")) for n in range(20_000)))
        assert set(found) == {None}
        assert looks <= (time.monotonic() - started_s) / LOOK_FOR_UNKNOWN_S + 1

    serving(path, body)


def test_observers_hear_each_entry_once_when_it_is_recorded(path: Path) -> None:
    heard: list[tuple[str, int]] = []

    async def body(ledger: SqliteLedger) -> None:
        ledger.observers.append(lambda each: heard.append((each.request_id, each.attempt)))
        await ledger.settle(await held(ledger, "r1", 10), entry("r1"))
        await ledger.settle(await held(ledger, "r1", 10, attempt=2), entry("r1", attempt=2))
        await ledger.release(await held(ledger, "r2", 10))

    serving(path, body)
    assert heard == [("r1", 1), ("r1", 2)]


def test_a_full_line_tells_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LINE_LENGTH", 2)
    stored_budget(path, budget(TENANT, 100))

    async def body(ledger: SqliteLedger) -> None:
        first = await held(ledger, "r0", 100)
        answers = [await ledger.hold(f"r{n}", SCOPES, 10, AT_NS) for n in (1, 2, 3)]
        waits = [asyncio.create_task(ledger.wait_for_room(answer, 30)) for answer in answers[:2]]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert not await ledger.wait_for_room(answers[2], 30)  # type: ignore[arg-type]
        await ledger.release(first)
        assert await asyncio.wait_for(waits[0], 1)

    serving(path, body)
