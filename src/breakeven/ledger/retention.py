"""Old entries deleted while requests are served; what they came to stays in the rollups, so totals do not change."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from threading import Event
from typing import Final

from breakeven.ledger.recording import slot_s
from breakeven.ledger.totals import PRUNED_BEFORE
from breakeven.policy.window import NS_PER_S
from breakeven.stores.sqlite import transaction

BATCH_ROWS: Final = 2_000
"""The most entries deleted in one transaction, so that nobody waits for long."""

PAUSE_S: Final = 0.005
"""Time between two transactions in which a serving process can commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many entries were deleted, and the moment before which none is left."""

    entries: int
    before_ns: int


def prune(connection: sqlite3.Connection, before_ns: int, stopped: Event | None = None) -> Pruned:
    """Delete the entries that count before a moment, rounded down to 15 minutes; where it is stopped, only some.

    Raises:
        sqlite3.Error: it stopped on the way; what was deleted stays deleted, and sums are as they were.
    """
    before_ns = slot_s(before_ns) * NS_PER_S
    with transaction(connection):
        connection.execute(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            (PRUNED_BEFORE, before_ns),
        )
    stopped = stopped or Event()
    deleted = 0
    while True:
        with transaction(connection):
            found = connection.execute(
                "DELETE FROM entries WHERE rowid IN"
                " (SELECT rowid FROM entries WHERE counted_at_ns < ? ORDER BY counted_at_ns LIMIT ?)",
                (before_ns, BATCH_ROWS),
            ).rowcount
        deleted += found
        if found < BATCH_ROWS or stopped.wait(PAUSE_S):
            return Pruned(entries=deleted, before_ns=before_ns)
