"""What the journal says: a hold was placed, an attempt was recorded, a hold was freed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
from msgspec.structs import astuple

from breakeven.errors import InputError
from breakeven.ledger.entry import LedgerEntry
from breakeven.policy.decision import Operation
from breakeven.policy.scope import Scope


class HeldRecord(msgspec.Struct, frozen=True, array_like=True, tag="held"):
    """A hold was placed: enough to write a row for it should the process die. ``at_ns`` says in which windows.

    ``attempts`` counts the attempts at the request before the one that it is for. (Holds once served several, the last
    of which is ``last_attempt``.)
    """

    request_id: str
    at_ns: int
    bound_nano_usd: int
    scopes: tuple[Scope, ...]
    operation: Operation
    stream: bool
    attempts: int = 0
    last_attempt: int = 0


class EntryRecord(msgspec.Struct, frozen=True, array_like=True, tag="row"):
    """An attempt was recorded, which frees its hold. The scopes make it whole without the hold's own record.

    ``first`` says that it is the request's first. ``last`` is false only in older journals, whose holds served several.
    """

    entry: LedgerEntry
    at_ns: int
    scopes: tuple[Scope, ...]
    first: bool
    last: bool


class FreedRecord(msgspec.Struct, frozen=True, array_like=True, tag="freed"):
    """A hold was freed: nothing was sent, or nothing more will be."""

    request_id: str


Record = HeldRecord | EntryRecord | FreedRecord


class _EntryByName(LedgerEntry, frozen=True, array_like=False):
    """An entry by the names of its fields, which takes twice the bytes."""


class _NamedEntryRecord(msgspec.Struct, frozen=True, array_like=True, tag="entry"):
    """An `EntryRecord` as older journals have it."""

    entry: _EntryByName
    at_ns: int
    scopes: tuple[Scope, ...]
    first: bool
    last: bool


MAGIC: Final = b"breakeven/jrnl/1"
"""The first bytes of a segment."""

HEADER: Final = struct.Struct("<IIQ")
"""Before each record: its length in bytes, the CRC-32 of number and record, its number."""

LARGEST_BYTES: Final = 64 * 1024
"""The longest record with its header."""

_LENGTH_AND_CHECKSUM: Final = struct.Struct("<II")
_NUMBER: Final = struct.Struct("<Q")

Ending = Literal["clean", "torn"]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record | _NamedEntryRecord).decode


def framed(record: Record, sequence: int) -> bytes:
    """The record as it is written: length, checksum, number, MessagePack."""
    numbered = _NUMBER.pack(sequence) + _encode(record)
    return _LENGTH_AND_CHECKSUM.pack(len(numbered) - _NUMBER.size, zlib.crc32(numbered)) + numbered


def records(data: bytes) -> Iterator[tuple[int, Record]]:
    """The records of a segment, each with its number, up to the first that is not whole.

    What follows a torn record was never acknowledged: records are written in order, each before its answer leaves.
    """
    offset = len(MAGIC) if data.startswith(MAGIC) else len(data)
    while (found := _record_at(data, offset)) is not None:
        sequence, record, offset = found
        yield sequence, record


def first_sequence(head: bytes) -> int:
    """The number of the record that begins a segment, from its first bytes; 0 where there is none."""
    if len(head) < len(MAGIC) + HEADER.size or not head.startswith(MAGIC):
        return 0
    return int(HEADER.unpack_from(head, len(MAGIC))[2])


def ending(data: bytes) -> Ending:
    """Whether a segment's last record is whole; what a crash tore is not zero, and does not check."""
    offset = len(MAGIC) if data.startswith(MAGIC) else 0
    while (found := _record_at(data, offset)) is not None:
        offset = found[2]
    return "torn" if any(data[offset : offset + HEADER.size]) else "clean"


def _record_at(data: bytes, offset: int) -> tuple[int, Record, int] | None:
    """Number, record and the offset behind it; None where no whole record begins."""
    if offset + HEADER.size > len(data):
        return None
    length, checksum, sequence = HEADER.unpack_from(data, offset)
    end = offset + HEADER.size + length
    if length == 0 or end > len(data) or zlib.crc32(data[offset + _LENGTH_AND_CHECKSUM.size : end]) != checksum:
        return None
    try:
        record = _decode(data[offset + HEADER.size : end])
    except msgspec.DecodeError as error:
        raise InputError(
            "the ledger's journal has a record that this program does not know",
            cause=f"record {sequence:,}: {error}; a newer Breakeven may have written it",
            hint="open the ledger once with the Breakeven that served from it last",
        ) from error
    if isinstance(record, _NamedEntryRecord):
        entry = LedgerEntry(*astuple(record.entry))
        record = EntryRecord(entry, record.at_ns, record.scopes, record.first, record.last)
    return sequence, record, end
