"""The one query: equal to the sum of the entries, however it is asked, before and after retention."""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError, UnknownName
from breakeven.ledger.backup import backup
from breakeven.ledger.entry import LedgerEntry, MarkedBy, ServedFrom
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.lookup import entries
from breakeven.ledger.recording import Recorder, Settled
from breakeven.ledger.records import MAGIC, EntryRecord, records
from breakeven.ledger.retention import prune
from breakeven.ledger.schema import STEPS
from breakeven.ledger.totals import COLUMNS, SAVED, Total, TotalsQuery, totals
from breakeven.stores import sqlite
from ledger.ledgers import AT_NS, SCOPES, entry, recomputed, rows, summed

QUARTER_NS = 900_000_000_000
START_NS = AT_NS // QUARTER_NS * QUARTER_NS
ZONE = "America/New_York"

settled_entries = st.builds(
    lambda name, cost, at, user, model, tags, outcome, tokens, attempt, served_from, marked_by, saved: Settled(
        1,
        entry(
            f"r{name}",
            cost,
            attempt=attempt,
            user=user,
            served_model=model,
            tags=tags,
            outcome=outcome,
            usage=Usage(input_tokens=tokens, output_tokens=tokens // 2, cache_read_tokens=tokens // 3),
            baseline_nano_usd=3 * cost,
            served_from=served_from,
            marked_by=marked_by,
            prompt_cache_saved_nano_usd=saved,
            removed_input_tokens=abs(saved) // 2,
            removed_nano_usd=abs(saved),
        ),
        at,
        SCOPES,
        attempt == 1,
    ),
    name=st.integers(0, 10**6),
    cost=st.integers(0, 10**12),
    at=st.integers(START_NS, START_NS + 200 * QUARTER_NS),
    user=st.sampled_from(["alice", "bob", "it's"]),
    model=st.sampled_from(["gpt-4o", "claude"]),
    tags=st.sampled_from([(), ("project=atlas",), ("project=zeus", "env=a'b=c"), ("env=",)]),
    outcome=st.sampled_from(["ok", "failed"]),
    tokens=st.integers(0, 10**6),
    attempt=st.integers(1, 2),
    served_from=st.sampled_from(get_args(ServedFrom)),
    marked_by=st.sampled_from(get_args(MarkedBy)),
    saved=st.integers(-(10**9), 10**9),
)
names = st.sampled_from([*COLUMNS, "day", "tag:project", "tag:env", "tag:it's"])
bounds = (
    st.none()
    | st.integers(START_NS, START_NS + 200 * QUARTER_NS)
    | st.integers(0, 200).map(lambda n: START_NS + n * QUARTER_NS)
)


@contextmanager
def in_memory(batch: list[Settled]) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        sqlite.upgrade(connection, Path(":memory:"), STEPS)
        Recorder(connection).record(batch, committed=1, floor=1)
        yield connection
    finally:
        connection.close()


def expected(batch: list[Settled], query: TotalsQuery) -> dict[tuple[str, ...], tuple[int, ...]]:
    """The same sums from the entries, in Python."""
    sums: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * 12)
    once = {(each.entry.request_id, each.entry.attempt): each for each in reversed(batch)}
    for each in once.values():
        values = {name: group(each, name, query.timezone) for name in {*query.by, *query.only}}
        inside = (query.since_ns or 0) <= each.at_ns < (query.until_ns or 2**63)
        if inside and all(values[name] == value for name, value in query.only.items()):
            usage, cost = each.entry.usage, each.entry.effective_nano_usd
            counted = (int(each.first), 1, usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, cost, cost)
            row = sums[tuple(values[name] for name in query.by)]
            saved = attributed(each.entry)
            row[:] = [total + value for total, value in zip(row, (*counted, *saved), strict=True)]
    return {key: tuple(row) for key, row in sums.items()}


def attributed(row: LedgerEntry) -> tuple[int, ...]:
    """What one row saved: by the response cache, by the prompt cache because of us and anyway, by leaving out."""
    remembered = 0 if row.served_from == "upstream" else row.baseline_nano_usd - row.effective_nano_usd
    saved = row.prompt_cache_saved_nano_usd
    caused, anyway = (saved, 0) if row.marked_by == "gateway" else (0, saved)
    return remembered, caused, anyway, row.removed_nano_usd, row.removed_input_tokens


def group(each: Settled, name: str, zone: str) -> str:
    if name == "day":
        return datetime.fromtimestamp(each.at_ns / 1e9, ZoneInfo(zone)).date().isoformat()
    if name.startswith("tag:"):
        tags = dict(tag.split("=", 1) for tag in reversed(each.entry.tags))
        return tags.get(name[4:], "")
    return str(getattr(each.entry, COLUMNS[name]))


def figures(row: Total) -> tuple[int, ...]:
    counts = (row.requests, row.attempts, row.input_tokens, row.output_tokens, row.cache_read_tokens)
    saved = tuple(getattr(row, column) for column in SAVED.values())
    return (*counts, row.nano_usd, row.list_nano_usd, *saved, row.removed_input_tokens)


@settings(max_examples=150)
@given(
    batch=st.lists(settled_entries, max_size=30),
    by=st.lists(names, max_size=3, unique=True).map(tuple),
    since=bounds,
    until=bounds,
    only=st.sampled_from([{}, {"user": "it's"}, {"model": "claude", "tag:project": ""}]),
)
def test_totals_are_the_sums_of_the_entries(
    batch: list[Settled], by: tuple[str, ...], since: int | None, until: int | None, only: dict[str, str]
) -> None:
    query = TotalsQuery(by=by, since_ns=since, until_ns=until, only=only, timezone=ZONE)
    with in_memory(batch) as connection:
        found = totals(connection, query)
        assert [row.group for row in found] == sorted(row.group for row in found)
        assert {row.group: figures(row) for row in found if row.attempts} == expected(batch, query)


def test_without_groups_there_is_one_total_even_of_nothing() -> None:
    with in_memory([]) as connection:
        (total,) = totals(connection, TotalsQuery())
        assert (total.group, total.requests, total.nano_usd) == ((), 0, 0)
        assert totals(connection, TotalsQuery(by=("user",))) == ()


@pytest.mark.parametrize("name", ["usr", "tag:", "tag", "nano_usd", "day; DROP TABLE entries", ""])
def test_an_unknown_group_is_refused(name: str) -> None:
    with in_memory([]) as connection, pytest.raises(UnknownName):
        totals(connection, TotalsQuery(by=(name,)))


def test_an_entry_is_recorded_once(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    one, two = (Settled(n, entry(f"r{n}", 5), AT_NS, SCOPES, True) for n in (1, 2))
    with opened(path, create=True) as connection:
        recorder = Recorder(connection)
        recorder.record([one], committed=1, floor=1)
        recorder.record([one, two, two], committed=2, floor=1)
        assert recorder.repeated == 2
        assert entries(connection, "r2") == (two.entry,)
        (total,) = totals(connection, TotalsQuery())
    assert (len(rows(path)), total.attempts, total.nano_usd) == (2, 2, 10)
    assert summed(path) == recomputed(path)


def test_a_failed_batch_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    with opened(path, create=True) as connection:
        recorder = Recorder(connection)
        bad = Settled(2, entry("r2", 2**63), AT_NS, (*SCOPES, SCOPES[0]._replace(name="other")), True)
        with pytest.raises(OverflowError):
            recorder.record([Settled(1, entry("r1", 5), AT_NS, SCOPES, True), bad], committed=2, floor=1)
        recorder.record([Settled(1, entry("r1", 5), AT_NS, SCOPES, True)], committed=1, floor=1)
    assert [row["request_id"] for row in rows(path)] == ["r1"]
    assert summed(path) == recomputed(path)


def test_retention_deletes_entries_and_keeps_totals(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    batch = [Settled(n, entry(f"r{n}", n, user=f"u{n % 3}"), AT_NS + n * 10**9, SCOPES, True) for n in range(5_000)]
    cut_ns = AT_NS + 4_000 * 10**9
    with opened(path, create=True) as connection:
        Recorder(connection).record(batch, committed=5_000, floor=1)
        before = totals(connection, TotalsQuery(by=("user",)))
        done = prune(connection, cut_ns)
        assert done.before_ns <= cut_ns < done.before_ns + QUARTER_NS
        assert done.entries == sum(each.at_ns < done.before_ns for each in batch) > 2_000
        assert totals(connection, TotalsQuery(by=("user",))) == before
        assert prune(connection, cut_ns).entries == 0
        assert len(rows(path)) == 5_000 - done.entries
        with pytest.raises(InputError, match="deleted"):
            totals(connection, TotalsQuery(since_ns=AT_NS + 1))
        late = TotalsQuery(since_ns=done.before_ns + 1)  # entries of that time are all there
        assert totals(connection, late)[0].requests == sum(each.at_ns >= done.before_ns + 1 for each in batch)
        with pytest.raises(UnknownName, match="no request"):
            entries(connection, "r0")


def test_a_backup_is_whole_while_another_connection_writes(tmp_path: Path) -> None:
    path, copy = tmp_path / "breakeven.db", tmp_path / "copy.db"
    stop = threading.Event()

    def write() -> None:
        with opened(path) as connection:
            recorder, n = Recorder(connection), 0
            while not stop.is_set():
                n += 1
                batch = [Settled(n, entry(f"w{n}-{k}", 5), AT_NS, SCOPES, True) for k in range(20)]
                recorder.record(batch, committed=n, floor=1)

    with opened(path, create=True) as connection:
        Recorder(connection).record(
            [Settled(n, entry(f"r{n}", 5), AT_NS, SCOPES, True) for n in range(5_000)], committed=1, floor=1
        )
        writer = threading.Thread(target=write)
        writer.start()
        try:
            made = backup(connection, copy)
        finally:
            stop.set()
            writer.join()
        with pytest.raises(InputError, match="exists"):
            backup(connection, copy)
    assert made.entries >= 5_000
    assert len(rows(path)) > made.entries  # it went on being written to
    assert len(rows(copy)) == made.entries
    assert summed(copy) == recomputed(copy)
    assert sorted(each.name for each in tmp_path.glob("copy*")) == ["copy.db"]


def test_totals_do_not_slow_down_with_the_entries(tmp_path: Path) -> None:
    """Ten times the entries in as many groups are added up from as many rollup rows."""
    path = tmp_path / "breakeven.db"
    with opened(path, create=True) as connection:
        recorder = Recorder(connection)
        for part in range(2):
            batch = [
                Settled(n, entry(f"{part}-{n}", 1, user=f"u{n % 10}"), AT_NS, SCOPES, True)
                for n in range(1_000 + part * 9_000)
            ]
            recorder.record(batch, committed=part + 1, floor=1)
            assert connection.execute("SELECT count(*) FROM rollups").fetchone() == (10,)
            (total,) = totals(connection, TotalsQuery())
        assert total.requests == 11_000
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT sum(nano_usd) FROM spending WHERE tenant = 'a'").fetchall()
        assert "SEARCH" in plan[0][3]


def old_row(connection: sqlite3.Connection, table: str, **stated: object) -> None:
    """A row with nothing in it but what is stated, in the columns that the table then had."""
    columns = [(name, kind) for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})")]
    values = [stated.get(name, "" if kind == "TEXT" else 0) for name, kind in columns]
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)


AUDIO_KINDS = ("input_audio_tokens", "cache_read_audio_tokens", "output_audio_tokens")


def test_a_ledger_from_before_audio_was_counted_goes_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    stated = {"tenant": "acme", "user": "alice", "key_id": "key_1", "tags": "[]", "outcome": "ok", "input_tokens": 7}
    stated |= {"served_model": "gpt-4o-mini", "deployment": "openai"}
    with closing(sqlite.connect(path, create=True)) as connection:
        sqlite.upgrade(connection, path, STEPS[:2])
        old_row(connection, "entries", request_id="old", counted_at_ns=START_NS, attempt=1, first=1, **stated)
        old_row(connection, "rollups", slot_s=START_NS // 10**9, requests=1, attempts=1, **stated)
    usage = Usage(
        input_tokens=100,
        cache_read_tokens=50,
        input_audio_tokens=60,
        cache_read_audio_tokens=20,
        output_tokens=9,
        output_audio_tokens=5,
    )
    with opened(path) as connection:
        (old,) = entries(connection, "old")
        assert old.usage == Usage(input_tokens=7)
        new = Settled(1, entry("new", 3, usage=usage), START_NS, SCOPES, True)
        Recorder(connection).record([new], committed=1, floor=1)
        assert entries(connection, "new") == (new.entry,)
        for until_ns in (START_NS + QUARTER_NS, START_NS + 1):  # from the sums, and from the entries
            (total,) = totals(connection, TotalsQuery(since_ns=START_NS, until_ns=until_ns))
            assert (total.requests, total.input_tokens, total.nano_usd) == (2, 107, 3)
            assert tuple(getattr(total, kind) for kind in AUDIO_KINDS) == (60, 20, 5)


def test_a_journal_from_before_audio_was_counted_is_read() -> None:
    row = entry("old")
    usage = {name: count for name, count in asdict(row.usage).items() if name not in AUDIO_KINDS}
    assert len(usage) == 6
    assert read_from_older_journal({**asdict(row), "usage": usage}) == row


def test_a_ledger_from_before_savings_were_attributed_goes_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    stated = {"tenant": "acme", "user": "alice", "key_id": "key_1", "tags": "[]", "outcome": "ok", "input_tokens": 7}
    stated |= {"served_model": "gpt-4o-mini", "deployment": "openai", "effective_nano_usd": 5, "output_tokens": 3}
    with closing(sqlite.connect(path, create=True)) as connection:
        sqlite.upgrade(connection, path, STEPS[:3])
        old_row(connection, "entries", request_id="old", counted_at_ns=START_NS, attempt=1, first=1, **stated)
        old_row(connection, "rollups", slot_s=START_NS // 10**9, requests=1, attempts=1, **stated)
    with opened(path) as connection:
        (old,) = entries(connection, "old")
        assert (old.served_from, old.marked_by, old.prompt_cache_saved_nano_usd) == ("upstream", "none", 0)
        hit = entry("new", 0, served_from="response_cache", usage=Usage(), baseline_nano_usd=9, usage_basis="none")
        Recorder(connection).record([Settled(1, hit, START_NS, SCOPES, True)], committed=1, floor=1)
        assert entries(connection, "new") == (hit,)
        for until_ns in (START_NS + QUARTER_NS, START_NS + 1):  # from the sums, and from the entries
            query = TotalsQuery(by=("served_from",), since_ns=START_NS, until_ns=until_ns)
            found = {row.group[0]: row for row in totals(connection, query)}
            remembered, bought = found["response_cache"], found["upstream"]
            assert (remembered.requests, remembered.nano_usd, remembered.response_cache_saved_nano_usd) == (1, 0, 9)
            assert (bought.input_tokens, bought.output_tokens, bought.nano_usd) == (7, 3, 5)
            assert bought.response_cache_saved_nano_usd == 0


def read_from_older_journal(entry_by_name: dict[str, object]) -> LedgerEntry:
    """An entry that a journal has by the names of its fields, as journals had all of them once."""
    numbered = (7).to_bytes(8, "little") + msgspec.msgpack.encode(
        ["entry", entry_by_name, START_NS, SCOPES, True, True]
    )
    header = (len(numbered) - 8).to_bytes(4, "little") + zlib.crc32(numbered).to_bytes(4, "little")
    ((number, record),) = records(MAGIC + header + numbered)
    assert isinstance(record, EntryRecord)
    assert (number, record.at_ns, record.scopes, record.first, record.last) == (7, START_NS, SCOPES, True, True)
    return record.entry


def test_a_journal_from_before_savings_were_attributed_is_read() -> None:
    row = entry("old")
    savings = {"served_from", "marked_by", "prompt_cache_saved_nano_usd", "removed_input_tokens", "removed_nano_usd"}
    older = {name: value for name, value in asdict(row).items() if name not in savings} | {"usage": asdict(row.usage)}
    assert read_from_older_journal(older) == row
    attributed = {"served_from": "single_flight", "marked_by": "caller", "prompt_cache_saved_nano_usd": -4}
    assert read_from_older_journal(older | attributed) == entry("old", **attributed)


def test_entries_in_the_journal_without_the_fields_that_came_last_are_read() -> None:
    """A field that is added behind the others leaves journals readable that were written before it."""
    row = entry("old")
    record = EntryRecord(row, START_NS, SCOPES, True, True)
    told = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
    told[1] = told[1][:-5]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=EntryRecord) == record
