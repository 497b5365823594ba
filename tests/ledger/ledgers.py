"""What the ledger's tests share: entries, scopes and a ledger's own recomputation."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

from breakeven.catalog.usage import Usage
from breakeven.ledger import budgets
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.ledger_file import opened
from breakeven.policy.budget import Budget
from breakeven.policy.scope import Scope
from breakeven.policy.window import parse_window
from breakeven.stores import sqlite

AT_NS = 1_790_000_000_000_000_000
"""A moment in September 2026."""

TENANT = Scope("acme", "tenant", "acme")
USER = Scope("acme", "user", "alice")
KEY = Scope("acme", "key", "key_1")
MODEL = Scope("acme", "model", "gpt-4o-mini")
SCOPES = (TENANT, KEY, MODEL, USER)


def entry(request_id: str, cost_nano_usd: int = 0, **fields: Any) -> LedgerEntry:
    given: dict[str, Any] = {
        "request_id": request_id,
        "attempt": 1,
        "started_at_ns": AT_NS,
        "duration_s": 0.5,
        "ttft_s": 0.1,
        "tenant": "acme",
        "team": "",
        "user": "alice",
        "key_id": "key_1",
        "tags": (),
        "operation": "chat",
        "stream": False,
        "requested_model": "gpt-4o-mini",
        "served_model": "gpt-4o-mini",
        "deployment": "openai",
        "provider": "openai",
        "outcome": "ok",
        "http_status": 200,
        "usage": Usage(input_tokens=10, output_tokens=5),
        "usage_basis": "reported",
        "list_nano_usd": cost_nano_usd,
        "effective_nano_usd": cost_nano_usd,
        "baseline_nano_usd": cost_nano_usd,
        "price_source": "test",
        "price_date": "2026-09-01",
        "upstream_request_id": "up-1",
        "decision": "gpt-4o-mini@openai; requested",
    }
    return LedgerEntry(**{**given, **fields})


def budget(scope: Scope, limit_nano_usd: int, window: str = "total", timezone: str = "UTC", **fields: Any) -> Budget:
    parsed = parse_window(window, timezone)
    identifier = budgets.budget_id(scope, parsed)
    return Budget(budget_id=identifier, scope=scope, limit_nano_usd=limit_nano_usd, window=parsed, **fields)


def stored_budget(path: Path, *given: Budget) -> None:
    """Put budgets into a ledger as a command would."""
    with opened(path, create=True) as connection:
        for each in given:
            budgets.set_budget(connection, each)


def rows(path: Path) -> list[sqlite3.Row]:
    connection = sqlite.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(
            "SELECT entries.*, scopes FROM entries JOIN scope_sets USING (scope_set) ORDER BY entries.rowid"
        ).fetchall()
    finally:
        connection.close()


def recomputed(path: Path) -> Counter[tuple[Scope, int]]:
    """What each scope spent in each 15 minutes, from the entries alone."""
    spent: Counter[tuple[Scope, int]] = Counter()
    for row in rows(path):
        for scope in json.loads(row["scopes"]):
            spent[Scope(*scope), row["counted_at_ns"] // 900_000_000_000 * 900] += row["effective_nano_usd"]
    return spent


def summed(path: Path) -> Counter[tuple[Scope, int]]:
    """The same as the ledger keeps it."""
    connection = sqlite.connect(path)
    try:
        found = connection.execute("SELECT tenant, kind, name, slot_s, nano_usd FROM spending").fetchall()
    finally:
        connection.close()
    return Counter({(Scope(*row[:3]), row[3]): row[4] for row in found})
