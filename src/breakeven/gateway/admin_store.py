"""The ledger as the admin API reads and changes it: beside the event loop, and in force before the answer leaves."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from breakeven.ledger.ledger_file import opened
from breakeven.ledger.sqlite_ledger import SqliteLedger

Result = TypeVar("Result")


class AdminStore:
    """Runs work on a connection of its own, in a thread."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self.ledger = ledger

    async def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """The result of some queries.

        Raises:
            BreakevenError: of the work; `Unavailable` where the ledger cannot be read.
        """

        def run() -> Result:
            with opened(self.ledger.path) as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    async def change(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """The result of a change of keys or budgets, which is enforced when this returns.

        ``work`` commits what it changes.

        Raises:
            BreakevenError: of the work; `Unavailable` where the ledger cannot be written.
        """
        changed = await self.read(work)
        self.ledger.look()
        return changed
