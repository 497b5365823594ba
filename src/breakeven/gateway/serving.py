"""Serve until stopped: the ledger is opened, the gateway runs in one event loop, and both are closed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from breakeven.gateway.event_loop import run_loop
from breakeven.gateway.gateway import Gateway, Reload
from breakeven.gateway.listening import Listening
from breakeven.gateway.logs import EntryLog
from breakeven.ledger.sqlite_ledger import SqliteLedger


def serve_until_stopped(
    at: Listening,
    ledger: Path,
    read: Reload,
    admin_secret: str,
    ready: Callable[[str], None],
    entry_log: EntryLog | None = None,
) -> None:
    """Run one gateway on this machine until SIGTERM or SIGINT. ``entry_log`` gets a line for each attempt.

    Raises:
        BreakevenError: the configuration is wrong, the ledger is in use or cannot be opened, or the port is taken.
    """
    configured = read()

    async def run() -> None:
        store = SqliteLedger.open(ledger, mode=configured.config.gateway.ledger_unavailable)
        if entry_log is not None:
            store.observers.append(entry_log.observe)
        try:
            await Gateway(configured, store, admin_secret, read).run(at, ready)
        finally:
            await store.close()
            if entry_log is not None:
                entry_log.flush()

    run_loop(run())
