"""Holds and their entries in the journal, with room for each hold's rows taken before its request is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from breakeven.errors import Unavailable
from breakeven.ledger.accounts import AccountedHold
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.journal import Journal, Segment
from breakeven.ledger.recording import Settled
from breakeven.ledger.records import EntryRecord, FreedRecord, HeldRecord, Record

FIXED_BYTES: Final = 1_024
"""Room for what a row says beyond the names and tags that its hold has, too."""

RECORDS: Final = 4
"""Room is taken for so many records as large as a row: the row, and the hold each time that it is written once more."""

SEGMENTS_PINNED: Final = 4
"""A hold older than so many segments is written once more, so that they can be freed."""


class HoldJournal:
    """What `SqliteLedger` writes. With ``go_on`` a journal that cannot be written is counted, and not an error."""

    def __init__(self, journal: Journal, holds: Mapping[str, AccountedHold], *, go_on: bool) -> None:
        self._journal = journal
        self._holds = holds
        self._go_on = go_on
        self._newest = journal.current
        self.unjournaled = 0

    @property
    def size_bytes(self) -> int:
        """What the journal takes of the disk."""
        return self._journal.size_bytes

    def placed(self, hold: AccountedHold, name_bytes: int) -> None:
        """Write a hold, and take room for all that will be written of it; its names and tags take ``name_bytes``.

        Raises:
            Unavailable: there is no such room.
        """
        record = _held(hold)
        room = RECORDS * (FIXED_BYTES + 3 * name_bytes)  # names: as scopes, as the entry's own, and in the decision
        try:
            self._journal.promise(room)
        except Unavailable:
            if not self._go_on:
                raise
            self.unjournaled += 1
            return
        hold.room_bytes = room
        try:
            self._pin(hold, self._journal.append(record))
        except Unavailable:
            self._journal.withdraw(room)
            hold.room_bytes = 0
            if not self._go_on:
                raise
            self.unjournaled += 1
            return
        if self._journal.current is not self._newest:
            self._carry()

    def recorded(self, hold: AccountedHold, entry: LedgerEntry) -> Settled:
        """Write a hold's entry, which ends it. Should the disk fail in spite of its room, SQLite still gets it."""
        first = entry.attempt == 1
        sequence = self._journal.next_sequence
        record = EntryRecord(entry, hold.at_ns, hold.scopes, first, True)
        if self._appended(record) is None:
            self._journal.next_sequence += 1
        self._give_back(hold)
        return Settled(sequence, entry, hold.at_ns, hold.scopes, first)

    def freed(self, hold: AccountedHold) -> None:
        """Write that a hold has ended without an entry."""
        self._appended(FreedRecord(request_id=hold.request_id))
        self._give_back(hold)

    def _give_back(self, hold: AccountedHold) -> None:
        """Give back the room that a hold did not need; its record keeps no segment any longer."""
        self._journal.withdraw(hold.room_bytes)
        if hold.segment is not None:
            hold.segment.live.discard(hold.request_id)

    def close(self, *, delete: bool) -> None:
        """Close the journal, and delete it where it is needed no more."""
        self._journal.close(delete=delete)

    def _appended(self, record: Record) -> Segment | None:
        try:
            return self._journal.append(record)
        except Unavailable:
            self.unjournaled += 1
            return None

    def _pin(self, hold: AccountedHold, segment: Segment) -> None:
        segment.live.add(hold.request_id)
        hold.segment = segment

    def _carry(self) -> None:
        """A new segment was begun: write the holds of the oldest once more, for they keep it from being freed."""
        self._newest = self._journal.current
        for segment in list(self._journal.segments)[:-SEGMENTS_PINNED]:
            for request_id in list(segment.live):
                self._place_again(self._holds[request_id])

    def _place_again(self, hold: AccountedHold) -> None:
        segment = self._appended(_held(hold))
        if segment is not None:
            if hold.segment is not None:
                hold.segment.live.discard(hold.request_id)
            self._pin(hold, segment)


def _held(hold: AccountedHold) -> HeldRecord:
    before = hold.attempt - 1
    return HeldRecord(
        hold.request_id, hold.at_ns, hold.bound_nano_usd, hold.scopes, hold.operation, hold.stream, before, before
    )
