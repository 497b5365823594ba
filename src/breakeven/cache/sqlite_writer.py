"""One thread that writes to a cache file: answers in batches, which were used, and what is deleted to make room."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

from breakeven.cache import cache_file
from breakeven.cache.counters import CacheCounters
from breakeven.cache.memory import weight_bytes
from breakeven.cache.packing import packed
from breakeven.cache.response_store import StoredAnswer
from breakeven.stores import sqlite

GATHER_S: Final = 0.05
"""How long answers gather before they are written together."""

IDLE_S: Final = 1.0
"""How often expired answers are looked for where nothing else is to do."""

TOUCH_S: Final = 30.0
"""How often it is noted which answers were used."""

MOST_TOUCHED: Final = 100_000
BATCH_ROWS: Final = 500
MOST_WAITING_BYTES: Final = 64 << 20
"""What may wait for a disk that is slow or away; more is dropped."""

BUSY_S: Final = 0.5
NS_PER_S: Final = 1_000_000_000

_PUT: Final = """
INSERT INTO answers (key, expires_at_s, used_at_s, answer) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET expires_at_s = excluded.expires_at_s, used_at_s = excluded.used_at_s,
answer = excluded.answer
"""
_SLICE: Final = "DELETE FROM answers WHERE id IN (SELECT id FROM answers {} LIMIT 500)"
_EXPIRED: Final = _SLICE.format("WHERE expires_at_s <= ? ORDER BY expires_at_s")
_LEAST_USED: Final = _SLICE.format("ORDER BY used_at_s, id").replace("500", "100")


class CacheWriter:
    """The thread and its queue. Whatever fails is counted and tried again; nobody waits for it.

    ``file`` is which file it writes to: the one that has the path's name, whoever moved or deleted another.
    """

    def __init__(self, path: Path, max_bytes: int, counters: CacheCounters) -> None:
        self._path, self._max_bytes, self._counters = path, max_bytes, counters
        self._queue: deque[tuple[bytes, StoredAnswer]] = deque()
        self._put_bytes = self._taken_bytes = 0  # each is added to by one thread alone
        self._touched: set[bytes] = set()
        self._touched_at_s = time.monotonic()
        self._wake = threading.Event()
        self._stop = False
        self._connection: sqlite3.Connection | None = None
        self.failure: str | None = None
        self.file = _identity(path)
        self._thread = threading.Thread(target=self._run, name="cache-writer", daemon=True)
        self._thread.start()

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Take an answer, unless too much is waiting or it is more than an eighth of the room."""
        weight = weight_bytes(answer)
        if self._put_bytes - self._taken_bytes + weight > MOST_WAITING_BYTES or weight > self._max_bytes // 8:
            self._counters.dropped += 1
            return
        self._put_bytes += weight
        self._queue.append((key, answer))
        self._wake.set()

    def touch(self, key: bytes) -> None:
        """Note that an answer was used; beyond a bound it is not noted, and may make room early."""
        if len(self._touched) < MOST_TOUCHED:
            self._touched.add(key)

    def stop(self) -> None:
        """Write what is waiting, if the file takes it, and end the thread."""
        self._stop = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop:
            if self._wake.wait(IDLE_S) and not self._stop:
                time.sleep(GATHER_S)
            self._wake.clear()
            self._cycle()
            if self.failure is not None and not self._stop:
                time.sleep(IDLE_S)
        self._cycle()
        while self._queue and self.failure is None:
            self._cycle()
        self._disconnect()

    def _cycle(self) -> None:
        """One round of writing. A failure of any kind leaves what is waiting where it is."""
        try:
            connection = self._connected()
            self._write_batch(connection)
            self._note_used(connection)
            self._make_room(connection)
        except Exception as error:
            self.failure = str(error)
            self._counters.write_errors += 1
            self._disconnect()
        else:
            self.failure = None

    def _write_batch(self, connection: sqlite3.Connection) -> None:
        batch = [self._queue[place] for place in range(min(len(self._queue), BATCH_ROWS))]
        if not batch:
            return
        with sqlite.transaction(connection):
            connection.executemany(_PUT, [_row(key, answer) for key, answer in batch])
        for _, answer in batch:
            self._queue.popleft()
            self._taken_bytes += weight_bytes(answer)
        self._counters.written += len(batch)
        if self._queue:
            self._wake.set()

    def _note_used(self, connection: sqlite3.Connection) -> None:
        if time.monotonic() - self._touched_at_s < TOUCH_S or not self._touched:
            return
        self._touched_at_s = time.monotonic()
        touched, self._touched = self._touched, set()
        now_s = int(time.time())
        with sqlite.transaction(connection):
            connection.executemany(
                "UPDATE answers SET used_at_s = ? WHERE key = ?", [(now_s, key) for key in tuple(touched)]
            )

    def _make_room(self, connection: sqlite3.Connection) -> None:
        """Delete what has expired, some at a time, and what was used longest ago, until the rest fits."""
        now_s = int(time.time())
        soonest_s = connection.execute("SELECT min(expires_at_s) FROM answers").fetchone()[0]
        if soonest_s is not None and soonest_s <= now_s:
            self._counters.expired += _deleted(connection, _EXPIRED, now_s)
        while cache_file.used_bytes(connection) > self._max_bytes:
            evicted = _deleted(connection, _LEAST_USED)
            if not evicted:
                break
            self._counters.evicted += evicted

    def _connected(self) -> sqlite3.Connection:
        """The file that has the name now: where it was moved or deleted, another one, made anew if need be."""
        file = _identity(self._path)
        if self._connection is None or file != self.file:
            self._disconnect()
            self._connection = cache_file.connect(self._path, create=True, busy_timeout_s=BUSY_S)
            self.file = _identity(self._path)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _row(key: bytes, answer: StoredAnswer) -> tuple[bytes, int, int, bytes]:
    return key, answer.expires_at_ns // NS_PER_S, answer.stored_at_ns // NS_PER_S, packed(answer)


def _deleted(connection: sqlite3.Connection, query: str, *arguments: int) -> int:
    with sqlite.transaction(connection):
        return connection.execute(query, arguments).rowcount
