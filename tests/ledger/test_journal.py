"""The journal: read back in order whatever was torn; room is there before it is promised; freed oldest first."""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakeven.errors import InputError, Unavailable
from breakeven.ledger.journal import Journal, read, segment_paths
from breakeven.ledger.records import LARGEST_BYTES, MAGIC, EntryRecord, FreedRecord, HeldRecord, Record, framed, records
from breakeven.policy.scope import Scope
from ledger.ledgers import AT_NS, SCOPES, entry

SEGMENT = 128 * 1024

texts = st.text(st.characters(codec="utf-8"), max_size=20)
scope_tuples = st.lists(st.builds(Scope, texts, st.sampled_from(["tenant", "user", "tag"]), texts), max_size=4).map(
    tuple
)
held = st.builds(
    HeldRecord,
    request_id=texts,
    at_ns=st.integers(0, 2**62),
    bound_nano_usd=st.integers(0, 2**62),
    scopes=scope_tuples,
    operation=st.sampled_from(["chat", "embeddings"]),
    stream=st.booleans(),
    attempts=st.integers(0, 9),
)
written = st.builds(
    lambda name, cost, ttft, tags, scopes, first, last: EntryRecord(
        entry=entry(name, cost, ttft_s=ttft, tags=tags), at_ns=AT_NS, scopes=scopes, first=first, last=last
    ),
    texts,
    st.integers(0, 2**62),
    st.none() | st.floats(0, 1e6),
    st.lists(texts, max_size=3).map(tuple),
    scope_tuples,
    st.booleans(),
    st.booleans(),
)
any_record = held | written | st.builds(FreedRecord, request_id=texts)


@given(st.lists(any_record, min_size=1, max_size=8), st.data())
def test_what_was_written_is_read_up_to_the_first_damage(given_records: list[Record], data: st.DataObject) -> None:
    frames = [framed(record, 7 + n) for n, record in enumerate(given_records)]
    whole = MAGIC + b"".join(frames) + bytes(500)
    expected = list(enumerate(given_records, start=7))
    assert list(records(whole)) == expected
    place = data.draw(st.integers(len(MAGIC), len(MAGIC) + sum(map(len, frames)) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    intact, offset = 0, len(MAGIC)
    while offset + len(frames[intact]) <= place:
        offset += len(frames[intact])
        intact += 1
    assert list(records(bytes(damaged))) == expected[:intact]
    assert list(records(whole[:place])) == expected[:intact]


def test_a_record_of_another_number_is_not_taken_for_this_one() -> None:
    moved = bytearray(framed(FreedRecord(request_id="r1"), 7))
    moved[8:16] = (8).to_bytes(8, "little")
    assert list(records(MAGIC + bytes(moved))) == []


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=200))
def test_promised_room_is_there_whatever_else_happens(tmp_path: Path, sizes: list[int]) -> None:
    journal = Journal(tmp_path / "l.db", 1, segment_bytes=SEGMENT)
    journal._limit = 0  # from here on the disk is full
    with suppress(Unavailable):
        while True:
            journal.promise(1_000)
    promised, used = journal.promised_bytes, 0
    assert promised >= 1_000
    for size in sizes:
        record = FreedRecord(request_id="x" * size)
        if used + len(framed(record, 1)) > promised:
            break
        journal.append(record)
        used += len(framed(record, 1))
    journal.close(delete=True)
    assert segment_paths(tmp_path / "l.db") == []


def test_segments_are_read_in_the_order_of_their_records_not_of_their_names(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    journal = Journal(path, 1, segment_bytes=SEGMENT)
    journal.keep_spare()
    journal._extend()
    journal._spares.reverse()  # as two threads may leave them
    for _ in range(100):
        journal.append(HeldRecord("x" * 2_000, AT_NS, 1, SCOPES, "chat", False))
    assert len(journal.segments) > 2
    journal.close(delete=False)
    assert [sequence for sequence, _ in read(path)] == list(range(1, 101))


def test_segments_are_freed_oldest_first_when_nothing_in_them_is_needed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "l.db", 1, segment_bytes=SEGMENT)
    pinned = journal.append(FreedRecord(request_id="x" * 60_000))
    pinned.live.add("r1")
    for _ in range(4):
        journal.append(FreedRecord(request_id="x" * 60_000))
    assert len(journal.segments) == 3
    assert journal.finished(5) == []  # the oldest has a hold that is open
    pinned.live.clear()
    assert journal.finished(1) == []
    finished = journal.finished(4)
    assert finished == list(journal.segments)[:2]
    journal.free(finished)
    assert [sequence for sequence, _ in read(tmp_path / "l.db")] == [5]
    assert journal.finished(5) == []  # the one in use stays


def test_a_record_that_is_too_long_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "l.db", 1, segment_bytes=SEGMENT)
    with pytest.raises(Unavailable, match="too long"):
        journal.append(FreedRecord(request_id="x" * LARGEST_BYTES))
    journal.append(FreedRecord(request_id="r1"))
    assert list(read(tmp_path / "l.db")) == [(1, FreedRecord(request_id="r1"))]


def test_a_journal_that_grew_to_its_limit_refuses(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "l.db", 1, segment_bytes=SEGMENT, limit_bytes=3 * SEGMENT)
    with pytest.raises(Unavailable, match="as large as it may become"):
        journal.promise(3 * SEGMENT)
    assert journal.size_bytes <= 3 * SEGMENT


def test_a_record_of_a_newer_program_is_refused_and_not_dropped() -> None:
    payload = msgspec.msgpack.encode(["newer", "r1"])
    numbered = (7).to_bytes(8, "little") + payload
    head = len(payload).to_bytes(4, "little") + zlib.crc32(numbered).to_bytes(4, "little")
    with pytest.raises(InputError, match="does not know"):
        list(records(MAGIC + head + numbered))
