"""What a killed process left in its journal, carried into the ledger: every entry once, and every open hold as a row.

A request that was under way when the process died may have been answered and billed by its upstream, and nobody will
ever hear how much. It becomes an entry with outcome ``interrupted`` that costs what was held for it, its worst case:
too much at times, never nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from breakeven.catalog.usage import Usage
from breakeven.ledger import journal
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.recording import COMMITTED, FLOOR, Recorder, Settled
from breakeven.ledger.records import EntryRecord, FreedRecord, HeldRecord
from breakeven.policy.scope import Scope
from breakeven.policy.window import NS_PER_S
from breakeven.stores.sqlite import reported


@dataclass(slots=True, kw_only=True)
class JournalState:
    """What a journal says: entries that SQLite lacks, holds that are open, and the newest record's number."""

    entries: list[Settled] = field(default_factory=list)
    open_holds: dict[str, HeldRecord] = field(default_factory=dict)
    newest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was carried over, and the newest journal record ever written."""

    entries: int
    interrupted: int
    newest: int


def fact(connection: sqlite3.Connection, name: str) -> int:
    """A number that the ledger keeps of itself; 0 where it was never set."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def journal_state(path: Path, *, committed: int, floor: int) -> JournalState:
    """Read the journal beside a ledger that has everything up to record ``committed``.

    Records below ``floor`` are of holds that have ended, whatever became of the segments that said so.
    """
    state = JournalState(newest=committed)
    for sequence, record in journal.read(path):
        state.newest = max(state.newest, sequence)
        if sequence < floor:
            continue
        match record:
            case HeldRecord():
                state.open_holds[record.request_id] = record
            case FreedRecord():
                state.open_holds.pop(record.request_id, None)
            case EntryRecord():
                _note_entry(state, sequence, record, committed)
    return state


def _note_entry(state: JournalState, sequence: int, record: EntryRecord, committed: int) -> None:
    entry = record.entry
    if sequence > committed:
        state.entries.append(Settled(sequence, entry, record.at_ns, record.scopes, record.first))
    held = state.open_holds.pop(entry.request_id, None)
    if held is not None and not record.last:
        state.open_holds[entry.request_id] = HeldRecord(
            request_id=held.request_id,
            at_ns=held.at_ns,
            bound_nano_usd=held.bound_nano_usd,
            scopes=held.scopes,
            operation=held.operation,
            stream=held.stream,
            attempts=held.attempts + 1,
            last_attempt=entry.attempt,
        )


def recover(path: Path, connection: sqlite3.Connection) -> Recovered:
    """Carry a journal that no process writes to into the ledger, and delete it. Doing it twice changes nothing.

    Raises:
        Unavailable: the ledger cannot be written now; the journal stays.
    """
    with reported(path):
        committed, floor = fact(connection, COMMITTED), fact(connection, FLOOR)
        segments = journal.segment_paths(path)
        if not segments:
            return Recovered(entries=0, interrupted=0, newest=committed)
        state = journal_state(path, committed=committed, floor=floor)
        died_at_ns = max(segment.stat().st_mtime_ns for segment in segments)
        interrupted = [_interrupted(held, died_at_ns, state.newest) for held in state.open_holds.values()]
        _record(connection, [*state.entries, *interrupted], state.newest)
    for segment in segments:
        segment.unlink(missing_ok=True)
    return Recovered(entries=len(state.entries), interrupted=len(interrupted), newest=state.newest)


def _record(connection: sqlite3.Connection, rows: list[Settled], newest: int) -> None:
    """All in one transaction: a recovery that is itself killed begins anew."""
    Recorder(connection).record(rows, committed=newest, floor=newest + 1)


def _interrupted(held: HeldRecord, died_at_ns: int, sequence: int) -> Settled:
    entry = LedgerEntry(
        request_id=held.request_id,
        attempt=held.last_attempt + 1,
        started_at_ns=held.at_ns,
        duration_s=max(0.0, (died_at_ns - held.at_ns) / NS_PER_S),
        ttft_s=None,
        tenant=held.scopes[0].tenant if held.scopes else "",
        team=_named(held.scopes, "team"),
        user=_named(held.scopes, "user"),
        key_id=_named(held.scopes, "key"),
        tags=tuple(scope.name for scope in held.scopes if scope.kind == "tag"),
        operation=held.operation,
        stream=held.stream,
        requested_model=_named(held.scopes, "model"),
        served_model=_named(held.scopes, "model"),
        deployment="",
        provider="",
        outcome="interrupted",
        http_status=0,
        usage=Usage(),
        usage_basis="bound",
        list_nano_usd=held.bound_nano_usd,
        effective_nano_usd=held.bound_nano_usd,
        baseline_nano_usd=held.bound_nano_usd,
        price_source="the worst case that was held",
        price_date="",
        upstream_request_id="",
        decision="",
    )
    return Settled(sequence, entry, held.at_ns, held.scopes, held.attempts == 0)


def _named(scopes: tuple[Scope, ...], kind: str) -> str:
    return next((scope.name for scope in scopes if scope.kind == kind), "")
