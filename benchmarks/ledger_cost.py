"""What the ledger costs a request: hold and settle on the event loop, then the commit, on an empty and a full ledger.

Three budgets (of a month, a day and 30 days) hold each request; the floor is writing as many bytes with one call.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from measure import Figure, milliseconds, report

from breakeven.catalog.usage import Usage
from breakeven.ledger import budgets
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.recording import Recorder, Settled
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Admission, Budget
from breakeven.policy.scope import Scope
from breakeven.policy.window import parse_window

REQUESTS = 20_000
FULL_ROWS = 300_000
BATCH = 5_000
RATE_PER_S = 1_000
PACED = 2_000
AT_NS = 1_790_000_000_000_000_000
SCOPES = (
    Scope("acme", "tenant", "acme"),
    Scope("acme", "key", "key_1"),
    Scope("acme", "model", "gpt-4o-mini"),
    Scope("acme", "user", "alice"),
)


def entry(request_id: str) -> LedgerEntry:
    """A request of a small model."""
    return LedgerEntry(
        request_id=request_id,
        attempt=1,
        started_at_ns=AT_NS,
        duration_s=0.5,
        ttft_s=0.1,
        tenant="acme",
        team="",
        user="alice",
        key_id="key_1",
        tags=(),
        operation="chat",
        stream=False,
        requested_model="gpt-4o-mini",
        served_model="gpt-4o-mini",
        deployment="openai",
        provider="openai",
        outcome="ok",
        http_status=200,
        usage=Usage(input_tokens=800, output_tokens=400),
        usage_basis="reported",
        list_nano_usd=360_000,
        effective_nano_usd=360_000,
        baseline_nano_usd=360_000,
        price_source="benchmark",
        price_date="2026-11-24",
        upstream_request_id="chatcmpl-1",
        decision="gpt-4o-mini@openai; requested",
    )


def begin(path: Path, rows: int) -> None:
    """A ledger with three budgets, and so many entries of the last 30 days."""
    with opened(path, create=True) as connection:
        for scope, text in zip(SCOPES, ("month", "30d", "total", "day"), strict=True):
            window = parse_window(text)
            identifier = budgets.budget_id(scope, window)
            budgets.set_budget(
                connection, Budget(budget_id=identifier, scope=scope, limit_nano_usd=10**18, window=window)
            )
        recorder = Recorder(connection)
        step_ns = 30 * 86_400 * 10**9 // max(rows, 1)
        for start in range(0, rows, BATCH):
            batch = [
                Settled(n + 1, entry(f"old-{n:012d}"), AT_NS - n * step_ns, SCOPES, True)
                for n in range(start, start + BATCH)
            ]
            recorder.record(batch, committed=start + BATCH, floor=1)


async def request(ledger: SqliteLedger, made: LedgerEntry, at_ns: int) -> None:
    """Hold and settle."""
    hold = await ledger.hold(made.request_id, SCOPES, 1_000_000, at_ns)
    if isinstance(hold, Admission):
        raise SystemExit(f"not admitted: {hold}")
    await ledger.settle(hold, made)


async def cost(path: Path) -> tuple[float, float]:
    """CPU seconds of a request on the loop, and of it and its commit in the whole process."""
    ledger = SqliteLedger.open(path)
    made = [entry(f"new-{n:012d}") for n in range(REQUESTS)]
    await request(ledger, entry("warm"), AT_NS)
    loop_s, process_s = time.thread_time(), time.process_time()
    for n, each in enumerate(made):
        await request(ledger, each, AT_NS + n)
    loop_s = time.thread_time() - loop_s
    await ledger.flush()
    process_s = time.process_time() - process_s
    await ledger.close()
    return loop_s / REQUESTS, process_s / REQUESTS


async def ages(path: Path) -> list[float]:
    """How long after its settlement each entry is in SQLite and synced, at a steady rate, in order."""
    ledger = SqliteLedger.open(path)
    found: list[float] = []

    async def one(n: int) -> None:
        await request(ledger, entry(f"paced-{n:012d}"), AT_NS + n)
        settled_s = time.perf_counter()
        await ledger.flush()
        found.append(time.perf_counter() - settled_s)

    begun_s, tasks = time.perf_counter(), []
    for n in range(PACED):
        await asyncio.sleep(max(0.0, begun_s + n / RATE_PER_S - time.perf_counter()))
        tasks.append(asyncio.create_task(one(n)))
    await asyncio.gather(*tasks)
    await ledger.close()
    return sorted(found)


def floor_s(path: Path) -> float:
    """CPU seconds to write a request's two records with one call each."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    held, recorded = bytes(133), bytes(690)
    begun_s = time.thread_time()
    for n in range(REQUESTS):
        os.pwrite(descriptor, held, n * 823)
        os.pwrite(descriptor, recorded, n * 823 + 133)
    spent_s = time.thread_time() - begun_s
    os.close(descriptor)
    return spent_s / REQUESTS


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        written_s = floor_s(Path(folder) / "floor")
        figures = []
        for rows in (0, FULL_ROWS):
            path = Path(folder) / f"{rows}.db"
            begin(path, rows)
            loop_s, process_s = asyncio.run(cost(path))
            figures.append(
                Figure(
                    what=f"hold and settle, {rows:,} entries in the ledger",
                    figure=f"{loop_s * 1e6:.1f} us CPU",
                    beside=f"{process_s * 1e6:.1f} us with its commit; two writes {written_s * 1e6:.1f} us",
                )
            )
            found = asyncio.run(ages(path))
            median, late = found[len(found) // 2], found[len(found) * 99 // 100]
            figures.append(
                Figure(
                    what=f"in SQLite and synced, at {RATE_PER_S:,} requests a second",
                    figure=f"{milliseconds(median)} p50",
                    beside=f"{milliseconds(late)} p99, {milliseconds(found[-1])} at most",
                )
            )
    report("Ledger", figures)


if __name__ == "__main__":
    main()
