"""One thread that carries journaled entries into SQLite: many in one transaction, synced to disk, within 50 ms."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

from breakeven.errors import Unavailable
from breakeven.ledger.journal import Journal, Segment
from breakeven.ledger.recording import Recorder, Settled
from breakeven.stores import sqlite

GATHER_S: Final = 0.02
"""The least time from one commit's beginning to the next's: what comes meanwhile is committed together."""

BATCH_ROWS: Final = 2_000
"""The most entries of one transaction."""

RETRY_S: Final = 0.1
"""How long to wait after a commit that failed."""

COMMIT_TIMEOUT_S: Final = 0.5
"""How long a commit waits for another process's lock before it is taken up anew."""


class GroupCommit:
    """The thread, its queue, and what it last achieved.

    ``newest`` is the number of the newest entry that it was given, ``committed`` of the newest that is in SQLite.
    """

    def __init__(self, path: Path, journal: Journal, committed: int) -> None:
        self._path = path
        self._journal = journal
        self._queue: deque[Settled] = deque()
        self._batch: list[Settled] = []
        self._wake = threading.Event()
        self._woken = False  # spares the event loop a look at the event for every record
        self._stop = False
        self._connection: sqlite3.Connection | None = None
        self._recorder: Recorder | None = None
        self._file = _identity(path)
        self.committed = committed
        self.newest = committed
        self._oldest_s: float | None = None
        self.failure: str | None = None
        self.failures = 0
        self.repeated = 0
        self._thread = threading.Thread(target=self._run, name="ledger-commit", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Entries that are in the journal and not yet in SQLite."""
        return len(self._queue) + len(self._batch)

    @property
    def backlog_age_s(self) -> float:
        """How long entries have been waiting for SQLite; 0 where none does."""
        oldest_s = self._oldest_s
        return 0.0 if oldest_s is None else time.monotonic() - oldest_s

    def put(self, settled: Settled) -> None:
        """Take an entry that is in the journal."""
        if self._oldest_s is None:
            self._oldest_s = time.monotonic()
        self.newest = settled.sequence
        self._queue.append(settled)
        if not self._woken:
            self.wake()

    def wake(self) -> None:
        """Something was journaled: sync it within the time that entries gather."""
        if not self._woken:
            self._woken = True
            self._wake.set()

    def stop(self) -> bool:
        """Commit what is left, end the thread; whether everything is in SQLite."""
        self._stop = True
        self._wake.set()
        self._thread.join()
        return not self.backlog

    def _run(self) -> None:
        begun_s = 0.0
        while not self._stop:
            self._wake.wait()
            time.sleep(max(0.0, begun_s + GATHER_S - time.monotonic()))
            self._wake.clear()
            self._woken = False  # after the event: what was journaled before this is synced now, what comes after wakes
            begun_s = time.monotonic()
            self._cycle()
            if self.failure is not None and not self._stop:
                time.sleep(RETRY_S)
                self._wake.set()
        while self.backlog and self.failure is None:
            self._cycle()
        if self._connection is not None:
            self._connection.close()

    def _cycle(self) -> None:
        """One commit. A failure of any kind leaves the entries where they are, to be tried again."""
        try:
            self._journal.keep_spare()
            self._commit()
        except Exception as error:
            self.failure = str(error)
            self.failures += 1
            self._disconnect()
        else:
            self.failure = None
            self._oldest_s = time.monotonic() if self._queue else None

    def _commit(self) -> None:
        while len(self._batch) < BATCH_ROWS and self._queue:
            self._batch.append(self._queue.popleft())
        newest = self._batch[-1].sequence if self._batch else self.committed
        # What is finished now is synced below, before it is freed: the record that ended a hold is safe by then.
        finished = self._journal.finished(newest)
        self._journal.sync()
        if self._batch or finished:
            self._writer().record(self._batch, committed=newest, floor=_floor(self._journal, finished))
            self.committed = newest
            self._batch = []
            self._journal.free(finished)
        if self._queue:
            self._wake.set()

    def _writer(self) -> Recorder:
        """The way into the file that budgets were read from.

        Raises:
            Unavailable: another file has its name now. What is enforced is not what that one says.
            InputError: there is no file.
        """
        file = _identity(self._path)
        if file is not None and file != self._file:
            raise Unavailable(
                f"{self._path} was replaced while it was served from",
                cause="budgets are held by what the file before it says",
                hint="start the gateway again: rows that wait are carried into the new file",
            )
        if self._recorder is None or file is None:
            self._disconnect()
            self._connection = sqlite.connect(self._path, busy_timeout_s=COMMIT_TIMEOUT_S)
            self._recorder = Recorder(self._connection)
        return self._recorder

    def _disconnect(self) -> None:
        if self._recorder is not None:
            self.repeated += self._recorder.repeated
        if self._connection is not None:
            self._connection.close()
        self._connection = self._recorder = None


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names now: one that was moved away is not to be written to under its old name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _floor(journal: Journal, finished: list[Segment]) -> int:
    """The number of the first record that is still needed."""
    return journal.segments[len(finished)].first_sequence
