"""The journal beside the ledger: what is acknowledged is in it first, so that no crash and no full disk loses it.

Records are appended to segments, files whose room is taken from the disk before it is promised to a request. A record
is copied into the file's mapped pages: those are the kernel's, so killing the process loses nothing that was copied.
(A write call is as safe, but it gives the interpreter's lock away, and the commit's thread takes it.) `Journal.sync`
makes records safe from power loss, too. Segments are freed oldest first, when all they say is in SQLite, so a hold's
record never outlives the record that frees it.

One thread (the event loop) appends; another syncs, keeps a spare and frees.
"""

from __future__ import annotations

import mmap
import os
import re
from collections import deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from breakeven.errors import Unavailable
from breakeven.ledger.records import HEADER, LARGEST_BYTES, MAGIC, Record, first_sequence, framed, records

SEGMENT_BYTES: Final = 4 * 1024 * 1024
JOURNAL_BYTES: Final = 1024 * 1024 * 1024
"""The most that the journal may take from the disk while SQLite cannot be written."""

_NUMBER: Final = re.compile(r"\.journal\.(\d{8})$")


class Segment:
    """One file of the journal, its room taken from the disk when it is made."""

    __slots__ = (
        "_pages",
        "descriptor",
        "end_of_room",
        "first_sequence",
        "last_sequence",
        "live",
        "path",
        "position",
        "size_bytes",
        "synced",
    )

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.end_of_room = size_bytes - LARGEST_BYTES
        self.position = len(MAGIC)
        self.synced = 0
        self.first_sequence = 0
        self.last_sequence = 0
        self.live: set[str] = set()
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _take_room(self.descriptor, size_bytes)
            self._pages = mmap.mmap(self.descriptor, size_bytes)
        except OSError:
            os.close(self.descriptor)
            path.unlink(missing_ok=True)
            raise
        self._pages[: len(MAGIC)] = MAGIC

    @property
    def free_bytes(self) -> int:
        """Room for records; the last of them may be as large as any, so that much is kept out of it."""
        room = self.end_of_room - self.position
        return room if room > 0 else 0

    def takes(self, n_bytes: int) -> bool:
        """Whether so much still goes into the file, counting what is kept out of `free_bytes`."""
        return self.position + n_bytes <= self.size_bytes

    def write(self, data: bytes, sequence: int) -> None:
        """Append one framed record."""
        start = self.position
        end = start + len(data)
        self._pages[start:end] = data
        self.position = end
        if not self.first_sequence:
            self.first_sequence = sequence
        self.last_sequence = sequence

    def close(self) -> None:
        """Let the file go."""
        self._pages.close()
        os.close(self.descriptor)

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)


class Journal:
    """The segments in use, oldest first, and one spare."""

    def __init__(
        self,
        ledger: Path,
        next_sequence: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        limit_bytes: int = JOURNAL_BYTES,
    ) -> None:
        """Begin a journal beside ``ledger``; an old one must have been recovered and deleted.

        Raises:
            Unavailable: there is no room for it.
        """
        self._ledger = ledger
        self._segment_bytes = segment_bytes
        self._limit = max(2, limit_bytes // segment_bytes)
        self._numbers = count(1)
        self._folder_changed = False
        self._spares: deque[Segment] = deque()
        self.next_sequence = next_sequence
        self.promised_bytes = 0
        try:
            self.current = self._made()
        except OSError as error:
            raise _no_room(ledger, error) from error
        self.segments: deque[Segment] = deque([self.current])

    def promise(self, n_bytes: int) -> None:
        """Set room aside for records still to come; take it from the disk where that is needed.

        Raises:
            Unavailable: the disk is full, or the journal as large as it may become.
        """
        wanted = self.promised_bytes + n_bytes
        if wanted > self.current.end_of_room - self.current.position:  # nearly always it goes into the current segment
            while wanted > self.free_bytes:
                self._extend()
        self.promised_bytes = wanted

    def withdraw(self, n_bytes: int) -> None:
        """Give promised room back."""
        self.promised_bytes -= n_bytes

    def append(self, record: Record) -> Segment:
        """Write a record; the segment that it is in. Its number is `Segment.last_sequence`.

        Raises:
            Unavailable: the record is too long, or there is no room.
        """
        sequence = self.next_sequence
        data = framed(record, sequence)
        if len(data) > LARGEST_BYTES:
            raise Unavailable(
                "a record is too long for the journal",
                cause=f"it takes {len(data):,} bytes of {LARGEST_BYTES:,}",
                hint="send fewer or shorter tags",
            )
        current = self.current
        if current.position >= current.end_of_room and (self._spares or not current.takes(len(data))):
            self._roll()
            current = self.current
        current.write(data, sequence)
        self.next_sequence = sequence + 1
        return current

    @property
    def free_bytes(self) -> int:
        """Room that is taken from the disk and not yet written to."""
        return self.current.free_bytes + len(self._spares) * (self._segment_bytes - LARGEST_BYTES - len(MAGIC))

    @property
    def size_bytes(self) -> int:
        """What the journal takes of the disk."""
        return (len(self.segments) + len(self._spares)) * self._segment_bytes

    def keep_spare(self) -> None:
        """Make the next segment before it is needed; where that fails, the request that needs it is told."""
        if not self._spares and len(self.segments) < self._limit:
            try:
                self._spares.append(self._made())
            except OSError:
                return

    def sync(self) -> None:
        """Make everything that was appended safe from power loss.

        Raises:
            OSError: the disk failed.
        """
        if self._folder_changed:
            self._folder_changed = False
            self._sync_folder()
        for segment in list(self.segments):
            position = segment.position
            if position > segment.synced:
                os.fdatasync(segment.descriptor)
                segment.synced = position

    def finished(self, committed: int) -> list[Segment]:
        """The oldest segments of which nothing is needed once record ``committed`` is in SQLite."""
        found: list[Segment] = []
        for segment in list(self.segments)[:-1]:
            if segment.live or segment.last_sequence > committed:
                break
            found.append(segment)
        return found

    def free(self, finished: list[Segment]) -> None:
        """Delete these segments, the oldest."""
        for segment in finished:
            self.segments.popleft()
            segment.remove()

    def close(self, *, delete: bool) -> None:
        """Close all files, and delete them where everything in them is in SQLite."""
        for segment in [*self.segments, *self._spares]:
            if delete or segment in self._spares:
                segment.remove()
            else:
                segment.close()

    def _roll(self) -> None:
        if not self._spares:
            self._extend()
        self.current = self._spares.popleft()
        self.segments.append(self.current)

    def _extend(self) -> None:
        if len(self.segments) + len(self._spares) >= self._limit:
            raise Unavailable(
                "the ledger's journal is as large as it may become",
                cause=f"SQLite has not taken its rows: {self.size_bytes:,} bytes wait in {self._ledger}.journal.*",
                hint="free the ledger file (another process may have locked it), then send the request again",
            )
        try:
            self._spares.append(self._made())
        except OSError as error:
            raise _no_room(self._ledger, error) from error

    def _made(self) -> Segment:
        number = next(self._numbers)
        self._folder_changed = True
        return Segment(self._ledger.with_name(f"{self._ledger.name}.journal.{number:08d}"), self._segment_bytes)

    def _sync_folder(self) -> None:
        descriptor = os.open(self._ledger.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _take_room(descriptor: int, size_bytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)
    else:  # macOS
        os.pwrite(descriptor, bytes(size_bytes), 0)


def segment_paths(ledger: Path) -> list[Path]:
    """The files of a ledger's journal, in the order in which they were written to, those never written to first.

    Their names do not tell: two threads make segments, and the one made first may be used second.
    """
    found = [path for path in ledger.parent.glob(f"{ledger.name}.journal.*") if _NUMBER.search(path.name)]
    return sorted(found, key=_first_sequence)


def _first_sequence(path: Path) -> int:
    """The number of a segment's first record; 0 where it has none, or was freed since it was listed."""
    try:
        with path.open("rb") as file:
            return first_sequence(file.read(len(MAGIC) + HEADER.size))
    except FileNotFoundError:
        return 0


def read(ledger: Path) -> Iterator[tuple[int, Record]]:
    """Every whole record of a journal with its number, in order; also of one that is being written to."""
    for path in segment_paths(ledger):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # freed since it was listed
            continue
        yield from records(data)


def _no_room(ledger: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"cannot write the journal of {ledger}", cause=error.strerror or str(error), hint="free disk space"
    )
