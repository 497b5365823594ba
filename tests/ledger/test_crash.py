"""Kill -9, torn tails, full disks: what was acknowledged is there, once; what was under way costs its bound."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from breakeven.errors import Unavailable
from breakeven.ledger import journal
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.ledger_store import Hold
from breakeven.ledger.records import HEADER, MAGIC, EntryRecord, HeldRecord, ending
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Admission
from ledger.ledgers import AT_NS, SCOPES, TENANT, budget, entry, recomputed, rows, stored_budget, summed

KILLS = 30
BOUND, COST = 1_000, 7


async def serve_until_killed(path: Path, acknowledged: int, round_number: int) -> None:
    """Four clients that hold, settle and say so, as fast as they can; small segments, so that they are freed, too."""
    ledger = SqliteLedger.open(path, segment_bytes=128 * 1024)

    async def client(number: int) -> None:
        for turn in range(1_000_000):
            name = f"{round_number}-{number}-{turn}"
            hold = await ledger.hold(name, SCOPES, BOUND, AT_NS, stream=True)
            assert not isinstance(hold, Admission)
            os.write(acknowledged, f"held {name}\n".encode())
            await asyncio.sleep(0)
            if turn % 5 == 0:
                await ledger.settle(hold, entry(name, 1))
                os.write(acknowledged, f"settled {name}\n".encode())
                hold = await ledger.hold(name, SCOPES, BOUND, AT_NS, stream=True, attempt=2)
                assert not isinstance(hold, Admission)
                await asyncio.sleep(0)
                await ledger.settle(hold, entry(name, COST, attempt=2))
            elif turn % 7 == 0:
                await ledger.release(hold)
                os.write(acknowledged, f"freed {name}\n".encode())
                continue
            else:
                await ledger.settle(hold, entry(name, COST))
            os.write(acknowledged, f"settled {name}\n".encode())

    await asyncio.gather(*(client(number) for number in range(4)))


def killed_after(path: Path, delay_s: float, round_number: int) -> list[str]:
    """Fork a process that serves, kill it, and give back what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            asyncio.run(serve_until_killed(path, writing, round_number))
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        first = said.readline()  # it serves
        timer = time.monotonic() + delay_s
        lines = [first]
        os.set_blocking(reading, False)
        while time.monotonic() < timer:
            lines += said.readlines()
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        os.set_blocking(reading, True)
        lines += said.readlines()
    return "".join(lines).splitlines()


def test_killed_at_random_every_acknowledged_settlement_has_one_row(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    stored_budget(path, budget(TENANT, 10**15))
    chance = random.Random(20261124)
    said = Counter[str]()
    for round_number in range(KILLS):
        lines = killed_after(path, chance.uniform(0, 0.08), round_number)
        said.update(line for line in lines if len(line.split()) == 2)
    with opened(path):  # the last journal is carried over by whoever opens the ledger next
        assert journal.segment_paths(path) == []
    found = rows(path)
    attempts = Counter(row["request_id"] for row in found)
    assert max(Counter((row["request_id"], row["attempt"]) for row in found).values()) == 1
    settled = Counter({line.split()[1]: times for line, times in said.items() if line.startswith("settled")})
    assert settled.total() > 500
    for name, times in settled.items():
        assert attempts[name] >= times, name
    held = {line.split()[1] for line in said if line.startswith("held")}
    freed = {line.split()[1] for line in said if line.startswith("freed")}
    # Whatever was held is settled, freed, or was under way and costs its bound; at most one line a client is unsaid.
    ended = {row["request_id"] for row in found if row["outcome"] == "interrupted" or row["effective_nano_usd"] == COST}
    assert len(held - freed - ended) <= 4 * KILLS
    assert not freed & ended
    interrupted = [row for row in found if row["outcome"] == "interrupted"]
    assert 0 < len(interrupted) <= 4 * KILLS
    assert {(row["effective_nano_usd"], row["usage_basis"], row["stream"]) for row in interrupted} == {
        (BOUND, "bound", 1)
    }
    assert summed(path) == recomputed(path)


def crashed(path: Path) -> tuple[list[str], bytes]:
    """A ledger whose process held two requests, settled one, and was killed before anything was committed."""
    child = os.fork()
    if child == 0:
        asyncio.run(two_requests(path))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    segment = journal.segment_paths(path)[-1]
    return ["settled", "open"], segment.read_bytes()


async def two_requests(path: Path) -> None:
    ledger = SqliteLedger.open(path, segment_bytes=128 * 1024)
    ledger._commit._stop = True  # nothing is committed any more: all that is known is in the journal
    ledger._commit.stop()
    for name in ("settled", "open"):
        hold = await ledger.hold(name, SCOPES, BOUND, AT_NS)
        if name == "settled":
            assert not isinstance(hold, Admission)
            await ledger.settle(hold, entry(name, COST))


def test_a_journal_is_replayed_once_however_often_it_is_found(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    _, data = crashed(path)
    segment = journal.segment_paths(path)[-1]
    for _ in range(2):
        with opened(path):
            pass
        expected = [("settled", "ok", COST), ("open", "interrupted", BOUND)]
        assert [(row["request_id"], row["outcome"], row["effective_nano_usd"]) for row in rows(path)] == expected
        assert summed(path) == recomputed(path)
        segment.write_bytes(data)  # as if the power had failed before the file was gone


def test_a_torn_tail_is_seen_and_what_was_whole_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    _, data = crashed(path)
    segment = journal.segment_paths(path)[-1]
    whole = data.rstrip(b"\0")
    ends = []
    offset = len(MAGIC)
    while offset < len(whole):
        offset += HEADER.size + HEADER.unpack_from(data, offset)[0]
        ends.append(offset)
    assert len(ends) == 3  # held, entry, held
    assert ending(data) == "clean"
    torn = data[: ends[1] + HEADER.size + 5] + bytes(len(data) - ends[1] - HEADER.size - 5)
    assert ending(torn) == "torn"
    segment.write_bytes(torn)
    with opened(path):
        pass
    assert [row["request_id"] for row in rows(path)] == ["settled"]


def test_open_holds_of_a_closed_ledger_become_rows(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"

    async def left_open() -> None:
        ledger = SqliteLedger.open(path)
        scopes = (*SCOPES, TENANT._replace(kind="tag", name="project=atlas"))
        hold = await ledger.hold("r1", scopes, BOUND, AT_NS)
        assert not isinstance(hold, Admission)
        await ledger.settle(hold, entry("r1", 3, outcome="failed"))
        assert not isinstance(await ledger.hold("r1", scopes, BOUND, AT_NS, attempt=2), Admission)
        await ledger.close()
        ledger = SqliteLedger.open(path)
        assert ledger.health().interrupted_entries == 1
        await ledger.close()

    asyncio.run(left_open())
    first, second = rows(path)
    assert (first["attempt"], first["first"], second["attempt"], second["first"]) == (1, 1, 2, 0)
    assert (second["tenant"], second["user"], second["key_id"]) == ("acme", "alice", "key_1")
    assert (second["served_model"], second["tags"]) == ("gpt-4o-mini", '["project=atlas"]')
    assert second["started_at_ns"] == AT_NS


def test_a_hold_of_several_attempts_in_an_older_journal_becomes_rows(tmp_path: Path) -> None:
    path = tmp_path / "breakeven.db"
    stored_budget(path, budget(TENANT, 10**15))
    older = journal.Journal(path, 1, segment_bytes=128 * 1024)
    older.append(HeldRecord("r1", AT_NS, BOUND, SCOPES, "chat", False))
    for attempt in (1, 2):
        older.append(EntryRecord(entry("r1", COST, attempt=attempt), AT_NS, SCOPES, attempt == 1, False))
    older.close(delete=False)
    with opened(path):
        pass
    found = [(row["attempt"], row["first"], row["effective_nano_usd"], row["outcome"]) for row in rows(path)]
    assert found == [(1, 1, COST, "ok"), (2, 0, COST, "ok"), (3, 0, BOUND, "interrupted")]
    assert summed(path) == recomputed(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Leave no byte of a disk."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


async def held_until_refused(ledger: SqliteLedger, most: int) -> list[Hold]:
    """Holds, until the journal has no room for one more."""
    holds: list[Hold] = []
    with suppress(Unavailable):
        while len(holds) < most:
            hold = await ledger.hold(f"r{len(holds)}", SCOPES, BOUND, AT_NS)
            assert not isinstance(hold, Admission)
            holds.append(hold)
    return holds


def test_a_full_disk_refuses_new_requests_and_loses_none_under_way(small_disk: Path) -> None:
    path = small_disk / "breakeven.db"
    stored_budget(path, budget(TENANT, 10**12))
    filler = small_disk / "filler"

    async def body() -> int:
        ledger = SqliteLedger.open(path, segment_bytes=1024 * 1024)
        fill(filler)
        holds = await held_until_refused(ledger, 10_000)
        assert 50 < len(holds) < 10_000
        assert ledger.holds_count == len(holds)
        assert ledger.holds_nano_usd == BOUND * len(holds)
        for n, hold in enumerate(holds):  # under way when the disk became full: each is recorded
            await ledger.settle(hold, entry(f"r{n}", 1, decision="x" * 1_000))
        await asyncio.sleep(0.1)
        assert ledger.health().failure is not None
        assert ledger.health().unjournaled_records == 0
        filler.unlink()
        await asyncio.sleep(0.4)
        assert await ledger.flush()
        await ledger.close()
        return len(holds)

    admitted = asyncio.run(body())
    assert len(rows(path)) == admitted
    assert summed(path) == recomputed(path)


@pytest.mark.parametrize("mode", ["journal", "deny", "last-known"])
def test_without_room_in_the_journal_only_last_known_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    path = tmp_path / "breakeven.db"

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def body() -> None:
        ledger = SqliteLedger.open(path, mode=mode, segment_bytes=128 * 1024)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        monkeypatch.setattr(journal, "_take_room", full)
        holds = await held_until_refused(ledger, 200)
        assert (len(holds) == 200) == (mode == "last-known")
        for n, hold in enumerate(holds):
            await ledger.settle(hold, entry(f"r{n}", 1))
        assert (ledger.health().unjournaled_records > 0) == (mode == "last-known")
        monkeypatch.undo()
        assert await ledger.flush()
        await ledger.close()
        assert len(rows(path)) == len(holds)

    asyncio.run(body())
