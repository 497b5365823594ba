"""A ledger opened to read or to change keys and budgets, whether or not a process serves from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from breakeven.errors import InputError
from breakeven.ledger import file_lock, recovery
from breakeven.ledger.journal import segment_paths
from breakeven.ledger.schema import STEPS
from breakeven.stores import sqlite


@contextmanager
def opened(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """The ledger at its newest schema, with what a killed process left in its journal carried over.

    SQLite's errors within the block come out as ours.

    Raises:
        InputError: there is no such ledger and ``create`` is false, or the file is not one.
        Unavailable: it cannot be used now.
    """
    if not create and not path.exists():
        raise InputError(f"no ledger at {path}", hint=f"breakeven key create --tenant T --user U --ledger {path}")
    with closing(sqlite.connect(path, create=create)) as connection:
        sqlite.upgrade(connection, path, STEPS)
        if segment_paths(path):
            _recover(path, connection)
        with sqlite.reported(path):
            yield connection


def _recover(path: Path, connection: sqlite3.Connection) -> None:
    """Only where nobody has the lock: else the journal is in use."""
    lock = file_lock.take(path)
    if lock is not None:
        try:
            recovery.recover(path, connection)
        finally:
            lock.release()
