"""Answers in a file: found again by any process, within its bounds, and never the reason why a request fails."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from breakeven.cache import cache_file
from breakeven.cache.sqlite_store import SqliteStore
from breakeven.errors import InputError
from breakeven.ledger import ledger_file
from cache.stored import NS_PER_S, answer, failed, key, random_body, until, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


def opened(path: Path, max_bytes: int = 1 << 30, memory_bytes: int = 0) -> SqliteStore:
    """A store without memory, unless it is asked for: what is found is in the file."""
    return SqliteStore.open(path, max_bytes=max_bytes, memory_bytes=memory_bytes)


def now_ns() -> int:
    return time.time_ns()


def test_an_answer_is_found_by_this_process_and_by_others(path: Path) -> None:
    kept = answer(b'{"a":1}', call_ids=(b"call_1",), stream=True, pieces=(b"data: 1\n\n", b"data: [DONE]\n\n"))

    async def run() -> None:
        store, other = opened(path), opened(path)
        store.put(key(1), kept)
        await written(store, 1)
        assert await store.get(key(1), now_ns()) == await other.get(key(1), now_ns()) == kept
        assert await other.get(key(2), now_ns()) is None
        assert (other.counters.store_hits, other.counters.misses, other.counters.read_errors) == (1, 1, 0)
        await store.close()
        await other.close()
        again = opened(path)
        assert await again.get(key(1), now_ns()) == kept
        await again.close()

    asyncio.run(run())


def test_what_was_put_last_counts_and_is_found_at_once(path: Path) -> None:
    async def run() -> None:
        store = opened(path, memory_bytes=1 << 20)
        store.put(key(1), answer(b"old"))
        store.put(key(1), answer(b"new"))
        found = await store.get(key(1), now_ns())
        assert found is not None
        assert found.pieces == (b"new",)
        await store.close()  # which writes what is waiting
        assert store.counters.written == 2
        again = opened(path)
        found = await again.get(key(1), now_ns())
        assert found is not None
        assert found.pieces == (b"new",)
        await again.close()

    asyncio.run(run())


def test_processes_write_to_one_file_at_once_within_one_bound(path: Path) -> None:
    bound = 2 << 20

    async def run() -> None:
        stores = [opened(path, bound) for _ in range(3)]
        for number in range(600):
            for place, store in enumerate(stores):
                store.put(key(number, str(place)), answer(random_body(), served_model=str(place)))
        for store in stores:
            await written(store, 600)
        await asyncio.gather(*(store.close() for store in stores))
        assert sum(store.counters.evicted for store in stores) > 300
        reader = opened(path, bound)
        for place in range(3):
            found = [await reader.get(key(number, str(place)), now_ns()) for number in range(600)]
            assert {each.served_model for each in found if each is not None} == {str(place)}
        await reader.close()

    asyncio.run(run())
    with cache_file.opened(path) as connection:
        assert cache_file.used_bytes(connection) <= bound


def test_what_a_slow_disk_cannot_take_is_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakeven.cache.sqlite_writer.MOST_WAITING_BYTES", 20_000)

    async def run() -> None:
        store = opened(path)
        for number in range(100):
            store.put(key(number), answer(random_body()))
        assert store.counters.dropped >= 20  # of a burst, what there is room for waits
        await until(lambda: store.counters.written + store.counters.dropped == 100)
        store.put(key(100), answer())
        await store.close()
        assert await opened_and_read(100)

    async def opened_and_read(number: int) -> bool:
        store = opened(path)
        found = await store.get(key(number), now_ns())
        await store.close()
        return found is not None

    asyncio.run(run())


def test_only_its_owner_may_read_it_and_no_question_is_in_it(path: Path) -> None:
    async def run() -> None:
        store = opened(path)
        store.put(key(1), answer(b"the answer"))
        await written(store, 1)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        await store.close()

    asyncio.run(run())
    with cache_file.opened(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(answers)")]
        assert columns == ["id", "key", "expires_at_s", "used_at_s", "answer"]
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_an_answer_that_has_expired_is_not_served_and_is_deleted(path: Path) -> None:
    async def run() -> None:
        store = opened(path)
        for number in range(600):
            store.put(key(number), answer(ttl_s=-5))
        store.put(key(999), answer(ttl_s=100))
        await written(store, 601)
        assert await store.get(key(999), now_ns() + 101 * NS_PER_S) is None
        assert await store.get(key(999), now_ns()) is not None
        await until(lambda: store.counters.expired == 600)
        await store.close()

    asyncio.run(run())
    with cache_file.opened(path) as connection:
        assert connection.execute("SELECT key FROM answers").fetchall() == [(key(999),)]


def test_it_keeps_within_its_bound_and_what_was_used_longest_ago_goes_first(path: Path) -> None:
    bound = 2 << 20

    async def run() -> None:
        store = opened(path, bound)
        for number in range(3_000):
            store.put(key(number), answer(random_body(), stored_at_ns=(1_790_000_000 + number) * NS_PER_S))
        await store.close()
        assert store.counters.evicted > 500
        again = opened(path, bound)
        found = [number for number in range(3_000) if await again.get(key(number), now_ns())]
        assert found == list(range(3_000 - len(found), 3_000))
        assert len(found) > 1_000
        await again.close()

    asyncio.run(run())
    with cache_file.opened(path) as connection:
        assert cache_file.used_bytes(connection) <= bound
    assert path.stat().st_size < 2 * bound


def test_an_answer_that_is_served_is_kept_longer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakeven.cache.sqlite_writer.TOUCH_S", 0.0)

    async def run() -> None:
        store = opened(path)
        for number in range(10):
            store.put(key(number), answer(stored_at_ns=(1_790_000_000 + number) * NS_PER_S))
        await written(store, 10)
        assert await store.get(key(0), now_ns()) is not None
        await asyncio.sleep(0)
        store.put(key(10), answer())
        await store.close()

    asyncio.run(run())
    with cache_file.opened(path) as connection:
        order = [row[0] for row in connection.execute("SELECT key FROM answers ORDER BY used_at_s, id")]
    assert order[:9] == [key(number) for number in range(1, 10)]
    assert set(order[9:]) == {key(0), key(10)}


def test_an_answer_too_large_for_the_cache_is_dropped(path: Path) -> None:
    async def run() -> None:
        store = opened(path, 1 << 20)
        store.put(key(1), answer(random_body(200_000)))
        await store.close()
        assert (store.counters.dropped, store.counters.written) == (1, 0)

    asyncio.run(run())


def test_a_flush_is_seen_by_another_process_within_a_second(path: Path) -> None:
    async def run() -> None:
        store = opened(path)
        before = {tenant: await store.epoch(tenant) or 0 for tenant in ("acme", "other")}
        for tenant in before:
            for number in range(700):
                store.put(key(number, tenant), answer())
        await written(store, 1_400)
        flush = "from pathlib import Path; from breakeven.cache import cache_file\n"
        flush += f"with cache_file.opened(Path({str(path)!r})) as c: print(cache_file.flush(c, 'acme').answers)"
        done = subprocess.run([sys.executable, "-c", flush], check=True, capture_output=True, text=True)
        assert done.stdout == "700\n"
        await asyncio.sleep(1)
        assert (await store.epoch("acme"), await store.epoch("other")) == (before["acme"] + 1, before["other"])
        assert await store.get(key(1, "acme"), now_ns()) is None
        assert await store.get(key(1, "other"), now_ns()) is not None
        await store.close()

    asyncio.run(run())


def test_what_is_flushed_is_nowhere_in_the_file(path: Path) -> None:
    def anywhere(text: bytes) -> bool:
        return any(text in file.read_bytes() for file in path.parent.iterdir())

    async def run() -> None:
        store = opened(path)
        for number in range(50):
            store.put(key(number, "acme"), answer(b"acme was told this" * (1 + number)))
            store.put(key(number, "other"), answer(b"others were told that" * (1 + number)))
        await written(store, 100)
        assert anywhere(b"acme was told this")
        with cache_file.opened(path) as connection:
            cache_file.flush(connection, "acme")
        assert not anywhere(b"acme was told this")
        assert anywhere(b"others were told that")
        await store.close()

    asyncio.run(run())


def test_epochs_only_grow_whoever_is_flushed(path: Path) -> None:
    with closing(cache_file.connect(path, create=True, busy_timeout_s=1)) as connection:
        seen = {cache_file.epoch(connection, "acme")}
        for tenant in ("acme", None, None, "acme", "other", None):
            before = cache_file.epoch(connection, "acme")
            flushed = cache_file.flush(connection, tenant)
            assert flushed.answers == 0
            assert cache_file.epoch(connection, "acme") - before == (tenant != "other")
            seen.add(cache_file.epoch(connection, "acme"))
        assert seen == {0, 1, 2, 3, 4, 5}
        stats = cache_file.stats(connection, path, int(time.time()))
        assert dict(stats.epochs) == {"": 3, "acme": 2, "other": 1}


def test_a_flush_deletes_a_slice_at_a_time_and_holds_up_no_writer(path: Path) -> None:
    with closing(cache_file.connect(path, create=True, busy_timeout_s=1)) as connection:
        put = "INSERT INTO answers (key, expires_at_s, used_at_s, answer) VALUES (?, 9, 9, x'00')"
        connection.executemany(put, [(key(number, tenant),) for number in range(1_200) for tenant in ("acme", "b")])
        said: list[str] = []
        connection.set_trace_callback(said.append)
        assert cache_file.flush(connection, "acme").answers == 1_200
        assert len([each for each in said if each.startswith("DELETE")]) == 4
        assert said.count("COMMIT") == 5
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (1_200,)


def test_a_file_that_another_process_writes_to_is_read_and_written_to_later(path: Path) -> None:
    async def run() -> None:
        store = opened(path)
        store.put(key(1), answer())
        await written(store, 1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.put(key(2), answer())
            assert await store.get(key(1), now_ns()) is not None
            await failed(store)
            assert store.failure is not None
            assert "locked" in store.failure
            other.execute("ROLLBACK")
        await written(store, 2)
        assert await store.get(key(2), now_ns()) is not None
        assert store.failure is None
        await store.close()

    asyncio.run(run())


def test_a_damaged_file_is_misses(path: Path) -> None:
    async def run() -> None:
        store = opened(path)
        for number in range(200):
            store.put(key(number), answer(random_body()))
        await store.close()
        path.write_bytes(path.read_bytes()[:4096] + random.Random(7).randbytes(path.stat().st_size - 4096))
        store = opened(path)
        store.put(key(1_000), answer())
        for number in range(200):
            assert await store.get(key(number), now_ns()) is None
        assert store.counters.read_errors > 0
        assert await store.epoch("acme") in (None, 0)
        await failed(store)
        await store.close()

    asyncio.run(run())


def test_a_damaged_answer_is_a_miss(path: Path) -> None:
    async def run() -> None:
        store = opened(path)
        store.put(key(1), answer())
        store.put(key(2), answer())
        await written(store, 2)
        with cache_file.opened(path) as connection:
            connection.execute("UPDATE answers SET answer = x'01ff' WHERE key = ?", (key(1),))
        assert await store.get(key(1), now_ns()) is None
        assert await store.get(key(2), now_ns()) is not None
        assert store.counters.read_errors == 1
        await store.close()

    asyncio.run(run())


def test_a_full_disk_is_misses_until_there_is_room(path: Path) -> None:
    async def run() -> None:
        store = opened(path)
        store.put(key(1), answer())
        await written(store, 1)
        assert store._writer._connection is not None
        pages = store._writer._connection.execute("PRAGMA page_count").fetchone()[0]
        real = cache_file.connect

        def with_full_disk(*given: object, **named: object) -> sqlite3.Connection:
            connection = real(*given, **named)  # type: ignore[arg-type]
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return connection

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(cache_file, "connect", with_full_disk)
            store._writer._connection.execute(f"PRAGMA max_page_count = {pages}")
            for number in range(2, 100):
                store.put(key(number), answer(random_body()))
            await failed(store)
            assert "full" in str(store.failure)
            assert await store.get(key(50), now_ns()) is None
            assert await store.get(key(1), now_ns()) is not None
        await written(store, 99)
        assert await store.get(key(50), now_ns()) is not None
        await store.close()

    asyncio.run(run())


def test_a_file_that_is_deleted_is_made_anew(path: Path) -> None:
    async def run() -> None:
        store = opened(path, memory_bytes=1 << 20)
        store.put(key(1), answer())
        await written(store, 1)
        for file in path.parent.iterdir():
            file.unlink()
        store.put(key(2), answer())
        await until(lambda: path.exists() and store.counters.written == 2)
        assert await store.epoch("acme") == 0
        assert await store.get(key(2), now_ns()) is not None
        assert await store.get(key(1), now_ns()) is None
        other = opened(path)
        assert await other.get(key(2), now_ns()) is not None
        await other.close()
        await store.close()

    asyncio.run(run())


def test_a_cache_is_no_ledger_and_a_ledger_no_cache(path: Path, tmp_path: Path) -> None:
    with ledger_file.opened(tmp_path / "ledger.db", create=True):
        pass
    with pytest.raises(InputError, match="is a ledger of Breakeven"):
        opened(tmp_path / "ledger.db")
    with closing(cache_file.connect(path, create=True, busy_timeout_s=1)):
        pass
    with pytest.raises(InputError, match="is a cache of Breakeven"), ledger_file.opened(path):
        pass
    text = tmp_path / "text"
    text.write_text("no database" * 100)
    with pytest.raises(InputError, match="no SQLite file"):
        opened(text)


WRITES_FOREVER = """
import asyncio, sys
from pathlib import Path
from breakeven.cache.sqlite_store import SqliteStore
from cache.stored import answer, key, random_body
async def run():
    store = SqliteStore.open(Path(sys.argv[1]), max_bytes=4 << 20, memory_bytes=0)
    for number in range(10**6):
        store.put(key(number), answer(random_body(), served_model=str(number)))
        if number % 50 == 0:
            print(store.counters.written, flush=True)
            await asyncio.sleep(0.005)
asyncio.run(run())
"""


def test_a_process_that_is_killed_while_it_writes_leaves_a_sound_file(path: Path) -> None:
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])}
    for least in (100, 700, 3_000):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITES_FOREVER, str(path)], stdout=subprocess.PIPE, env=environment, text=True
        )
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= least:
                break
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        with cache_file.opened(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            keys = [row[0] for row in connection.execute("SELECT key FROM answers")]
        assert len(keys) >= 100

        async def read_all(keys: list[bytes] = keys) -> None:
            store = opened(path)
            for each in keys:
                found = await store.get(each, now_ns())
                assert found is not None
                assert key(int(found.served_model)) == each
            await store.close()

        asyncio.run(read_all())
