"""A cache file: opened, measured and flushed, whether or not processes serve from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from breakeven.cache.schema import STEPS
from breakeven.errors import InputError
from breakeven.policy.cache_key import tenant_tag
from breakeven.stores import sqlite

SLICE_ROWS: Final = 500
"""The most answers that one transaction deletes, so that no other process waits long for its turn."""

EVERYONE: Final = ""
"""The epoch of all tenants together; no tenant has an empty name."""

WAL_BYTES: Final = 8 << 20
"""To this the write-ahead log is cut back once it has been carried over."""


def connect(path: Path, *, create: bool = False, busy_timeout_s: float) -> sqlite3.Connection:
    """Open a cache file at its newest schema.

    Opening waits for other processes as with any file of ours; what is done with it, ``busy_timeout_s``. A commit is
    not synced to disk by itself: after a power cut the last ones may be missing, and the file is sound.

    Raises:
        InputError: there is no such file and ``create`` is false, or it is no cache.
        Unavailable: it cannot be used now.
    """
    connection = sqlite.connect(path, create=create)
    try:
        sqlite.upgrade(connection, path, STEPS, sqlite.CACHE_ID)
        with sqlite.reported(path):
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            connection.execute(f"PRAGMA busy_timeout = {int(busy_timeout_s * 1_000)}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A cache file for a command; SQLite's errors within the block come out as ours.

    Raises:
        InputError: there is no such file, or it is no cache.
        Unavailable: it cannot be used now.
    """
    if not path.exists():
        raise InputError(f"no cache at {path}", cause="a gateway makes it when it first remembers an answer")
    with closing(connect(path, busy_timeout_s=sqlite.BUSY_TIMEOUT_S)) as connection, sqlite.reported(path):
        yield connection


def epoch(connection: sqlite3.Connection, tenant: str) -> int:
    """How often a tenant's answers were flushed: alone, or with everyone's. It only ever grows."""
    query = "SELECT coalesce(sum(epoch), 0) FROM epochs WHERE tenant IN (?, ?)"
    return int(connection.execute(query, (tenant, EVERYONE)).fetchone()[0])


def used_bytes(connection: sqlite3.Connection) -> int:
    """How much of the file is in use, by its own header: no row is read for it."""
    pages, free, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """A flush: whose answers (None: everyone's), their epoch from now on, and how many were deleted.

    A server deletes them itself, when they expire; then ``answers`` is None.
    """

    tenant: str | None
    epoch: int
    answers: int | None


def flush(connection: sqlite3.Connection, tenant: str | None = None) -> Flushed:
    """Forget a tenant's answers, or everyone's.

    From the first statement on none is found any more, however many there are. Then they are deleted, some at a time,
    and overwritten: nobody finds them in the file.
    """
    name = EVERYONE if tenant is None else tenant
    with sqlite.transaction(connection):
        connection.execute(
            "INSERT INTO epochs VALUES (?, 1) ON CONFLICT (tenant) DO UPDATE SET epoch = epoch + 1", (name,)
        )
        newest = connection.execute("SELECT max(id) FROM answers").fetchone()[0] or 0
    connection.execute("PRAGMA secure_delete = ON")
    first, last = (b"", b"\xff" * 64) if tenant is None else _bounds(tenant)
    deleted = 0
    while slice_rows := _delete_slice(connection, (first, last, newest)):
        deleted += slice_rows
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Flushed(tenant=tenant, epoch=epoch(connection, name), answers=deleted)


def _delete_slice(connection: sqlite3.Connection, within: tuple[bytes, bytes, int]) -> int:
    query = "DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE key >= ? AND key < ? AND id <= ? LIMIT ?)"
    with sqlite.transaction(connection):
        return connection.execute(query, (*within, SLICE_ROWS)).rowcount


def _bounds(tenant: str) -> tuple[bytes, bytes]:
    tag = tenant_tag(tenant)
    return tag, tag + b"\xff" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """What is in a cache file. Moments are seconds since 1970; None where there is no answer."""

    answers: int
    expired: int
    used_bytes: int
    file_bytes: int
    least_used_at_s: int | None
    next_expiry_s: int | None
    epochs: tuple[tuple[str, int], ...]


def stats(connection: sqlite3.Connection, path: Path, now_s: int) -> CacheStats:
    """Count what is in a file; the tenants that were ever flushed with their epochs, everyone's by the name ""."""
    with sqlite.snapshot(connection):
        answers = connection.execute("SELECT count(*) FROM answers").fetchone()[0]
        expired = connection.execute("SELECT count(*) FROM answers WHERE expires_at_s <= ?", (now_s,)).fetchone()[0]
        used, expiry = connection.execute(
            "SELECT (SELECT min(used_at_s) FROM answers), (SELECT min(expires_at_s) FROM answers)"
        ).fetchone()
        epochs = connection.execute("SELECT tenant, epoch FROM epochs ORDER BY tenant").fetchall()
        return CacheStats(
            answers=answers,
            expired=expired,
            used_bytes=used_bytes(connection),
            file_bytes=path.stat().st_size,
            least_used_at_s=used,
            next_expiry_s=expiry,
            epochs=tuple(epochs),
        )
