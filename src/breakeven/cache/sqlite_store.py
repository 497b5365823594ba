"""Answers in a SQLite file, behind those in memory: many processes of one machine may share it.

A lookup that memory does not answer reads the file on the event loop: one row by its key, about ten microseconds, which
is less than handing it to a thread. It never waits for a writer, and whatever goes wrong is a miss.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Final

from breakeven.cache import cache_file
from breakeven.cache.counters import CacheCounters
from breakeven.cache.memory import MemoryFront
from breakeven.cache.packing import unpacked
from breakeven.cache.response_store import StoredAnswer
from breakeven.cache.sqlite_writer import CacheWriter
from breakeven.errors import BreakevenError

DEFAULT_MAX_BYTES: Final = 1 << 30
DEFAULT_MEMORY_BYTES: Final = 64 << 20
EPOCH_S: Final = 0.5
"""How long an epoch is believed, so that a flush by another process is seen within a second."""

_MOST_EPOCHS: Final = 10_000
_GET: Final = "SELECT answer FROM answers WHERE key = ?"


class SqliteStore:
    """A `ResponseStore` of one file."""

    def __init__(self, path: Path, connection: sqlite3.Connection, max_bytes: int, memory_bytes: int) -> None:
        self.counters = CacheCounters()
        self.memory = MemoryFront(memory_bytes)
        self._path, self._connection = path, connection
        self._writer = CacheWriter(path, max_bytes, self.counters)
        self._file = self._writer.file
        self._epochs: dict[str, tuple[float, int | None]] = {}

    @classmethod
    def open(
        cls, path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, memory_bytes: int = DEFAULT_MEMORY_BYTES
    ) -> SqliteStore:
        """Open a file, or make it; it is its owner's to read alone.

        ``max_bytes`` bounds what is in use in it, ``memory_bytes`` what is kept in this process.

        Raises:
            InputError: it is no cache file, or is damaged.
            Unavailable: it cannot be used now.
        """
        return cls(path, cache_file.connect(path, create=True, busy_timeout_s=0), max_bytes, memory_bytes)

    async def get(self, key: bytes, now_ns: int) -> StoredAnswer | None:
        """The answer with this key, if it is there and has not expired."""
        answer = self.memory.get(key, now_ns)
        if answer is not None:
            self.counters.memory_hits += 1
        else:
            answer = self._read(key)
            if answer is None or answer.expires_at_ns <= now_ns:
                self.counters.misses += 1
                return None
            self.counters.store_hits += 1
            self.memory.put(key, answer)
        self._writer.touch(key)
        return answer

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep an answer in memory at once, and in the file soon."""
        self.memory.put(key, answer)
        self._writer.put(key, answer)

    async def epoch(self, tenant: str) -> int | None:
        """How often a tenant's answers were flushed, as of half a second ago at most; None where it cannot be read."""
        now_s = time.monotonic()
        until_s, known = self._epochs.get(tenant, (0.0, None))
        if now_s < until_s:
            return known
        try:
            known = cache_file.epoch(self._connected(), tenant)
        except (sqlite3.Error, BreakevenError):
            known = None
            self.counters.read_errors += 1
        if len(self._epochs) >= _MOST_EPOCHS:
            self._epochs.clear()
        self._epochs[tenant] = now_s + EPOCH_S, known
        return known

    async def close(self) -> None:
        """Write what is waiting, and end."""
        await asyncio.to_thread(self._writer.stop)
        self._connection.close()

    @property
    def failure(self) -> str | None:
        """Why nothing could be written last; None where it could."""
        return self._writer.failure

    def _read(self, key: bytes) -> StoredAnswer | None:
        try:
            row = self._connected().execute(_GET, (key,)).fetchone()
        except (sqlite3.Error, BreakevenError):
            self.counters.read_errors += 1
            return None
        if row is None:
            return None
        answer = unpacked(row[0])
        if answer is None:
            self.counters.read_errors += 1
        return answer

    def _connected(self) -> sqlite3.Connection:
        """The file that the writer writes to: where that is another one now, this reads from it too."""
        if self._file != self._writer.file:
            connection = cache_file.connect(self._path, busy_timeout_s=0)
            self._connection.close()
            self._connection, self._file = connection, self._writer.file
            self._epochs.clear()
            self.memory = MemoryFront(self.memory.max_bytes)  # a new file counts its flushes anew
        return self._connection
