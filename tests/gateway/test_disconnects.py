"""A client that goes is noticed while its request is in work; one that only says nothing more is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from breakeven.gateway import http_connection
from breakeven.gateway.http_request import Request
from breakeven.gateway.limits import Limits
from breakeven.pipeline.reply import Reply
from gateway.raw import JSON, LOOPS, Client, Held, eventually, exchange, get, paths, run, serving


@pytest.fixture(autouse=True)
def asked_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a client is still there is asked after a tenth of a second."""
    monkeypatch.setattr(http_connection, "PROBE_S", 0.1)


Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("how", [Client.close, Client.reset])
def test_a_client_that_goes_is_noticed(how: Callable[[Client], None], begun: bool, loop: Loop) -> None:
    gone: list[int] = []
    held = Held()

    async def works(request: Request, reply: Reply) -> None:
        reply.on_gone = lambda: gone.append(1)
        if begun:
            reply.begin(200, [])
        try:
            await held(request, reply)
        finally:
            for _ in range(3):
                reply.piece(b"for nobody")
            reply.end()
            reply.whole(200, JSON, b"for nobody")

    async def scenario() -> None:
        async with serving(works) as server:
            client = await Client.connect(server)
            await client.send(get("/"))
            await eventually(lambda: held.replies)
            how(client)
            while begun and not gone:
                held.replies[0].piece(b"piece")
                await asyncio.sleep(0.01)
            await eventually(lambda: gone)
            assert held.replies[0].gone
            assert not server.work.idle, "the handler may still have to drain the upstream"
            held.go.set()
            await eventually(lambda: server.work.idle)
        assert gone == [1]

    async def nothing(request: Request, reply: Reply) -> None:
        pass

    held._answer = nothing
    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_has_closed_its_side_is_answered(loop: Loop) -> None:
    held = Held()

    async def scenario() -> None:
        async with serving(held) as server:
            client = await Client.connect(server)
            await client.send(get("/late"))
            client.writer.write_eof()
            await asyncio.sleep(0.5)
            assert not held.replies[0].gone
            held.go.set()
            assert paths(await client.to_end()) == ["/late"]
            assert client.heard.count(b"HTTP/1.1 100 Continue\r\n\r\n") == 1, "asked once whether it is still there"
            assert paths(await exchange(server, get("/soon"))) == ["/soon"]

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("waits", [False, True])
def test_between_two_events_a_client_that_closed_its_side_is_asked_by_a_comment(waits: bool, loop: Loop) -> None:
    held = Held()
    events = [(b"content-type", b"text/event-stream")]

    async def streams(request: Request, reply: Reply) -> None:
        reply.begin(200, events)
        reply.piece(b"data: 1\n\n")
        await held(request, reply)

    async def last(request: Request, reply: Reply) -> None:
        reply.end(b"data: 2\n\n")

    held._answer = last

    async def scenario() -> None:
        async with serving(streams) as server:
            client = await Client.connect(server)
            await client.send(get("/"))
            await client.until(b"data: 1\n\n")
            client.writer.write_eof()
            if not waits:
                client.close()
                await eventually(lambda: held.replies[0].gone)
                held.go.set()
                return
            await asyncio.sleep(1.5)
            assert not held.replies[0].gone
            held.go.set()
            heard = await client.to_end()
            assert heard.count(b"data: ") == 2
            assert b"\n\n\r\n3\r\n:\n\n\r\n" in heard

    run(scenario(), loop)


def test_a_request_cut_short_is_no_request() -> None:
    async def scenario() -> None:
        async with serving() as server:
            assert await exchange(server, b"GET / HTTP/1.1\r\nHos") == b""
            assert await exchange(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab") == b""

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_draining_lets_what_is_begun_come_to_its_end(loop: Loop) -> None:
    held = Held()

    async def stream(request: Request, reply: Reply) -> None:
        if request.path == "/stream":
            reply.begin(200, [])
            await held(request, reply)
        else:
            await held(request, reply)
            reply.whole(200, JSON, b'{"path": "/whole"}')

    async def ends(request: Request, reply: Reply) -> None:
        if request.path == "/stream":
            reply.end(b"the end")

    async def scenario() -> None:
        async with serving(stream) as server:
            idle, streams, whole = [await Client.connect(server) for _ in range(3)]
            await idle.send(get("/stream", "Connection: close").replace(b"/stream", b"/x")[:10])
            await streams.send(get("/stream"))
            await whole.send(get("/whole") + get("/never"))
            await eventually(lambda: len(held.replies) == 2)
            fresh = await Client.connect(server)
            await asyncio.sleep(0.02)
            server.begin_drain()
            assert await fresh.to_end() == b""
            with pytest.raises(ConnectionRefusedError):
                await Client.connect(server)
            idle.reset()
            waiting = asyncio.create_task(server.drained(5))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            held.go.set()
            assert (await streams.to_end()).endswith(b"7\r\nthe end\r\n0\r\n\r\n")
            assert paths(await whole.to_end()) == ["/whole"]
            assert b"connection: close" in whole.heard
            assert await waiting

    held._answer = ends
    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_draining_ends_when_its_time_is_over(loop: Loop) -> None:
    held = Held()
    cancelled: list[int] = []

    async def works(request: Request, reply: Reply) -> None:
        try:
            await held(request, reply)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def scenario() -> None:
        async with serving(works, Limits(sweep_s=0.02)) as server:
            client = await Client.connect(server)
            await client.send(get("/"))
            await eventually(lambda: held.replies)
            server.begin_drain()
            assert not await server.drained(0.1)
            await client.to_end()
            assert server.work.idle
            assert cancelled == [1]

    run(scenario(), loop)
