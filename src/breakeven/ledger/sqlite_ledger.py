"""The ledger in one SQLite file: held and settled in memory and in the journal, committed in groups."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from breakeven.errors import InputError, Unavailable
from breakeven.ledger import file_lock, recovery
from breakeven.ledger.accounts import Account, AccountedHold, Accounts
from breakeven.ledger.budgets import spent_nano_usd
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.group_commit import GroupCommit
from breakeven.ledger.hold_journal import HoldJournal
from breakeven.ledger.journal import JOURNAL_BYTES, SEGMENT_BYTES, Journal
from breakeven.ledger.ledger_store import Hold
from breakeven.ledger.policy_cache import LOOK_FOR_UNKNOWN_S, PolicyCache
from breakeven.ledger.recording import COMMITTED, LARGEST_ENTRY_NANO_USD, Settled, check_storable
from breakeven.ledger.schema import STEPS
from breakeven.ledger.waiting import Line, Waiting, new_ticket
from breakeven.policy.budget import Admission, Budget, BudgetState, admit
from breakeven.policy.decision import Operation
from breakeven.policy.scope import Scope
from breakeven.policy.virtual_key import VirtualKey
from breakeven.stores import sqlite

StoreMode = Literal["journal", "deny", "last-known"]
"""What happens while SQLite cannot be written: requests go on as long as the journal can be, new ones are refused, or
requests go on even where the journal cannot be written, from what memory knows."""

BACKLOG_ROWS: Final = 200_000
"""The most entries that wait for SQLite; beyond that, new requests are refused."""

Observer = Callable[[LedgerEntry], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHealth:
    """How the ledger is, for ``/readyz`` and metrics. ``failure`` is why SQLite cannot be written; None where it can.

    ``degraded_holds`` counts requests that were admitted while it could not; ``refuses`` says that the next one is
    not.
    """

    mode: StoreMode
    refuses: bool
    failure: str | None
    backlog_rows: int
    journal_bytes: int
    backlog_age_s: float
    degraded_holds: int
    unjournaled_records: int
    repeated_entries: int
    holds: int
    holds_nano_usd: int
    recovered_entries: int
    interrupted_entries: int


class SqliteLedger:
    """A `LedgerStore`. All calls come from one event loop."""

    def __init__(self, path: Path, lock: file_lock.FileLock, connection: sqlite3.Connection, mode: StoreMode) -> None:
        self._path = path
        self._lock = lock
        self._connection = connection
        self._mode = mode
        self._accounts = Accounts(self._spent)
        self._policy = PolicyCache(path, connection, self._accounts)
        self._uncommitted: deque[Settled] = deque()
        self._degraded_holds = 0
        self.observers: list[Observer] = []

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        mode: StoreMode = "journal",
        segment_bytes: int = SEGMENT_BYTES,
        journal_bytes: int = JOURNAL_BYTES,
    ) -> SqliteLedger:
        """Open a ledger to serve from, made where there is none; a killed process's journal is carried over first.

        Raises:
            InputError: the file is no ledger, or one of a newer Breakeven.
            Unavailable: another process serves from it, or it cannot be written now.
        """
        lock = file_lock.take_to_serve(path)
        try:
            connection = sqlite.connect(path, create=True)
            try:
                sqlite.upgrade(connection, path, STEPS)
                ledger = cls(path, lock, connection, mode)
                ledger._begin(segment_bytes, journal_bytes)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        return ledger

    def _begin(self, segment_bytes: int, journal_bytes: int) -> None:
        self._recovered = recovery.recover(self._path, self._connection)
        self._policy.look()
        self._connection.execute("PRAGMA busy_timeout = 50")  # from here on, the event loop waits for it
        newest = self._recovered.newest
        journal = Journal(self._path, newest + 1, segment_bytes=segment_bytes, limit_bytes=journal_bytes)
        self._journal = HoldJournal(journal, self._accounts.holds, go_on=self._mode == "last-known")
        self._commit = GroupCommit(self._path, journal, newest)

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._path

    async def key(self, secret_sha256: bytes) -> VirtualKey | None:
        """The key with this digest of its secret, also where it is expired or revoked; None where there is none.

        Raises:
            Unavailable: the key is unknown and the ledger cannot be read, so it may be a new one.
        """
        found = self._policy.key(secret_sha256)
        if found is None:  # it may have been made since the last look; whoever tries keys waits each time
            await asyncio.sleep(LOOK_FOR_UNKNOWN_S)
            found = self._policy.key(secret_sha256)
        return found

    def budgets(self, scopes: Sequence[Scope]) -> tuple[Budget, ...]:
        """The budgets that requests with these scopes count against."""
        return self._accounts.budgets(scopes)

    async def hold(
        self,
        request_id: str,
        scopes: Sequence[Scope],
        bound_nano_usd: int,
        at_ns: int,
        operation: Operation = "chat",
        stream: bool = False,
        attempt: int = 1,
    ) -> Hold | Admission:
        """Set the bound aside under every budget of these scopes at once, or in none: then the verdict says why.

        Raises:
            InputError: the request may cost more than a million dollars.
            Unavailable: the ledger cannot take a row now.
            ValueError: a hold of this request is open.
        """
        self._check_ready(request_id, bound_nano_usd)
        at_ns = self._accounts.moment(at_ns)
        scopes = scopes if isinstance(scopes, tuple) else tuple(scopes)
        group = self._accounts.group(scopes, at_ns)
        refused = self._asked(group.accounts, request_id, bound_nano_usd)
        if refused is not None:
            return refused
        hold = AccountedHold(request_id, attempt, scopes, group.accounts, bound_nano_usd, at_ns, operation, stream)
        self._journal.placed(hold, group.name_bytes)
        self._accounts.reserve(hold)
        self._commit.wake()
        if self._commit.failure is not None:
            self._degraded_holds += 1
        return hold

    def _check_ready(self, request_id: str, bound_nano_usd: int) -> None:
        if request_id in self._accounts.holds:
            raise ValueError(f"request {request_id} has a hold already")
        if bound_nano_usd > LARGEST_ENTRY_NANO_USD:
            raise InputError("the request may cost more than 1,000,000 US dollars", hint="lower its max_tokens")
        if self._commit.failure is None or not self._refuses:
            return
        if self._mode == "deny":
            raise Unavailable(
                "the ledger cannot be written, and no request is sent without it",
                cause=self._commit.failure,
                hint='free the ledger file, or set ledger_unavailable = "journal" under [gateway] and restart',
            )
        raise Unavailable(
            "the ledger cannot be written, and too many rows wait for it",
            cause=self._commit.failure,
            hint="free the ledger file, then send the request again",
        )

    @property
    def _refuses(self) -> bool:
        """Whether a request cannot be admitted now."""
        return self._commit.failure is not None and (self._mode == "deny" or self._commit.backlog >= BACKLOG_ROWS)

    def _asked(self, accounts: tuple[Account, ...], request_id: str, bound_nano_usd: int) -> Admission | None:
        """The verdict where there is no room; None where there is. Who was called keeps its place if it must wait."""
        admission = admit(accounts, bound_nano_usd)
        lines = [(account.budget, account.line) for account in accounts if account.line is not None]
        if admission.verdict == "fits" and (not lines or bound_nano_usd <= 0):
            return None
        ticket = next((place for _, line in lines if (place := line.ticket(request_id)) is not None), None)
        if admission.verdict == "fits":
            ahead = [budget for budget, line in lines if not line.lets_ask(ticket)]
            admission = Admission(verdict="wait", budget=ahead[0]) if ahead else admission
        waits_under = admission.budget if admission.verdict == "wait" else None
        for budget, line in lines:
            if budget is not waits_under:
                line.answered(request_id)
                self._drop_line(budget.budget_id, line)
        if admission.verdict == "wait":
            ticket = new_ticket() if ticket is None else ticket
            return Waiting(verdict="wait", budget=waits_under, request_id=request_id, ticket=ticket)
        return None if admission.verdict == "fits" else admission

    async def wait_for_room(self, refused: Admission, timeout_s: float) -> bool:
        """Wait, first come first served, until something was settled under the budget that had no room.

        False: nothing was, in time, or too many wait already.
        """
        if not isinstance(refused, Waiting) or refused.budget is None:
            return False
        account = self._accounts.account(refused.budget.budget_id)
        if account is None or (not account.reserved_nano_usd and account.line is None):
            return True
        if account.line is None:
            account.line = Line()
        line = account.line
        try:
            return await line.wait(refused.request_id, refused.ticket, timeout_s)
        finally:
            self._drop_line(refused.budget.budget_id, line)

    def _drop_line(self, budget_id: str, line: Line) -> None:
        """Where nobody waits any more, the way through a budget is short again."""
        account = self._accounts.account(budget_id)
        if account is not None and account.line is line and line.is_empty:
            account.line = None

    async def settle(self, hold: Hold, entry: LedgerEntry) -> None:
        """Record a hold's attempt, count its cost under the hold's budgets, and free the hold.

        Raises:
            ValueError: the hold is not open or not of this attempt, or no request has such amounts.
        """
        held = self._open(hold)
        if entry.attempt != held.attempt or entry.request_id != held.request_id:
            raise ValueError(
                f"attempt {entry.attempt} of {entry.request_id} is not attempt {held.attempt} of {held.request_id}"
            )
        check_storable(entry)
        settled = self._journal.recorded(held, entry)
        self._accounts.free(held, entry.effective_nano_usd)
        self._note(settled)
        for observer in self.observers:
            observer(entry)

    def _note(self, settled: Settled) -> None:
        uncommitted, committed = self._uncommitted, self._commit.committed
        while uncommitted and uncommitted[0].sequence <= committed:
            uncommitted.popleft()
        uncommitted.append(settled)
        self._commit.put(settled)

    async def release(self, hold: Hold) -> None:
        """Free a hold of which nothing was sent.

        Raises:
            ValueError: the hold is not open.
        """
        held = self._open(hold)
        self._journal.freed(held)
        self._accounts.free(held)
        self._commit.wake()

    def _open(self, hold: Hold) -> AccountedHold:
        held = self._accounts.holds.get(hold.request_id)
        if held is None or held is not hold:
            raise ValueError(f"the hold of request {hold.request_id} is not open")
        return held

    def _spent(self, scope: Scope, start_ns: int, end_ns: int) -> int:
        """What a scope spent in a window: what SQLite has, and what is on its way there."""
        with sqlite.reported(self._path), sqlite.snapshot(self._connection):
            committed = recovery.fact(self._connection, COMMITTED)
            total = spent_nano_usd(self._connection, scope, start_ns, end_ns)
        return total + sum(
            settled.entry.effective_nano_usd
            for settled in self._uncommitted
            if settled.sequence > committed and start_ns <= settled.at_ns < end_ns and scope in settled.scopes
        )

    @property
    def holds_count(self) -> int:
        """How many holds are open."""
        return len(self._accounts.holds)

    @property
    def holds_nano_usd(self) -> int:
        """What all open holds set aside."""
        return sum(hold.bound_nano_usd for hold in self._accounts.holds.values())

    def account(self, budget_id: str) -> Account | None:
        """What is enforced of a budget now; None where no request met it yet."""
        return self._accounts.account(budget_id)

    def standings(self) -> tuple[BudgetState, ...]:
        """Every budget in its window now, with the numbers by which it is enforced.

        Raises:
            Unavailable: the ledger cannot be read, and a budget is new here.
        """
        accounts = self._accounts.standings(self._accounts.moment(time.time_ns()))
        return tuple(
            BudgetState(
                budget=each.budget, spent_nano_usd=each.spent_nano_usd, reserved_nano_usd=each.reserved_nano_usd
            )
            for each in accounts
        )

    def look(self) -> None:
        """Take over at once what others changed of keys and budgets; requests do so within 50 ms by themselves.

        Raises:
            Unavailable: the ledger cannot be read.
        """
        self._policy.look()

    def recent(self, request_id: str) -> tuple[LedgerEntry, ...]:
        """The attempts at a request that may not be in SQLite yet."""
        return tuple(settled.entry for settled in self._uncommitted if settled.entry.request_id == request_id)

    def health(self) -> LedgerHealth:
        """How the ledger is."""
        return LedgerHealth(
            mode=self._mode,
            refuses=self._refuses,
            failure=self._commit.failure,
            backlog_rows=self._commit.backlog,
            journal_bytes=self._journal.size_bytes,
            backlog_age_s=self._commit.backlog_age_s,
            degraded_holds=self._degraded_holds,
            unjournaled_records=self._journal.unjournaled,
            repeated_entries=self._commit.repeated,
            holds=self.holds_count,
            holds_nano_usd=self.holds_nano_usd,
            recovered_entries=self._recovered.entries,
            interrupted_entries=self._recovered.interrupted,
        )

    async def flush(self) -> bool:
        """Wait until every entry so far is in SQLite; False where SQLite cannot be written."""
        newest = self._commit.newest
        while self._commit.committed < newest:
            if self._commit.failure is not None:
                return False
            await asyncio.sleep(0.002)
        return True

    async def close(self) -> None:
        """Commit what is left and let the ledger go. Open holds stay in the journal, as if the process had died."""
        all_committed = await asyncio.to_thread(self._commit.stop)
        self._journal.close(delete=all_committed and not self._accounts.holds)
        self._connection.close()
        self._lock.release()
