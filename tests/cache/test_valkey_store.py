"""Answers on a server that gateways share: found by all, and a server that is slow or away is a miss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from breakeven.cache import stores, valkey_link, valkey_store
from breakeven.cache.packing import unpacked
from breakeven.cache.sqlite_store import SqliteStore
from breakeven.cache.valkey_store import ValkeyStore
from breakeven.errors import InputError, Unavailable
from cache.server import Server
from cache.stored import NS_PER_S, answer, key, until

PATIENT_S = 5.0


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no slow server; and a server that is back is found soon."""
    monkeypatch.setattr(valkey_store, "BUDGET_S", PATIENT_S)
    monkeypatch.setattr(valkey_link, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(valkey_link, "LAST_RETRY_S", 0.1)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def server(shared_server: Server) -> Server:
    shared_server.said(lambda client: client.flushall())
    return shared_server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test stops and stalls."""
    server = Server(tmp_path)
    yield server
    server.stop()


@asynccontextmanager
async def opened(server: Server, memory_bytes: int = 0) -> AsyncIterator[ValkeyStore]:
    store = ValkeyStore(server.url, memory_bytes=memory_bytes)
    assert await store.connected(10)
    yield store
    await store.close()


async def stored(store: ValkeyStore, number: int, **fields: Any) -> None:
    store.put(key(number), answer(str(number).encode(), **fields))
    for _ in range(500):
        if await store.get(key(number), time.time_ns()) is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(store.failure)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_an_answer_is_found_by_every_gateway(server: Server) -> None:
    async def work() -> None:
        async with opened(server) as one, opened(server) as other:
            kept = answer(b'{"a":1}', call_ids=(b"call_1",), stream=True, pieces=(b"data: 1\n\n", b"data: [DONE]\n\n"))
            await stored(one, 1)
            one.put(key(2), kept)
            await stored(one, 3)
            assert await other.get(key(2), time.time_ns()) == kept
            assert await other.get(key(4), time.time_ns()) is None
            assert (other.counters.store_hits, other.counters.misses, other.counters.read_errors) == (1, 1, 0)

    run(work())


def test_memory_answers_first(server: Server) -> None:
    async def work() -> None:
        async with opened(server, memory_bytes=1 << 20) as store:
            await stored(store, 1)
            assert (store.counters.memory_hits, store.counters.store_hits) == (1, 0)

    run(work())


def test_an_answer_is_gone_when_it_has_expired(server: Server) -> None:
    async def work() -> None:
        async with opened(server) as store:
            await stored(store, 1, ttl_s=100)
            assert await store.get(key(1), time.time_ns() + 101 * NS_PER_S) is None
            store.put(key(2), answer(ttl_s=-1))
            assert store.counters.dropped == 1

    run(work())
    (name,) = server.client().keys("*answer*")  # type: ignore[misc]
    assert 90_000 < server.said(lambda client: client.pttl(name)) <= 100_000  # type: ignore[operator]


def test_a_flush_is_seen_by_every_gateway_within_a_second(server: Server) -> None:
    async def work() -> None:
        async with opened(server) as one, opened(server) as other:
            before = {tenant: await other.epoch(tenant) for tenant in ("acme", "b")}
            assert before == {tenant: await one.epoch(tenant) for tenant in ("acme", "b")}
            assert await one.flush("acme")
            await asyncio.sleep(1)
            after = {tenant: await other.epoch(tenant) for tenant in ("acme", "b")}
            assert after["b"] == before["b"] is not None
            assert (after["acme"] or 0) > (before["acme"] or 0) > 0
            assert await one.flush()
            await asyncio.sleep(1)
            everyone = {tenant: await other.epoch(tenant) for tenant in ("acme", "b")}
            assert all((everyone[tenant] or 0) > (after[tenant] or 0) for tenant in after)

    run(work())


def test_a_server_that_forgot_its_epochs_has_new_ones(server: Server) -> None:
    async def work() -> None:
        async with opened(server) as store:
            before = await store.epoch("acme")
            assert await store.flush("acme")
            flushed = await store.epoch("acme")
            server.said(lambda client: client.flushall())
            await asyncio.sleep(0.6)
            anew = await store.epoch("acme")
            assert (anew or 0) > (flushed or 0) > (before or 0)

    run(work())


def test_a_dead_server_is_misses_and_is_found_again(own_server: Server) -> None:
    async def work() -> None:
        async with opened(own_server) as store:
            await stored(store, 1)
            known = await store.epoch("acme")
            own_server.stop()
            assert await store.get(key(1), time.time_ns()) is None
            await until(lambda: store.failure is not None)
            assert await store.get(key(1), time.time_ns()) is None
            store.put(key(2), answer())
            assert not await store.flush()
            await asyncio.sleep(0.6)
            assert await store.epoch("acme") is None  # what is not known is not guessed: nothing is looked up
            assert store.counters.read_errors > 0
            await until(lambda: store.counters.dropped == 1)
            own_server.start()
            assert await store.connected(10)
            await stored(store, 3)
            assert (await store.epoch("acme") or 0) > (known or 0)

    run(work())


def test_a_server_that_is_not_there_is_misses(own_server: Server) -> None:
    own_server.stop()

    async def work() -> None:
        store = ValkeyStore(own_server.url)
        assert not await store.connected(0.1)
        assert await store.get(key(1), time.time_ns()) is None
        assert await store.epoch("acme") is None
        store.put(key(1), answer())
        assert await store.get(key(1), time.time_ns()) is not None  # from memory
        await store.close()

    run(work())


def test_a_stalled_server_holds_nobody_up_and_mixes_nothing_up(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that come late are those of nobody: what a request gets is its own answer or none."""

    async def ask(store: ValkeyStore, number: int) -> bool:
        found = await store.get(key(number), time.time_ns())
        assert found is None or found.pieces == (str(number).encode(),)
        return found is not None

    async def work() -> None:
        async with opened(own_server) as store:
            for number in range(50):
                await stored(store, number)
            monkeypatch.setattr(valkey_store, "BUDGET_S", 0.005)
            for turn in range(60):
                (own_server.stall if turn % 3 == 1 else own_server.go_on)()
                await asyncio.gather(*(ask(store, number) for number in range(turn % 50 + 1)))
            own_server.go_on()
            monkeypatch.setattr(valkey_store, "BUDGET_S", PATIENT_S)
            assert await store.connected(10)
            assert all(await asyncio.gather(*(ask(store, number) for number in range(50))))

    run(work())


def test_a_server_that_stalls_for_long_is_not_asked(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_store, "BUDGET_S", 0.005)

    async def work() -> None:
        link = valkey_link.ValkeyLink(own_server.url, exchange_s=0.05)
        assert await link.connected(10)
        own_server.stall()
        assert await link.ask(0.005, "GET", "x") is None
        await until(lambda: not link.is_up)
        failures = link.failures
        assert [await link.ask(60, "GET", "x") for _ in range(100)] == [None] * 100  # at once, or this takes an hour
        assert link.send("SET", "x", "1") is None
        assert link.failures < failures + 50
        own_server.go_on()
        assert await link.connected(10)
        assert await link.ask(PATIENT_S, "SET", "x", "1") is not None
        await link.close()

    run(work())


def test_a_damaged_or_foreign_value_is_a_miss(server: Server) -> None:
    async def work() -> None:
        async with opened(server) as store:
            await stored(store, 1)
            name = b"breakeven:1:answer:"
            kept = server.said(lambda client: client.get(name + key(1)))
            assert isinstance(kept, bytes)
            assert unpacked(kept[len(key(1)) :]) is not None
            server.said(lambda client: client.set(name + key(2), kept))  # another question's answer
            server.said(lambda client: client.set(name + key(3), b"rubbish"))
            server.said(lambda client: client.rpush(name + key(4), b"a list"))
            assert [await store.get(key(number), time.time_ns()) for number in (2, 3, 4)] == [None] * 3
            assert await store.get(key(1), time.time_ns()) is not None

    run(work())


def test_any_server_that_speaks_the_protocol_will_do(server: Server) -> None:
    server.said(lambda client: client.config_resetstat())

    async def work() -> None:
        async with opened(server) as store:
            await stored(store, 1)
            await store.epoch("acme")
            await store.flush()

    run(work())
    used = server.said(lambda client: client.info("commandstats"))
    assert isinstance(used, dict)
    names = {name.removeprefix("cmdstat_").partition("|")[0] for name in used}
    assert names - {"config", "info", "client", "hello", "select"} == {"get", "set", "ping"}


def test_the_name_says_which_store(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        store = stores.open_store(str(tmp_path / "c.db"), max_bytes=1 << 20, memory_bytes=0)
        assert isinstance(store, SqliteStore)
        await store.close()
        store = stores.open_store(server.url, max_bytes=1 << 20, memory_bytes=0)
        assert isinstance(store, ValkeyStore)
        await store.close()
        with pytest.raises(InputError, match="no URL"):
            stores.open_store("redis://host:port", max_bytes=1, memory_bytes=0)
        monkeypatch.setattr(stores, "import_module", _no_module)
        with pytest.raises(Unavailable, match="optional part"):
            stores.open_store(server.url, max_bytes=1, memory_bytes=0)

    run(work())


def _no_module(name: str) -> None:
    raise ModuleNotFoundError(name)
