"""Slow clients, many clients and large bodies: what each may take is bounded, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from breakeven.gateway import http_server
from breakeven.gateway.http_request import Request
from breakeven.gateway.limits import Limits
from breakeven.pipeline.reply import Reply
from gateway.raw import LOOPS, Client, Held, eventually, exchange, get, paths, post, run, serving, statuses

Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "begun", [b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_a_request_that_does_not_go_on_is_given_up(begun: bytes, loop: Loop) -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(header_s=0.1, body_grace_s=0.1, sweep_s=0.02)) as server:
            client = await Client.connect(server)
            await client.send(begun)
            assert statuses(await client.to_end()) == [408]

    run(scenario(), loop)


def test_a_head_that_drips_is_given_up_however_often_it_drips() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(header_s=0.2, sweep_s=0.02)) as server:
            client = await Client.connect(server)
            heard = asyncio.create_task(client.to_end())
            dripped = 0
            for byte in get("/", *["A: b"] * 90):
                client.writer.write(bytes([byte]))
                dripped += 1
                await asyncio.sleep(0.02)
                if heard.done():
                    break
            assert statuses(await heard) == [408]
            assert dripped < 60

    run(scenario())


def test_a_body_may_take_as_long_as_its_length_allows() -> None:
    limits = Limits(body_grace_s=0.1, body_bytes_per_s=1000, sweep_s=0.02)

    async def scenario() -> None:
        async with serving(limits=limits) as server:
            fair, slow = await Client.connect(server), await Client.connect(server)
            await fair.send(post("/fair", b"a" * 600)[:-600])
            await slow.send(post("/slow", b"a" * 600)[:-600])
            for _ in range(12):
                await fair.send(b"a" * 50)
                await slow.send(b"a")
                await asyncio.sleep(0.03)
            await fair.until(b"\r\n\r\n")
            assert statuses(await slow.to_end()) == [408]

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_an_idle_connection_is_closed_without_a_word(loop: Loop) -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(idle_s=0.2, sweep_s=0.02)) as server:
            fresh, used = await Client.connect(server), await Client.connect(server)
            await used.send(get("/"))
            assert await fresh.to_end() == b""
            assert statuses(await used.to_end()) == [200]

    run(scenario(), loop)


def test_a_request_in_work_is_not_idle() -> None:
    async def slow(request: Request, reply: Reply) -> None:
        await asyncio.sleep(0.5)
        reply.whole(200, [], b"")

    async def scenario() -> None:
        limits = Limits(idle_s=0.1, header_s=0.1, body_grace_s=0.1, waiting_s=0.1, stalled_s=0.1, sweep_s=0.02)
        async with serving(slow, limits) as server:
            assert statuses(await exchange(server, post("/", b"abc"))) == [200]

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_connections_beyond_the_limit_are_told_so(loop: Loop) -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(connections=2, sweep_s=0.02)) as server:
            first, second = await Client.connect(server), await Client.connect(server)
            await eventually(lambda: len(server._connections) == 2)
            for _ in range(3):
                beyond = await exchange(server, get("/"))
                assert statuses(beyond) == [503]
                assert b"retry-after: 1\r\n" in beyond
                assert b"connection: close\r\n" in beyond
            first.close()
            await eventually(lambda: len(server._connections) < 2)
            assert statuses(await exchange(server, get("/"))) == [200]
            second.close()

    run(scenario(), loop)


def test_a_flood_of_connections_is_cut_off_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "TURNED_AWAY", 2)

    async def scenario() -> None:
        async with serving(limits=Limits(connections=1, linger_s=5, sweep_s=0.02)) as server:
            clients = [await Client.connect(server) for _ in range(6)]
            heard = [statuses(await client.to_end()) for client in clients[1:]]
            assert heard == [[503], [503], [], [], []]
            assert len(server._connections) == 3

    run(scenario())


def test_requests_wait_for_a_place_and_beyond_that_are_refused() -> None:
    held = Held()

    async def scenario() -> None:
        async with serving(held, Limits(in_work=2, waiting=2, sweep_s=0.02)) as server:
            clients = [await Client.connect(server) for _ in range(6)]
            for number, client in enumerate(clients):
                await client.send(get(f"/{number}", "Connection: close"))
                await asyncio.sleep(0.01)
            assert len(held.requests) == 2
            for client in clients[4:]:
                assert statuses(await client.to_end()) == [503]
                assert b"retry-after: 1\r\n" in client.heard
            held.go.set()
            assert [paths(await client.to_end()) for client in clients[:4]] == [["/0"], ["/1"], ["/2"], ["/3"]]
            assert server.work.idle

    run(scenario())


def test_who_waits_too_long_for_a_place_is_told_so_and_who_leaves_gives_his_up() -> None:
    held = Held()

    async def scenario() -> None:
        async with serving(held, Limits(in_work=1, waiting=5, waiting_s=0.3, sweep_s=0.02)) as server:
            works, waits, leaves = [await Client.connect(server) for _ in range(3)]
            for client in (works, waits, leaves):
                await client.send(post("/", b"abc", "Connection: close"))
                await asyncio.sleep(0.01)
            leaves.reset()
            assert statuses(await waits.to_end()) == [503]
            held.go.set()
            assert statuses(await works.to_end()) == [200]
            await eventually(lambda: server.work.idle)
            assert len(held.requests) == 1
            assert server.work.body_bytes == 0

    run(scenario())


def test_bodies_together_take_no_more_than_their_room() -> None:
    held = Held()

    async def scenario() -> None:
        async with serving(held, Limits(bodies_bytes=100_000, sweep_s=0.02)) as server:
            works, reads = await Client.connect(server), await Client.connect(server)
            await works.send(post("/", b"a" * 90_000, "Connection: close"))
            await eventually(lambda: held.requests)
            assert server.work.body_bytes == 90_000
            await reads.send(post("/", b"a" * 50_000)[:-10_000])
            assert statuses(await reads.to_end()) == [503]
            assert server.work.body_bytes == 90_000
            held.go.set()
            assert statuses(await works.to_end()) == [200]
            await eventually(lambda: server.work.idle)
            assert server.work.body_bytes == 0

    run(scenario())


def test_room_is_given_back_whatever_becomes_of_a_body() -> None:
    async def scenario() -> None:
        async with serving(limits=Limits(body_bytes=50_000, sweep_s=0.02)) as server:
            cut_off = await Client.connect(server)
            await cut_off.send(post("/", b"a" * 9000)[:-10])
            await eventually(lambda: server.work.body_bytes > 0)
            cut_off.reset()
            chunk = b"2000\r\n" + b"a" * 0x2000 + b"\r\n"
            head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert statuses(await exchange(server, head, *[chunk] * 9)) == [413]
            assert statuses(await exchange(server, head, chunk, b"zzz")) == [400]
            assert statuses(await exchange(server, post("/", b"a" * 20_000))) == [200]
            await eventually(lambda: server.work.idle and server.work.body_bytes == 0)

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_does_not_read_is_waited_for_then_dropped(loop: Loop) -> None:
    calls: list[str] = []
    most = 0

    async def stream(request: Request, reply: Reply) -> None:
        nonlocal most
        room = asyncio.Event()
        room.set()

        def full() -> None:
            calls.append("full")
            room.clear()

        def gone() -> None:
            calls.append("gone")
            room.set()

        reply.on_full, reply.on_drained, reply.on_gone = full, room.set, gone
        reply.begin(200, [])
        while not reply.gone:
            await room.wait()
            reply.piece(b"a" * 10_000)
            [connection] = servers[0]._connections or [None]
            if connection is not None:
                most = max(most, connection._transport.get_write_buffer_size())
            await asyncio.sleep(0)

    servers = []

    async def scenario() -> None:
        async with serving(stream, Limits(stalled_s=0.3, sweep_s=0.02)) as server:
            servers.append(server)
            client = await Client.connect(server)
            client.pause_reading()
            await client.send(get("/"))
            await eventually(lambda: "gone" in calls)
            await eventually(lambda: server.work.idle)
            assert calls[0] == "full"
            assert calls[-1] == "gone"
            assert most < 200_000
            client.close()

    run(scenario(), loop)


def test_a_slow_reader_gets_it_all() -> None:
    body = bytes(range(256)) * 80_000
    drained = []

    async def stream(request: Request, reply: Reply) -> None:
        room = asyncio.Event()
        room.set()

        def caught_up() -> None:
            drained.append(1)
            room.set()

        reply.on_full, reply.on_drained = room.clear, caught_up
        reply.begin(200, [])
        for start in range(0, len(body), 100_000):
            await room.wait()
            reply.piece(body[start : start + 100_000])
            await asyncio.sleep(0)
        reply.end()

    async def scenario() -> None:
        async with serving(stream) as server:
            client = await Client.connect(server)
            await client.send(b"GET / HTTP/1.0\r\n\r\n")
            await asyncio.sleep(0.3)
            while part := await client.reader.read(200_000):
                client.heard += part
                await asyncio.sleep(0.002)
            assert client.heard.partition(b"\r\n\r\n")[2] == body
            assert drained

    run(scenario())


@pytest.mark.parametrize("last", ["Connection: close", "Connection: keep-alive"])
def test_a_slow_reader_is_not_cut_off_while_it_reads(last: str) -> None:
    body = bytes(range(256)) * 80_000

    async def large(request: Request, reply: Reply) -> None:
        reply.whole(200, [], body)

    async def scenario() -> None:
        async with serving(large, Limits(stalled_s=0.2, linger_s=0.05, sweep_s=0.02)) as server:
            client = await Client.connect(server)
            await client.send(get("/", last))
            while len(client.heard) < len(body):
                client.heard += await client.reader.read(300_000)
                await asyncio.sleep(0.01)
            assert client.heard.endswith(body)

    run(scenario())


def test_pipelining_without_reading_does_not_pile_up_answers() -> None:
    asked = 0

    async def large(request: Request, reply: Reply) -> None:
        nonlocal asked
        asked += 1
        reply.whole(200, [], b"a" * 300_000)

    async def scenario() -> None:
        async with serving(large, Limits(stalled_s=0.3, sweep_s=0.02)) as server:
            client = await Client.connect(server)
            client.pause_reading()
            client.writer.write(get("/") * 1000)
            await eventually(lambda: not server._connections)
            assert asked < 100
            client.close()

    run(scenario())
