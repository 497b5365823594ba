"""What a gateway does beside requests: it watches budgets, and deletes entries that need not be kept any longer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from threading import Event
from typing import Final

from breakeven.errors import BreakevenError
from breakeven.gateway.budget_watch import BudgetWatch
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.retention import Pruned, prune
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.window import NS_PER_S

LOG = logging.getLogger("breakeven.gateway")

WATCH_S: Final = 5.0
PRUNE_S: Final = 3_600.0
_DAY_NS: Final = 86_400 * NS_PER_S


async def _nothing() -> None:
    """Where nothing else has to be tidied up."""


class Housekeeping:
    """Runs until it is stopped. What goes wrong is logged, and tried again the next time.

    ``retention_days`` may be changed; ``tidy`` is done every few seconds.
    """

    def __init__(
        self, ledger: SqliteLedger, retention_days: int | None, tidy: Callable[[], Awaitable[None]] = _nothing
    ) -> None:
        self._ledger = ledger
        self._tidy = tidy
        self._watch = BudgetWatch(ledger)
        self.retention_days = retention_days
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = Event()

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._tasks.append(asyncio.create_task(_repeat(WATCH_S, self._look)))
        self._tasks.append(asyncio.create_task(_repeat(WATCH_S, self._tidy)))
        self._tasks.append(asyncio.create_task(_repeat(PRUNE_S, self._prune_in_thread)))

    def stop(self) -> None:
        """End; a deletion that is under way ends with its batch."""
        self._stopped.set()
        for task in self._tasks:
            task.cancel()

    def prune(self) -> Pruned | None:
        """Delete entries older than the configuration's ``retention_days``; None where they are kept for ever.

        Raises:
            Unavailable: the ledger cannot be written.
        """
        days = self.retention_days
        if days is None:
            return None
        with opened(self._ledger.path) as connection:
            return prune(connection, time.time_ns() - days * _DAY_NS, self._stopped)

    async def _look(self) -> None:
        self._watch.look()

    async def _prune_in_thread(self) -> None:
        pruned = await asyncio.to_thread(self.prune)
        if pruned is not None and pruned.entries:
            LOG.info("%s entries older than %s days were deleted", pruned.entries, self.retention_days)


async def _repeat(every_s: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except BreakevenError as error:
            LOG.warning("%s (%s)", error.message, error.cause or "no cause")
        await asyncio.sleep(every_s)
