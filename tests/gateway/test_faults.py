"""The ledger is locked, full or moved away: the declared mode is kept, nothing is lost, and it recovers by itself."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.live import Live, Told, assert_one_number, bound_nano_usd, chat_body, configuration, cost_nano_usd
from gateway.mock_upstream import Order, mock_upstream

LOCKED_S = 0.5
"""How long it stays locked once that was seen."""

MODES = ("journal", "deny", "last-known")


@asynccontextmanager
async def started(folder: Path, mode: str, ledger_folder: Path | None = None) -> AsyncIterator[Live]:
    async with mock_upstream() as mock:
        config = configuration(mock.url, ledger_unavailable=mode)
        with Live(folder=folder, config=config, ledger_folder=ledger_folder) as live:
            live.new_key()
            live.budget("tenant:acme", 10**12)
            live.start()
            yield live


@asynccontextmanager
async def under_load(live: Live) -> AsyncIterator[list[Told]]:
    """Four clients that ask on and on; what they were told."""
    told: list[Told] = []
    stop = asyncio.Event()

    async def ask_on(client: int) -> None:
        while not stop.is_set():
            told.append(await live.chat(Order(), stream=client % 2 == 1))
            await asyncio.sleep(0.01)

    asking = [asyncio.create_task(ask_on(client)) for client in range(4)]
    try:
        yield told
    finally:
        stop.set()
        await asyncio.gather(*asking)


async def assert_nothing_lost(live: Live, told: list[Told]) -> None:
    """Each answer has its row, once, and refused requests have none."""
    assert {each.status for each in told} <= {200, 503}, Counter(each.status for each in told)
    answered = [each for each in told if each.status == 200]
    assert all(each.whole for each in answered)
    await assert_one_number(live, len(answered) * cost_nano_usd(Order()))
    assert Counter(row["request_id"] for row in live.rows()) == Counter(each.request_id for each in answered)


async def readiness(live: Live) -> tuple[int, list[str]]:
    told = await live.ask("GET", "/readyz")
    return told.status, [reason["code"] for reason in told.json["reasons"]]


async def until_troubled(live: Live) -> tuple[int, list[str]]:
    async with asyncio.timeout(10):
        while not (seen := await readiness(live))[1]:
            await asyncio.sleep(0.05)
    return seen


async def until_ready(live: Live) -> None:
    async with asyncio.timeout(10):
        while await readiness(live) != (200, []):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("mode", MODES)
def test_a_ledger_locked_for_seconds(tmp_path: Path, mode: str) -> None:
    async def scenario() -> None:
        async with started(tmp_path, mode) as live:
            async with under_load(live) as told:
                await asyncio.sleep(0.2)
                with closing(sqlite3.connect(live.ledger, isolation_level=None)) as other:
                    other.execute("BEGIN IMMEDIATE")
                    seen = await until_troubled(live)
                    await asyncio.sleep(LOCKED_S)
                    while_locked = {each.status for each in told[-8:]}
                    other.execute("ROLLBACK")
                assert seen == {"deny": (503, ["ledger_unavailable"])}.get(mode, (200, ["ledger_degraded"]))
                assert while_locked == ({503} if mode == "deny" else {200})
                refused = next((each for each in told if each.status == 503), None)
                assert refused is None or refused.json["error"]["code"] == "ledger_unavailable"
                await until_ready(live)
                after = len(told)
                await asyncio.sleep(0.3)
                assert {each.status for each in told[after + 4 :]} == {200}
            await assert_nothing_lost(live, told)

    asyncio.run(scenario())


def test_a_ledger_moved_away_and_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path, "journal") as live:
            async with under_load(live) as told:
                await asyncio.sleep(0.2)
                aside = tmp_path / "aside.db"
                live.ledger.rename(aside)
                assert await until_troubled(live) == (200, ["ledger_degraded"])
                aside.rename(live.ledger)
                await until_ready(live)
            assert {each.status for each in told} == {200}
            await assert_nothing_lost(live, told)

    asyncio.run(scenario())


def test_an_older_backup_put_back_is_what_is_enforced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path, "journal") as live:
            async with under_load(live) as told:
                await asyncio.sleep(0.3)
                backup = tmp_path / "backup.db"
                live.cli("ledger", "backup", str(backup))
                await asyncio.sleep(0.3)
            spent = await assert_one_number(live)
            assert live.stop() == 0
            backup.replace(live.ledger)
            live.start()
            assert 0 < await assert_one_number(live) < spent
            assert (await live.chat(Order())).status == 200
            await assert_one_number(live)
            assert len(told) > 8

    asyncio.run(scenario())


def test_a_ledger_replaced_while_serving_is_not_written_to_until_the_next_start(tmp_path: Path) -> None:
    """What is enforced was read from the file before: rows wait in the journal rather than go where nothing agrees."""

    async def scenario() -> None:
        async with started(tmp_path, "journal") as live:
            await live.chat(Order())
            spent = await assert_one_number(live)
            backup = tmp_path / "backup.db"
            live.cli("ledger", "backup", str(backup))
            backup.replace(live.ledger)
            told = [await live.chat(Order(), stream=stream) for stream in (False, True)]
            assert await until_troubled(live) == (200, ["ledger_degraded"])
            assert live.stop() == 0
            live.start()
            assert await assert_one_number(live) == spent + sum(each.cost_nano_usd or 0 for each in told)
            assert {row["request_id"] for row in live.rows()} > {each.request_id for each in told}

    asyncio.run(scenario())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    async def scenario() -> None:
        async with started(tmp_path, "journal", small_disk) as live:
            async with under_load(live) as told:
                await asyncio.sleep(0.1)
                filler = small_disk / "filler"
                fill(filler)
                assert await until_troubled(live) == (200, ["ledger_degraded"])
                await asyncio.sleep(0.5)
                assert {each.status for each in told[-4:]} == {200}
                filler.unlink()
                await until_ready(live)
                after = len(told)
                await asyncio.sleep(0.3)
                assert {each.status for each in told[after + 4 :]} == {200}
            await assert_nothing_lost(live, told)
            assert live.stop() == 0
            live.start()
            await assert_nothing_lost(live, told)

    asyncio.run(scenario())


def fill(file: Path) -> None:
    """Take all that is left of a file system."""
    with file.open("wb", buffering=0) as opened:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    opened.write(bytes(size))
            except OSError:
                continue


@pytest.mark.parametrize("end", ["kill", "term"])
def test_a_budget_holds_while_the_ledger_is_locked_and_after_the_end(tmp_path: Path, end: str) -> None:
    """What the journal has is enforced: no more is let in, and an end before anything was committed loses nothing."""

    async def scenario() -> None:
        async with started(tmp_path, "journal") as live:
            order, fits = Order(), 20
            bound = bound_nano_usd(chat_body(order))
            live.budget("user:alice", (fits - 1) * cost_nano_usd(order) + bound)
            with closing(sqlite3.connect(live.ledger, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                told = await asyncio.gather(*(live.chat(order) for _ in range(100)))
                assert Counter(each.status for each in told) == {200: fits, 429: 80}
                assert not live.rows()
                if end == "kill":
                    live.kill()
                else:
                    assert await asyncio.to_thread(live.stop, 5) == 0
                other.execute("ROLLBACK")
            live.start()
            assert (await live.chat(order)).status == 429
            assert await assert_one_number(live) == fits * cost_nano_usd(order)
            assert {row["request_id"] for row in live.rows()} == {
                each.request_id for each in told if each.whole and each.status == 200
            }

    asyncio.run(scenario())
