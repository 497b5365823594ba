"""Entries into SQLite: the row, both sums and the journal's position in one transaction, each entry exactly once."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from breakeven.catalog.usage import Usage
from breakeven.ledger.entry import LedgerEntry
from breakeven.policy.scope import Scope
from breakeven.policy.window import NS_PER_S, ROLLUP_S
from breakeven.stores.sqlite import transaction

COMMITTED: Final = "journal_committed"
"""The fact that names the newest journal record whose entry is in the tables."""

FLOOR: Final = "journal_floor"
"""The fact below which no journal record speaks of a hold that is still open."""


LARGEST_ENTRY_NANO_USD: Final = 10**15
"""A million dollars for one attempt: sums of thousands of the largest stay whole numbers of 64 bits."""

LARGEST_ENTRY_TOKENS: Final = 10**12


def check_storable(entry: LedgerEntry) -> None:
    """Refuse what the tables cannot hold, before it is journaled: one such row would keep all others out.

    Raises:
        ValueError: an amount, a number of tokens or a time that no request has.
    """
    most = LARGEST_ENTRY_NANO_USD
    amounts = listed, effective, baseline = entry.list_nano_usd, entry.effective_nano_usd, entry.baseline_nano_usd
    if not (0 <= listed <= most and 0 <= effective <= most and 0 <= baseline <= most):
        raise ValueError(f"request {entry.request_id} cannot have cost {amounts}")
    saved, removed = entry.prompt_cache_saved_nano_usd, entry.removed_nano_usd
    if not (
        -most <= saved <= most and 0 <= removed <= most and 0 <= entry.removed_input_tokens <= LARGEST_ENTRY_TOKENS
    ):
        raise ValueError(f"request {entry.request_id} cannot have saved {saved} and {removed}")
    usage = entry.usage
    if usage.input_tokens > LARGEST_ENTRY_TOKENS or usage.output_tokens > LARGEST_ENTRY_TOKENS:
        raise ValueError(f"request {entry.request_id} cannot have used {usage}")
    if not (entry.duration_s >= 0 and (entry.ttft_s is None or entry.ttft_s >= 0)):  # NaN is neither
        raise ValueError(f"request {entry.request_id} cannot have taken {entry.duration_s}, {entry.ttft_s} s")


class Settled(msgspec.Struct, frozen=True):
    """An entry on its way into the tables: its journal number, and where and when it counts."""

    sequence: int
    entry: LedgerEntry
    at_ns: int
    scopes: tuple[Scope, ...]
    first: bool


def slot_s(at_ns: int) -> int:
    """The second in which the 15 minutes of a moment begin."""
    seconds = at_ns // NS_PER_S
    return seconds - seconds % ROLLUP_S


class Recorder:
    """Writes batches through one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._scope_sets: dict[tuple[Scope, ...], int] = {}
        self.repeated = 0

    def record(self, batch: Sequence[Settled], *, committed: int, floor: int) -> None:
        """Write a batch and the journal's position; all of it or nothing.

        An entry whose ``(request_id, attempt)`` is in the ledger already is left out of rows and sums, and counted in
        ``repeated``.

        Raises:
            sqlite3.Error: nothing was written.
        """
        try:
            with transaction(self._connection):
                fresh = self._inserted(batch)
                self._roll_up(fresh)
                self._spend(fresh)
                self._connection.executemany(_SET_FACT, [(COMMITTED, committed), (FLOOR, floor)])
        except BaseException:
            self._scope_sets.clear()  # what this transaction added is gone
            raise
        self.repeated += len(batch) - len(fresh)

    def _inserted(self, batch: Sequence[Settled]) -> Sequence[Settled]:
        """The entries that were not in the table; nearly always all of them, in one statement."""
        if not batch:
            return batch
        rows = [_row(settled, self._scope_set(settled.scopes)) for settled in batch]
        self._connection.execute("SAVEPOINT entries")
        if sum(map(self._insert_together, _chunks(rows))) == len(rows):
            self._connection.execute("RELEASE entries")
            return batch
        self._connection.execute("ROLLBACK TO entries")
        self._connection.execute("RELEASE entries")
        pairs = zip(batch, rows, strict=True)
        return [settled for settled, row in pairs if self._insert_together([row]) == 1]

    def _insert_together(self, rows: Sequence[Sequence[Any]]) -> int:
        """Insert rows with one statement, and say how many were new.

        The interpreter's lock is given away and taken back once a statement, and each time the event loop may be in
        the way: row by row, that costs more than the rows do.
        """
        return self._connection.execute(_insert(len(rows)), list(chain.from_iterable(rows))).rowcount

    def _scope_set(self, scopes: tuple[Scope, ...]) -> int:
        found = self._scope_sets.get(scopes)
        if found is None:
            text = msgspec.json.encode(scopes).decode()
            self._connection.execute("INSERT OR IGNORE INTO scope_sets (scopes) VALUES (?)", (text,))
            query = "SELECT scope_set FROM scope_sets WHERE scopes = ?"
            found = int(self._connection.execute(query, (text,)).fetchone()[0])
            if len(self._scope_sets) >= _CACHED_SCOPE_SETS:
                self._scope_sets.clear()
            self._scope_sets[scopes] = found
        return found

    def _roll_up(self, batch: Iterable[Settled]) -> None:
        rows: defaultdict[_RollupGroup, list[tuple[int, ...]]] = defaultdict(list)
        for settled in batch:
            rows[_rollup_group(settled)].append(_rollup_values(settled))
        sums = [
            (*names, tags_text(tags), *map(sum, zip(*values, strict=True))) for (*names, tags), values in rows.items()
        ]
        self._connection.executemany(_ADD_ROLLUP, sums)

    def _spend(self, batch: Iterable[Settled]) -> None:
        together: defaultdict[tuple[tuple[Scope, ...], int], int] = defaultdict(int)
        for settled in batch:
            together[settled.scopes, slot_s(settled.at_ns)] += settled.entry.effective_nano_usd
        sums: defaultdict[tuple[str, str, str, int], int] = defaultdict(int)
        for (scopes, slot), nano_usd in together.items():
            for scope in scopes:
                sums[(*scope, slot)] += nano_usd
        self._connection.executemany(_ADD_SPENDING, [(*place, nano_usd) for place, nano_usd in sums.items()])


def _chunks(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    for start in range(0, len(rows), _ROWS_TOGETHER):
        yield rows[start : start + _ROWS_TOGETHER]


@cache
def _insert(count: int) -> str:
    """The statement for so many rows."""
    row = f"({', '.join('?' * len(ENTRY_COLUMNS))})"
    columns = ", ".join(ENTRY_COLUMNS)
    return f"INSERT INTO entries ({columns}) VALUES {', '.join([row] * count)} ON CONFLICT DO NOTHING"  # noqa: S608


def tags_text(tags: Sequence[str]) -> str:
    """Tags as the tables keep them: a JSON array."""
    return msgspec.json.encode(tags).decode() if tags else "[]"


_RollupGroup = tuple[int, str, str, str, str, str, str, str, str, str, tuple[str, ...]]


def _rollup_group(settled: Settled) -> _RollupGroup:
    entry = settled.entry
    return (
        slot_s(settled.at_ns),
        entry.tenant,
        entry.team,
        entry.user,
        entry.key_id,
        entry.served_model,
        entry.deployment,
        entry.outcome,
        entry.served_from,
        entry.marked_by,
        entry.tags,
    )


def _rollup_values(settled: Settled) -> tuple[int, ...]:
    entry = settled.entry
    return (
        int(settled.first),
        1,
        *astuple(entry.usage),
        entry.removed_input_tokens,
        entry.list_nano_usd,
        entry.effective_nano_usd,
        entry.baseline_nano_usd,
        entry.prompt_cache_saved_nano_usd,
        entry.removed_nano_usd,
    )


def _row(settled: Settled, scope_set: int) -> list[Any]:
    """An entry by `ENTRY_COLUMNS`. Field by field, it would cost more than SQLite's own work on the row."""
    entry = settled.entry
    row = [settled.first, settled.at_ns, scope_set, *astuple(entry)]
    row[_TAGS] = tags_text(entry.tags)
    row[_USAGE : _USAGE + 1] = astuple(entry.usage)
    return row


_OWN: Final = ("first", "counted_at_ns", "scope_set")
_FIELDS: Final = (*_OWN, *LedgerEntry.__struct_fields__)
_TAGS: Final = _FIELDS.index("tags")
_USAGE: Final = _FIELDS.index("usage")

ENTRY_COLUMNS: Final = (*_FIELDS[:_USAGE], *Usage.__struct_fields__, *_FIELDS[_USAGE + 1 :])
"""The columns of ``entries``, in the order in which they are written and read: ours, and each field of an entry."""

SUMS: Final = (
    *("requests", "attempts", *Usage.__struct_fields__, "removed_input_tokens", "list_nano_usd"),
    *("effective_nano_usd", "baseline_nano_usd", "prompt_cache_saved_nano_usd", "removed_nano_usd"),
)
"""The columns of ``rollups`` that add up. A request is counted with its first attempt."""

_ROLLUP_COLUMNS: Final = (
    *("slot_s", "tenant", "team", "user", "key_id", "served_model", "deployment", "outcome"),
    *("served_from", "marked_by", "tags"),
    *SUMS,
)
_CACHED_SCOPE_SETS: Final = 10_000
_ROWS_TOGETHER: Final = 64
"""Rows of one statement: 43 columns each, well below SQLite's limit of 32,766 values."""

_ADD_ROLLUP: Final = (
    f"INSERT INTO rollups ({', '.join(_ROLLUP_COLUMNS)}) VALUES ({', '.join('?' * len(_ROLLUP_COLUMNS))})"  # noqa: S608
    " ON CONFLICT DO UPDATE SET " + ", ".join(f"{column} = {column} + excluded.{column}" for column in SUMS)
)
_ADD_SPENDING: Final = """
INSERT INTO spending VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET nano_usd = nano_usd + excluded.nano_usd
"""
_SET_FACT: Final = """
INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)
"""
