"""Budgets in the ledger: set, removed, and listed with what is spent, held and left."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from breakeven.errors import InputError, UnknownName
from breakeven.ledger.keys import new_version
from breakeven.ledger.recording import COMMITTED, FLOOR, slot_s
from breakeven.ledger.recovery import JournalState, fact, journal_state
from breakeven.policy.budget import Budget, BudgetState
from breakeven.policy.scope import Scope
from breakeven.policy.window import FOREVER_NS, Window, parse_window
from breakeven.stores.sqlite import snapshot, transaction

LARGEST_NANO_USD: Final = 10**18
"""A billion dollars: sums of amounts up to it stay whole numbers of 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChange:
    """A budget that is no longer as it was; ``removed`` says that it is gone."""

    budget: Budget
    removed: bool


def budget_id(scope: Scope, window: Window) -> str:
    """One budget for a scope and window: setting it again replaces it."""
    text = "\0".join((*scope, window.text, window.timezone))
    return f"bud_{sha256(text.encode()).hexdigest()[:16]}"


def put(connection: sqlite3.Connection, budget: Budget) -> None:
    """Store a budget within the caller's transaction; one for the same scope and window is replaced.

    Raises:
        InputError: an amount or a share of it that makes no sense.
    """
    if not 0 <= budget.limit_nano_usd <= LARGEST_NANO_USD:
        raise InputError("a budget is between 0 and 1,000,000,000 US dollars", hint="state an amount such as 100")
    if not 0 < budget.alert_frac <= 1:
        raise InputError("a budget is reported from a share of it between 0 and 1", hint="--alert-frac 0.8")
    window = budget.window
    connection.execute(
        "INSERT INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT (budget_id) DO UPDATE SET"
        " limit_nano_usd = excluded.limit_nano_usd, on_exceed = excluded.on_exceed,"
        " alert_frac = excluded.alert_frac, removed = 0, changed = excluded.changed",
        (
            budget.budget_id,
            *budget.scope,
            budget.limit_nano_usd,
            window.text,
            window.timezone,
            budget.on_exceed,
            budget.alert_frac,
            new_version(connection),
        ),
    )


def set_budget(connection: sqlite3.Connection, budget: Budget) -> None:
    """Store a budget; one for the same scope and window is replaced.

    Raises:
        InputError: an amount or a share of it that makes no sense.
        sqlite3.Error: it was not stored.
    """
    with transaction(connection):
        put(connection, budget)


def remove(connection: sqlite3.Connection, identifier: str) -> Budget:
    """Take a budget away; what was spent stays in the ledger.

    Raises:
        UnknownName: there is no such budget.
    """
    with transaction(connection):
        query = f"SELECT {_COLUMNS} FROM budgets WHERE budget_id = ? AND NOT removed"  # noqa: S608
        row = connection.execute(query, (identifier,)).fetchone()
        if row is None:
            raise UnknownName(f"no budget {identifier!r}", hint="breakeven budget list")
        change = "UPDATE budgets SET removed = 1, changed = ? WHERE budget_id = ?"
        connection.execute(change, (new_version(connection), identifier))
    return _budget(row)


def changed_since(connection: sqlite3.Connection, version: int) -> Iterator[BudgetChange]:
    """Budgets that were set or removed after a version of the policy."""
    query = f"SELECT {_COLUMNS}, removed FROM budgets WHERE changed > ?"  # noqa: S608
    for row in connection.execute(query, (version,)):
        yield BudgetChange(budget=_budget(row), removed=bool(row[-1]))


def spent_nano_usd(connection: sqlite3.Connection, scope: Scope, start_ns: int, end_ns: int) -> int:
    """What the entries of a scope that count in [start, end) cost; the bounds are multiples of 15 minutes."""
    query = (
        "SELECT coalesce(sum(nano_usd), 0) FROM spending"
        " WHERE tenant = ? AND kind = ? AND name = ? AND slot_s >= ? AND slot_s < ?"
    )
    end_s = FOREVER_NS if end_ns == FOREVER_NS else slot_s(end_ns)
    return int(connection.execute(query, (*scope, slot_s(start_ns), end_s)).fetchone()[0])


def listed(
    connection: sqlite3.Connection, path: Path, at_ns: int, tenant: str | None = None
) -> tuple[BudgetState, ...]:
    """Every budget in its window at a moment. What is held, and not yet in SQLite, is read from the journal."""
    query = (
        f"SELECT {_COLUMNS} FROM budgets WHERE NOT removed AND (? IS NULL OR tenant = ?)"  # noqa: S608
        " ORDER BY tenant, kind, name, window, timezone"
    )
    with snapshot(connection):
        budgets = [_budget(row) for row in connection.execute(query, (tenant, tenant))]
        committed, floor = fact(connection, COMMITTED), fact(connection, FLOOR)
        journal = journal_state(path, committed=committed, floor=floor)
        return tuple(_state(connection, budget, at_ns, journal) for budget in budgets)


def _state(connection: sqlite3.Connection, budget: Budget, at_ns: int, journal: JournalState) -> BudgetState:
    start_ns, end_ns = budget.window.counted_bounds(at_ns)
    spent = spent_nano_usd(connection, budget.scope, start_ns, end_ns)
    spent += sum(
        settled.entry.effective_nano_usd
        for settled in journal.entries
        if start_ns <= settled.at_ns < end_ns and budget.scope in settled.scopes
    )
    reserved = sum(
        held.bound_nano_usd
        for held in journal.open_holds.values()
        if start_ns <= held.at_ns < end_ns and budget.scope in held.scopes
    )
    return BudgetState(budget=budget, spent_nano_usd=spent, reserved_nano_usd=reserved)


_COLUMNS: Final = "budget_id, tenant, kind, name, limit_nano_usd, window, timezone, on_exceed, alert_frac"


def _budget(row: tuple[Any, ...]) -> Budget:
    return Budget(
        budget_id=row[0],
        scope=Scope(row[1], row[2], row[3]),
        limit_nano_usd=row[4],
        window=parse_window(row[5], row[6]),
        on_exceed=row[7],
        alert_frac=row[8],
    )
