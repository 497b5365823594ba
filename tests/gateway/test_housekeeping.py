"""Beside requests: budgets that are nearly spent are told once a window, and old entries go."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from breakeven.gateway.budget_watch import BudgetWatch
from breakeven.gateway.housekeeping import Housekeeping
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.recording import Recorder, Settled
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Budget, BudgetState, OnExceed
from breakeven.policy.scope import Scope
from breakeven.policy.window import parse_window
from ledger.ledgers import SCOPES, entry

DAY_NS = 86_400 * 10**9


class Standings:
    """A ledger of which only what was spent is asked."""

    def __init__(self, window: str, limit: int = 100, on_exceed: OnExceed = "alert") -> None:
        self._budget = Budget(
            budget_id="bud",
            scope=Scope("acme", "user", "alice"),
            limit_nano_usd=limit,
            window=parse_window(window),
            on_exceed=on_exceed,
        )
        self.spent = 0

    def standings(self) -> tuple[BudgetState, ...]:
        return (BudgetState(budget=self._budget, spent_nano_usd=self.spent, reserved_nano_usd=0),)


def told(caplog: pytest.LogCaptureFixture, window: str, spent: list[tuple[int, int]], limit: int = 100) -> list[bool]:
    """Whether each look, at a day and with so much spent, logged something."""
    ledger, days = Standings(window, limit), [0]
    watch = BudgetWatch(ledger, lambda: days[0] * DAY_NS)  # type: ignore[arg-type]
    found = []
    for day, amount in spent:
        days[0], ledger.spent = day, amount
        caplog.clear()
        watch.look()
        found.append(bool(caplog.records))
    return found


def test_each_level_is_told_once_in_a_window(caplog: pytest.LogCaptureFixture) -> None:
    looks = [(0, 79), (0, 80), (0, 99), (0, 100), (0, 150), (1, 85), (1, 86)]
    assert told(caplog, "day", looks) == [False, True, False, True, False, True, False]


def test_a_rolling_window_is_told_again_after_it_was_below(caplog: pytest.LogCaptureFixture) -> None:
    looks = [(0, 90), (1, 90), (2, 100), (3, 90), (4, 10), (5, 90)]
    assert told(caplog, "30d", looks) == [True, False, True, False, False, True]


def test_a_budget_of_nothing_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    assert told(caplog, "day", [(0, 0), (0, 5)], limit=0) == [False, False]


def test_the_sentence_names_the_budget_and_what_follows(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Standings("month", 10**9, "refuse")
    ledger.spent = 850_000_000
    with caplog.at_level(logging.WARNING):
        BudgetWatch(ledger).look()  # type: ignore[arg-type]
    (record,) = caplog.records
    assert record.getMessage() == (
        "budget 'user:alice' of 'acme': $0.8500 of $1.0000 are spent in its window (month, UTC); "
        "requests beyond it are refused"
    )


def test_entries_go_after_their_days_and_totals_stay(tmp_path: Path) -> None:
    path, now_ns = tmp_path / "ledger.db", time.time_ns()
    ages = (now_ns - 40 * DAY_NS, now_ns - DAY_NS)
    settled = [
        Settled(sequence=n, entry=entry(f"req_{n}"), at_ns=at_ns, scopes=SCOPES, first=True)
        for n, at_ns in enumerate(ages, start=1)
    ]
    with opened(path, create=True) as connection:
        Recorder(connection).record(settled, committed=2, floor=2)
    for days, left in ((None, 2), (30, 1), (30, 1)):
        asyncio.run(sweep(path, days))
        with opened(path) as connection:
            assert connection.execute("SELECT count(*) FROM entries").fetchone() == (left,)
            assert connection.execute("SELECT sum(attempts) FROM rollups").fetchone() == (2,)


async def sweep(path: Path, days: int | None) -> None:
    ledger = SqliteLedger.open(path)
    try:
        Housekeeping(ledger, days).prune()
    finally:
        await ledger.close()
