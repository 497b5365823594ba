"""SQLite files: opened with the same settings everywhere, upgraded in place, and failing in words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from breakeven.errors import BreakevenError, InputError, Unavailable

BUSY_TIMEOUT_S: Final = 5.0
"""How long a statement waits for another process's write."""

CACHE_KIB: Final = 8 * 1024
"""Page cache of one connection: the same however large the file is."""

_MAGIC: Final = b"SQLite format 3\0"
LEDGER_ID: Final = 0x42455645  # "BEVE"
CACHE_ID: Final = 0x42454341  # "BECA"
"""What a file of ours is, so that another program's is told from it, and a cache from a ledger."""

_OURS: Final = {LEDGER_ID: "a ledger of Breakeven", CACHE_ID: "a cache of Breakeven"}

_NOT_OURS: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_MISMATCH})


def connect(path: Path, *, create: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Open a file in WAL mode, each transaction begun by hand and synced to disk when it commits.

    The connection may be handed to one other thread; it is used by one at a time.

    Raises:
        InputError: there is no such file and ``create`` is false, or it is no SQLite file.
        Unavailable: it cannot be opened now.
    """
    if not create and not path.exists():
        raise InputError(f"no file {path}", hint="check the path")
    if create:
        make_private(path)
    with reported(path):
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        try:
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def make_private(path: Path) -> None:
    """Make an empty file that only its owner can read, where there is none; SQLite's other files do as it does.

    Raises:
        Unavailable: it cannot be made.
    """
    try:
        # Exclusively: closing a file that a connection of this process has open would drop that connection's locks.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise Unavailable(f"cannot open {path}", cause=error.strerror, hint="check the path and its rights") from error


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")


def is_sqlite(path: Path) -> bool:
    """Whether a file begins as SQLite's files do; false where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what helps.

    Raises:
        InputError: the file is not a SQLite database, or is damaged.
        Unavailable: it is locked, full, read-only, or cannot be read.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(path, error) from error


def _in_words(path: Path, error: sqlite3.Error) -> BreakevenError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _NOT_OURS:
        return InputError(
            f"{path} is no SQLite file, or is damaged",
            cause=str(error),
            hint=f"restore the last backup, or name a file other than {path}",
        )
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Unavailable(f"{path} is locked", cause=str(error), hint="try again when the other process is done")
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(f"no room to write {path}", cause=str(error), hint="free disk space")
    return Unavailable(f"cannot use {path}", cause=str(error), hint="check the path and its permissions")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: committed at the end, rolled back by any exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """One read transaction: every query in it sees the same moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")


def upgrade(connection: sqlite3.Connection, path: Path, steps: Sequence[str], application_id: int = LEDGER_ID) -> int:
    """Bring a file to the newest schema, each step in a transaction of its own; returns the steps taken.

    Step number N makes version N of version N - 1. Two processes may do this at once: one waits for the other.

    Raises:
        InputError: the file is another program's or of another kind, or was written by a newer Breakeven.
        Unavailable: it cannot be written now.
    """
    taken = 0
    with reported(path):
        _check_owner(connection, path, application_id)
        while (found := _version(connection)) < len(steps):
            with transaction(connection):
                if _version(connection) == found:  # nobody else took the step meanwhile
                    _take(connection, steps[found], found + 1, application_id)
                    taken += 1
        if found > len(steps):
            raise InputError(
                f"{path} was written by a newer Breakeven",
                cause=f"its schema has version {found}; this program knows up to {len(steps)}",
                hint="upgrade breakeven, or name another file",
            )
    return taken


def _take(connection: sqlite3.Connection, step: str, version: int, application_id: int) -> None:
    for statement in filter(str.strip, step.split(";")):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {application_id}")
    connection.execute(f"PRAGMA user_version = {version}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_owner(connection: sqlite3.Connection, path: Path, application_id: int) -> None:
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != application_id and has_tables:
        named = _OURS.get(owner)
        raise InputError(
            f"{path} is {named}" if named else f"{path} is another program's SQLite file",
            cause="it has tables, and they are not those that are looked for",
            hint=f"name a file other than {path}",
        )
